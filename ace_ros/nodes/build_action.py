"""The action ~/build_map."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.action.server import ServerGoalHandle

from ace_ros.action import BuildMap
from ace_ros.files import fingerprint
from ace_ros.mapping.progress import Progress
from ace_ros.nodes.map_actions import CODES, Feedback, MapAction
from ace_ros.nodes.mapping_report import fill_held_back, fill_progress
from ace_ros.online.building import Outcome


class BuildAction(MapAction):
    """Serves ~/build_map."""

    kind, name = BuildMap, "~/build_map"

    def _begin(self, goal: ServerGoalHandle, done: Callable[[Outcome], None]) -> None:
        request, session = goal.request, self._node.session

        def feedback(progress: Progress) -> BuildMap.Feedback:
            message = BuildMap.Feedback(first_map_path=str(session.first_map or ""))
            fill_progress(message, progress)
            return message

        session.build(request.map_name, request.steps, request.seconds, Feedback(goal, feedback), done)

    def _result(self, ended: Outcome) -> BuildMap.Result:
        return result_message(ended)


def result_message(outcome: Outcome) -> BuildMap.Result:
    """The action's result."""
    message = BuildMap.Result(result=CODES[outcome.result], message=outcome.message)
    message.frames, message.seconds = outcome.frames, float(outcome.seconds)
    message.map_path = str(outcome.path) if outcome.path else ""
    message.map_bytes = outcome.size
    message.map_id = fingerprint(outcome.path) if outcome.path else ""
    message.steps = int(outcome.scene_map.header.training.get("steps", 0)) if outcome.scene_map else 0
    fill_held_back(message, outcome.scene_map)
    return message

"""The action ~/build_map."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rclpy.action.server import ServerGoalHandle

from ace_ros.action import BuildMap
from ace_ros.errors import InputError
from ace_ros.files import fingerprint
from ace_ros.mapping.progress import Progress
from ace_ros.nodes.map_actions import Feedback, end, serve
from ace_ros.nodes.mapping_report import fill_held_back, fill_progress
from ace_ros.nodes.runtime import Answer
from ace_ros.online.building import Outcome, Result

if TYPE_CHECKING:
    from ace_ros.nodes.mapping_node import MappingNode

_CODES = {
    Result.SUCCESS: BuildMap.Result.RESULT_SUCCESS,
    Result.TOO_FEW_FRAMES: BuildMap.Result.RESULT_TOO_FEW_FRAMES,
    Result.DIVERGED: BuildMap.Result.RESULT_DIVERGED,
    Result.WRITE_FAILED: BuildMap.Result.RESULT_WRITE_FAILED,
    Result.CANCELED: BuildMap.Result.RESULT_CANCELED,
    Result.UNDEFINED_FAILURE: BuildMap.Result.RESULT_UNDEFINED_FAILURE,
}


class BuildAction:
    """Serves the action; the work is done by the session's collector, the executor never waits for it."""

    def __init__(self, node: MappingNode) -> None:
        self._node = node
        self._server = serve(node, BuildMap, "~/build_map", self._execute)

    async def _execute(self, goal: ServerGoalHandle) -> BuildMap.Result:
        request: BuildMap.Goal = goal.request
        session, answer = self._node.session, Answer(self._node)

        def feedback(progress: Progress) -> BuildMap.Feedback:
            message = BuildMap.Feedback(first_map_path=str(session.first_map or ""))
            fill_progress(message, progress)
            return message

        try:
            session.build(request.map_name, request.steps, request.seconds, Feedback(goal, feedback), answer.give)
        except InputError as error:
            goal.abort()
            code = BuildMap.Result.RESULT_INVALID_NAME
            if session.building:
                code = BuildMap.Result.RESULT_UNDEFINED_FAILURE
            return BuildMap.Result(result=code, message=str(error))
        if goal.is_cancel_requested:  # before there was anything to cancel
            session.cancel()
        outcome: Outcome = await answer.future
        end(goal, outcome)
        return result_message(outcome)


def result_message(outcome: Outcome) -> BuildMap.Result:
    """The action's result."""
    message = BuildMap.Result(result=_CODES[outcome.result], message=outcome.message)
    message.frames, message.seconds = outcome.frames, float(outcome.seconds)
    message.map_path = str(outcome.path) if outcome.path else ""
    message.map_bytes = outcome.size
    message.map_id = fingerprint(outcome.path) if outcome.path else ""
    message.steps = int(outcome.scene_map.header.training.get("steps", 0)) if outcome.scene_map else 0
    fill_held_back(message, outcome.scene_map)
    return message

"""What the actions of mapping_node share: cancelling, feedback, the end of a goal."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rclpy.action import ActionServer, CancelResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.callback_groups import ReentrantCallbackGroup

from ace_ros.mapping.progress import Progress
from ace_ros.nodes.supervised import defective
from ace_ros.online.building import Outcome, Result

if TYPE_CHECKING:
    from ace_ros.nodes.mapping_node import MappingNode

_FEEDBACK_PERIOD = 0.2  # s, at most so often; set by hand
_RESULT_TIMEOUT = 600  # s that a result is kept for the client to ask for; set by hand


def serve(node: MappingNode, kind: type[Any], name: str, execute: Callable[[ServerGoalHandle], Any]) -> ActionServer:
    """An action whose goals the session works on; cancelling one cancels what the session is at."""

    def cancel(goal: ServerGoalHandle) -> CancelResponse:
        node.get_logger().info(f"{name} is to be cancelled")
        node.session.cancel()
        return CancelResponse.ACCEPT

    async def supervised(goal: ServerGoalHandle) -> Any:
        result = await node.supervisor.run_async(f"the action {name}", execute, goal)
        if result is None:
            goal.abort()
            return defective(kind.Result(), node.supervisor.fault(f"the action {name}"))
        return result

    return ActionServer(
        node,
        kind,
        name,
        supervised,
        cancel_callback=cancel,
        callback_group=ReentrantCallbackGroup(),
        result_timeout=_RESULT_TIMEOUT,
    )


def end(goal: ServerGoalHandle, outcome: Outcome) -> None:
    """Tell the client how its goal ended."""
    if outcome.result is Result.SUCCESS:
        goal.succeed()
    elif outcome.result is Result.CANCELED and goal.is_cancel_requested:
        goal.canceled()
    else:
        goal.abort()


class Feedback:
    """Passes progress on, a few times a second and whenever the stage changes."""

    def __init__(self, goal: ServerGoalHandle, message: Callable[[Progress], Any]) -> None:
        self._goal, self._message = goal, message
        self._stage, self._last = "", 0.0

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if progress.stage == self._stage and now - self._last < _FEEDBACK_PERIOD and progress.done < progress.total:
            return
        self._stage, self._last = progress.stage, now
        self._goal.publish_feedback(self._message(progress))

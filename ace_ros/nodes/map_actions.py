"""What the actions of mapping_node share: the course of a goal, cancelling, feedback."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rclpy.action import ActionServer, CancelResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.callback_groups import ReentrantCallbackGroup

from ace_ros.action import ExtendMap
from ace_ros.errors import InputError
from ace_ros.mapping.progress import Progress
from ace_ros.nodes.runtime import Answer
from ace_ros.nodes.supervised import defective
from ace_ros.online.building import Outcome, Result

if TYPE_CHECKING:
    from ace_ros.nodes.mapping_node import MappingNode

_FEEDBACK_PERIOD = 0.2  # s, at most so often; set by hand
_RESULT_TIMEOUT = 600  # s that a result is kept for the client to ask for; set by hand


#: results as codes; those of ExtendMap hold for the other actions too, which have some of them
CODES = {result: getattr(ExtendMap.Result, f"RESULT_{result.name}") for result in Result}


class MapAction(ABC):
    """An action whose goals the session works on; the executor never waits for it.

    Cancelling a goal cancels what the session is at. ``kind`` and ``name`` are the action's.
    """

    kind: type[Any]
    name: str

    def __init__(self, node: MappingNode) -> None:
        self._node, self._what = node, f"the action {self.name}"
        self._server = ActionServer(
            node,
            self.kind,
            self.name,
            node.supervised(self._what, self._execute, self._or_aborted),
            cancel_callback=node.supervised(f"the cancelling of {self._what}", self._cancel),
            callback_group=ReentrantCallbackGroup(),
            result_timeout=_RESULT_TIMEOUT,
        )

    @abstractmethod
    def _begin(self, goal: ServerGoalHandle, done: Callable[[Any], None]) -> None:
        """Have the session begin; ``done`` gets what it comes to. Raises InputError: it can't be begun."""

    @abstractmethod
    def _result(self, ended: Any) -> Any:
        """What ``done`` got, as the action's result."""

    def _cancel(self, goal: ServerGoalHandle) -> CancelResponse:
        self._node.get_logger().info(f"{self.name} is to be cancelled")
        self._node.session.cancel()
        return CancelResponse.ACCEPT

    def _or_aborted(self, result: Any, goal: ServerGoalHandle) -> Any:
        if result is not None:
            return result
        goal.abort()
        return defective(self.kind.Result(), self._node.supervisor.fault(self._what))

    async def _execute(self, goal: ServerGoalHandle) -> Any:
        session, answer = self._node.session, Answer(self._node)
        try:
            self._begin(goal, answer.give)
        except InputError as error:
            goal.abort()
            self._node.get_logger().warning(f"{self.name} refused: {error}")
            codes = self.kind.Result
            code = codes.RESULT_UNDEFINED_FAILURE if session.building else codes.RESULT_INVALID_NAME
            return self.kind.Result(result=code, message=str(error))
        if goal.is_cancel_requested:  # before there was anything to cancel
            session.cancel()
        ended = await answer.future
        _end(goal, ended if isinstance(ended, Outcome) else ended.outcome)
        return self._result(ended)


def _end(goal: ServerGoalHandle, outcome: Outcome) -> None:
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

"""Nodes whose callbacks are supervised: one that raises an exception ends neither the node nor its own work."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from functools import cached_property
from typing import Any

from rclpy.lifecycle import TransitionCallbackReturn

from ace_ros.online.supervision import Supervisor


class Supervised:
    """To inherit from before Node: all subscriptions, timers and services, those of libraries too, are supervised."""

    @cached_property
    def supervisor(self) -> Supervisor:
        """Made when it is first asked for: Node creates services before it is whole."""
        return Supervisor(lambda text: self.get_logger().error(text))  # type: ignore[attr-defined]

    def create_subscription(
        self, msg_type: Any, topic: str, callback: Callable[..., Any], *args: Any, **more: Any
    ) -> Any:
        """See :class:`rclpy.node.Node`."""
        callback = self.supervised(f"the subscription to {topic}", callback)
        return super().create_subscription(msg_type, topic, callback, *args, **more)  # type: ignore[misc]

    def create_timer(self, timer_period_sec: float, callback: Callable[..., Any], *args: Any, **more: Any) -> Any:
        """See :class:`rclpy.node.Node`."""
        callback = self.supervised(f"the timer of {_name(callback)}", callback)
        return super().create_timer(timer_period_sec, callback, *args, **more)  # type: ignore[misc]

    def create_service(
        self, srv_type: Any, srv_name: str, callback: Callable[..., Any], *args: Any, **more: Any
    ) -> Any:
        """See :class:`rclpy.node.Node`. Whoever calls gets an answer in any case."""
        callback = self._answering(f"the service {srv_name}", callback)
        return super().create_service(srv_type, srv_name, callback, *args, **more)  # type: ignore[misc]

    def supervised(self, what: str, callback: Callable[..., Any]) -> Callable[..., Any]:
        """The callback, run by the supervisor."""

        @functools.wraps(callback)
        def run(*args: Any) -> Any:
            return self.supervisor.run(what, callback, *args)

        return run

    def _answering(self, what: str, callback: Callable[..., Any]) -> Callable[..., Any]:
        if not inspect.iscoroutinefunction(callback):

            @functools.wraps(callback)
            def serve(request: Any, response: Any) -> Any:
                return self.supervisor.run(what, callback, request, response) or self._failure(what, response)

            return serve

        @functools.wraps(callback)
        async def serve_later(request: Any, response: Any) -> Any:
            answer = await self.supervisor.run_async(what, callback, request, response)
            return answer or self._failure(what, response)

        return serve_later

    def _failure(self, what: str, response: Any) -> Any:
        return defective(type(response)(), self.supervisor.fault(what))


def defective(answer: Any, sentence: str) -> Any:
    """Fill in the response of a service, or the result of an action, that could not be given for a defect."""
    if hasattr(answer, "RESULT_UNDEFINED_FAILURE"):
        answer.result = answer.RESULT_UNDEFINED_FAILURE
    if hasattr(answer, "message"):
        answer.message = sentence
    return answer


def transition(callback: Callable[[Any, Any], TransitionCallbackReturn]) -> Callable[[Any, Any], Any]:
    """Decorates a lifecycle node's callback: rclpy turns an exception into ERROR, but does not say a word about it."""

    @functools.wraps(callback)
    def run(self: Any, state: Any) -> Any:
        return self.supervisor.run(callback.__name__, callback, self, state) or TransitionCallbackReturn.ERROR

    return run


def _name(callback: Callable[..., Any]) -> str:
    return str(getattr(callback, "__qualname__", callback))

"""What the nodes' entities have in common: callbacks that are supervised, so that one that raises an exception ends
neither the node nor its own work, and QoS that the parameters ``qos_overrides`` may change."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from functools import cached_property
from typing import Any

from rcl_interfaces.msg import SetParametersResult
from rclpy.exceptions import ParameterException
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.qos_overriding_options import InvalidQosOverridesError, QoSOverridingOptions, QoSPolicyKind

from ace_ros.errors import InputError
from ace_ros.nodes.parameters import given
from ace_ros.nodes.runtime import news
from ace_ros.online.news import News
from ace_ros.online.supervision import Supervisor


class Supervised:
    """To inherit from before Node: all subscriptions, timers and services, those of libraries too, are supervised."""

    @cached_property
    def supervisor(self) -> Supervisor:
        """Made when it is first asked for: Node creates services before it is whole."""
        return Supervisor(lambda text: self.get_logger().error(text))  # type: ignore[attr-defined]

    @cached_property
    def _news(self) -> News:
        return news(self)

    def create_subscription(
        self, msg_type: Any, topic: str, callback: Callable[..., Any], qos_profile: Any, **more: Any
    ) -> Any:
        """See :class:`rclpy.node.Node`."""
        callback = self.supervised(f"the subscription to {topic}", callback)
        with self._overriding(topic, "subscription", qos_profile, more) as qos:
            return super().create_subscription(msg_type, topic, callback, qos, **more)  # type: ignore[misc]

    def create_publisher(self, msg_type: Any, topic: str, qos_profile: Any, **more: Any) -> Any:
        """See :class:`rclpy.node.Node`."""
        with self._overriding(topic, "publisher", qos_profile, more) as qos:
            return super().create_publisher(msg_type, topic, qos, **more)  # type: ignore[misc]

    def create_lifecycle_publisher(self, msg_type: Any, topic: str, qos_profile: Any, **more: Any) -> Any:
        """See :class:`rclpy.lifecycle.LifecycleNode`."""
        with self._overriding(topic, "publisher", qos_profile, more) as qos:
            return super().create_lifecycle_publisher(msg_type, topic, qos, **more)  # type: ignore[misc]

    @contextmanager
    def _overriding(self, topic: str, kind: str, qos: Any, more: dict[str, Any]) -> Iterator[Any]:
        """Let rclpy take what the parameters ``qos_overrides`` say of a topic; the rest stays the node's choice."""
        names = [name for name in given(self) if name.startswith("qos_overrides.")]
        if names:  # none while Node is not whole
            prefix = f"qos_overrides.{self.resolve_topic_name(topic)}.{kind}."  # type: ignore[attr-defined]
            kinds = [policy for policy in QoSPolicyKind if f"{prefix}{policy.name.lower()}" in names]
            more.setdefault("qos_overriding_options", QoSOverridingOptions(kinds) if kinds else None)
        try:
            yield copy(qos)  # rclpy writes into it
        except (ParameterException, InvalidQosOverridesError) as error:
            raise InputError(f"parameters qos_overrides: {error}") from None

    def create_timer(self, timer_period_sec: float, callback: Callable[..., Any], *args: Any, **more: Any) -> Any:
        """See :class:`rclpy.node.Node`."""
        callback = self.supervised(f"the timer of {_name(callback)}", callback)
        return super().create_timer(timer_period_sec, callback, *args, **more)  # type: ignore[misc]

    def create_service(
        self, srv_type: Any, srv_name: str, callback: Callable[..., Any], *args: Any, **more: Any
    ) -> Any:
        """See :class:`rclpy.node.Node`. Whoever calls gets an answer in any case; what is refused is logged."""
        what = f"the service {srv_name}"
        callback = self.supervised(what, callback, functools.partial(self._answered, what))
        return super().create_service(srv_type, srv_name, callback, *args, **more)  # type: ignore[misc]

    def add_on_set_parameters_callback(self, callback: Callable[..., Any]) -> None:
        """See :class:`rclpy.node.Node`. Whoever sets a parameter gets an answer in any case."""
        what = "the check of parameters"

        def checked(result: Any, _: Any) -> Any:
            return result or SetParametersResult(successful=False, reason=self.supervisor.fault(what))

        super().add_on_set_parameters_callback(self.supervised(what, callback, checked))  # type: ignore[misc]

    def supervised(
        self, what: str, callback: Callable[..., Any], finish: Callable[..., Any] = lambda result, *args: result
    ) -> Callable[..., Any]:
        """The callback, a coroutine or not, run by the supervisor.

        ``finish`` gets what it returned, None where it raised an exception, and its arguments; what ``finish`` makes of
        these is returned.
        """
        if not inspect.iscoroutinefunction(callback):

            @functools.wraps(callback)
            def run(*args: Any) -> Any:
                return finish(self.supervisor.run(what, callback, *args), *args)

            return run

        @functools.wraps(callback)
        async def run_later(*args: Any) -> Any:
            return finish(await self.supervisor.run_async(what, callback, *args), *args)

        return run_later

    def _answered(self, what: str, answer: Any, _: Any, response: Any) -> Any:
        """What a service answers; the log has it too where that is a no, as whoever called may not look at it."""
        if answer is None:
            return defective(type(response)(), self.supervisor.fault(what))
        if _refused(answer):
            self._news.conditions([f"{what} did not succeed: {answer.message}"])
        return answer


def defective(answer: Any, sentence: str) -> Any:
    """Fill in the response of a service, or the result of an action, that could not be given for a defect."""
    if hasattr(answer, "RESULT_UNDEFINED_FAILURE"):
        answer.result = answer.RESULT_UNDEFINED_FAILURE
    if hasattr(answer, "message"):
        answer.message = sentence
    return answer


def _refused(answer: Any) -> bool:
    """Whether a service's response says that what was asked for was not done; those of rclpy's own services don't."""
    codes = hasattr(answer, "RESULT_SUCCESS")
    return not (answer.result == answer.RESULT_SUCCESS if codes else getattr(answer, "success", True))


def transition(callback: Callable[[Any, Any], TransitionCallbackReturn]) -> Callable[[Any, Any], Any]:
    """Decorates a lifecycle node's callback: rclpy turns an exception into ERROR, but does not say a word about it."""

    @functools.wraps(callback)
    def run(self: Any, state: Any) -> Any:
        return self.supervisor.run(callback.__name__, callback, self, state) or TransitionCallbackReturn.ERROR

    return run


def _name(callback: Callable[..., Any]) -> str:
    return str(getattr(callback, "__qualname__", callback))

"""A subscription that is as reliable as its publishers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy

from ace_ros.nodes.topic_search import why_silent


class AdaptiveSubscription:
    """Reliable where every publisher is, else best-effort, which hears all kinds.

    Where both sides are reliable, large messages get through, and none is lost. A change leaves no gap: the old
    subscription stays until the next look, and meanwhile messages may come twice.
    """

    def __init__(
        self,
        node: Node,
        kind: Any,
        topic: str,
        depth: int,
        callback: Callable[[Any], None],
        reliable: bool,
        adapt: bool,
    ) -> None:
        """``reliable``: to begin with, and for good unless it is to ``adapt``."""
        self._node, self._depth, self._adapt = node, depth, adapt
        self._create: Callable[[QoSProfile], Any] = lambda qos: node.create_subscription(kind, topic, callback, qos)
        self.topic, self.kind = topic, kind
        self._reliable = reliable
        self._current, self._old = self._create(self._qos()), None

    @property
    def changing(self) -> bool:
        """Whether messages may come twice."""
        return self._old is not None

    def why_silent(self, *kin: Any) -> str:
        """Why nothing comes, a sentence; ``kin``: other types of messages that are worth naming."""
        return why_silent(self._node, self.topic, self.kind, self._reliable and not self._adapt, kin)

    def look_after(self) -> None:
        """Look at the publishers; call it now and then."""
        if self._old is not None:
            self._node.destroy_subscription(self._old)
            self._old = None
        if not self._adapt:
            return
        publishers = self._node.get_publishers_info_by_topic(self.topic)
        reliable = all(info.qos_profile.reliability == ReliabilityPolicy.RELIABLE for info in publishers)
        if publishers and reliable != self._reliable:
            self._reliable = reliable
            self._old, self._current = self._current, self._create(self._qos())

    def close(self) -> None:
        """Unsubscribe."""
        for subscription in (self._old, self._current):
            if subscription is not None:
                self._node.destroy_subscription(subscription)

    def _qos(self) -> QoSProfile:
        reliability = ReliabilityPolicy.RELIABLE if self._reliable else ReliabilityPolicy.BEST_EFFORT
        return QoSProfile(depth=self._depth, reliability=reliability)

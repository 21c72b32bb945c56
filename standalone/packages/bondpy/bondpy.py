"""Two processes that notice when the other dies: each tells on one topic that it lives."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

from bond.msg import Status
from rclpy.duration import Duration
from rclpy.node import Node

_DEAD_PERIOD = 0.05  # s between two words of one's own death


class Bond:
    """One end of a bond; the other has the same ``topic`` and ``id``.

    Attributes:
        connect_timeout, heartbeat_timeout, disconnect_timeout, heartbeat_period: s; to set before :meth:`start`.
    """

    def __init__(
        self,
        node: Node,
        topic: str,
        id: str,
        on_broken: Callable[[], None] | None = None,
        on_formed: Callable[[], None] | None = None,
    ) -> None:
        self.node, self.topic, self.id = node, topic, id
        self.instance_id = str(uuid.uuid4())
        self.on_broken, self.on_formed = on_broken, on_formed
        self.connect_timeout, self.heartbeat_timeout, self.disconnect_timeout = 10.0, 4.0, 2.0
        self.heartbeat_period = 1.0
        self._changed = threading.Condition()
        self._state, self._deadline, self._sister = "waiting", float("inf"), ""
        self._over = False
        self.pub = node.create_publisher(Status, topic, 1)
        self.sub: Any = None
        self._teller = threading.Thread(target=self._tell, daemon=True)

    def start(self) -> None:
        """Begin to tell, and to listen."""
        self._deadline = time.monotonic() + self.connect_timeout
        self.sub = self.node.create_subscription(Status, self.topic, self._hear, 1)
        self._teller.start()

    def shutdown(self) -> None:
        """Break the bond and be silent."""
        if self._over:
            return
        self.break_bond()
        self._over = True
        with self._changed:
            self._changed.notify_all()
        if self._teller.is_alive() and self._teller is not threading.current_thread():
            self._teller.join()  # it may be publishing
        self.node.destroy_subscription(self.sub)
        self.node.destroy_publisher(self.pub)

    def break_bond(self) -> None:
        """Tell the other end of one's own death."""
        if not self.is_broken():
            self._become("dying", self.disconnect_timeout)
            self._publish(False)

    def is_broken(self) -> bool:
        """Whether either end has died."""
        return self._state == "dead"

    def wait_until_formed(self, timeout: Duration | None = None) -> bool:
        """Whether it was formed within ``timeout``."""
        return self._wait(lambda: self._state != "waiting", timeout)

    def wait_until_broken(self, timeout: Duration | None = None) -> bool:
        """Whether it was broken within ``timeout``."""
        return self._wait(self.is_broken, timeout)

    def _wait(self, condition: Callable[[], bool], timeout: Duration | None) -> bool:
        with self._changed:
            return self._changed.wait_for(condition, timeout.nanoseconds * 1e-9 if timeout else None)

    def _become(self, state: str, seconds: float = float("inf")) -> None:
        with self._changed:
            before, self._state = self._state, state
            self._deadline = time.monotonic() + seconds
            self._changed.notify_all()
        called = {("waiting", "alive"): self.on_formed}.get((before, state)) or (
            self.on_broken if state == "dead" != before else None
        )
        if called:
            called()

    def _tell(self) -> None:
        while not self._over and self._state != "dead":
            if time.monotonic() >= self._deadline:
                self._become("dead")
                break
            alive = self._state != "dying"
            self._publish(alive)
            with self._changed:
                self._changed.wait(self.heartbeat_period if alive else _DEAD_PERIOD)

    def _publish(self, active: bool) -> None:
        if not self._over:
            message = Status(id=self.id, instance_id=self.instance_id, active=active)
            message.header.stamp = self.node.get_clock().now().to_msg()
            message.heartbeat_timeout, message.heartbeat_period = self.heartbeat_timeout, self.heartbeat_period
            self.pub.publish(message)

    def _hear(self, message: Status) -> None:
        if message.id != self.id or message.instance_id == self.instance_id:
            return
        self._sister = self._sister or message.instance_id
        if message.instance_id != self._sister:
            self.node.get_logger().error(f"more than two take part in the bond {self.id} on {self.topic}")
        elif message.active and self._state in ("waiting", "alive"):
            self._become("alive", self.heartbeat_timeout)
        elif not message.active and self._state != "dead":
            self._publish(False)
            self._become("dead")

"""How localization_node stands: ~/status, and a line in the log where that changes."""

from __future__ import annotations

import math
import time
from typing import Any

from rclpy.qos import QoSProfile

from ace_ros.msg import LocalizationStatus as Status
from ace_ros.nodes.conversions import nanoseconds
from ace_ros.nodes.localization_report import state_line
from ace_ros.online.news import News

SILENCE = 0.5  # s: so often at least the status comes; twice as often as its message promises


class StatusOutput:
    """Publishes a status and keeps the last.

    Args:
        first: what counts as said before anything is.
    """

    def __init__(self, node: Any, news: News, first: Status) -> None:
        self._node, self._news = node, news
        self._publisher = node.create_publisher(Status, "~/status", QoSProfile(depth=10))
        self.last, self._time = first, -math.inf

    def publish(self, message: Status) -> None:
        """Publish it; one without a stamp is of now."""
        if not nanoseconds(message.header.stamp):
            message.header.stamp = self._node.get_clock().now().to_msg()
        self.last, self._time = message, time.monotonic()
        self._news.state(*state_line(message))
        self._publisher.publish(message)

    @property
    def due(self) -> bool:
        """Whether nothing was said for so long that the last is to be said again."""
        return time.monotonic() - self._time > SILENCE

"""The live picture of the page: what the localizer recognises, or the camera's images where it shows none."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CompressedImage, Image

from ace_ros.errors import InputError
from ace_ros.nodes.conversions import pixels_of
from ace_ros.web.options import PageOptions
from ace_ros.web.pictures import jpeg

_QUIET = 2.0  # s without a debug image, after which the camera's images are shown; set by hand
_JPEG = b"\xff\xd8"  # how such a file begins


class Pictures:
    """Takes no more pictures than are wanted: the others are not even unpacked.

    Args:
        show: gets each, a JPEG.

    Attributes:
        caption: what the picture is, or why there is none.
    """

    def __init__(self, node: Node, options: PageOptions, show: Callable[[bytes], None]) -> None:
        self._node, self._options, self._show = node, options, show
        self._drawn = f"{options.localizer}/debug_image"
        self._topic = node.resolve_topic_name("image")
        self._last_drawn = time.monotonic()
        self._next = 0.0  # when a picture is due
        self._camera: Any = None
        self.caption = "waiting for a picture"
        self._debug = node.create_subscription(Image, self._drawn, self._on_drawn, QoSProfile(depth=1), raw=True)

    def close(self) -> None:
        """Unsubscribe."""
        self._node.destroy_subscription(self._debug)
        self._leave_camera()

    def look_after(self) -> None:
        """Call it about once a second: the camera takes over, and gives way again."""
        quiet = time.monotonic() - self._last_drawn > _QUIET
        if not quiet:
            self._leave_camera()
        elif self._camera is None:
            self._take_camera()

    def _take_camera(self) -> None:
        """Compressed where there are such, as a picture then costs nothing."""
        for topic, kind in ((f"{self._topic}/compressed", CompressedImage), (self._topic, Image)):
            infos = self._node.get_publishers_info_by_topic(topic)
            if infos:
                reliable = all(info.qos_profile.reliability == ReliabilityPolicy.RELIABLE for info in infos)
                policy = ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT
                qos = QoSProfile(depth=1, reliability=policy)
                self._camera = self._node.create_subscription(kind, topic, self._on_camera(kind, topic), qos, raw=True)
                return
        self.caption = f"no picture: nobody publishes {self._topic}, and {self._options.localizer} draws none"

    def _leave_camera(self) -> None:
        if self._camera is not None:
            self._node.destroy_subscription(self._camera)
            self._camera = None

    def _on_drawn(self, data: bytes) -> None:
        self._last_drawn = time.monotonic()
        self._take(data, Image, f"what {self._options.localizer} recognises: green fits the pose, red does not")

    def _on_camera(self, kind: type[Any], topic: str) -> Callable[[bytes], None]:
        return lambda data: self._take(data, kind, f"images on {topic}")

    def _take(self, data: bytes, kind: type[Any], caption: str) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        self._next = max(self._next + 1.0 / self._options.image_rate, now)  # on time in the mean
        message = deserialize_message(data, kind)
        if kind is CompressedImage and bytes(message.data[:2]) == _JPEG:
            picture = bytes(message.data)
        else:
            try:
                picture = jpeg(pixels_of(message), self._options.image_width)
            except InputError as error:
                self.caption = str(error)
                return
        self.caption = caption
        self._show(picture)

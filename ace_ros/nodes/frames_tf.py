"""TF for the nodes: look-ups at the stamp of an image, and a broadcaster that notices rivals."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from geometry_msgs.msg import TransformStamped
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.time import Time
from tf2_msgs.msg import TFMessage
from tf2_ros import Buffer, TransformBroadcaster, TransformException, TransformListener

from ace_ros.errors import InputError
from ace_ros.geometry import Matrix
from ace_ros.nodes.conversions import nanoseconds, time_message, transform_matrix, transform_message
from ace_ros.nodes.topic_search import node_names
from ace_ros.online.robot import MissingTransform

_POLL = 0.003  # s between two looks for a transform: a tenth of a frame at 30 Hz
_RIVAL_SILENCE = 5.0  # s after which a rival counts as gone; set by hand
_REMEMBERED = 256  # transforms that we sent, to tell ours from a rival's: a second of them at the highest tf_rate


class FrameTree:
    """The transforms that others publish. Thread-safe; stamps are in ns."""

    def __init__(self, node: Node, cache_seconds: float = 10.0) -> None:
        self._buffer = Buffer(cache_time=Duration(nanoseconds=int(cache_seconds * 1e9)), node=node)
        self._listener = _Listener(self._buffer, node)

    def lookup(self, target: str, source: str, stamp: int) -> Matrix:
        """``target_from_source`` at ``stamp``.

        Raises:
            MissingTransform: it is not known there, or is no rigid transform.
        """
        try:
            message = self._buffer.lookup_transform(target, source, Time(nanoseconds=stamp))
            return transform_matrix(message.transform, f"transform {target} <- {source}")
        except (TransformException, InputError, ValueError) as error:
            raise MissingTransform(
                f"TF has no {target} <- {source} at the stamp of the image ({self._why(target, source, error)})"
            ) from None

    def newest(self, target: str, source: str) -> tuple[Matrix, int]:
        """``target_from_source`` as it was last known, and the stamp of that, ns; raises as :meth:`lookup`."""
        try:
            message = self._buffer.lookup_transform(target, source, Time())
            return transform_matrix(message.transform, f"transform {target} <- {source}"), nanoseconds(
                message.header.stamp
            )
        except (TransformException, InputError, ValueError) as error:
            raise MissingTransform(f"TF has no {target} <- {source} ({self._why(target, source, error)})") from None

    def _why(self, target: str, source: str, error: Exception) -> str:
        known = self._buffer.all_frames_as_string()
        unknown = [f for f in (target, source) if f"Frame {f} exists" not in known and f"parent {f}." not in known]
        return f"nobody publishes {' or '.join(unknown)}" if unknown else str(error)

    def wait(self, target: str, source: str, stamp: int, seconds: float) -> Matrix:
        """As :meth:`lookup`, but waits for it; only from a thread that the executor does not need.

        The time is that of the wall: a simulated clock may stand still.
        """
        deadline = time.monotonic() + seconds
        while True:
            try:
                return self.lookup(target, source, stamp)
            except MissingTransform:
                if time.monotonic() >= deadline:
                    raise
            time.sleep(_POLL)

    def clear(self) -> None:
        """Forget what moves; time went back."""
        self._buffer.clear()

    def ask_static_again(self) -> None:
        """Have those who publish static transforms send them once more: who is gone does not."""
        self._listener.ask_static_again()

    def watch(self, callback: Callable[[TransformStamped, bool], None]) -> None:
        """Hand every transform that arrives to ``callback`` as well, with whether it is static."""
        self._listener.watchers.append(callback)


class _Listener(TransformListener):
    def __init__(self, buffer: Buffer, node: Node) -> None:
        self.watchers: list[Callable[[TransformStamped, bool], None]] = []
        self._again: Any = None
        super().__init__(buffer, node)

    def ask_static_again(self) -> None:
        """A new subscription gets what is latched."""
        node = self.node
        if self._again is not None:
            node.destroy_subscription(self._again)
        qos = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)  # as tf2's own
        self._again = node.create_subscription(TFMessage, "/tf_static", self.static_callback, qos)

    def callback(self, data: TFMessage) -> None:
        super().callback(data)
        self._tell(data, False)

    def static_callback(self, data: TFMessage) -> None:
        super().static_callback(data)
        self._tell(data, True)

    def _tell(self, data: TFMessage, static: bool) -> None:
        for watcher in self.watchers:
            for transform in data.transforms:
                watcher(transform, static)


class OwnTransform:
    """Publishes one transform, and keeps silent while another node publishes one for the same child frame."""

    def __init__(self, node: Node, tree: FrameTree) -> None:
        self._node = node
        self._broadcaster = TransformBroadcaster(node)
        self._lock = threading.Lock()
        self._sent: deque[tuple[str, str, int]] = deque(maxlen=_REMEMBERED)
        # Child -> parent and when, as others publish it; what is static holds for ever, until it is asked for again.
        self._heard: dict[str, tuple[str, float]] = {}
        self._tree, self._child = tree, ""
        tree.watch(self._on_transform)

    def send(self, parent: str, child: str, parent_from_child: Matrix, stamp: int) -> None:
        """Publish, unless a rival does."""
        self._child = child
        if self._rival_parent(child):
            return
        message = TransformStamped()
        message.header.stamp = time_message(stamp)
        message.header.frame_id = parent
        message.child_frame_id = child
        message.transform = transform_message(parent_from_child)
        with self._lock:
            self._sent.append((parent, child, stamp))
        self._broadcaster.sendTransform(message)

    def look_after(self) -> None:
        """Now and then, from the executor: a static rival, which nobody repeats, is asked whether it is still there."""
        with self._lock:
            parent, heard = self._heard.get(self._child, ("", 0.0))
            static = heard == math.inf
            if static:
                self._heard[self._child] = parent, time.monotonic()
        if static:
            self._tree.ask_static_again()

    def rival(self, child: str) -> str:
        """What is in conflict, one sentence; empty when nothing is."""
        parent = self._rival_parent(child)
        if not parent:
            return ""
        infos = self._node.get_publishers_info_by_topic("/tf") + self._node.get_publishers_info_by_topic("/tf_static")
        others = [name for name in node_names(infos) if name != self._node.get_fully_qualified_name()]
        return (
            f"another node publishes {parent} -> {child}, so this one keeps silent on TF: a frame has one parent "
            f"and one publisher. Stop the other, or set tf_mode (others on TF: {', '.join(others) or 'unknown'})"
        )

    def _rival_parent(self, child: str) -> str:
        with self._lock:
            parent, heard = self._heard.get(child, ("", 0.0))
        return parent if parent and time.monotonic() - heard < _RIVAL_SILENCE else ""

    def _on_transform(self, message: TransformStamped, static: bool) -> None:
        key = (message.header.frame_id, message.child_frame_id, nanoseconds(message.header.stamp))
        with self._lock:
            if key not in self._sent:
                heard = math.inf if static else time.monotonic()
                self._heard[message.child_frame_id] = (message.header.frame_id, heard)

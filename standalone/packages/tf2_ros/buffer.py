"""The buffer that nodes ask for transforms, at a time and with patience."""

from __future__ import annotations

import time as wall
from collections.abc import Callable
from typing import Any

from geometry_msgs.msg import TransformStamped
from rclpy.clock import Clock, JumpThreshold, TimeJump
from rclpy.duration import Duration
from rclpy.logging import get_logger
from rclpy.node import Node
from rclpy.task import Future

from tf2_ros.core import BufferCore, nanoseconds


class Buffer(BufferCore):
    """A tree of frames over the last ``cache_time`` (10 s), cleared when the clock jumps back.

    With a timeout it waits on the wall, so that somebody else must spin the listener meanwhile.
    """

    def __init__(self, cache_time: Duration | None = None, node: Node | None = None) -> None:
        super().__init__(cache_time)
        self._waiting: list[Callable[[], None]] = []
        self.clock = node.get_clock() if node is not None else Clock()
        threshold = JumpThreshold(min_forward=None, min_backward=Duration(seconds=-1), on_clock_change=True)
        self.jump_handle = self.clock.create_jump_callback(threshold, post_callback=self.time_jump_callback)

    def time_jump_callback(self, time_jump: TimeJump) -> None:
        get_logger("tf2_buffer").warning("Detected jump back in time. Clearing tf buffer.")
        self.clear()

    def set_transform(self, transform: TransformStamped, authority: str) -> None:
        super().set_transform(transform, authority)
        self._tell_waiting()

    def set_transform_static(self, transform: TransformStamped, authority: str) -> None:
        super().set_transform_static(transform, authority)
        self._tell_waiting()

    def lookup_transform(
        self, target_frame: str, source_frame: str, time: Any, timeout: Duration | None = None
    ) -> TransformStamped:
        """``target_from_source`` at a time (0: the latest that all links have), waiting for it up to ``timeout``.

        Raises:
            TransformException: one of its kinds, see there.
        """
        self.can_transform(target_frame, source_frame, time, timeout)
        return self.lookup_transform_core(target_frame, source_frame, time)

    def lookup_transform_full(
        self,
        target_frame: str,
        target_time: Any,
        source_frame: str,
        source_time: Any,
        fixed_frame: str,
        timeout: Duration | None = None,
    ) -> TransformStamped:
        """From the source at one time to the target at another, by way of a frame that stands still meanwhile."""
        arguments = (target_frame, target_time, source_frame, source_time, fixed_frame)
        self.can_transform_full(*arguments, timeout)
        return self.lookup_transform_full_core(*arguments)

    def can_transform(
        self,
        target_frame: str,
        source_frame: str,
        time: Any,
        timeout: Duration | None = None,
        return_debug_tuple: bool = False,
    ) -> bool | tuple[bool, str]:
        result = _patiently(lambda: self.can_transform_core(target_frame, source_frame, time), timeout)
        return result if return_debug_tuple else result[0]

    def can_transform_full(
        self,
        target_frame: str,
        target_time: Any,
        source_frame: str,
        source_time: Any,
        fixed_frame: str,
        timeout: Duration | None = None,
        return_debug_tuple: bool = False,
    ) -> bool | tuple[bool, str]:
        arguments = (target_frame, target_time, source_frame, source_time, fixed_frame)
        result = _patiently(lambda: self.can_transform_full_core(*arguments), timeout)
        return result if return_debug_tuple else result[0]

    def wait_for_transform_async(self, target_frame: str, source_frame: str, time: Any) -> Future:
        """A future that holds the transform once it can be had."""
        future = Future()

        def attempt() -> None:
            if not future.done() and self.can_transform_core(target_frame, source_frame, time)[0]:
                future.set_result(self.lookup_transform_core(target_frame, source_frame, time))

        attempt()
        if not future.done():
            with self._lock:
                self._waiting.append(attempt)
            future.add_done_callback(lambda _: self._forget(attempt))
        return future

    async def lookup_transform_async(self, target_frame: str, source_frame: str, time: Any) -> TransformStamped:
        await self.wait_for_transform_async(target_frame, source_frame, time)
        return self.lookup_transform_core(target_frame, source_frame, time)

    def _tell_waiting(self) -> None:
        with self._lock:
            waiting = list(self._waiting)
        for attempt in waiting:
            attempt()

    def _forget(self, attempt: Callable[[], None]) -> None:
        with self._lock:
            if attempt in self._waiting:
                self._waiting.remove(attempt)


def _patiently(attempt: Callable[[], tuple[bool, str]], timeout: Duration | None) -> tuple[bool, str]:
    end = wall.monotonic() + (nanoseconds(timeout) / 1e9 if timeout is not None else 0)
    result = attempt()
    while not result[0] and wall.monotonic() < end:
        wall.sleep(0.02)
        result = attempt()
    return result

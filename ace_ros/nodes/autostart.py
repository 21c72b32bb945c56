"""A lifecycle node that nobody manages: it configures and activates itself."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from rclpy.lifecycle import TransitionCallbackReturn

from ace_ros.nodes.awaited_map import AwaitedMap
from ace_ros.nodes.options import LocalizationNodeOptions
from ace_ros.nodes.runtime import once

_LOOK = 0.5  # s between two looks for a map that is awaited


class Autostart:
    """Brings localization_node up, in a thread, and once its map is there where it is to wait for that.

    Args:
        node: supervised. read: its options as they are now. waiting: gets a sentence on what is waited for.
    """

    def __init__(
        self, node: Any, read: Callable[[], LocalizationNodeOptions], waiting: Callable[[str], None], retry: float
    ) -> None:
        self._node, self._read, self._waiting, self._retry = node, read, waiting, retry
        self._awaited = AwaitedMap()
        self._thread: threading.Thread | None = None

    def begin(self, seconds: float) -> None:
        """Start after so many seconds."""
        once(self._node, seconds, self._look)

    def join(self) -> None:
        """Wait until what is being configured is."""
        if self._thread is not None:
            self._thread.join()

    def _look(self) -> None:
        options = self._read()
        if options.wait_for_map and (sentence := self._awaited.look(options)):
            self._waiting(sentence)
            self.begin(_LOOK)
        else:
            self._thread = self._node.supervisor.thread(
                "starting", self._start, options.wait_for_map, otherwise=lambda sentence: self.begin(self._retry)
            )

    def _start(self, again: bool) -> None:
        if self._node.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self._awaited.forget()
            once(self._node, 0.0, self._node.trigger_activate)
        elif again:
            self.begin(_LOOK)

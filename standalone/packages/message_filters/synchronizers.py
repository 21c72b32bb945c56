"""Sets of messages, one of each source, that belong to one time."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence
from typing import Any

from message_filters.filters import SimpleFilter, stamp_of


class TimeSynchronizer(SimpleFilter):
    """Calls back with one message of each source whose stamps are equal.

    Keeps the ``queue_size`` newest messages of each source while they wait for their partners.
    """

    def __init__(self, fs: Sequence[SimpleFilter], queue_size: int) -> None:
        super().__init__()
        self.queue_size = queue_size
        self.lock = threading.Lock()
        self.connectInput(fs)

    def connectInput(self, fs: Sequence[SimpleFilter]) -> None:
        self.queues: list[dict[int, Any]] = [{} for _ in fs]  # by stamp, ns
        self.input_connections = [
            source.registerCallback(self.add, queue, index)
            for index, (source, queue) in enumerate(zip(fs, self.queues, strict=True))
        ]

    def add(self, msg: Any, my_queue: dict[int, Any], my_queue_index: int) -> None:
        stamp = stamp_of(msg, allow_headerless=False)
        if stamp is None:
            return
        with self.lock:
            self._keep(msg, my_queue, stamp.nanoseconds)
            for common in sorted(set.intersection(*(set(queue) for queue in self.queues))):
                self._emit([common] * len(self.queues))

    def _keep(self, msg: Any, queue: dict[int, Any], stamp: int) -> None:
        queue[stamp] = msg
        while len(queue) > self.queue_size:
            del queue[min(queue)]

    def _emit(self, stamps: Sequence[int]) -> None:
        pairs = list(zip(self.queues, stamps, strict=True))
        self.signalMessage(*[queue[stamp] for queue, stamp in pairs])
        for queue, stamp in pairs:
            del queue[stamp]


class ApproximateTimeSynchronizer(TimeSynchronizer):
    """Calls back with one message of each source whose stamps are less than ``slop`` seconds apart.

    A new message takes the nearest partners that are waiting.
    """

    def __init__(
        self, fs: Sequence[SimpleFilter], queue_size: int, slop: float, allow_headerless: bool = False
    ) -> None:
        super().__init__(fs, queue_size)
        self.slop = round(slop * 1e9)  # ns
        self.allow_headerless = allow_headerless

    def add(self, msg: Any, my_queue: dict[int, Any], my_queue_index: int) -> None:
        time = stamp_of(msg, self.allow_headerless)
        if time is None:
            return
        stamp = time.nanoseconds
        with self.lock:
            self._keep(msg, my_queue, stamp)
            if stamp not in my_queue:  # older than all that is kept
                return
            choices = [
                [stamp] if queue is my_queue else sorted(queue, key=lambda other: abs(other - stamp))
                for queue in self.queues
            ]
            near = [[other for other in stamps if abs(other - stamp) <= self.slop] for stamps in choices]
            for stamps in itertools.product(*near):
                if max(stamps) - min(stamps) < self.slop:
                    self._emit(stamps)
                    return

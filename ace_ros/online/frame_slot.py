"""The latest frame wins: what stands between the thread that receives and the one that localizes."""

from __future__ import annotations

import enum
import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
_LATE_IN_A_ROW = 3  # images that are late one after the other say that time went back; set by hand
_LOOK = 0.05  # s between two looks at whether an item that has to wait may be taken; set by hand
_SLACK = 0.9  # of the period that max_rate allows: cameras jitter; set by hand


class LatestSlots(Generic[Item]):
    """A slot for each camera, with room for one item; a newer one overtakes an older one that nobody took yet.

    Args:
        choose: gets the slots that have an item, and says from which to take; None: wait for others.
    """

    def __init__(
        self, slots: int = 1, choose: Callable[[Sequence[int]], int | None] = lambda waiting: waiting[0]
    ) -> None:
        self._items: list[Item | None] = [None] * slots
        self._choose = choose
        self._closed = False
        self._wake = threading.Condition()

    def put(self, item: Item, slot: int = 0) -> bool:
        """Leave an item; True if one was overtaken."""
        with self._wake:
            overtaken = self._items[slot] is not None
            self._items[slot] = item
            self._wake.notify()
            return overtaken

    def take(self) -> Item | None:
        """Wait for an item; None once the slots are closed."""
        with self._wake:
            while not self._closed:
                waiting = [slot for slot, item in enumerate(self._items) if item is not None]
                slot = self._choose(waiting) if waiting else None
                if slot is not None:
                    item, self._items[slot] = self._items[slot], None
                    return item
                self._wake.wait(_LOOK if waiting else None)
            return None

    def clear(self) -> int:
        """Drop all items; how many there were."""
        with self._wake:
            dropped = sum(item is not None for item in self._items)
            self._items = [None] * len(self._items)
            return dropped

    def close(self) -> None:
        """Let :meth:`take` return."""
        with self._wake:
            self._closed = True
            self._wake.notify_all()


class Arrival(enum.Enum):
    """What the stamp of an image says."""

    FRESH = enum.auto()
    STALE = enum.auto()  # too old when it got here
    LATE = enum.auto()  # not newer than one before
    RESTARTED = enum.auto()  # fresh, and the third in a row that says that time went back


class ArrivalCheck:
    """Sorts images by their stamps (ns)."""

    def __init__(self, max_age: float, max_rate: float) -> None:
        """``max_age`` in s, ``max_rate`` in Hz; 0 is no limit for either."""
        self.limit(max_age, max_rate)
        self.forget()

    def limit(self, max_age: float, max_rate: float) -> None:
        """Go on with other limits."""
        self._max_age = max_age
        self._period = _SLACK * 1e9 / max_rate if max_rate else 0.0

    def forget(self) -> None:
        """Start over."""
        self._newest: int | None = None
        self._worked: int | None = None
        self._late: list[int] = []

    def sort(self, stamp: int, now: int) -> Arrival:
        """What to think of an image with this stamp that arrives at ``now``."""
        if 0 < self._max_age * 1e9 < now - stamp:
            return Arrival.STALE
        if self._newest is None or stamp > self._newest:
            self._newest, self._late = stamp, []
            return Arrival.FRESH
        self._late = [*self._late, stamp] if not self._late or stamp > self._late[-1] else [stamp]
        if len(self._late) < _LATE_IN_A_ROW:
            return Arrival.LATE
        self.forget()
        self._newest = stamp
        return Arrival.RESTARTED

    def too_soon(self, stamp: int) -> bool:
        """Whether ``max_rate`` lets this fresh image pass by."""
        if self._worked is not None and stamp - self._worked < self._period:
            return True
        self._worked = stamp
        return False

"""The latest frame wins: what stands between the thread that receives and the one that localizes."""

from __future__ import annotations

import enum
import threading
from typing import Generic, TypeVar

Item = TypeVar("Item")
_LATE_IN_A_ROW = 3  # images that are late one after the other say that time went back; set by hand
_SLACK = 0.9  # of the period that max_rate allows: cameras jitter; set by hand


class LatestSlot(Generic[Item]):
    """Room for one item; a newer one overtakes an older one that nobody took yet."""

    def __init__(self) -> None:
        self._item: Item | None = None
        self._closed = False
        self._wake = threading.Condition()

    def put(self, item: Item) -> bool:
        """Leave an item; True if one was overtaken."""
        with self._wake:
            overtaken = self._item is not None
            self._item = item
            self._wake.notify()
            return overtaken

    def take(self) -> Item | None:
        """Wait for an item; None once the slot is closed."""
        with self._wake:
            self._wake.wait_for(lambda: self._item is not None or self._closed)
            item, self._item = self._item, None
            return None if self._closed else item

    def clear(self) -> bool:
        """Drop the item; True if there was one."""
        with self._wake:
            dropped, self._item = self._item is not None, None
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

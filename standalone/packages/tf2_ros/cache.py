"""What is known of one frame: its parent and its pose in it, over time or for good."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import NamedTuple

from tf2_ros.exceptions import ExtrapolationException
from tf2_ros.rigid import Rigid, interpolate


class Entry(NamedTuple):
    stamp: int  # ns
    parent: str
    parent_from_child: Rigid


def seconds(stamp: int) -> str:
    return f"{stamp / 1e9:.6f}"


class StaticCache:
    """A frame that was given by /tf_static: valid at all times."""

    static = True

    def __init__(self) -> None:
        self._entry: Entry | None = None

    def insert(self, entry: Entry) -> bool:
        self._entry = entry
        return True

    def clear(self) -> None:
        """Static transforms survive, as nobody sends them again."""

    def latest(self) -> Entry | None:
        return self._entry._replace(stamp=0) if self._entry else None

    def at(self, stamp: int) -> Entry:
        assert self._entry is not None
        return self._entry._replace(stamp=stamp)


class TimeCache:
    """A frame that moves: the poses of the last ``storage`` nanoseconds before the latest one."""

    static = False

    def __init__(self, storage: int) -> None:
        self._storage = storage
        self._stamps: list[int] = []  # rising; equal ones in the order of arrival
        self._entries: list[Entry] = []

    def insert(self, entry: Entry) -> bool:
        """False, where it is older than anything that would be kept."""
        latest = self._stamps[-1] if self._stamps else None
        if latest is not None:
            expired = bisect_left(self._stamps, latest - self._storage)
            del self._stamps[:expired], self._entries[:expired]
            if entry.stamp < latest - self._storage:
                return False
        first, last = bisect_left(self._stamps, entry.stamp), bisect_right(self._stamps, entry.stamp)
        if entry not in self._entries[first:last]:
            self._stamps.insert(last, entry.stamp)
            self._entries.insert(last, entry)
        return True

    def clear(self) -> None:
        self._stamps.clear()
        self._entries.clear()

    def latest(self) -> Entry | None:
        return self._entries[-1] if self._entries else None

    def at(self, stamp: int) -> Entry:
        """The pose at a time; the latest for 0.

        Raises:
            ExtrapolationException: the time lies outside of what is stored.
        """
        if stamp == 0 and self._entries:
            return self._entries[-1]
        if len(self._entries) < 2:
            return self._only(stamp)
        if stamp > self._stamps[-1]:
            raise ExtrapolationException(
                f"Lookup would require extrapolation into the future.  Requested time {seconds(stamp)} "
                f"but the latest data is at time {seconds(self._stamps[-1])}"
            )
        if stamp < self._stamps[0]:
            raise ExtrapolationException(
                f"Lookup would require extrapolation into the past.  Requested time {seconds(stamp)} "
                f"but the earliest data is at time {seconds(self._stamps[0])}"
            )
        return self._between(stamp)

    def _only(self, stamp: int) -> Entry:
        if self._entries and self._stamps[0] == stamp:
            return self._entries[0]
        raise ExtrapolationException(
            f"Lookup would require extrapolation at time {seconds(stamp)}, "
            f"but only time {seconds(self._stamps[0] if self._stamps else 0)} is in the buffer"
        )

    def _between(self, stamp: int) -> Entry:
        newer = bisect_right(self._stamps, stamp)
        one = self._entries[newer - 1]
        if one.stamp == stamp or newer == len(self._entries):
            return one
        two = self._entries[newer]
        if one.parent != two.parent:
            return one
        ratio = (stamp - one.stamp) / (two.stamp - one.stamp)
        return Entry(stamp, one.parent, interpolate(one.parent_from_child, two.parent_from_child, ratio))

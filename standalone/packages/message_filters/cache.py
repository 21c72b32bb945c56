"""The last messages of a source, by time."""

from __future__ import annotations

from typing import Any

from rclpy.time import Time

from message_filters.filters import SimpleFilter, stamp_of


class Cache(SimpleFilter):
    """Keeps the last ``cache_size`` messages in the order of their arrival, and hands each one on."""

    def __init__(self, f: SimpleFilter, cache_size: int = 1, allow_headerless: bool = False) -> None:
        super().__init__()
        self.cache_size = cache_size
        self.allow_headerless = allow_headerless
        self._kept: list[tuple[Time, Any]] = []
        self.connectInput(f)

    def connectInput(self, f: SimpleFilter) -> None:
        self.incoming_connection = f.registerCallback(self.add)

    def add(self, msg: Any) -> None:
        stamp = stamp_of(msg, self.allow_headerless)
        if stamp is None:
            return
        self._kept.append((stamp, msg))
        del self._kept[: -self.cache_size]
        self.signalMessage(msg)

    def getInterval(self, from_stamp: Time, to_stamp: Time) -> list[Any]:
        """Messages from ``from_stamp`` to ``to_stamp``, both included."""
        assert from_stamp <= to_stamp
        return [msg for stamp, msg in self._kept if from_stamp <= stamp <= to_stamp]

    def getElemAfterTime(self, stamp: Time) -> Any:
        """The first message that is not older than ``stamp``, or None."""
        return next((msg for kept, msg in self._kept if kept >= stamp), None)

    def getElemBeforeTime(self, stamp: Time) -> Any:
        """The last message that is not newer than ``stamp``, or None."""
        return next((msg for kept, msg in reversed(self._kept) if kept <= stamp), None)

    def getLastestTime(self) -> Time | None:  # spelled as in the real one
        return self._kept[-1][0] if self._kept else None

    def getOldestTime(self) -> Time | None:
        return self._kept[0][0] if self._kept else None

    def getLast(self) -> Any:
        latest = self.getLastestTime()
        return None if latest is None else self.getElemAfterTime(latest)

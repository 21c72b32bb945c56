"""Which recordings a map came of: noted in the headers of its places, never taken out again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timezone

from ace_ros.map.header import MapHeader, Source

_LONGEST = 255  # characters of a name in a header


@dataclass(frozen=True)
class Recorded:
    """What is done with which recording. ``when``: ISO 8601, UTC."""

    recording: str
    command: str
    when: str

    @staticmethod
    def now(recording: str, command: str) -> Recorded:
        """Characters that a header does not take are left out of the name."""
        name = "".join(c for c in recording if c.isprintable())[-_LONGEST:]
        return Recorded(name, command, datetime.now(timezone.utc).isoformat(timespec="seconds"))

    def source(self, frames: int, held_back: int) -> Source:
        return Source(self.recording, self.command, self.when, frames, held_back)


def with_source(header: MapHeader, source: Source, first: bool = False) -> MapHeader:
    """The header with one recording more; ``first``: the place was made of it, and of nothing before."""
    return replace(header, sources=(source,) if first else (*header.history, source))

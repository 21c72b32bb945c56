"""Which recordings a map came of: noted in the headers of its places, never taken out again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timezone

from ace_ros.map.header import MapHeader, Source
from ace_ros.map.place import Place
from ace_ros.map.scene_map import SceneMap

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


def made_of(scene_map: SceneMap, recorded: Recorded) -> SceneMap:
    """The new map with the recording that all its places were made of."""
    return replace(scene_map, places=tuple(place_made_of(place, recorded) for place in scene_map.places))


def place_made_of(place: Place, recorded: Recorded) -> Place:
    """The new place with the recording that it was made of, and of nothing before."""
    source = recorded.source(place.header.frames, place.header.held_back.frames)
    return replace(place, header=replace(place.header, sources=(source,)))


def with_source(header: MapHeader, source: Source) -> MapHeader:
    """The header with one recording more."""
    return replace(header, sources=(*header.history, source))

"""What is known of a generated building besides its frames: its rooms, its twins, and where each frame was taken."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from ace_ros.errors import InputError

FILE = "building.json"


@dataclass(frozen=True)
class Room:
    """A room, an open bay, a corridor or the stairs.

    Attributes:
        name: such as ``room-104``, ``bay-2``, ``corridor-1``, ``stairs``.
        floor: from 0; the stairs are on 0 and lead to 1.
        low, high: (3,) corners of its axis-aligned box, metres; the passage of its door is part of it.
        twins: name of the group of rooms that look the same, or None.
    """

    name: str
    floor: int
    low: tuple[float, float, float]
    high: tuple[float, float, float]
    twins: str | None = None

    def holds(self, point: ArrayLike) -> bool:
        """Whether a point (3,) in metres lies in the room."""
        place = np.asarray(point, dtype=np.float64)
        return bool((place >= self.low).all() and (place <= self.high).all())


@dataclass(frozen=True)
class BuildingPlan:
    """The rooms of a building, and the room that the camera stood in by the frame's name.

    Attributes:
        rooms: rooms, bays, corridors and the stairs.
        frames: of both drives: ``plan.frames[frame.name]`` for a frame that ``open_recording(folder)`` gave.
    """

    rooms: tuple[Room, ...]
    frames: Mapping[str, str]

    @classmethod
    def load(cls, folder: Path | str) -> BuildingPlan:
        """The plan in a building's folder.

        Raises:
            InputError: there is none, or it can't be read.
        """
        path = Path(folder) / FILE
        try:
            stored = json.loads(path.read_text())
            rooms = tuple(
                Room(r["name"], int(r["floor"]), _triple(r["low"]), _triple(r["high"]), r["twins"])
                for r in stored["rooms"]
            )
            return cls(rooms, dict(stored["frames"]))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"{path}: can't be read as a building's plan ({error}); "
                "make the building with: python -m ace_ros.generated building FOLDER"
            ) from None

    def save(self, folder: Path) -> None:
        """Write the plan beside the frames.

        Raises:
            InputError: it can't be written.
        """
        path = folder / FILE
        try:
            path.write_text(json.dumps(asdict(self), indent=1) + "\n")
        except OSError as error:
            raise InputError(f"{path}: can't be written ({error.strerror})") from error

    def room_of(self, point: ArrayLike) -> str | None:
        """Name of the room that a point (3,) in metres lies in; None between walls and outside."""
        return next((room.name for room in self.rooms if room.holds(point)), None)

    def twins_of(self, name: str) -> tuple[str, ...]:
        """Names of the other rooms that look like this one.

        Raises:
            InputError: there is no room of that name.
        """
        room = next((room for room in self.rooms if room.name == name), None)
        if room is None:
            raise InputError(f"the building has no room {name!r}; it has {', '.join(r.name for r in self.rooms)}")
        return tuple(r.name for r in self.rooms if r.twins is not None and r.twins == room.twins and r is not room)


def _triple(values: list[float]) -> tuple[float, float, float]:
    x, y, z = values
    return float(x), float(y), float(z)

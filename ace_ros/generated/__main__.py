"""python -m ace_ros.generated room FOLDER | building FOLDER | courtyard FOLDER"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import tyro

from ace_ros.errors import AceError
from ace_ros.generated import make_building, make_courtyard, make_room

Size = tuple[int, int]


def room(
    folder: tyro.conf.Positional[Path],
    train: int = 200,
    test: int = 60,
    size: Size = (640, 480),
    seed: int = 0,
    moved: bool = False,
    people: bool = False,
) -> None:
    """Render a furnished room: a mapping drive and a query drive in ACE's layout."""
    print(make_room(folder, train, test, size, seed, moved, people))


def building(
    folder: tyro.conf.Positional[Path],
    rooms: int = 24,
    frames_per_room: int = 40,
    queries_per_room: int = 20,
    size: Size = (480, 360),
    seed: int = 0,
    workers: int = os.cpu_count() or 1,
) -> None:
    """Render a building of two floors with twin rooms: a mapping drive and a query drive in ACE's layout."""
    print(make_building(folder, rooms, frames_per_room, queries_per_room, size, seed, workers))


def courtyard(
    folder: tyro.conf.Positional[Path], train: int = 100, test: int = 20, size: Size = (800, 600), seed: int = 0
) -> None:
    """Render photographs of a courtyard: a COLMAP text model in arbitrary units."""
    print(make_courtyard(folder, train, test, size, seed))


def main() -> int:
    try:
        tyro.extras.subcommand_cli_from_dict(
            {"room": room, "building": building, "courtyard": courtyard}, prog="python -m ace_ros.generated"
        )
    except AceError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

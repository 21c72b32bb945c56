"""python -m ace_ros.generated room FOLDER | courtyard FOLDER"""

from __future__ import annotations

import sys
from pathlib import Path

import tyro

from ace_ros.errors import AceError
from ace_ros.generated import make_courtyard, make_room

Size = tuple[int, int]


def room(
    folder: tyro.conf.Positional[Path], train: int = 200, test: int = 60, size: Size = (640, 480), seed: int = 0
) -> None:
    """Render a furnished room: a mapping drive and a query drive in ACE's layout."""
    print(make_room(folder, train, test, size, seed))


def courtyard(
    folder: tyro.conf.Positional[Path], train: int = 100, test: int = 20, size: Size = (800, 600), seed: int = 0
) -> None:
    """Render photographs of a courtyard: a COLMAP text model in arbitrary units."""
    print(make_courtyard(folder, train, test, size, seed))


def main() -> int:
    try:
        tyro.extras.subcommand_cli_from_dict({"room": room, "courtyard": courtyard}, prog="python -m ace_ros.generated")
    except AceError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

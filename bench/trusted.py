"""May what a map says be believed? Its own queries, stretches of the drive that it has not seen, and foreign images.

Runs bench.honesty, the same with --blocks 6, and bench.foreign with the maps of the first: the share that is LOCALIZED,
what is wrong and sure, whether covariances and confidences are honest, and what is believed in a place where it was not
taken. Half an hour of mapping and asking on two cores, and then some minutes for each hundred foreign images.

examples:
  python -m bench trust
  python -m bench trust --scenes kitti00_small tello_moved --every 50
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from bench import foreign, honesty, scenes


@dataclass
class Command:
    scenes: tuple[str, ...] = ()
    """Folders in ../shared/scenes, room and courtyard, which are generated (all these by default), or any other's."""
    every: int = 10
    """Every so many of their images are asked of the maps of the others."""
    out: Path = honesty.Command.out
    """Folder for the generated scenes, the maps and figures.json."""


def main(command: Command) -> int:
    print("queries:", flush=True)
    honesty.main(honesty.Command(command.scenes, out=command.out))
    print("stretches that were kept out of the map:", flush=True)
    honesty.main(honesty.Command(command.scenes, blocks=scenes.BLOCKS, out=command.out))
    print("images of elsewhere:", flush=True)
    return foreign.main(foreign.Command(command.scenes, command.every, maps=command.out))


if __name__ == "__main__":
    raise SystemExit(main(tyro.cli(Command, prog="python -m bench trust", description=__doc__)))

"""The check of a recording against its own images, on real scenes: each as given, and altered in every way.

Right ones must pass and wrong ones be found, with the reading that mends them. Prints the table of docs/recordings.md.

examples:
  python -m bench.checks                     the folders in ../shared/scenes, room and courtyard
  python -m bench.checks --scenes room       a generated scene alone
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
import tyro

from ace_ros.camera import Camera
from ace_ros.checking import Pair, Verdict, check
from ace_ros.checking.verdict import judge
from ace_ros.features.registry import make_encoder
from ace_ros.geometry import Matrix, invert
from ace_ros.recordings import open_recording
from ace_ros.recordings.readings import POSES, swapped
from bench import measure, scenes

FLIP = np.diag([1.0, -1.0, -1.0, 1.0])


def _scaled(factor: float) -> Callable[[Camera], Camera]:
    return lambda camera: replace(camera, fx=camera.fx * factor, fy=camera.fy * factor)


def same(pose: Matrix) -> Matrix:
    return pose


# how it is altered, and the --poses that reads it right (a factor for the focal length)
ALTERED: dict[str, tuple[Callable[[Matrix], Matrix], Callable[[Camera], Camera], str | float]] = {
    "inverted": (invert, lambda camera: camera, "world-to-camera"),
    "w first": (POSES["quaternion-w-last"].pose, lambda camera: camera, "quaternion-w-first"),
    "w last": (POSES["quaternion-w-first"].pose, lambda camera: camera, "quaternion-w-last"),
    "OpenGL": (lambda pose: pose @ FLIP, lambda camera: camera, "opengl"),
    "inverted OpenGL": (lambda pose: FLIP @ invert(pose), lambda camera: camera, "world-to-camera-opengl"),
    "x, y swapped": (same, swapped, 0.0),
    "focal +10 %": (same, _scaled(1.1), 1 / 1.1),
    "focal -10 %": (same, _scaled(1 / 1.1), 1.1),
}


@dataclass
class Command:
    scenes: list[str] = field(default_factory=list)
    """Folders in ../shared/scenes, room and courtyard, which are generated (all these by default), or any other's."""
    cache: Path = measure.ROOT / "build" / "bench"
    """Where generated scenes are kept."""


def altered(pair: Pair, way: str) -> Pair:
    """The pair, of a recording that was written otherwise than it is read."""
    pose, camera, _ = ALTERED[way]

    def alter(frame):  # type: ignore[no-untyped-def]
        return replace(frame, map_from_camera=pose(frame.map_from_camera), camera=camera(frame.camera))

    first, second = alter(pair.first), alter(pair.second)
    scale = pair.scale * pair.first.camera.focal / first.camera.focal
    return Pair(first, second, pair.a, pair.b, scale)


def found(verdict: Verdict, way: str) -> bool:
    """Whether the verdict is that the recording was altered in this way."""
    if verdict.meant is None:
        return False
    expected, reading = ALTERED[way][2], verdict.meant.reading
    if isinstance(expected, str):
        return reading.name == expected
    return reading.swapped if expected == 0.0 else abs(reading.focal / expected - 1) < 0.04


def main(command: Command) -> int:
    torch.set_num_threads(1)  # so that seconds are of one processor, whatever else it does
    encoder = make_encoder("xfeat", torch.device("cpu"), 480)
    print("| scene | pairs | seconds | as given | " + " | ".join(ALTERED) + " |")
    print("|---|---|---|---|" + "---|" * len(ALTERED))
    wrong = 0
    for name, path in scenes.find(command.scenes, command.cache / "scenes").items():
        frames = open_recording(path, "train").frames
        started = time.process_time()
        verdict, pairs = check(frames, encoder)
        seconds = time.process_time() - started
        assert verdict.given is not None, f"{name}: {verdict.sentence}"
        cells = [f"{verdict.given.median:.1f} px" + ("" if verdict.meant is None else ", REFUSED")]
        wrong += verdict.meant is not None
        for way in ALTERED:
            other = judge([altered(pair, way) for pair in pairs])
            assert other.given is not None
            good = found(other, way)
            cells.append(f"{other.given.median:.1f}" + ("" if good else ", MISSED"))
            wrong += not good
        print(f"| {name} | {len(pairs)} | {seconds:.1f} | " + " | ".join(cells) + " |", flush=True)
    print(f"\n{wrong} wrong of {(1 + len(ALTERED)) * len(scenes.find(command.scenes, command.cache / 'scenes'))}")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Command, description=__doc__)))

"""The scenes that are measured on: recordings where they are at hand, generated ones always."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from ace_ros.generated import make_courtyard, make_room
from ace_ros.recordings import PosedFrame, Recording, SplitOptions, open_recording
from ace_ros.recordings.posed_frame import evenly

RECORDINGS = Path(__file__).resolve().parents[2] / "shared" / "scenes"
BLOCKS = 6  # stretches that are kept out of a map
_GENERATED = {"room": make_room, "courtyard": make_courtyard}
# By name alone: the room once more.
_BUSY = {"people": partial(make_room, people=True)}
# Lists of the queries whose true poses are good enough to measure by, where those of the recording itself are not all.
_CONFIRMED = {"tello_moved": "test_strong.txt"}


def usual() -> list[str]:
    """Names of the scenes that are measured on where none is named; no two are of one place."""
    return [*_recordings(), *_GENERATED]


def _recordings() -> dict[str, Path]:
    return {path.name: path for path in sorted(RECORDINGS.glob("*")) if path.is_dir()}


def find(names: list[str], cache: Path) -> dict[str, Path]:
    """Folders of the scenes of these names, or of recordings anywhere (all that have names, if none is given); renders
    what is generated."""
    recordings, found = _recordings(), {}
    for name in names or usual():
        if name in _GENERATED or name in _BUSY:
            found[name] = _generated(name, cache)
        elif name in recordings:
            found[name] = recordings[name]
        elif Path(name).is_dir():
            found[Path(name).resolve().name] = Path(name)
        else:
            known = ", ".join([*usual(), *_BUSY])
            raise SystemExit(f"bench: no scene and no folder '{name}'; the scenes are: {known}")
    return found


def _generated(name: str, cache: Path) -> Path:
    return made(cache / name, (_GENERATED | _BUSY)[name])


def made(folder: Path, make: Callable[[Path], object]) -> Path:
    """The folder, into which ``make`` renders unless that was done before."""
    if not (folder / "complete").exists():
        print(f"rendering {folder}", flush=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(folder, ignore_errors=True)  # what an interrupted run has left
        make(folder)
        (folder / "complete").touch()
    return folder


def room(cache: Path, train: int, test: int) -> Path:
    """A generated room of so many frames."""
    return make_room(cache / "room", train, test)


def mapping_frames(path: Path, count: int | None = None) -> Recording:
    """The frames to map from; ``count`` of them, evenly spaced, where it is given."""
    scene = open_recording(path, "train")
    return replace(scene, frames=_chosen(scene, count))


def query_frames(path: Path, count: int | None = None) -> list[PosedFrame]:
    """The queries; ``count`` of them, evenly spaced, where it is given."""
    confirmed = _CONFIRMED.get(path.name)
    return _chosen(open_recording(path, "test", SplitOptions(test_list=path / confirmed if confirmed else None)), count)


def block_split(frames: list[PosedFrame], count: int) -> tuple[list[PosedFrame], list[PosedFrame]]:
    """Frames to map, and as queries the middle thirds of ``count`` stretches of the drive."""
    thirds = [3 * count * index // len(frames) % 3 for index in range(len(frames))]
    mapping = [frame for frame, third in zip(frames, thirds, strict=True) if third != 1]
    return mapping, [frame for frame, third in zip(frames, thirds, strict=True) if third == 1]


def _chosen(scene: Recording, count: int | None) -> list[PosedFrame]:
    posed = [frame for frame in scene.frames if frame.map_from_camera is not None]
    return posed if count is None else evenly(posed, count)

"""The scenes that are measured on: recordings where they are at hand, generated ones always."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ace_ros.generated import make_courtyard, make_room
from ace_ros.recordings import PosedFrame, Recording, SplitOptions, open_recording

RECORDINGS = Path(__file__).resolve().parents[2] / "shared" / "scenes"
_GENERATED = {"room": make_room, "courtyard": make_courtyard}
_TEST_EVERY = {"fox": 8}  # recordings without queries of their own


def find(names: list[str], cache: Path) -> dict[str, Path]:
    """Folders of the scenes of these names (all that there are, if none is given); renders what is generated."""
    recordings = {path.name: path for path in sorted(RECORDINGS.glob("*")) if path.is_dir()}
    found = {}
    for name in names or [*recordings, *_GENERATED]:
        if name in _GENERATED:
            found[name] = _generated(name, cache)
        elif name in recordings:
            found[name] = recordings[name]
        else:
            raise SystemExit(f"bench: no scene '{name}'; there are: {', '.join([*recordings, *_GENERATED])}")
    return found


def _generated(name: str, cache: Path) -> Path:
    folder = cache / name
    if not (folder / "complete").exists():
        print(f"rendering {folder}", flush=True)
        cache.mkdir(parents=True, exist_ok=True)
        _GENERATED[name](folder)
        (folder / "complete").touch()
    return folder


def room(cache: Path, train: int, test: int) -> Path:
    """A generated room of so many frames."""
    return make_room(cache / "room", train, test)


def mapping_frames(path: Path, count: int | None = None) -> Recording:
    """The frames to map from; ``count`` of them, evenly spaced, where it is given."""
    scene = open_recording(path, "train", _split(path))
    frames = [frame for frame in scene.frames if frame.map_from_camera is not None]
    return replace(scene, frames=_thinned(frames, count))


def query_frames(path: Path, count: int | None = None) -> list[PosedFrame]:
    """The queries; ``count`` of them, evenly spaced, where it is given."""
    scene = open_recording(path, "test", _split(path))
    return _thinned([frame for frame in scene.frames if frame.map_from_camera is not None], count)


def _split(path: Path) -> SplitOptions:
    return SplitOptions(test_every=_TEST_EVERY.get(path.name))


def _thinned(frames: list[PosedFrame], count: int | None) -> list[PosedFrame]:
    if count is None or count >= len(frames):
        return frames
    return [frames[i] for i in np.linspace(0, len(frames) - 1, count).round().astype(int)]

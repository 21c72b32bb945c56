"""Polycam's raw data (developer mode): ``keyframes/images/`` and ``keyframes/cameras/*.json``; ARKit's axes, metres.

Images and cameras that Polycam has corrected itself are preferred.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ace_ros.camera import Camera
from ace_ros.errors import FrameError, InputError
from ace_ros.geometry import OPENGL_FROM_OPENCV
from ace_ros.recordings.image_files import leave_out_missing, photographs
from ace_ros.recordings.left_out import LeftOut
from ace_ros.recordings.listing import Entry, frames_of, read_json
from ace_ros.recordings.options import SplitOptions
from ace_ros.recordings.posed_frame import Recording
from ace_ros.recordings.splits import Split, choose

NAME = "polycam"
FILES = "keyframes/images/ and keyframes/cameras/ (Polycam)"


def matches(path: Path) -> bool:
    return _folders(path) is not None


def read(path: Path, split: Split, options: SplitOptions) -> Recording:
    folders = _folders(path)
    assert folders is not None
    pictures, cameras = folders
    left_out = LeftOut(options.strict)
    images = photographs(pictures)
    left_out.listed["frame"] += len(images)
    leave_out_missing(images, sorted(cameras.glob("*.json")), left_out)
    entries = []
    for image in images:
        with left_out.trying(image.name):
            file = cameras / f"{image.stem}.json"
            entries.append(_entry(image, file))
    found, notes = frames_of(entries, left_out, str(pictures))
    frames, more = choose(found, split, options, path)
    notes += more
    return Recording(path.resolve().name, frames, metric=True, notes=notes, left_out=left_out)


def _folders(path: Path) -> tuple[Path, Path] | None:
    for root in (path / "keyframes", path):
        for prefix in ("corrected_", ""):
            pictures, cameras = root / f"{prefix}images", root / f"{prefix}cameras"
            if pictures.is_dir() and cameras.is_dir() and any(cameras.glob("*.json")):
                return pictures, cameras
    return None


def _entry(image: Path, file: Path) -> Entry:
    try:
        values: dict[str, Any] = read_json(file, "its camera")
        top = [[float(values[f"t_{row}{column}"]) for column in range(4)] for row in range(3)]
        fx, fy, cx, cy = (float(values[key]) for key in ("fx", "fy", "cx", "cy"))
        camera = Camera(int(values["width"]), int(values["height"]), fx, fy, cx, cy)
    except (KeyError, TypeError, ValueError) as error:
        kind = "its camera (t_00 ... t_23, fx, fy, cx, cy, width, height) is not whole"
        raise FrameError(str(file), kind, f"{kind}: {type(error).__name__} {error}") from None
    except InputError as error:
        raise error if isinstance(error, FrameError) else FrameError(str(file), str(error)) from None
    pose = np.vstack([top, [0.0, 0.0, 0.0, 1.0]]) @ OPENGL_FROM_OPENCV
    stamp = int(image.stem) * 1000 if image.stem.isdigit() else None  # named by microseconds
    return Entry(image.name, image, camera, pose, str(file), stamp)

"""What Gaussian splatting leaves beside its model: ``cameras.json``, a list of images with position and rotation.

``rotation`` is world from camera, row by row, in OpenCV's axes; ``fx``, ``fy``, ``width`` and ``height`` are of the
images that it was trained on, whose middle is the principal point (Kerbl et al., *3D Gaussian Splatting*, 2023).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ace_ros.camera import Camera
from ace_ros.errors import FrameError, InputError
from ace_ros.geometry import Matrix
from ace_ros.recordings.image_search import NamedImages
from ace_ros.recordings.left_out import LeftOut
from ace_ros.recordings.listing import Entry, frames_of, natural, read_json
from ace_ros.recordings.options import SplitOptions
from ace_ros.recordings.posed_frame import Recording
from ace_ros.recordings.splits import Split, choose

NAME = "gaussian-splatting"
FILES = "cameras.json with img_name, position and rotation (Gaussian splatting), and images"
_FILE = "cameras.json"
_KEYS = ("img_name", "position", "rotation", "fx", "fy", "width", "height")


def matches(path: Path) -> bool:
    try:
        content = read_json(path / _FILE)
    except InputError:
        return False
    first = content[0] if isinstance(content, list) and content else None
    return isinstance(first, dict) and set(_KEYS) <= set(first)


def read(path: Path, split: Split, options: SplitOptions) -> Recording:
    file = path / _FILE
    listed = read_json(file)
    if not isinstance(listed, list) or not listed:
        raise InputError(f"{file}: a list of cameras is expected")
    left_out = LeftOut(options.strict)
    left_out.listed["frame"] += len(listed)
    folder = path / "images" if (path / "images").is_dir() else path
    images = NamedImages(folder, (camera["img_name"] for camera in listed if _is_named(camera)))
    entries = []
    for index, camera in enumerate(listed):
        where = f"{file}: camera {index}"
        with left_out.trying(where):
            if not _is_named(camera):
                raise FrameError(where, "'img_name' is missing")
            image = images.path(camera["img_name"])
            name = images.name(image)
            with left_out.trying(name):
                entries.append(Entry(name, image, _camera(camera, where), _pose(camera, where), where))
    entries.sort(key=lambda entry: natural(entry.name))
    frames, notes = frames_of(entries, left_out, str(file))
    frames, more = choose(frames, split, options, path)
    notes = [*images.notes, *notes, *more]
    return Recording(path.resolve().name, frames, metric=False, notes=notes, left_out=left_out)


def _is_named(camera: Any) -> bool:
    return isinstance(camera, dict) and isinstance(camera.get("img_name"), str)


def _pose(camera: dict[str, Any], where: str) -> Matrix:
    pose = np.eye(4)
    pose[:3, 3], pose[:3, :3] = _array(camera, "position", (3,), where), _array(camera, "rotation", (3, 3), where)
    return pose


def _camera(camera: dict[str, Any], where: str) -> Camera:
    fx, fy, width, height = (float(_array(camera, key, (), where)) for key in ("fx", "fy", "width", "height"))
    try:
        return Camera(round(width), round(height), fx, fy, width / 2 - 0.5, height / 2 - 0.5)
    except (InputError, ValueError, OverflowError) as error:
        raise FrameError(where, "its camera can't be used", str(error)) from None


def _array(camera: dict[str, Any], key: str, shape: tuple[int, ...], where: str) -> Matrix:
    try:
        values = np.array(camera[key], dtype=np.float64)
    except (KeyError, TypeError, ValueError):
        values = np.empty(0)
    if values.shape != shape:
        kind = f"'{key}' must be {'x'.join(map(str, shape)) + ' numbers' if shape else 'a number'}"
        raise FrameError(where, kind)
    return values

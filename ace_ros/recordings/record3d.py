"""Record3D's export: ``metadata.json`` with K and poses (x y z w, then the position), images beside; ARKit's axes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ace_ros.camera import Camera
from ace_ros.errors import FrameError, InputError
from ace_ros.geometry import OPENGL_FROM_OPENCV, Matrix, pose_from_quaternion
from ace_ros.recordings.image_files import photographs
from ace_ros.recordings.left_out import LeftOut
from ace_ros.recordings.listing import Entry, frames_of, read_json
from ace_ros.recordings.options import SplitOptions
from ace_ros.recordings.posed_frame import Recording
from ace_ros.recordings.splits import Split, choose

NAME = "record3d"
FILES = "metadata.json with K and poses, and rgb/ or rgbd/ (Record3D)"
_IMAGES = ("rgb", "rgbd", "images", "EXR_RGBD/rgb", ".")


def matches(path: Path) -> bool:
    try:
        content = read_json(path / "metadata.json")
    except InputError:
        return False
    return isinstance(content, dict) and "poses" in content and "K" in content


def read(path: Path, split: Split, options: SplitOptions) -> Recording:
    file = path / "metadata.json"
    values = read_json(file)
    if not isinstance(values, dict) or "poses" not in values or "K" not in values:
        raise InputError(f"{file}: it has no 'K' and 'poses'")
    poses = values["poses"]
    images = next((found for name in _IMAGES if (found := photographs(path / name))), [])
    if not images:
        raise InputError(f"{path}: there are no images in {', '.join(_IMAGES[:-1])}: unpack the .r3d (zip) whole")
    if not isinstance(poses, list) or not poses:
        raise InputError(f"{file}: 'poses' is no list of poses")
    camera = _camera(values, file)
    left_out = LeftOut(options.strict)
    left_out.listed["frame"] += len(poses)
    numbered = {int(image.stem): image for image in images if image.stem.isdigit()}
    entries = []
    for index, pose in enumerate(poses):
        where = f"{file}: pose {index}"
        with left_out.trying(f"{index}.jpg"):
            if (image := numbered.get(index)) is None:
                raise FrameError(f"{index}.jpg", "the image is missing")
            entries.append(Entry(image.name, image, camera, _pose(pose, where), where))
    usable, notes = frames_of(entries, left_out, str(path))
    frames, more = choose(usable, split, options, path)
    notes += more
    return Recording(path.resolve().name, frames, metric=True, notes=notes, left_out=left_out)


def _pose(values: Any, where: str) -> Matrix:
    try:
        numbers = np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        numbers = np.empty(0)
    if numbers.shape != (7,):
        raise FrameError(where, "expected qx qy qz qw px py pz")
    return pose_from_quaternion(numbers[4:], numbers[:4], where) @ OPENGL_FROM_OPENCV


def _camera(values: dict[str, Any], file: Path) -> Camera:
    """K by columns, for images of ``w`` x ``h``."""
    try:
        k = np.array(values["K"], dtype=np.float64).reshape(3, 3).T
        width, height = int(values["w"]), int(values["h"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{file}: K (nine numbers), w and h are expected ({type(error).__name__} {error})") from None
    return Camera(width, height, float(k[0, 0]), float(k[1, 1]), float(k[0, 2]), float(k[1, 2]))

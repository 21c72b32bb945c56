"""LLFF's layout: ``poses_bounds.npy``, a row an image of ``images/`` in the order of their names.

A row is a 3x5 matrix, row by row, and the nearest and farthest depth. Its columns are the camera's axes in the world
(down, right, back), its position, and height, width and focal length in pixels (Mildenhall et al., *Local Light Field
Fusion*, 2019). There is no distortion, so a COLMAP model that lies beside is the better source.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ace_ros.camera import Camera
from ace_ros.errors import InputError
from ace_ros.geometry import Matrix
from ace_ros.recordings import colmap
from ace_ros.recordings.image_files import photographs
from ace_ros.recordings.left_out import LeftOut
from ace_ros.recordings.listing import Entry, frames_of
from ace_ros.recordings.options import SplitOptions
from ace_ros.recordings.posed_frame import Recording
from ace_ros.recordings.splits import Split, choose

NAME = "llff"
FILES = "poses_bounds.npy and images/ (LLFF)"
_POSES = "poses_bounds.npy"
_COLUMNS = 17


def matches(path: Path) -> bool:
    return (path / _POSES).is_file() and not colmap.whole(path)


def read(path: Path, split: Split, options: SplitOptions) -> Recording:
    file = path / _POSES
    values = _values(file)
    images = _images(path)
    if len(images) != len(values):
        raise InputError(
            f"{file}: {len(values)} poses, and {len(images)} images in {path}: they belong together by the order of "
            "the images' names, so there must be as many"
        )
    left_out = LeftOut(options.strict)
    left_out.listed["frame"] += len(images)
    entries = []
    for number, (image, row) in enumerate(zip(images, values, strict=True)):
        with left_out.trying(image.name):
            where = f"{file}, row {number}: {image.name}"
            matrix = row[:15].reshape(3, 5)
            entries.append(Entry(image.name, image, _camera(matrix, where), _pose(matrix), where))
    frames, notes = frames_of(entries, left_out, str(file))
    frames, more = choose(frames, split, options, path)
    return Recording(path.resolve().name, frames, metric=False, notes=[*notes, *more], left_out=left_out)


def _values(file: Path) -> Matrix:
    try:
        values = np.load(file, allow_pickle=False).astype(np.float64)
    except (OSError, ValueError, EOFError, TypeError) as error:
        raise InputError(f"{file}: can't be read as an array of numbers ({error})") from None
    if values.ndim != 2 or values.shape[1] != _COLUMNS or not len(values):
        raise InputError(f"{file}: an array of {_COLUMNS} numbers an image is expected, it is of {values.shape}")
    return np.asarray(values)


def _images(path: Path) -> list[Path]:
    """Of ``images/``, or where there are smaller ones only (``images_4/``), those; by name as a computer sorts them."""
    folders = [path / "images", *sorted(path.glob("images_*")), path]
    found = next((images for folder in folders if (images := photographs(folder))), [])
    return sorted(found, key=lambda image: image.name)


def _pose(matrix: Matrix) -> Matrix:
    down, right, back, position = matrix[:, :4].T
    pose = np.eye(4)
    pose[:3] = np.stack([right, down, -back, position], axis=1)
    return pose


def _camera(matrix: Matrix, where: str) -> Camera:
    height, width, focal = matrix[:, 4].tolist()
    if not (np.isfinite(matrix[:, 4]).all() and min(height, width, focal) > 0):
        raise InputError(f"{where}: height, width and focal length must be larger than zero")
    return Camera(round(width), round(height), focal, focal, width / 2 - 0.5, height / 2 - 0.5)

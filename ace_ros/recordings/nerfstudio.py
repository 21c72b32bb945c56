"""nerfstudio / instant-ngp layout: ``transforms.json``, OpenGL camera axes (Blender: ``transforms_train.json``)."""

from __future__ import annotations

import json
import math
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from ace_ros.camera import Camera
from ace_ros.errors import InputError
from ace_ros.geometry import Matrix
from ace_ros.recordings.images import SUFFIXES
from ace_ros.recordings.listing import Entry, Skips, frames_of, natural, read_text
from ace_ros.recordings.options import SplitOptions
from ace_ros.recordings.posed_frame import PosedFrame, Recording
from ace_ros.recordings.splits import Split, choose, is_explicit

FILES = "transforms.json (nerfstudio)"
_OPENGL_FROM_OPENCV = np.diag([1.0, -1.0, -1.0, 1.0])
_FISHEYE = ("OPENCV_FISHEYE", "EQUIRECTANGULAR", "FISHEYE624", "ORTHOPHOTO")


def matches(path: Path) -> bool:
    return path.suffix == ".json" or (path / "transforms.json").is_file() or (path / "transforms_train.json").is_file()


def read(path: Path, split: Split, options: SplitOptions) -> Recording:
    folder = path.parent if path.is_file() else path
    main = path if path.is_file() else folder / "transforms.json"
    skips = Skips()
    name = folder.resolve().name
    if main.is_file():
        frames = _file(main, skips)
        chosen, notes = choose(frames, split, options, folder)
        return Recording(name, chosen, metric=False, notes=skips.notes() + notes)
    parts = {"train": folder / "transforms_train.json", "test": folder / "transforms_test.json"}
    wanted = [split] if split != "all" and not is_explicit(options) else ["train", "test"]
    there = [part for part in wanted if parts[part].is_file()]
    if not there:
        raise InputError(f"{folder}: there is no {parts[split].name}")
    frames = []
    for part in there:
        frames += _file(parts[part], skips, len(frames), query=part == "test")
    notes = []
    if is_explicit(options):
        frames, notes = choose(frames, split, options, None)
    return Recording(name, frames, metric=False, notes=skips.notes() + notes)


def _file(path: Path, skips: Skips, first_index: int = 0, query: bool | None = None) -> list[PosedFrame]:
    try:
        content = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: not JSON, or truncated ({error})") from None
    listed = content.get("frames") if isinstance(content, dict) else None
    if not isinstance(listed, list) or not listed:
        raise InputError(f"{path}: it lists no frames (a list 'frames' is expected)")
    shared = {key: value for key, value in content.items() if key != "frames"}
    held = _held(content, path)
    entries = []
    for index, frame in enumerate(listed):
        where = f"{path}: frame {index}"
        if not isinstance(frame, dict) or not isinstance(frame.get("file_path"), str):
            raise InputError(f"{where}: 'file_path' is missing")
        image = _image(path.parent, frame["file_path"].replace("\\", "/"))
        where = f"{path}: {frame['file_path']}"
        name, camera = _name(image, path.parent), _Intrinsics(shared | frame, where)
        kept = query if held is None else PurePosixPath(frame["file_path"]) in held
        entries.append(Entry(name, image, camera, _pose(frame, where), where, query=kept))
    entries.sort(key=lambda entry: natural(entry.name))
    return frames_of(entries, skips, str(path), first_index)


def _held(content: dict[str, Any], path: Path) -> set[PurePosixPath] | None:
    """Images that the file itself keeps from training; None when it says nothing of it."""
    names = [name for key in ("val_filenames", "test_filenames") for name in content.get(key) or ()]
    if not all(isinstance(name, str) for name in names):
        raise InputError(f"{path}: 'val_filenames' and 'test_filenames' must be lists of names")
    return {PurePosixPath(name) for name in names} or None


def _image(folder: Path, file_path: str) -> Path:
    path = folder / file_path
    if path.is_file():
        return path
    for suffix in SUFFIXES:  # Blender's scenes leave the suffix out
        if (candidate := path.with_name(path.name + suffix)).is_file():
            return candidate
    return path


def _name(image: Path, folder: Path) -> str:
    try:
        return image.relative_to(folder).as_posix()
    except ValueError:
        return str(image)


def _pose(frame: dict[str, Any], where: str) -> Matrix:
    try:
        pose = np.array(frame["transform_matrix"], dtype=np.float64)
    except (KeyError, TypeError, ValueError):
        raise InputError(f"{where}: 'transform_matrix' must be a 4x4 matrix of numbers") from None
    if pose.shape == (3, 4):
        pose = np.vstack([pose, [0.0, 0.0, 0.0, 1.0]])
    if pose.shape != (4, 4):
        raise InputError(f"{where}: 'transform_matrix' must be a 4x4 matrix, it has shape {pose.shape}")
    return pose @ _OPENGL_FROM_OPENCV if np.isfinite(pose).all() else pose


class _Intrinsics:
    """Camera of a frame, from its own values and those for all; what is left out follows from the image's size."""

    def __init__(self, values: dict[str, Any], where: str) -> None:
        self._values, self._where = values, where
        self._check_model()

    def __call__(self, width: int, height: int) -> Camera:
        w, h = round(self._number("w", width)), round(self._number("h", height))
        fx, fy = self._focal("fl_x", "camera_angle_x", w), self._focal("fl_y", "camera_angle_y", h)
        fx, fy = fy if fx is None else fx, fx if fy is None else fy
        if fx is None or fy is None:
            raise InputError(f"{self._where}: no focal length: fl_x or camera_angle_x is expected")
        distortion = tuple(self._number(key, 0.0) for key in ("k1", "k2", "p1", "p2", "k3"))
        # COLMAP's pixels, which these files carry, have the centre of the first one at (0.5, 0.5).
        cx, cy = self._number("cx", w / 2) - 0.5, self._number("cy", h / 2) - 0.5
        try:
            return Camera(w, h, fx, fy, cx, cy, distortion if any(distortion) else ())
        except InputError as error:
            raise InputError(f"{self._where}: {error}") from None

    def _focal(self, key: str, angle_key: str, size: int) -> float | None:
        if self._values.get(key) is not None:
            return self._number(key, 0.0)
        angle = self._number(angle_key, 0.0)
        return 0.5 * size / math.tan(0.5 * angle) if 0 < angle < math.pi else None

    def _number(self, key: str, default: float) -> float:
        try:
            value = self._values.get(key)
            return float(default if value is None else value)
        except (TypeError, ValueError):
            raise InputError(f"{self._where}: '{key}' must be a number, it is {self._values[key]!r}") from None

    def _check_model(self) -> None:
        model = str(self._values.get("camera_model", "OPENCV")).upper()
        if model in _FISHEYE or self._values.get("is_fisheye") or self._number("k4", 0.0):
            raise InputError(
                f"{self._where}: a fisheye camera ({model}) is not supported: undistort the images to a pinhole camera"
            )

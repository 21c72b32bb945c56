"""nerfstudio / instant-ngp layout: ``transforms.json``, OpenGL camera axes (Blender: ``transforms_train.json``)."""

from __future__ import annotations

import math
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from ace_ros.camera import Camera
from ace_ros.errors import FrameError, InputError
from ace_ros.geometry import OPENGL_FROM_OPENCV, Matrix
from ace_ros.recordings.image_search import NamedImages
from ace_ros.recordings.left_out import LeftOut
from ace_ros.recordings.lens_names import NamedLens, lens_named, model_of
from ace_ros.recordings.listing import Entry, frames_of, natural, read_json
from ace_ros.recordings.options import SplitOptions
from ace_ros.recordings.posed_frame import PosedFrame, Recording
from ace_ros.recordings.splits import Split, choose, is_explicit

NAME = "nerfstudio"
FILES = "transforms.json (nerfstudio)"
_PINHOLES = ("OPENCV", "PINHOLE", "PERSPECTIVE", "SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL")
_COEFFICIENTS = {"pinhole": ("k1", "k2", "p1", "p2", "k3"), "equidistant": ("k1", "k2", "k3", "k4")}


def matches(path: Path) -> bool:
    return path.suffix == ".json" or (path / "transforms.json").is_file() or (path / "transforms_train.json").is_file()


def read(path: Path, split: Split, options: SplitOptions) -> Recording:
    folder = path.parent if path.is_file() else path
    main = path if path.is_file() else folder / "transforms.json"
    left_out = LeftOut(options.strict)
    name = folder.resolve().name
    if main.is_file():
        frames, notes = _file(main, left_out)
        chosen, more = choose(frames, split, options, folder)
        return Recording(name, chosen, metric=False, notes=notes + more, left_out=left_out)
    parts = {"train": folder / "transforms_train.json", "test": folder / "transforms_test.json"}
    wanted = [split] if split != "all" and not is_explicit(options) else ["train", "test"]
    there = [part for part in wanted if parts[part].is_file()]
    if not there:
        raise InputError(f"{folder}: there is no {parts[split].name}")
    frames, notes = [], []
    for part in there:
        found, more = _file(parts[part], left_out, len(frames), query=part == "test")
        frames, notes = frames + found, notes + more
    if is_explicit(options):
        frames, more = choose(frames, split, options, None)
        notes = notes + more
    return Recording(name, frames, metric=False, notes=notes, left_out=left_out)


def _file(
    path: Path, left_out: LeftOut, first_index: int = 0, query: bool | None = None
) -> tuple[list[PosedFrame], list[str]]:
    content = read_json(path)
    listed = content.get("frames") if isinstance(content, dict) else None
    if not isinstance(listed, list) or not listed:
        raise InputError(f"{path}: it lists no frames (a list 'frames' is expected)")
    shared = {key: value for key, value in content.items() if key != "frames"}
    _Intrinsics(shared, str(path))  # what is wrong for all is no single frame's fault
    held = _held(content, path)
    entries = []
    left_out.listed["frame"] += len(listed)
    images = NamedImages(path.parent, (frame["file_path"] for frame in listed if _names_an_image(frame)))
    for index, frame in enumerate(listed):
        where = f"{path}: frame {index}"
        with left_out.trying(where):
            if not _names_an_image(frame):
                raise FrameError(where, "'file_path' is missing")
            image = images.path(frame["file_path"])
            where = f"{path}: {frame['file_path']}"
            name, camera = images.name(image), _Intrinsics(shared | frame, where)
            with left_out.trying(name):
                kept = query if held is None else PurePosixPath(frame["file_path"]) in held
                entries.append(Entry(name, image, camera, _pose(frame, where), where, query=kept))
    entries.sort(key=lambda entry: natural(entry.name))
    frames, notes = frames_of(entries, left_out, str(path), first_index)
    return frames, [*images.notes, *notes]


def _names_an_image(frame: Any) -> bool:
    return isinstance(frame, dict) and isinstance(frame.get("file_path"), str)


def _held(content: dict[str, Any], path: Path) -> set[PurePosixPath] | None:
    """Images that the file itself keeps from training; None when it says nothing of it."""
    names = [name for key in ("val_filenames", "test_filenames") for name in content.get(key) or ()]
    if not all(isinstance(name, str) for name in names):
        raise InputError(f"{path}: 'val_filenames' and 'test_filenames' must be lists of names")
    return {PurePosixPath(name) for name in names} or None


def _pose(frame: dict[str, Any], where: str) -> Matrix:
    kind = "'transform_matrix' must be a 4x4 matrix of numbers"
    try:
        pose = np.array(frame["transform_matrix"], dtype=np.float64)
    except (KeyError, TypeError, ValueError):
        raise FrameError(where, kind) from None
    if pose.shape == (3, 4):
        pose = np.vstack([pose, [0.0, 0.0, 0.0, 1.0]])
    if pose.shape != (4, 4):
        raise FrameError(where, kind, f"'transform_matrix' must be a 4x4 matrix, it has shape {pose.shape}")
    with np.errstate(invalid="ignore"):  # infinity times zero: the pose is checked later
        return np.asarray(pose @ OPENGL_FROM_OPENCV)


class _Intrinsics:
    """Camera of a frame, from its own values and those for all; what is left out follows from the image's size."""

    def __init__(self, values: dict[str, Any], where: str) -> None:
        self._values, self._where = values, where
        self._lens = self._find_lens()

    def __call__(self, width: int, height: int) -> Camera:
        w, h = round(self._number("w", width)), round(self._number("h", height))
        fx, fy = self._focal("fl_x", "camera_angle_x", w), self._focal("fl_y", "camera_angle_y", h)
        fx, fy = fy if fx is None else fx, fx if fy is None else fy
        if self._lens.model == "equirectangular":
            fx, fy = w / (2 * math.pi), h / math.pi
        if fx is None or fy is None:
            raise FrameError(self._where, "no focal length: fl_x or camera_angle_x is expected")
        # COLMAP's pixels, which these files carry, have the centre of the first one at (0.5, 0.5).
        cx, cy = self._number("cx", w / 2) - 0.5, self._number("cy", h / 2) - 0.5
        try:
            return Camera(w, h, fx, fy, cx, cy, self._lens.distortion, self._lens.model)
        except InputError as error:
            raise FrameError(self._where, str(error)) from None

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
            kind = f"'{key}' must be a number"
            raise FrameError(self._where, kind, f"{kind}, it is {self._values[key]!r}") from None

    def _find_lens(self) -> NamedLens:
        named = str(self._values.get("camera_model", "")).upper()
        if self._values.get("is_fisheye"):  # instant-ngp's
            named = "OPENCV_FISHEYE"
        elif not named and self._number("k4", 0.0):
            kind = "k4 without a camera_model: name it, OPENCV_FISHEYE where the lens is a fisheye"
            raise FrameError(self._where, kind)
        model = "pinhole" if named in ("", *_PINHOLES) else model_of(named)
        if model is None:
            raise FrameError(self._where, f"the camera model {named} is not known: undistort the images to a pinhole")
        if model in _COEFFICIENTS:
            values = [self._number(key, 0.0) for key in _COEFFICIENTS[model]]
        else:
            values = self._values.get("distortion_params") or []
        try:
            return lens_named(model, values, self._where)
        except (TypeError, ValueError):
            raise FrameError(self._where, "'distortion_params' must be a list of numbers") from None

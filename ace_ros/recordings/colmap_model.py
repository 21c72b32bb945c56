"""COLMAP's model files, text and binary: cameras and images; points are passed over."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ace_ros.camera import Camera
from ace_ros.errors import FrameError, InputError
from ace_ros.geometry import Matrix, invert, pose_from_quaternion
from ace_ros.recordings.left_out import LeftOut
from ace_ros.recordings.listing import numbers, read_text

# In the order of their ids in binary files: name, number of parameters, lens; SIMPLE_ ones and RADIAL share one focal
# length.
_MODELS = (
    ("SIMPLE_PINHOLE", 3, "pinhole"),
    ("PINHOLE", 4, "pinhole"),
    ("SIMPLE_RADIAL", 4, "pinhole"),
    ("RADIAL", 5, "pinhole"),
    ("OPENCV", 8, "pinhole"),
    ("OPENCV_FISHEYE", 8, "equidistant"),
    ("FULL_OPENCV", 12, "pinhole"),
    ("FOV", 5, "fov"),
    ("SIMPLE_RADIAL_FISHEYE", 4, "equidistant"),
    ("RADIAL_FISHEYE", 5, "equidistant"),
    ("THIN_PRISM_FISHEYE", 12, "thin_prism_fisheye"),
    ("RAD_TAN_THIN_PRISM_FISHEYE", 16, "rad_tan_thin_prism_fisheye"),
    ("SIMPLE_DIVISION", 4, "division"),
    ("DIVISION", 5, "division"),
    ("SIMPLE_FISHEYE", 3, "equidistant"),
    ("FISHEYE", 4, "equidistant"),
    ("EUCM", 6, "eucm"),
    ("EQUIRECTANGULAR", 2, "equirectangular"),
)
_LENSES = {name: (count, lens) for name, count, lens in _MODELS}


@dataclass(frozen=True)
class ModelImage:
    """An image of the model; the pose, (4, 4), is world from camera, and ``where`` names its place in the file."""

    name: str
    camera_id: int
    map_from_camera: Matrix
    where: str


def read_model(folder: Path, left_out: LeftOut) -> tuple[dict[int, Camera], list[ModelImage], list[str]]:
    """Cameras by id, and images, of the model in ``folder``, and notes; of text and binary files the newer are read.

    Raises:
        InputError: files that are missing or truncated, or a camera model that is not known.
    """
    kind, cameras_file, images_file, notes = _files(folder)
    if kind == "txt":
        return _text_cameras(cameras_file), _text_images(images_file, left_out), notes
    return _binary_cameras(cameras_file), _binary_images(images_file, left_out), notes


def image_count(folder: Path) -> int:
    """How many images the model in ``folder`` has, without reading all of it; 0 where it can't be read."""
    try:
        kind, _, file, _ = _files(folder)
        if kind == "txt":
            return sum(1 for _ in _image_lines(file))
        with file.open("rb") as content:
            return int.from_bytes(content.read(8), "little")
    except (InputError, OSError):
        return 0


def _files(folder: Path) -> tuple[str, Path, Path, list[str]]:
    """Whether a model is ``txt`` or ``bin``, its files of cameras and images, and notes."""
    kinds = {kind: [folder / f"{name}.{kind}" for name in ("cameras", "images")] for kind in ("txt", "bin")}
    there = [kind for kind, files in kinds.items() if all(file.is_file() for file in files)]
    if not there:
        kind = "bin" if any(file.is_file() for file in kinds["bin"]) else "txt"
        missing = next(file.name for file in kinds[kind] if not file.is_file())
        raise InputError(f"{folder}: {missing} is missing: a COLMAP model has cameras and images")
    kind = max(there, key=lambda kind: kinds[kind][1].stat().st_mtime)
    notes = []
    if len(there) == 2:
        notes = [f"{folder} holds the model as text and binary: images.{kind}, the newer one, was read"]
    cameras, images = kinds[kind]
    return kind, cameras, images, notes


def _camera(model: str, width: int, height: int, values: list[float], where: str) -> Camera:
    if model not in _LENSES:
        raise InputError(
            f"{where}: the camera model {model} is not known ({', '.join(_LENSES)} are): "
            "undistort the images with 'colmap image_undistorter'"
        )
    count, lens = _LENSES[model]
    if len(values) != count:
        raise InputError(f"{where}: {model} has {count} parameters, here are {len(values)}")
    if lens == "equirectangular":  # the whole turn on the width, and half of it on the height
        values = [values[0] / (2 * math.pi), values[1] / math.pi, values[0] / 2, values[1] / 2]
    focals = 1 if model.startswith("SIMPLE_") or model in ("RADIAL", "RADIAL_FISHEYE") else 2
    fx, fy = values[0], values[focals - 1]
    cx, cy, *rest = values[focals:]
    if lens in ("pinhole", "equidistant"):  # k, or k1 k2, or all of them
        rest = rest + [0.0] * (-len(rest) % 4) if any(rest) else []
    try:
        # COLMAP puts the centre of the first pixel at (0.5, 0.5).
        return Camera(width, height, fx, fy, cx - 0.5, cy - 0.5, tuple(rest), lens)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def _image(name: str, camera_id: int, values: list[float], where: str) -> ModelImage:
    w, x, y, z, *translation = values
    return ModelImage(name, camera_id, invert(pose_from_quaternion(translation, (x, y, z, w), where)), where)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if not line.startswith("#"):
            yield number, line.strip()


def camera_of_line(line: str, where: str) -> Camera:
    """The camera of a line of ``cameras.txt``; its id may be left out.

    Raises:
        InputError: it is none, or of a model that is not known.
    """
    words = line.split()
    if words and not words[0].isdigit():
        words = ["1", *words]
    try:
        model, width, height = words[1], int(words[2]), int(words[3])
        values = [float(word) for word in words[4:]]
    except (ValueError, IndexError):
        raise InputError(f"{where}: expected CAMERA_ID MODEL WIDTH HEIGHT PARAMS, got '{line[:60]}'") from None
    return _camera(model, width, height, values, where)


def _text_cameras(path: Path) -> dict[int, Camera]:
    cameras = {}
    for number, line in _lines(path):
        if line:
            where = f"{path}, line {number}"
            camera = camera_of_line(line, where)
            if not line.split()[0].isdigit():
                raise InputError(f"{where}: expected CAMERA_ID MODEL WIDTH HEIGHT PARAMS, got '{line[:60]}'")
            cameras[int(line.split()[0])] = camera
    return cameras


def _image_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Every other line is an image, followed by its points: blank, or numbers that end with a point's id."""
    points_next = False
    for number, line in _lines(path):
        if points_next and (not line or _is_integer(line.rsplit(maxsplit=1)[-1])):
            points_next = False
        elif line:
            points_next = True
            yield number, line


def _text_images(path: Path, left_out: LeftOut) -> list[ModelImage]:
    images = []
    for number, line in _image_lines(path):
        words = line.split(maxsplit=9)
        where = f"{path}, line {number}" + (f": {words[9]}" if len(words) == 10 else "")
        left_out.listed["frame"] += 1
        with left_out.trying(words[9] if len(words) == 10 else where):
            if len(words) < 10 or not _is_integer(words[8]):
                kind = "expected IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME"
                raise FrameError(where, kind, f"{kind}, got '{line[:60]}'")
            images.append(_image(words[9], int(words[8]), list(numbers(words[1:8], where, "a pose")), where))
    return images


def _is_integer(word: str) -> bool:
    return word.lstrip("-").isdigit()


class _Binary:
    """Little-endian values in a row."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._data = path.read_bytes()
        except OSError as error:
            raise InputError(f"{path}: can't be read ({error})") from None
        self._at = 0

    def take(self, layout: str) -> tuple[Any, ...]:
        try:
            values = struct.unpack_from("<" + layout, self._data, self._at)
        except struct.error:
            raise self._truncated() from None
        self._at += struct.calcsize("<" + layout)
        return values

    def text(self) -> str:
        end = self._data.find(b"\0", self._at)
        if end < 0:
            raise self._truncated()
        text = self._data[self._at : end].decode(errors="replace")
        self._at = end + 1
        return text

    def skip(self, size: int) -> None:
        self._at += size
        if self._at > len(self._data):
            raise self._truncated()

    def _truncated(self) -> InputError:
        return InputError(f"{self.path}: truncated ({len(self._data)} bytes): copy or export the model again")


def _binary_cameras(path: Path) -> dict[int, Camera]:
    data = _Binary(path)
    (count,) = data.take("Q")
    cameras = {}
    for _ in range(count):
        identity, model_id, width, height = data.take("iiQQ")
        known = 0 <= model_id < len(_MODELS)
        model, size = _MODELS[model_id][:2] if known else (f"number {model_id}", 0)
        cameras[identity] = _camera(model, width, height, list(data.take(f"{size}d")), f"{path}: camera {identity}")
    return cameras


def _binary_images(path: Path, left_out: LeftOut) -> list[ModelImage]:
    data = _Binary(path)
    (count,) = data.take("Q")
    images = []
    left_out.listed["frame"] += count
    for _ in range(count):
        _, *values, camera_id = data.take("i7di")
        name = data.text()
        (points,) = data.take("Q")
        data.skip(points * 24)
        with left_out.trying(name):
            images.append(_image(name, camera_id, values, f"{path}: {name}"))
    return images

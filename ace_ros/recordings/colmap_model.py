"""COLMAP's model files, text and binary: cameras and images; points are passed over."""

from __future__ import annotations

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

# id in binary files: name, number of parameters
_MODELS = {
    0: ("SIMPLE_PINHOLE", 3),
    1: ("PINHOLE", 4),
    2: ("SIMPLE_RADIAL", 4),
    3: ("RADIAL", 5),
    4: ("OPENCV", 8),
    5: ("OPENCV_FISHEYE", 8),
    6: ("FULL_OPENCV", 12),
    7: ("FOV", 5),
    8: ("SIMPLE_RADIAL_FISHEYE", 4),
    9: ("RADIAL_FISHEYE", 5),
    10: ("THIN_PRISM_FISHEYE", 12),
}
_SUPPORTED = ("SIMPLE_PINHOLE", "PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV", "FULL_OPENCV")
_COUNTS = dict(_MODELS.values())


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
        InputError: files that are missing or truncated, or a camera model that is not supported.
    """
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
    cameras_file, images_file = kinds[kind]
    if kind == "txt":
        return _text_cameras(cameras_file), _text_images(images_file, left_out), notes
    return _binary_cameras(cameras_file), _binary_images(images_file, left_out), notes


def _camera(model: str, width: int, height: int, values: list[float], where: str) -> Camera:
    if model not in _SUPPORTED:
        raise InputError(
            f"{where}: the camera model {model} is not supported ({', '.join(_SUPPORTED)} are): "
            "undistort the images with 'colmap image_undistorter'"
        )
    if len(values) != _COUNTS[model]:
        raise InputError(f"{where}: {model} has {_COUNTS[model]} parameters, here are {len(values)}")
    focals = 1 if model in ("SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL") else 2
    fx, fy = values[0], values[focals - 1]
    cx, cy, *rest = values[focals:]
    distortion = tuple(rest) + (0.0,) * (-len(rest) % 4)  # k, or k1 k2, or OpenCV's own order
    try:
        # COLMAP puts the centre of the first pixel at (0.5, 0.5).
        return Camera(width, height, fx, fy, cx - 0.5, cy - 0.5, distortion if any(distortion) else ())
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
        InputError: it is none, or of a model that is not supported.
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


def _text_images(path: Path, left_out: LeftOut) -> list[ModelImage]:
    """Every other line is an image, followed by its points: blank, or numbers that end with a point's id."""
    images = []
    points_next = False
    for number, line in _lines(path):
        if points_next and (not line or _is_integer(line.rsplit(maxsplit=1)[-1])):
            points_next = False
            continue
        if not line:
            continue
        points_next = True
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
        model, size = _MODELS.get(model_id, (f"number {model_id}", 0))
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

"""Calibration files as people have them: the camera that a file states, whatever wrote it.

======================= =============================================================================================
ROS                     camera_calibration's YAML (``camera_matrix: {data: [...]}``), what ``ros2 topic echo`` prints
Kalibr                  ``camchain*.yaml``: cam0 (``intrinsics``, ``distortion_coeffs``, ``resolution``)
EuRoC / ASL             ``sensor.yaml`` (``intrinsics``, ``distortion_coefficients``, ``resolution``)
OpenCV                  FileStorage, YAML or XML (``camera_matrix``, ``distortion_coefficients``; ORB-SLAM's settings)
COLMAP                  a line ``CAMERA_ID MODEL WIDTH HEIGHT PARAMS``, of ``cameras.txt`` or alone
numbers                 ``fx fy cx cy`` and distortion; K, 3x3; one focal length, as ACE's files have it
======================= =============================================================================================
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from ace_ros.camera import Camera
from ace_ros.errors import InputError
from ace_ros.geometry import Matrix
from ace_ros.recordings.ace import focal_or_matrix
from ace_ros.recordings.colmap_model import camera_of_line
from ace_ros.recordings.intrinsics import CameraFor, camera_of_numbers, distortion_of, fitted
from ace_ros.recordings.listing import numbers, read_text

SUFFIXES = (".yaml", ".yml", ".xml", ".txt")
_COLMAP_LINE = re.compile(r"^\s*(\d+\s+)?(SIMPLE_|FULL_)?[A-Z_]*(PINHOLE|RADIAL|OPENCV|FOV|FISHEYE)\w*\s+\d+\s+\d+\s")
_MATRICES = ("camera_matrix", "cameraMatrix", "Camera_Matrix", "intrinsic_matrix", "K", "M1", "M")
_COEFFICIENTS = (
    "distortion_coefficients", "distCoeffs", "dist_coeffs", "Distortion_Coefficients", "dist_coeff", "D", "D1", "dist",
)  # fmt: skip
_EXPECTED = "fx fy cx cy and distortion, a 3x3 K or a focal length: numbers only,"
_NAMES = {"radial-tangential": "plumb_bob", "radtan": "plumb_bob", "equi": "equidistant", "none": ""}


@dataclass(frozen=True)
class Calibration:
    """What a file states of a camera.

    Attributes:
        camera: or what gives it by the size of the image, where the file states none.
        body_from_camera: (4, 4), where the sensor sits on a body; None where the file does not say.
    """

    camera: Camera | CameraFor
    body_from_camera: Matrix | None = None

    def for_images(self, source: str) -> CameraFor:
        """Camera for an image of some width and height: resized where it shows the same; ``source`` is for messages."""
        camera = self.camera
        if not isinstance(camera, Camera):
            return camera

        def for_size(width: int, height: int) -> Camera:
            scaled = fitted(camera, (width, height))
            if scaled is None:
                raise InputError(
                    f"the image is {width} x {height}, the camera of {source} {camera.width} x {camera.height}: "
                    "not the same camera, or cropped"
                )
            return scaled

        return for_size


def calibration_of_text(text: str, source: str, other: str = "") -> Calibration:
    """Of a line: numbers, or one of COLMAP's; ``source`` and ``other`` as of :func:`camera_of_numbers`."""
    if _COLMAP_LINE.match(text):
        return Calibration(camera_of_line(text, source))
    return Calibration(camera_of_numbers(text, source, other))


def calibration_of_file(path: Path) -> Calibration:
    """The camera of a calibration file.

    Raises:
        InputError: none is found in it, or one that can't be used.
    """
    text = read_text(path, "the calibration")
    if path.suffix.lower() in (".yaml", ".yml", ".xml") or text.startswith(("%YAML", "<?xml")):
        return _of_yaml(text, path)
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if lines and _COLMAP_LINE.match(lines[0]):
        return Calibration(camera_of_line(lines[0], str(path)))
    return Calibration(_of_numbers(" ".join(line.split("#")[0] for line in lines).replace(",", " "), path))


def _of_numbers(text: str, path: Path) -> CameraFor:
    values = numbers(text.split(), str(path), _EXPECTED)
    if values.size == 1:
        return focal_or_matrix(text, path)
    if values.size >= 9 and not values[[1, 3, 6, 7]].any() and values[8] == 1:
        values = np.concatenate([values[[0, 4, 2, 5]], values[9:]])
    if values.size < 4:
        raise InputError(f"{path}: {_EXPECTED} is expected, it holds {values.size} numbers")
    return camera_of_numbers(" ".join(map(repr, map(float, values))), str(path))


def _of_yaml(text: str, path: Path) -> Calibration:
    where = str(path)
    if text.startswith(("%YAML", "<?xml")):
        return _of_storage(text, where)
    try:
        documents = [one for one in YAML(typ="safe", pure=True).load_all(text) if isinstance(one, Mapping)]
    except (YAMLError, ValueError) as error:
        raise InputError(f"{path}: not YAML that can be read ({str(error).splitlines()[0]})") from None
    content: Mapping[str, Any] = documents[0] if documents else {}
    if isinstance(content.get("cam0"), Mapping):
        content = content["cam0"]
    try:
        if "intrinsics" in content:
            return _of_sensor(content, where)
        if "camera_matrix" in content or "k" in content or "K" in content:
            return Calibration(_of_info(content, where))
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise InputError(f"{path}: a calibration, but not a whole one ({type(error).__name__} {error})") from None
    raise InputError(
        f"{path}: no calibration of a kind that is known: a camera_info of ROS (image_width, camera_matrix, ...; or "
        "width, k, d as 'ros2 topic echo' prints it), Kalibr's camchain, EuRoC's sensor.yaml or OpenCV's FileStorage"
    )


def _of_info(content: Mapping[str, Any], where: str) -> Camera | CameraFor:
    """ROS: as calibration files have it, or as ``ros2 topic echo`` prints the message."""
    matrix = content.get("camera_matrix", content.get("k", content.get("K")))
    coefficients = content.get("distortion_coefficients", content.get("d", content.get("D", [])))
    fx, _, cx, _, fy, cy = _flat(matrix)[:6]
    model = str(content.get("distortion_model", ""))
    distortion = distortion_of(_NAMES.get(model, model), _flat(coefficients), where)
    width = content.get("image_width", content.get("width"))
    height = content.get("image_height", content.get("height"))
    return _camera(width, height, (fx, fy, cx, cy), distortion, where)


def _of_sensor(content: Mapping[str, Any], where: str) -> Calibration:
    """EuRoC's sensor.yaml, or a camera of Kalibr's chain."""
    model = str(content.get("camera_model", "pinhole"))
    if model not in ("pinhole", ""):
        raise InputError(f"{where}: the camera model '{model}' is not supported, only pinhole: undistort the images")
    lens = str(content.get("distortion_model", ""))
    coefficients = content.get("distortion_coeffs", content.get("distortion_coefficients", []))
    distortion = distortion_of(_NAMES.get(lens, lens), _flat(coefficients), where)
    width, height = content.get("resolution") or (None, None)
    camera = _camera(width, height, tuple(_flat(content["intrinsics"])[:4]), distortion, where)
    mount = content.get("T_BS")
    pose = None if mount is None else np.array(_flat(mount), dtype=np.float64).reshape(4, 4)
    return Calibration(camera, pose)


def _of_storage(text: str, where: str) -> Calibration:
    """OpenCV's FileStorage: as its samples, rtabmap and others write it."""
    try:
        storage = cv2.FileStorage(text, cv2.FILE_STORAGE_READ | cv2.FILE_STORAGE_MEMORY)
        matrix = _first(storage, _MATRICES)
        coefficients = _first(storage, _COEFFICIENTS)
        mount = _matrix(storage.getNode("local_transform"))
        width, height = (_size(storage, side) for side in ("width", "height"))
    except cv2.error as error:
        raise InputError(f"{where}: not a FileStorage that OpenCV reads ({error.err})") from None
    if matrix is None and (found := _of_orb_slam(storage, where)) is not None:
        return Calibration(found)
    if matrix is None or matrix.size < 9:
        raise InputError(f"{where}: an OpenCV FileStorage without a camera matrix (looked for {', '.join(_MATRICES)})")
    fx, _, cx, _, fy, cy = matrix.ravel()[:6]
    distortion = tuple(float(value) for value in ([] if coefficients is None else coefficients.ravel()))
    if mount is not None:
        mount = np.vstack([mount.reshape(3, 4), [0.0, 0.0, 0.0, 1.0]])
    camera = _camera(width, height, (fx, fy, cx, cy), distortion if any(distortion) else (), where)
    return Calibration(camera, mount)


def _of_orb_slam(storage: Any, where: str) -> Camera | CameraFor | None:
    """The camera of ORB-SLAM's settings, ``Camera1.fx`` and so on; None where there is none."""
    for name in ("Camera1", "Camera"):
        if not storage.getNode(f"{name}.fx").empty():
            pinhole = tuple(storage.getNode(f"{name}.{key}").real() for key in ("fx", "fy", "cx", "cy"))
            lens = tuple(storage.getNode(f"{name}.{key}").real() for key in ("k1", "k2", "p1", "p2", "k3"))
            sides = (storage.getNode(f"Camera.{side}") for side in ("width", "height"))
            width, height = (None if side.empty() else int(side.real()) for side in sides)
            return _camera(width, height, pinhole, lens if any(lens) else (), where)
    return None


def _first(storage: Any, names: Iterable[str]) -> Matrix | None:
    found = (_matrix(storage.getNode(name)) for name in names)
    return next((matrix for matrix in found if matrix is not None), None)


def _matrix(node: Any) -> Matrix | None:
    """A matrix as OpenCV writes it, or with ``rows``, ``cols`` and ``data`` as ROS does."""
    if node.empty():
        return None
    if node.isMap() and not node.getNode("dt").empty():
        return np.asarray(node.mat(), dtype=np.float64)
    data = node.getNode("data") if node.isMap() else node
    values = [data.at(i).real() for i in range(data.size())]
    return np.array(values, dtype=np.float64) if values else None


def _size(storage: Any, side: str) -> int | None:
    node = storage.getNode(f"image_{side}")
    node = storage.getNode(f"image_{side.capitalize()}") if node.empty() else node
    return None if node.empty() else int(node.real())


def _camera(
    width: Any, height: Any, pinhole: tuple[float, ...], distortion: tuple[float, ...], where: str
) -> Camera | CameraFor:
    if not width or not height:
        return camera_of_numbers(" ".join(map(str, (*pinhole, *distortion))), where)
    try:
        fx, fy, cx, cy = (float(value) for value in pinhole)
        return Camera(int(width), int(height), fx, fy, cx, cy, distortion)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def _flat(values: Any) -> list[float]:
    """Numbers of a list, a list of lists, or what has them as ``data``."""
    if isinstance(values, Mapping):
        values = values["data"]
    return [float(value) for value in np.array(values, dtype=np.float64).ravel()]

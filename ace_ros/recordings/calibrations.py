"""Calibration files as people have them: the camera that a file states, whatever wrote it.

======================= =============================================================================================
ROS                     camera_calibration's YAML (``camera_matrix: {data: [...]}``), what ``ros2 topic echo`` prints
Kalibr                  ``camchain*.yaml``: cam0 (``intrinsics``, ``distortion_coeffs``, ``resolution``)
EuRoC / ASL             ``sensor.yaml`` (``intrinsics``, ``distortion_coefficients``, ``resolution``)
OpenCV                  FileStorage, YAML or XML: :mod:`ace_ros.recordings.file_storage`
COLMAP                  a line ``CAMERA_ID MODEL WIDTH HEIGHT PARAMS``, of ``cameras.txt`` or alone
Replica                 ``cam_params.json`` (``fx``, ``fy``, ``cx``, ``cy``, and a size, perhaps below ``camera``)
12-Scenes               ``info.txt`` (``m_calibrationColorIntrinsic``, ``m_colorWidth``)
numbers                 ``fx fy cx cy`` and distortion; K, 3x3, or a projection, 3x4 or 4x4; a matrix a row, the first
                        of which is read, as KITTI's ``calib.txt``; one focal length, as ACE's files have it
======================= =============================================================================================
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError

from ace_ros.camera import Camera
from ace_ros.errors import InputError
from ace_ros.geometry import Matrix
from ace_ros.recordings.ace import focal_or_matrix
from ace_ros.recordings.colmap_model import camera_of_line
from ace_ros.recordings.file_storage import camera_of_storage
from ace_ros.recordings.intrinsics import CameraFor, camera_of, camera_of_numbers, fitted
from ace_ros.recordings.lens_names import NamedLens, lens_named, model_of
from ace_ros.recordings.listing import numbers, read_json, read_text
from ace_ros.recordings.options import SplitOptions

_SUFFIXES = (".yaml", ".yml", ".xml", ".txt")
_REPLICA = "cam_params.json"
_COLMAP_LINE = re.compile(
    r"^\s*(\d+\s+)?(SIMPLE_|FULL_)?[A-Z_]*(PINHOLE|RADIAL|OPENCV|FOV|FISHEYE|DIVISION|EUCM|EQUIRECTANGULAR)\w*\s+\d+\s+\d+\s"
)
_EXPECTED = "fx fy cx cy and distortion, a 3x3 K or a focal length: numbers only,"
_SENSOR_DATA = "m_calibrationColorIntrinsic"
_SIZE = ("w", "width"), ("h", "height")
_LABEL = re.compile(r"^\s*P\d:")  # of KITTI


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


def is_calibration(path: Path) -> bool:
    """Whether a file is called as calibrations are; others may be recordings."""
    return path.suffix.lower() in _SUFFIXES or path.name == _REPLICA


def calibration_of_text(text: str, source: str, other: str = "") -> Calibration:
    """Of a line: numbers, or one of COLMAP's; ``source`` and ``other`` as of :func:`camera_of_numbers`."""
    if _COLMAP_LINE.match(text):
        return Calibration(camera_of_line(text, source))
    return Calibration(camera_of_numbers(text, source, other))


def given_camera(options: SplitOptions) -> CameraFor | None:
    """The camera of ``--intrinsics``; None where the user gave none."""
    if not options.intrinsics:
        return None
    return calibration_of_text(options.intrinsics, "--intrinsics").for_images("--intrinsics")


def calibration_of_file(path: Path) -> Calibration:
    """The camera of a calibration file.

    Raises:
        InputError: none is found in it, or one that can't be used.
    """
    if path.suffix.lower() == ".json":
        return _of_json(path)
    text = read_text(path, "the calibration")
    if path.suffix.lower() in (".yaml", ".yml", ".xml") or text.startswith(("%YAML", "<?xml")):
        return _of_yaml(text, path)
    if _SENSOR_DATA in text:
        return _of_sensor_data(text, str(path))
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if lines and _COLMAP_LINE.match(lines[0]):
        return Calibration(camera_of_line(lines[0], str(path)))
    rows = [_LABEL.sub("", line).split("#")[0].replace(",", " ") for line in lines]
    counts = {len(row.split()) for row in rows}
    return Calibration(_of_numbers(rows[0] if len(counts) == 1 and min(counts) >= 9 else " ".join(rows), path))


def _of_numbers(text: str, path: Path) -> CameraFor:
    values = numbers(text.split(), str(path), _EXPECTED)
    if values.size == 1:
        return focal_or_matrix(text, path)
    if values.size < 4:
        raise InputError(f"{path}: {_EXPECTED} is expected, it holds {values.size} numbers")
    return camera_of_numbers(" ".join(map(repr, map(float, values))), str(path))


def _of_json(path: Path) -> Calibration:
    content = read_json(path, "the calibration")
    camera = content.get("camera", content) if isinstance(content, dict) else None
    if not isinstance(camera, dict) or not {"fx", "fy", "cx", "cy"} <= set(camera):
        raise InputError(f"{path}: no calibration of a kind that is known: fx, fy, cx and cy are expected")
    words = [str(camera[key]) for key in ("fx", "fy", "cx", "cy")]
    return _sized(words, [str(camera.get(key, camera.get(name, ""))) for key, name in _SIZE], str(path))


def _of_sensor_data(text: str, where: str) -> Calibration:
    """Lines ``m_name = values``, the matrix 4x4 row by row."""
    stated = {name.strip(): values.split() for name, _, values in (line.partition("=") for line in text.splitlines())}
    matrix = stated.get(_SENSOR_DATA, [])
    if len(matrix) < 12:
        raise InputError(f"{where}: {_SENSOR_DATA}: 16 numbers are expected, it has {len(matrix)}")
    size = [" ".join(stated.get(name, [])) for name in ("m_colorWidth", "m_colorHeight")]
    return _sized([matrix[index] for index in (0, 5, 2, 6)], size, where)


def _sized(words: Sequence[str], size: Sequence[str], where: str) -> Calibration:
    """Of fx, fy, cx, cy and, where it is stated, the size of the images."""
    fx, fy, cx, cy = map(float, numbers(words, where, "fx, fy, cx, cy: numbers only,", 4))
    if not all(size):
        return Calibration(camera_of_numbers(f"{fx!r} {fy!r} {cx!r} {cy!r}", where))
    width, height = numbers(size, where, "the size of the images, two numbers,", 2)
    try:
        return Calibration(Camera(int(width), int(height), fx, fy, cx, cy))
    except (InputError, ValueError, OverflowError) as error:  # a size that is no number
        raise InputError(f"{where}: {error}") from None


def _of_yaml(text: str, path: Path) -> Calibration:
    where = str(path)
    if text.startswith(("%YAML", "<?xml")):
        return Calibration(*camera_of_storage(text, where))
    try:
        documents = [one for one in YAML(typ="safe", pure=True).load_all(text) if isinstance(one, Mapping)]
    except (YAMLError, ValueError) as error:
        raise InputError(f"{path}: not YAML that can be read ({_fault(error, text)})") from None
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


def _fault(error: Exception, text: str) -> str:
    """Where a file is no YAML, and why."""
    if isinstance(error, ReaderError):  # a character that no YAML holds
        lines = text[: error.position + 1].split("\n")
        return f"line {len(lines)}, column {len(lines[-1])}: {error.reason}"
    if isinstance(error, MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"line {mark.line + 1}, column {mark.column + 1}: {error.problem}"
    return str(error).splitlines()[0]


def _of_info(content: Mapping[str, Any], where: str) -> Camera | CameraFor:
    """ROS: as calibration files have it, or as ``ros2 topic echo`` prints the message."""
    matrix = content.get("camera_matrix", content.get("k", content.get("K")))
    coefficients = content.get("distortion_coefficients", content.get("d", content.get("D", [])))
    fx, _, cx, _, fy, cy = _flat(matrix)[:6]
    lens = lens_named(str(content.get("distortion_model", "")), _flat(coefficients), where)
    width = content.get("image_width", content.get("width"))
    height = content.get("image_height", content.get("height"))
    return camera_of(width, height, (fx, fy, cx, cy), lens, where)


def _of_sensor(content: Mapping[str, Any], where: str) -> Calibration:
    """EuRoC's sensor.yaml, or a camera of Kalibr's chain, whose wide models put their own values first."""
    model = str(content.get("camera_model", "pinhole"))
    name = str(content.get("distortion_model") or "")
    values = _flat(content["intrinsics"])
    coefficients = _flat(content.get("distortion_coeffs", content.get("distortion_coefficients")) or [])
    if (wide := model_of(model)) is None:
        raise InputError(f"{where}: the camera model '{model}' is not known: undistort the images")
    if wide != "pinhole":
        distorted = lens_named(name, coefficients, where)
        if distorted.model != "pinhole" or (distorted.distortion and wide != "omni"):
            raise InputError(f"{where}: the camera model '{model}' with the distortion '{name}' is not known")
        first = len(values) - 4
        lens = NamedLens(wide, (*values[:first], *distorted.distortion))
        values = values[first:]
    else:
        lens = lens_named(name, coefficients, where)
    width, height = content.get("resolution") or (None, None)
    camera = camera_of(width, height, tuple(values[:4]), lens, where)
    mount = content.get("T_BS")
    pose = None if mount is None else np.array(_flat(mount), dtype=np.float64).reshape(4, 4)
    return Calibration(camera, pose)


def _flat(values: Any) -> list[float]:
    """Numbers of a list, a list of lists, or what has them as ``data``."""
    if isinstance(values, Mapping):
        values = values["data"]
    return [float(value) for value in np.array(values, dtype=np.float64).ravel()]

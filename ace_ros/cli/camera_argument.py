"""The camera of ``ace localize --camera``: numbers, a ROS camera_info YAML, or a recording's own calibration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from ace_ros.camera import Camera
from ace_ros.errors import InputError
from ace_ros.recordings import open_recording
from ace_ros.recordings.intrinsics import CameraFor, camera_of_numbers, distortion_of, fitted
from ace_ros.recordings.listing import read_text


def camera_argument(text: str) -> CameraFor:
    """Read the argument.

    Raises:
        InputError: not numbers and not a file or folder, or one that holds no usable calibration.
    """
    path = Path(text)
    if path.is_dir() or (path.is_file() and path.suffix not in (".yaml", ".yml", ".txt")):
        return _of_recording(path)
    if path.is_file() and path.suffix == ".txt":
        return camera_of_numbers(" ".join(read_text(path).split()), f"--camera {path}")
    if path.is_file():
        return _of_yaml(path)
    return camera_of_numbers(text, "--camera", ", a ROS camera_info YAML, or a recording")


def _of_yaml(path: Path) -> CameraFor:
    """ROS's camera calibration file, as camera_calibration and camera_info_manager write it."""
    try:
        content: Any = YAML(typ="safe", pure=True).load(path.read_text())
        width, height = int(content["image_width"]), int(content["image_height"])
        matrix = [float(value) for value in content["camera_matrix"]["data"]]
        coefficients = [float(value) for value in content.get("distortion_coefficients", {}).get("data", [])]
        model = str(content.get("distortion_model", ""))
        fx, _, cx, _, fy, cy = matrix[:6]
    except (OSError, UnicodeDecodeError, YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"{path}: not a ROS camera calibration (image_width, image_height, camera_matrix, "
            f"distortion_coefficients): {type(error).__name__} {error}"
        ) from error
    distortion = distortion_of(model, coefficients, str(path))
    return _resizing(Camera(width, height, fx, fy, cx, cy, distortion), str(path))


def _of_recording(path: Path) -> CameraFor:
    frames = open_recording(path, split="all").frames
    if not frames:
        raise InputError(f"--camera {path}: this recording has no frames to take the camera from")
    return _resizing(frames[0].camera, str(path))


def _resizing(camera: Camera, source: str) -> CameraFor:
    def for_size(width: int, height: int) -> Camera:
        scaled = fitted(camera, (width, height))
        if scaled is None:
            raise InputError(
                f"the image is {width} x {height}, the camera of {source} {camera.width} x {camera.height}: "
                "not the same camera, or cropped"
            )
        return scaled

    return for_size

"""The camera of ``ace localize --camera``: numbers, a ROS camera_info YAML, or a recording's own calibration."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from ace_ros.camera import Camera
from ace_ros.errors import InputError
from ace_ros.recordings import open_recording

#: gives the camera for an image of some width and height
CameraFor = Callable[[int, int], Camera]

_MODELS = ("plumb_bob", "rational_polynomial", "")


def camera_argument(text: str) -> CameraFor:
    """Read the argument.

    Raises:
        InputError: not numbers and not a file or folder, or one that holds no usable calibration.
    """
    path = Path(text)
    if path.is_dir() or (path.is_file() and path.suffix not in (".yaml", ".yml", ".txt")):
        return _of_recording(path)
    if path.is_file():
        return _of_yaml(path) if path.suffix != ".txt" else _of_numbers(" ".join(path.read_text().split()), text)
    return _of_numbers(text, text)


def _of_numbers(numbers: str, said: str) -> CameraFor:
    try:
        values = [float(value) for value in numbers.replace(",", " ").split()]
    except ValueError:
        raise InputError(
            f"--camera {said}: neither a file nor numbers; give fx,fy,cx,cy[,k1,k2,p1,p2[,k3...]] in pixels, "
            "a ROS camera_info YAML, or a recording"
        ) from None
    if len(values) < 4:
        raise InputError(f"--camera {said}: at least the four numbers fx,fy,cx,cy are needed, got {len(values)}")
    fx, fy, cx, cy, *distortion = values
    Camera(1, 1, fx, fy, cx, cy, tuple(distortion))  # complain before any image is read
    return lambda width, height: Camera(width, height, fx, fy, cx, cy, tuple(distortion))


def _of_yaml(path: Path) -> CameraFor:
    """ROS's camera calibration file, as camera_calibration and camera_info_manager write it."""
    try:
        content: Any = YAML(typ="safe", pure=True).load(path.read_text())
        width, height = int(content["image_width"]), int(content["image_height"])
        matrix = [float(value) for value in content["camera_matrix"]["data"]]
        distortion = tuple(float(value) for value in content.get("distortion_coefficients", {}).get("data", []))
        model = str(content.get("distortion_model", ""))
        fx, _, cx, _, fy, cy = matrix[:6]
    except (OSError, UnicodeDecodeError, YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"{path}: not a ROS camera calibration (image_width, image_height, camera_matrix, "
            f"distortion_coefficients): {type(error).__name__} {error}"
        ) from error
    if model not in _MODELS:
        raise InputError(f"{path}: distortion model '{model}' is not supported; rectify the images, or use plumb_bob")
    return _resizing(Camera(width, height, fx, fy, cx, cy, distortion if any(distortion) else ()), str(path))


def _of_recording(path: Path) -> CameraFor:
    frames = open_recording(path, split="all").frames
    if not frames:
        raise InputError(f"--camera {path}: this recording has no frames to take the camera from")
    return _resizing(frames[0].camera, str(path))


def _resizing(camera: Camera, source: str) -> CameraFor:
    def for_size(width: int, height: int) -> Camera:
        if (width, height) == (camera.width, camera.height):
            return camera
        if abs(width * camera.height - height * camera.width) > 0.01 * width * camera.height:
            raise InputError(
                f"the image is {width} x {height}, the camera of {source} {camera.width} x {camera.height}: "
                "not the same camera, or cropped"
            )
        return camera.resized(width, height)

    return for_size

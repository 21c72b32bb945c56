"""The camera of ``ace localize --camera``: numbers, a calibration file, a recording's own calibration, or EXIF's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ace_ros.camera import Camera
from ace_ros.cli.console import note
from ace_ros.errors import InputError
from ace_ros.recordings import open_recording
from ace_ros.recordings.calibrations import Calibration, calibration_of_file, calibration_of_text, is_calibration
from ace_ros.recordings.exif import focal_of
from ace_ros.recordings.intrinsics import CameraFor

EXIF = "exif"

#: gives the camera of an image by its file, width and height
CameraOf = Callable[[Path, int, int], Camera]


def camera_argument(text: str) -> CameraOf:
    """Read the argument.

    Raises:
        InputError: not numbers and not a file or folder, or one that holds no usable calibration.
    """
    if text == EXIF:
        return _of_exif
    for_size = _for_size(text)
    return lambda path, width, height: for_size(width, height)


def _for_size(text: str) -> CameraFor:
    path = Path(text)
    if path.is_dir() or (path.is_file() and not is_calibration(path)):
        frames = open_recording(path, split="all").frames
        return Calibration(frames[0].camera).for_images(str(path))
    if path.is_file():
        return calibration_of_file(path).for_images(str(path))
    return calibration_of_text(text, "--camera", ", a calibration file, a recording, or exif").for_images("--camera")


def _of_exif(path: Path, width: int, height: int) -> Camera:
    found = focal_of(path, width, height)
    if found is None:
        raise InputError(f"{path}: its EXIF tells no focal length: give fx,fy,cx,cy or a calibration file by --camera")
    focal, source = found
    note(
        f"{path}: the focal length, {focal:.0f} px, is that of EXIF ({source}): often a few percent off, and the lens "
        "is taken for free of distortion; a calibration is better"
    )
    return Camera(width, height, focal, focal, (width - 1) / 2, (height - 1) / 2)

"""The room's camera, what a camera adds to a picture, and how frames are stored."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from ace_ros.camera import Camera
from ace_ros.errors import InputError
from ace_ros.generated.textures import Texture
from ace_ros.geometry import Matrix

_QUALITY = 92  # JPEG


def room_camera(size: tuple[int, int] = (640, 480)) -> Camera:
    """The room's camera, about 63 degrees wide, for images of ``size`` (width, height)."""
    width, height = size
    focal = 525.0 * width / 640
    return Camera(width, height, focal, focal, (width - 1) / 2, (height - 1) / 2)


def exposed(image: Texture, rng: np.random.Generator, noise: float = 2.0) -> Texture:
    """The image with vignetting, a slightly wandering exposure, and noise of so many grey levels."""
    height, width = image.shape[:2]
    y, x = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    gain = (1 - 0.09 * (x * x + y * y)).astype(np.float32) * np.float32(rng.normal(1, 0.025))
    grain = rng.standard_normal(image.shape, dtype=np.float32)
    return np.clip(image * gain[..., None] + np.float32(noise) * grain + 0.5, 0, 255).astype(np.uint8)


def save(path: Path, image: Texture) -> None:
    """Write a JPEG.

    Raises:
        InputError: the file can't be written.
    """
    _, data = cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    try:
        path.write_bytes(data.tobytes())
    except OSError as error:
        raise InputError(f"{path}: can't be written ({error.strerror})") from error


def write_frame(split: Path, name: str, image: Texture, camera: Camera, map_from_camera: Matrix) -> None:
    """Write a frame in ACE's layout, into the folders ``rgb/``, ``poses/`` and ``calibration/`` of a split.

    Raises:
        InputError: it can't be written.
    """
    save(split / "rgb" / f"{name}.color.jpg", image)
    np.savetxt(split / "poses" / f"{name}.pose.txt", map_from_camera, fmt="%.9g")
    np.savetxt(split / "calibration" / f"{name}.calibration.txt", camera.matrix, fmt="%.9g")


def fresh(folder: Path | str) -> Path:
    """``folder``, made where it is missing.

    Raises:
        InputError: it holds something already, or can't be made.
    """
    path = Path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
        if any(path.iterdir()):
            raise InputError(f"{path}: is not empty; a generated scene needs a new folder: name another")
    except OSError as error:
        raise InputError(f"{path}: can't be used as a folder ({error.strerror})") from error
    return path

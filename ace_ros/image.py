"""An image and the camera that took it belong together: here they are checked against each other, and only here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ace_ros.camera import Camera
from ace_ros.errors import FrameError, InputError

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Image:
    """Pixels with the camera that took them: the one place where the two are checked against each other.

    Attributes:
        pixels: uint8, (H, W) grey or (H, W, 3) RGB.
        camera: intrinsics for the pixels as they are.
        name: what messages call it.

    Raises:
        InputError: not uint8, another shape, or another size than the camera's.
    """

    pixels: Pixels
    camera: Camera
    name: str = "image"

    def __post_init__(self) -> None:
        check_pixels(self.pixels, self.name)
        height, width = self.pixels.shape[:2]
        check_size(width, height, self.camera, self.name)


def check_pixels(pixels: object, name: str = "image") -> None:
    """See that these are pixels of a photograph.

    Raises:
        InputError: not uint8 of shape (H, W) or (H, W, 3).
    """
    if not isinstance(pixels, np.ndarray):
        raise InputError(f"{name}: expected a NumPy array of pixels, got {type(pixels).__name__}")
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or pixels.shape[2:] not in ((), (3,)):
        raise InputError(
            f"{name}: the image must be uint8 of shape (H, W) or (H, W, 3) RGB, "
            f"it is {pixels.dtype} of shape {pixels.shape}"
        )


def check_size(width: int, height: int, camera: Camera, name: str = "image") -> None:
    """See that an image of this size is the camera's; for messages that state a size before they are decoded.

    Raises:
        InputError: it is not.
    """
    if (width, height) != (camera.width, camera.height):
        raise FrameError(
            name,
            "the image is of another size than its camera",
            f"the image is {width} x {height}, its camera {camera.width} x {camera.height}: "
            "not from this camera and mode, or cropped",
        )

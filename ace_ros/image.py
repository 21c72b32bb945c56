"""An image and the camera that took it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ace_ros.camera import Camera
from ace_ros.errors import InputError

Pixels = NDArray[np.uint8]  # (H, W) grey or (H, W, 3) RGB


@dataclass(frozen=True)
class Image:
    """Pixels with the camera that took them: the one place where the two are checked against each other.

    Attributes:
        pixels: uint8, (H, W) grey or (H, W, 3) RGB.
        camera: its intrinsics.
        name: what messages call it.

    Raises:
        InputError: other pixels, or another size than the camera's.
    """

    pixels: Pixels
    camera: Camera
    name: str = "image"

    def __post_init__(self) -> None:
        check_pixels(self.pixels, self.name)
        (height, width), camera = self.pixels.shape[:2], self.camera
        if (width, height) != (camera.width, camera.height):
            raise InputError(
                f"{self.name}: the image is {width} x {height}, its camera {camera.width} x {camera.height}: "
                "not from this camera, or cropped"
            )


def check_pixels(pixels: NDArray[Any], name: str = "image") -> None:
    """Raises InputError: not uint8 of shape (H, W) or (H, W, 3)."""
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] != 3):
        raise InputError(
            f"{name}: expected uint8 of shape (H, W) or (H, W, 3) RGB, got {pixels.dtype} of shape {pixels.shape}"
        )

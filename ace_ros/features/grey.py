"""The grey image of a modest size that an encoder sees."""

from __future__ import annotations

import cv2
import numpy as np

from ace_ros.errors import InputError
from ace_ros.image import Pixels, check_pixels

_LEAST = 64  # pixels a side: below it not even two cells of the coarsest map of a backbone are left


def check_image(image: Pixels) -> Pixels:
    """The image in grey, contiguous and writable as PyTorch wants it; a copy only where it has to be.

    Raises:
        InputError: not uint8, empty, or neither (H, W) nor (H, W, 3).
    """
    check_pixels(image)
    if min(image.shape[:2]) < _LEAST:
        raise InputError(
            f"image: {image.shape[1]} x {image.shape[0]} pixels are too few; {_LEAST} x {_LEAST} is the least"
        )
    if image.ndim == 2:
        return np.require(image, requirements=["C", "W"])
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def working_size(width: int, height: int, short_side: int, multiple: int = 32, enlarge: float = 1.0) -> tuple[int, int]:
    """Size at which an image is encoded: its short side at most ``short_side``, multiples of ``multiple``.

    A smaller image is enlarged to it, at most ``enlarge`` times.
    """
    scale = min(enlarge, short_side / min(width, height))
    least = -(-_LEAST // multiple)
    x, y = (max(least, round(side * scale / multiple)) * multiple for side in (width, height))
    return x, y


def working_image(image: Pixels, short_side: int, multiple: int = 32) -> Pixels:
    """The grey image, reduced to its :func:`working_size`, that a backbone sees.

    Raises:
        InputError: as :func:`check_image`.
    """
    grey = check_image(image)
    size = working_size(grey.shape[1], grey.shape[0], short_side, multiple)
    if size == (grey.shape[1], grey.shape[0]):
        return grey
    return resized(grey, size, cv2.INTER_LINEAR)


def resized(grey: Pixels, size: tuple[int, int], enlarging: int) -> Pixels:
    """The image (H, W) at a width and height: averaged where pixels are lost, else by OpenCV's interpolation."""
    how = cv2.INTER_AREA if size[0] * size[1] < grey.size else enlarging
    return np.asarray(cv2.resize(grey, size, interpolation=how), np.uint8)

"""Marks on images, in the colours that mean the same wherever they are shown."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import ArrayLike

from ace_ros.image import Pixels

Colour = tuple[int, int, int]  # RGB

GREEN, YELLOW, RED, WHITE = (40, 220, 90), (255, 220, 90), (214, 60, 70), (255, 255, 255)
_SHIFT = 3  # fractional bits of coordinates that OpenCV draws at
_FAR = 1e4  # pixels: a line that goes on outside of the image goes no further, OpenCV's coordinates are short


def in_colour(pixels: Pixels) -> Pixels:
    """A copy as RGB, (H, W, 3), to draw on."""
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB) if pixels.ndim == 2 else pixels.copy(), np.uint8)


def dot(canvas: Pixels, at: ArrayLike, colour: Colour, radius: float, filled: bool = False) -> None:
    """A circle about a pixel (x, y)."""
    cv2.circle(canvas, _fixed(at), round(radius * 2**_SHIFT), colour, -1 if filled else 1, cv2.LINE_AA, _SHIFT)


def line(canvas: Pixels, start: ArrayLike, end: ArrayLike, colour: Colour) -> None:
    """A line from one pixel (x, y) to another, which may lie outside."""
    cv2.line(canvas, _fixed(start), _fixed(end), colour, 1, cv2.LINE_AA, _SHIFT)


def between(first: Colour, last: Colour, share: float) -> Colour:
    """A colour on the way from one to the other; ``share`` in [0, 1]."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, last, strict=True))
    return red, green, blue


def _fixed(at: ArrayLike) -> tuple[int, int]:
    x, y = np.rint(np.clip(np.asarray(at, dtype=np.float64), -_FAR, _FAR) * 2**_SHIFT).astype(int)
    return int(x), int(y)

"""Pictures and points on their way to the page."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_QUALITY = 75  # of JPEG: half the size of 90, and no difference at a glance
_MOST_POINTS = 30_000  # of a map: more are not told apart on a screen


def jpeg(pixels: NDArray[np.uint8], width: int) -> bytes:
    """Pixels (H, W) or (H, W, 3) RGB as JPEG, no wider than ``width``."""
    height, wide = pixels.shape[:2]
    if wide > width:
        pixels = cv2.resize(pixels, (width, max(1, round(height * width / wide))), interpolation=cv2.INTER_AREA)
    bgr = pixels if pixels.ndim == 2 else pixels[..., ::-1]
    return bytes(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1])


def points_seen_from_above(points: NDArray[np.float32], colours: NDArray[np.uint8]) -> bytes:
    """Points (N, 3) with colours (N, 3) RGB as the page takes them, upper ones last.

    Three bytes, the number of points as uint32, x and y of each as float32, RGB of each; little endian. With the letter
    that goes before them numbers lie at multiples of four bytes, as JavaScript wants them.
    """
    finite = np.isfinite(points).all(axis=1)
    points, colours = points[finite], colours[finite]
    if len(points) > _MOST_POINTS:
        some = np.linspace(0, len(points) - 1, _MOST_POINTS).astype(np.int64)
        points, colours = points[some], colours[some]
    order = np.argsort(points[:, 2])
    count = len(points).to_bytes(4, "little")
    return b"\0\0\0" + count + points[order, :2].astype("<f4").tobytes() + colours[order].tobytes()

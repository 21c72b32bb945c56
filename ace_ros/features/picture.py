"""Grey values of an image at about the size of encoding: what is asked where a keypoint is not exact enough."""

from __future__ import annotations

from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from ace_ros.camera import Camera
from ace_ros.features.grey import resized
from ace_ros.image import Pixels

_SMOOTH = 0.8  # pixels, standard deviation: a slope is one over a few pixels, not over the noise of two
_QUALITY = 95  # of JPEG: its errors are those of a camera's noise
_SCHARR = 32.0  # sum of the positive weights of OpenCV's kernel, and two pixels between them


class Picture:
    """A grey image (H, W) with the camera of its pixels, reduced to at most a size.

    Attributes:
        grey: uint8. camera: of these pixels.
    """

    def __init__(self, grey: Pixels, camera: Camera, size: tuple[int, int]) -> None:
        if size[0] * size[1] < grey.size:
            grey, camera = resized(grey, size, cv2.INTER_LINEAR), camera.resized(*size)
        self.grey, self.camera = grey, camera

    @cached_property
    def layers(self) -> NDArray[np.float32]:
        """(H, W, 3): smoothed grey values, and how much they grow by the pixel to the right and down."""
        smooth = cv2.GaussianBlur(self.grey.astype(np.float32), (0, 0), _SMOOTH)
        slopes = (cv2.Scharr(smooth, -1, *axis) / _SCHARR for axis in ((1, 0), (0, 1)))
        return np.asarray(cv2.merge([smooth, *slopes]), np.float32)

    def at(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, P, 3) of the layers at pixels (N, P, 2), between which they are interpolated; zero outside."""
        if not pixels.size:
            return np.empty((*pixels.shape[:2], 3), np.float32)
        return np.asarray(cv2.remap(self.layers, pixels, None, cv2.INTER_LINEAR), np.float32)

    def stored(self) -> bytes:
        """As JPEG."""
        return bytes(cv2.imencode(".jpg", self.grey, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1])

    @staticmethod
    def read(stored: bytes, camera: Camera) -> Picture:
        """What :meth:`stored` gave; ``camera``: of the image that was given, at any size."""
        grey = np.asarray(cv2.imdecode(np.frombuffer(stored, np.uint8), cv2.IMREAD_GRAYSCALE), np.uint8)
        height, width = grey.shape
        return Picture(grey, camera.resized(width, height), (width, height))

"""Intrinsics: pinhole with OpenCV's distortion; pixels to rays and back.

Pixel coordinates put (0, 0) at the *centre* of the top left pixel, as OpenCV and ROS do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ace_ros.errors import InputError

_DISTORTION_LENGTHS = (0, 4, 5, 8, 12, 14)
_UNDISTORT_STEPS = 20  # far more than any lens took to settle


@dataclass(frozen=True)
class Camera:
    """A calibrated camera.

    Attributes:
        width, height: size of the image, pixels.
        fx, fy, cx, cy: focal lengths and principal point, pixels.
        distortion: OpenCV's ``k1 k2 p1 p2 [k3 [k4 k5 k6 ...]]`` (ROS: plumb_bob and
            rational_polynomial); empty for none.

    Raises:
        InputError: a focal length that is not positive (ROS: K[0] = 0 means uncalibrated), a
            value that is not finite, or an unknown number of coefficients.
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    distortion: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        values = (self.fx, self.fy, self.cx, self.cy, *self.distortion)
        if not np.isfinite(values).all():
            raise InputError(f"camera: intrinsics must be finite numbers, got {values}")
        if self.fx <= 0 or self.fy <= 0:
            raise InputError(
                f"camera: focal lengths must be positive, got fx = {self.fx:g}, fy = {self.fy:g} "
                "(zero means uncalibrated: calibrate the camera, or give its intrinsics)"
            )
        if self.width < 1 or self.height < 1:
            raise InputError(f"camera: the image size must be positive, got {self.width} x {self.height}")
        if len(self.distortion) not in _DISTORTION_LENGTHS:
            raise InputError(
                f"camera: distortion takes {', '.join(map(str, _DISTORTION_LENGTHS))} coefficients in OpenCV's "
                f"order (k1 k2 p1 p2 k3 ...), got {len(self.distortion)}"
            )

    @property
    def matrix(self) -> NDArray[np.float64]:
        """K, (3, 3)."""
        return np.array([[self.fx, 0.0, self.cx], [0.0, self.fy, self.cy], [0.0, 0.0, 1.0]])

    @property
    def focal(self) -> float:
        """Geometric mean of fx and fy, pixels: turns an angle into pixels for error measures."""
        return float(np.sqrt(self.fx * self.fy))

    def resized(self, width: int, height: int) -> Camera:
        """The same camera for the image resized to ``width`` x ``height``; the axes may scale apart."""
        sx, sy = width / self.width, height / self.height
        return replace(
            self,
            width=width,
            height=height,
            fx=self.fx * sx,
            fy=self.fy * sy,
            cx=(self.cx + 0.5) * sx - 0.5,
            cy=(self.cy + 0.5) * sy - 0.5,
        )

    def normalise(self, pixels: NDArray[np.floating]) -> NDArray[np.float64]:
        """Undistorted, normalised image coordinates (x/z, y/z) of pixels (N, 2); (N, 2) float64."""
        points = np.asarray(pixels, dtype=np.float64).reshape(-1, 2)
        if not any(self.distortion):
            return (points - (self.cx, self.cy)) / (self.fx, self.fy)
        if not len(points):
            return points
        coefficients = np.asarray(self.distortion)
        undistorted = cv2.undistortPoints(points[:, None], self.matrix, coefficients).reshape(-1, 2).astype(np.float64)
        # OpenCV's few iterations leave pixels at the rim of a wide lens; go on until nothing moves.
        for _ in range(_UNDISTORT_STEPS):
            there = self.project(np.concatenate([undistorted, np.ones((len(points), 1))], 1))
            step = (there - points) / (self.fx, self.fy)
            undistorted -= step
            if np.abs(step).max() < 1e-9:
                break
        return np.asarray(undistorted)

    def rays(self, pixels: NDArray[np.floating]) -> NDArray[np.float64]:
        """Unit viewing rays (N, 3) of pixels (N, 2), in camera axes."""
        rays = np.pad(self.normalise(pixels), ((0, 0), (0, 1)), constant_values=1.0)
        return np.asarray(rays / np.linalg.norm(rays, axis=1, keepdims=True))

    def project(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Pixels (N, 2) of points (N, 3) in camera axes; NaN where a point is not in front (z <= 0)."""
        points = np.asarray(points, dtype=np.float64).reshape(-1, 3)
        pixels = np.full((len(points), 2), np.nan)
        front = points[:, 2] > 1e-9
        if front.any():
            normalised = points[front] / points[front, 2:]
            projected, _ = cv2.projectPoints(
                normalised[:, None], np.zeros(3), np.zeros(3), self.matrix, np.asarray(self.distortion)
            )
            pixels[front] = projected.reshape(-1, 2)
        return pixels

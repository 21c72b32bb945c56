"""Intrinsics: a lens with focal lengths and a principal point; pixels to rays and back.

Pixel coordinates put (0, 0) at the *centre* of the top left pixel, as OpenCV and ROS do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ace_ros.errors import InputError
from ace_ros.lenses import Lens, lens_of

_LEAST_ANGLE = math.atan(4.0)  # radians, 76 degrees from the axis: a lens that images no more in mid image is none
_MIDDLE = 1e-9  # of a unit ray: so near the axis no direction is told from another
_LEAST_STRETCH = 0.25  # of the focal length: where a lens ends it has no pixels at all for an angle
_STEP = 1e-6  # radians, by which the lens is asked how it stretches


@dataclass(frozen=True)
class Camera:
    """A calibrated camera.

    Attributes:
        width, height: size of the image, pixels.
        fx, fy, cx, cy: focal lengths and principal point, pixels.
        distortion: coefficients of the model; a pinhole's are OpenCV's ``k1 k2 p1 p2 [k3 [k4 k5 k6 ...]]`` (ROS:
            plumb_bob and rational_polynomial), and empty for none.
        model: of the lens, one of those in :mod:`ace_ros.lenses.registry`.

    Raises:
        InputError: a focal length that is not positive (ROS: K[0] = 0 means uncalibrated), a
            value that is not finite, an unknown model or a number of coefficients that it does not take.
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    distortion: tuple[float, ...] = ()
    model: str = "pinhole"

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
        lens_of(self.model, self.distortion)

    @cached_property
    def lens(self) -> Lens:
        """Rays to the plane at focal length one, and back."""
        return lens_of(self.model, self.distortion)

    @property
    def matrix(self) -> NDArray[np.float64]:
        """K, (3, 3)."""
        return np.array([[self.fx, 0.0, self.cx], [0.0, self.fy, self.cy], [0.0, 0.0, 1.0]])

    @property
    def focal(self) -> float:
        """Pixels for a radian in the middle of the image, the geometric mean of x and y: a pinhole's focal length."""
        return float(np.sqrt(self.fx * self.fy)) * self.lens.on_axis

    @property
    def fold(self) -> float | None:
        """Pixels from the principal point at which the image would fold over itself, where no lens ends; else None.

        That is within the largest circle about the image's middle, less than 76 degrees from the axis.
        """
        radius = self.lens.end * float(np.sqrt(self.fx * self.fy))
        return radius if self.lens.widest < _LEAST_ANGLE and radius < min(self.width, self.height) / 2 else None

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

    def rays(self, pixels: NDArray[np.floating]) -> NDArray[np.float64]:
        """Unit viewing rays (N, 3) of pixels (N, 2), camera axes; NaN where the lens images nothing."""
        points = np.asarray(pixels, dtype=np.float64).reshape(-1, 2)
        return self.lens.rays((points - (self.cx, self.cy)) / (self.fx, self.fy))

    def focals(self, rays: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N,) pixels for a radian about each unit ray (N, 3), the geometric mean of all directions.

        What :attr:`focal` is in the middle of the image: a pinhole has more of them aside, other lenses may have fewer.
        """
        side = np.maximum(np.hypot(rays[:, 0], rays[:, 1]), 1e-300)[:, None]
        around = np.where(side > _MIDDLE, np.stack([-rays[:, 1], rays[:, 0], np.zeros(len(rays))], 1) / side, (0, 1, 0))
        inward = np.cross(rays, around)
        here = self.project(rays)
        steps = [(self.project(rays + _STEP * way) - here) / _STEP for way in (around, inward)]
        area = np.abs(steps[0][:, 0] * steps[1][:, 1] - steps[0][:, 1] * steps[1][:, 0])
        return np.maximum(np.sqrt(np.where(np.isfinite(area), area, self.focal**2)), _LEAST_STRETCH * self.focal)

    def project(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Pixels (N, 2) of points (N, 3) in camera axes; NaN for what the lens does not image (a pinhole: z <= 0)."""
        points = np.asarray(points, dtype=np.float64).reshape(-1, 3)
        with np.errstate(all="ignore"):
            rays = points / np.linalg.norm(points, axis=1, keepdims=True)
        return self.lens.plane(rays) * (self.fx, self.fy) + (self.cx, self.cy)

    def grid(self, steps: int, share: float = 1.0) -> NDArray[np.float64]:
        """Unit rays (N, 3) of a grid over the image, ``steps`` a side, or over that share of its sides in the middle.

        Where the lens images nothing there are none, so N may be less than the square of ``steps``.
        """
        x, y = ((side - 1) / 2 + share * np.linspace(-side / 2, side / 2, steps) for side in (self.width, self.height))
        rays = self.rays(np.stack(np.meshgrid(x, y), -1).reshape(-1, 2))
        return np.asarray(rays[np.isfinite(rays).all(1)])

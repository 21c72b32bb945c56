"""A lens: unit rays to the plane at focal length one, and back."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ace_ros.lenses.distortion import Distortion, Floats
from ace_ros.lenses.projections import Projection

_ROUNDING = 1e-12  # of the cosine of an angle


class Lens(ABC):
    """What lies between rays and the plane; focal lengths and principal point are the camera's.

    Attributes:
        on_axis: units of the plane for a radian, in the middle.
        widest: angle from the axis, radians, up to which it images.
        end: radius on the plane at which that is: the image ends there, or would fold over itself.
    """

    on_axis: float
    widest: float
    end: float

    @abstractmethod
    def plane(self, rays: Floats) -> Floats:
        """Points (N, 2) on the plane of unit rays (N, 3), camera axes; NaN for rays that it does not image."""

    @abstractmethod
    def rays(self, points: Floats) -> Floats:
        """Unit rays (N, 3) of points (N, 2) on the plane; NaN where nothing is imaged."""


@dataclass(frozen=True)
class RadialLens(Lens):
    """A projection that turns with the axis, and what distorts its plane, one after the other."""

    projection: Projection
    distortions: tuple[Distortion, ...] = ()

    @property
    def on_axis(self) -> float:  # type: ignore[override]
        return self.projection.on_axis

    @cached_property
    def widest(self) -> float:  # type: ignore[override]
        # What comes after the first distortion moves points by little, and has no end of its own.
        fold = self.distortions[0].end if self.distortions else math.inf
        return (
            min(self.projection.widest, self.projection.angle(fold)) if math.isfinite(fold) else self.projection.widest
        )

    @cached_property
    def end(self) -> float:  # type: ignore[override]
        angle = self.widest * (1 - 1e-9)  # the very last ray is on neither side
        edge = self.plane(np.array([[math.sin(angle), 0.0, math.cos(angle)]]))
        return float(np.linalg.norm(edge)) if np.isfinite(edge).all() else math.inf

    def plane(self, rays: Floats) -> Floats:
        side, ahead = np.hypot(rays[:, 0], rays[:, 1]), rays[:, 2]
        imaged = (ahead > self._least) & (side + np.abs(ahead) > 0)
        with np.errstate(all="ignore"):
            points = rays[:, :2] * self.projection.stretch(side, ahead)[:, None]
            for one in self.distortions:
                points = one.distorted(points)
        return np.where(imaged[:, None], points, np.nan)

    def rays(self, points: Floats) -> Floats:
        for one in reversed(self.distortions):
            points = one.undistorted(points)
        with np.errstate(all="ignore"):
            aside, ahead = self.projection.back(np.linalg.norm(points, axis=1))
            rays = np.column_stack([points * aside[:, None], ahead])
            rays /= np.linalg.norm(rays, axis=1, keepdims=True)
        return np.asarray(np.where((rays[:, 2] >= self._least - _ROUNDING)[:, None], rays, np.nan))

    @cached_property
    def _least(self) -> float:
        """Cosine of the widest angle."""
        return math.cos(self.widest)


class Panorama(Lens):
    """Equirectangular: longitude and latitude of the ray, radians; all of the sphere."""

    on_axis = 1.0
    widest = math.pi
    end = math.inf

    def plane(self, rays: Floats) -> Floats:
        x, y, z = rays.T
        return np.stack([np.arctan2(x, z), np.arctan2(y, np.hypot(x, z))], 1)

    def rays(self, points: Floats) -> Floats:
        u, v = points.T
        rays = np.stack([np.sin(u) * np.cos(v), np.sin(v), np.cos(u) * np.cos(v)], 1)
        there = (np.abs(u) <= np.pi + _ROUNDING) & (np.abs(v) <= np.pi / 2 + _ROUNDING)
        return np.where(there[:, None], rays, np.nan)

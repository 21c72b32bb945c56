"""Distortion on the plane behind a lens: polynomials of the radius, tangential, thin prism; and a tilted sensor."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.polynomial import Polynomial
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_STEPS = 30  # of Newton's method; from the nearest entry of the table 3 do
_STILL = 1e-14  # units of the plane: a step that changes nothing
_SOLVED = 1e-9  # units of the plane: what may be left where the method ends at the very rim
_TABLE = 1024  # entries of the table of radii by which the method starts
_FARTHEST = 1e3  # units of the plane: 89.9 degrees of a pinhole


class Distortion(ABC):
    """What becomes of points (N, 2) of the plane. ``end`` is the radius up to which each keeps a place of its own."""

    end: float = np.inf

    @abstractmethod
    def distorted(self, points: Floats) -> Floats:
        """(N, 2)."""

    @abstractmethod
    def undistorted(self, points: Floats) -> Floats:
        """(N, 2); NaN for what comes from nowhere within ``end``."""


@dataclass(frozen=True)
class Brown(Distortion):
    """Conrady and Brown's, with OpenCV's, Kannala-Brandt's and COLMAP's extensions.

    Attributes:
        radial: k1, k2, ...: the radius is multiplied by 1 + k1 r^2 + k2 r^4 + ...
        below: likewise, and divided by this.
        tangential: p1, p2 in OpenCV's order.
        prism: s1, s2, s3, s4 in OpenCV's order: s1 r^2 + s2 r^4 is added to x, s3 r^2 + s4 r^4 to y.
    """

    radial: tuple[float, ...] = ()
    below: tuple[float, ...] = ()
    tangential: tuple[float, float] = (0.0, 0.0)
    prism: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)

    @cached_property
    def end(self) -> float:  # type: ignore[override]
        """Where the radius stops growing: the image folds there."""
        above, below = (Polynomial([1.0, *values]) for values in (self.radial, self.below))
        s = Polynomial([0.0, 1.0])
        growth = above * below + 2 * s * (above.deriv() * below - above * below.deriv())
        roots = np.concatenate([_positive(growth), _positive(below)])
        return float(np.sqrt(roots.min())) if len(roots) else np.inf

    def radius(self, r: Floats) -> Floats:
        """(N,): where a circle comes to, but for tangential and prism."""
        return np.asarray(r * self._factor(r * r)[0])

    def distorted(self, points: Floats) -> Floats:
        x, y = points.T
        s = x * x + y * y
        return self._moved(x, y, s, self._factor(s)[0])

    def undistorted(self, points: Floats) -> Floats:
        """By Newton's method, from where the radius alone comes from."""
        radii, ends = self._table
        r = np.linalg.norm(points, axis=1)
        start = np.interp(r, radii, ends, right=np.nan)
        found = points * (start / np.maximum(r, 1e-300))[:, None]
        if self.tangential != (0.0, 0.0) or any(self.prism):
            # What the rest of the lens moves a little outward still comes from within.
            beyond = np.isnan(start) & (r < radii[-1] * 1.05)
            found[beyond] = points[beyond] * (ends[-1] / r[beyond])[:, None]
        with np.errstate(all="ignore"):
            for _ in range(_STEPS):
                step = self._step(found, points)
                found = found - step
                if not (np.abs(step) > _STILL * np.maximum(1.0, r[:, None])).any():
                    break
            left = np.abs(self.distorted(found) - points).max(1, initial=0.0)
            within = np.linalg.norm(found, axis=1) <= self.end * (1 + 1e-6)
        return np.where((within & (left < _SOLVED * np.maximum(1.0, r)))[:, None], found, np.nan)

    def _factor(self, s: Floats) -> tuple[Floats, Floats]:
        """What the radius is multiplied by, of its square, and the derivative of that."""
        above, slope = _value(self.radial, s)
        if not any(self.below):
            return above, slope
        below, fall = _value(self.below, s)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(above / below), np.asarray((slope * below - above * fall) / (below * below))

    def _moved(self, x: Floats, y: Floats, s: Floats, factor: Floats) -> Floats:
        (p1, p2), (s1, s2, s3, s4) = self.tangential, self.prism
        u = x * factor + 2 * p1 * x * y + p2 * (s + 2 * x * x) + s * (s1 + s2 * s)
        v = y * factor + 2 * p2 * x * y + p1 * (s + 2 * y * y) + s * (s3 + s4 * s)
        return np.stack([u, v], 1)

    def _step(self, found: Floats, points: Floats) -> Floats:
        x, y = found.T
        s = x * x + y * y
        (factor, slope), (p1, p2), (s1, s2, s3, s4) = self._factor(s), self.tangential, self.prism
        off = self._moved(x, y, s, factor) - points
        mixed = 2 * slope * x * y + 2 * p1 * x + 2 * p2 * y
        by_x, by_y = 2 * (s1 + 2 * s2 * s), 2 * (s3 + 2 * s4 * s)
        a, b = factor + 2 * slope * x * x + 2 * p1 * y + 6 * p2 * x + by_x * x, mixed + by_x * y
        c, d = mixed + by_y * x, factor + 2 * slope * y * y + 2 * p2 * x + 6 * p1 * y + by_y * y
        step = np.stack([d * off[:, 0] - b * off[:, 1], a * off[:, 1] - c * off[:, 0]], 1)
        return np.asarray(step / (a * d - b * c)[:, None])

    @cached_property
    def _table(self) -> tuple[Floats, Floats]:
        """Radii (T,) that rise, and what each comes from."""
        r = np.tan(np.linspace(0.0, np.arctan(min(self.end, _FARTHEST)), _TABLE))
        with np.errstate(all="ignore"):
            radii = self.radius(r)
        # The last entry may be a pole, or by rounding less than the one before.
        rising = np.isfinite(radii) & (radii >= np.maximum.accumulate(np.nan_to_num(radii)))
        return radii[rising], r[rising]


@dataclass(frozen=True)
class Tilt(Distortion):
    """The sensor is turned by ``x`` and ``y``, radians (OpenCV's tauX, tauY)."""

    x: float
    y: float

    def distorted(self, points: Floats) -> Floats:
        return _carried(self._matrix, points)

    def undistorted(self, points: Floats) -> Floats:
        return _carried(np.asarray(np.linalg.inv(self._matrix), np.float64), points)

    @cached_property
    def _matrix(self) -> Floats:
        (sx, sy), (cx, cy) = np.sin([self.x, self.y]), np.cos([self.x, self.y])
        turn = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]]) @ np.array([[1, 0, 0], [0, cx, sx], [0, -sx, cx]])
        onto = np.array([[turn[2, 2], 0, -turn[0, 2]], [0, turn[2, 2], -turn[1, 2]], [0, 0, 1]])
        return np.asarray(onto @ turn)


def _value(coefficients: tuple[float, ...], s: Floats) -> tuple[Floats, Floats]:
    """1 + c1 s + c2 s^2 + ..., and its derivative."""
    value, slope = np.zeros_like(s), np.zeros_like(s)
    for coefficient in reversed(coefficients):
        value, slope = (value + coefficient) * s, value + coefficient + slope * s
    return 1 + value, slope


def _positive(polynomial: Polynomial) -> Floats:
    """Its real positive roots."""
    roots = polynomial.trim().roots()
    return np.asarray(roots.real[(np.abs(roots.imag) < 1e-9 * np.abs(roots)) & (roots.real > 0)])


def _carried(homography: Floats, points: Floats) -> Floats:
    carried = np.c_[points, np.ones(len(points))] @ homography.T
    return np.asarray(carried[:, :2] / carried[:, 2:])

"""From a ray to the plane behind a lens and back: the part of a lens that turns with it, closed in both directions.

A ray is told by how far it goes aside (``side``, the sine of its angle from the axis) and ahead (``ahead``, the
cosine): its point on the plane is (x, y) times ``stretch(side, ahead)``. Back, a point (u, v) at ``radius`` from the
middle is the ray of (u * aside, v * aside, ahead) with ``aside, ahead = back(radius)``, of any length.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Projection(ABC):
    """A lens without distortion.

    Attributes:
        on_axis: units of the plane for a radian, in the middle.
        widest: angle from the axis, radians, up to which rays come onto the plane, each at a place of its own.
    """

    on_axis: float = 1.0
    widest: float = math.pi

    @abstractmethod
    def stretch(self, side: Floats, ahead: Floats) -> Floats:
        """See the head of the file; (N,) each, within ``widest``."""

    @abstractmethod
    def back(self, radius: Floats) -> tuple[Floats, Floats]:
        """See the head of the file; NaN for a radius that no ray comes to."""

    def angle(self, radius: float) -> float:
        """Angle from the axis of what comes onto the plane at this radius, radians; ``widest`` beyond the last."""
        with np.errstate(all="ignore"):
            aside, ahead = self.back(np.array([radius]))
        angle = float(np.arctan2(aside * radius, ahead)[0])
        return min(angle, self.widest) if math.isfinite(angle) else self.widest


class Perspective(Projection):
    """The pinhole: x/z, y/z."""

    widest = math.pi / 2

    def stretch(self, side: Floats, ahead: Floats) -> Floats:
        return 1 / ahead

    def back(self, radius: Floats) -> tuple[Floats, Floats]:
        return np.ones_like(radius), np.ones_like(radius)


class Equidistant(Projection):
    """The radius is the angle: what fisheye lenses come near to."""

    def stretch(self, side: Floats, ahead: Floats) -> Floats:
        return np.asarray(np.arctan2(side, ahead) / np.maximum(side, 1e-300))

    def back(self, radius: Floats) -> tuple[Floats, Floats]:
        return np.sinc(radius / np.pi), np.where(radius <= np.pi, np.cos(radius), np.nan)


@dataclass(frozen=True)
class FieldOfView(Projection):
    """FOV (Devernay and Faugeras, 2001): the radius is atan(2 tan(angle) tan(w/2)) / w.

    ``w`` in radians, 0 < w < pi. The formula is continued over 90 degrees.
    """

    w: float

    @property
    def _double(self) -> float:
        return 2 * math.tan(self.w / 2)

    @property
    def on_axis(self) -> float:  # type: ignore[override]
        return self._double / self.w

    def stretch(self, side: Floats, ahead: Floats) -> Floats:
        return np.asarray(np.arctan2(self._double * side, ahead) / (self.w * np.maximum(side, 1e-300)))

    def back(self, radius: Floats) -> tuple[Floats, Floats]:
        turned = radius * self.w
        aside = self.w * np.sinc(turned / np.pi) / self._double
        return aside, np.where(turned <= np.pi, np.cos(turned), np.nan)


@dataclass(frozen=True)
class Unified(Projection):
    """Mei's and OpenCV's omnidirectional, Kalibr's ``omni``: seen from ``xi`` behind the middle of the unit sphere."""

    xi: float

    @property
    def on_axis(self) -> float:  # type: ignore[override]
        return 1 / (1 + self.xi)

    @property
    def widest(self) -> float:  # type: ignore[override]
        return math.acos(-self.xi if self.xi <= 1 else -1 / self.xi)

    def stretch(self, side: Floats, ahead: Floats) -> Floats:
        return 1 / (ahead + self.xi)

    def back(self, radius: Floats) -> tuple[Floats, Floats]:
        square = radius * radius
        factor = (self.xi + np.sqrt(1 + (1 - self.xi**2) * square)) / (1 + square)
        return factor, factor - self.xi


@dataclass(frozen=True)
class DoubleSphere(Projection):
    """Double sphere (Usenko, Demmel and Cremers, 3DV 2018), with ``xi`` and ``alpha`` in [0, 1]."""

    xi: float
    alpha: float

    @property
    def on_axis(self) -> float:  # type: ignore[override]
        return 1 / (1 + self.xi)

    @property
    def widest(self) -> float:  # type: ignore[override]
        w1 = _least_ahead(self.alpha)
        return math.acos(max(-1.0, min(1.0, -(w1 + self.xi) / math.sqrt(2 * w1 * self.xi + self.xi**2 + 1))))

    def stretch(self, side: Floats, ahead: Floats) -> Floats:
        shifted = self.xi + ahead
        return 1 / (self.alpha * np.hypot(side, shifted) + (1 - self.alpha) * shifted)

    def back(self, radius: Floats) -> tuple[Floats, Floats]:
        square = radius * radius
        mz = _ahead(self.alpha, square)
        factor = (mz * self.xi + np.sqrt(mz * mz + (1 - self.xi**2) * square)) / (mz * mz + square)
        return factor, factor * mz - self.xi


@dataclass(frozen=True)
class ExtendedUnified(Projection):
    """EUCM (Khomutenko, Garcia and Martinet, RA-L 2016), with ``alpha`` in [0, 1] and ``beta`` > 0."""

    alpha: float
    beta: float

    @property
    def widest(self) -> float:  # type: ignore[override]
        # ahead = -w sqrt(beta side^2 + ahead^2), solved for the angle.
        w = _least_ahead(self.alpha)
        if w >= 1:
            return math.pi
        return math.pi - math.atan2(math.sqrt(1 - w * w), w * math.sqrt(self.beta))

    def stretch(self, side: Floats, ahead: Floats) -> Floats:
        length = np.sqrt(self.beta * side * side + ahead * ahead)
        return np.asarray(1 / (self.alpha * length + (1 - self.alpha) * ahead))

    def back(self, radius: Floats) -> tuple[Floats, Floats]:
        return np.ones_like(radius), _ahead(self.alpha, self.beta * radius * radius)


@dataclass(frozen=True)
class Division(Projection):
    """One parameter of division (Fitzgibbon, CVPR 2001): the ray of (u, v) is (u, v, 1 + k r^2)."""

    k: float

    @property
    def widest(self) -> float:  # type: ignore[override]
        return math.atan2(1, 2 * math.sqrt(self.k)) if self.k > 0 else math.pi if self.k < 0 else math.pi / 2

    def stretch(self, side: Floats, ahead: Floats) -> Floats:
        return 2 / (ahead + np.sqrt(np.maximum(ahead * ahead - 4 * self.k * side * side, 0.0)))

    def back(self, radius: Floats) -> tuple[Floats, Floats]:
        folds = self.k > 0 and radius > 1 / math.sqrt(self.k)
        return np.ones_like(radius), np.where(folds, np.nan, 1 + self.k * radius * radius)


def _ahead(alpha: float, square: Floats) -> Floats:
    """mz of the double sphere's and of EUCM's papers: how far ahead what comes to this square of the radius goes."""
    root = np.sqrt(1 - (2 * alpha - 1) * square)
    return np.asarray((1 - alpha**2 * square) / (alpha * root + 1 - alpha))


def _least_ahead(alpha: float) -> float:
    """w1 of the double sphere's paper: less the cosine of the widest angle, as seen from the second sphere."""
    return alpha / (1 - alpha) if alpha <= 0.5 else (1 - alpha) / alpha

"""Does a new pose agree with the last one carried on by odometry?"""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation
from scipy.stats import chi2

from ace_ros.geometry import Matrix, invert, move_covariance, pose_residual


@dataclass(frozen=True)
class GateOptions:
    """The model of the odometry and the strictness of the gate.

    The defaults are set by hand, for wheels on a floor; of true poses, one in a thousand is refused.

    Attributes:
        probability: a pose is refused where a true one would lie nearer with this probability; 0: never.
        kidnap_frames: so many refused poses in a row that agree among themselves are believed.
        translation_drift: 1 sigma, m per m travelled.
        rotation_drift: 1 sigma, rad per rad turned.
        heading_drift: 1 sigma, rad per m travelled.
        translation_floor, rotation_floor: 1 sigma that is always allowed for, m, rad: stamps jitter, mounts flex.
    """

    probability: float = 0.999
    kidnap_frames: int = 5
    translation_drift: float = 0.05
    rotation_drift: float = 0.05
    heading_drift: float = 0.0175
    translation_floor: float = 0.03
    rotation_floor: float = 0.0175


class Verdict(enum.Enum):
    """What the gate says to a pose."""

    ACCEPTED = enum.auto()
    REFUSED = enum.auto()
    KIDNAPPED = enum.auto()  # accepted as the end of a run: the robot is not where the odometry says


@dataclass(frozen=True)
class Judgement:
    """A verdict with its figures: how far off the pose is, m and degrees; ``run`` counts refused poses that agree."""

    verdict: Verdict
    translation: float = 0.0
    rotation_deg: float = 0.0
    run: int = 0


@dataclass
class _Anchor:
    """A pose to carry on, and the way made since."""

    map_from_base: Matrix
    covariance: Matrix
    odom_from_base: Matrix
    last_odom: Matrix
    travelled: float = 0.0  # m
    turned: float = 0.0  # rad

    def move(self, odom_from_base: Matrix) -> None:
        """Add the way since the last call: drift grows with it, not with the distance between start and end."""
        step = invert(self.last_odom) @ odom_from_base
        self.travelled += float(np.linalg.norm(step[:3, 3]))
        self.turned += float(Rotation.from_matrix(step[:3, :3]).magnitude())
        self.last_odom = odom_from_base


class OdometryGate:
    """Keeps the last accepted pose, carries it on by odometry, and judges new poses against it."""

    def __init__(self, options: GateOptions | None = None) -> None:
        self._options = options or GateOptions()
        probability = self._options.probability
        self._limit = float(chi2.ppf(probability, 6)) if probability else np.inf
        self._anchor: _Anchor | None = None
        self._candidate: _Anchor | None = None
        self._run = 0

    def forget(self) -> None:
        """Start over: the next pose is accepted as it is."""
        self._anchor = self._candidate = None
        self._run = 0

    def observe(self, odom_from_base: Matrix) -> None:
        """Take note of the odometry of a frame, also of one without a pose: the way made lets the gate open."""
        for anchor in (self._anchor, self._candidate):
            if anchor is not None:
                anchor.move(odom_from_base)

    def predict(self, odom_from_base: Matrix) -> Matrix | None:
        """The last accepted pose carried on to here: map_from_base; None where there is none yet."""
        if self._anchor is None:
            return None
        return self._anchor.map_from_base @ invert(self._anchor.odom_from_base) @ odom_from_base

    def check(self, map_from_base: Matrix, covariance: Matrix, odom_from_base: Matrix) -> Judgement:
        """Judge a new pose (covariance as in :func:`~ace_ros.geometry.pose_residual`), and remember it."""
        new = _Anchor(map_from_base, covariance, odom_from_base, odom_from_base)
        self.observe(odom_from_base)
        if self._anchor is None:
            return self._accept(new, Judgement(Verdict.ACCEPTED))
        distance, residual = self._distance(self._anchor, new)
        translation, rotation = float(np.linalg.norm(residual[:3])), float(np.degrees(np.linalg.norm(residual[3:])))
        if distance <= self._limit:
            return self._accept(new, Judgement(Verdict.ACCEPTED, translation, rotation))
        agrees = self._candidate is not None and self._distance(self._candidate, new)[0] <= self._limit
        self._run = self._run + 1 if agrees else 1
        self._candidate = new
        if self._run >= self._options.kidnap_frames:
            return self._accept(new, Judgement(Verdict.KIDNAPPED, translation, rotation, self._run))
        return Judgement(Verdict.REFUSED, translation, rotation, self._run)

    def _accept(self, new: _Anchor, judgement: Judgement) -> Judgement:
        self._anchor, self._candidate, self._run = new, None, 0
        return judgement

    def _distance(self, old: _Anchor, new: _Anchor) -> tuple[float, Matrix]:
        """Squared Mahalanobis distance of ``new`` from ``old`` carried on, and the residual (6,)."""
        moved = invert(old.odom_from_base) @ new.odom_from_base
        predicted = old.map_from_base @ moved
        residual = pose_residual(new.map_from_base, predicted)
        spread = move_covariance(old.covariance, old.map_from_base, moved) + new.covariance + self._drift(old)
        return float(residual @ np.linalg.solve(spread, residual)), residual

    def _drift(self, old: _Anchor) -> Matrix:
        o = self._options
        turn = o.rotation_floor**2 + (o.rotation_drift * old.turned) ** 2 + (o.heading_drift * old.travelled) ** 2
        # A heading that goes astray on the way takes the position along with it.
        shift = o.translation_floor**2 + (o.translation_drift * old.travelled) ** 2 + turn * old.travelled**2 / 4
        return np.diag([shift] * 3 + [turn] * 3)

"""Does a new pose agree with the last one carried on by odometry?"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation
from scipy.stats import chi2

from ace_ros.geometry import Matrix, invert, move_covariance, pose_residual
from ace_ros.options import Options, option


@dataclass(frozen=True)
class GateOptions(Options):
    """Odometry gate. How far the odometry is trusted, and when it may refuse a pose."""

    gate_probability: float = option(
        0.999,
        "A pose is refused where a true one would lie nearer with this probability.",
        low=0.0,
        high=0.999999,
        without="no gate",
    )
    kidnap_frames: int = option(
        5,
        "So many poses in a row that agree with each other but not with the odometry are believed.",
        low=2,
        high=1000,
    )
    odom_translation_drift: float = option(
        0.05, "Drift of the odometry's position on the way, 1 sigma.", unit="m per m", low=0.0, high=1.0
    )
    odom_rotation_drift: float = option(
        0.05, "Drift of its rotation in turning, 1 sigma.", unit="degrees per degree", low=0.0, high=1.0
    )
    odom_heading_drift: float = option(
        1.0, "Drift of its rotation on the way, 1 sigma.", unit="degrees per m", low=0.0, high=45.0
    )
    gate_translation_floor: float = option(
        0.03, "Always allowed for, 1 sigma: stamps jitter, mounts flex.", unit="m", low=1e-4
    )
    gate_rotation_floor: float = option(
        1.0, "Always allowed for, 1 sigma, in rotation.", unit="degrees", low=0.01, high=45.0
    )


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
        probability = self._options.gate_probability
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
        floor, heading = math.radians(o.gate_rotation_floor), math.radians(o.odom_heading_drift)
        turn = floor**2 + (o.odom_rotation_drift * old.turned) ** 2 + (heading * old.travelled) ** 2
        # A heading that goes astray on the way takes the position along with it.
        way = (o.odom_translation_drift * old.travelled) ** 2 + turn * old.travelled**2 / 4
        return np.diag([o.gate_translation_floor**2 + way] * 3 + [turn] * 3)

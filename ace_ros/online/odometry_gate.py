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
class Anchor:
    """A pose of the robot to carry on by odometry, and the way made since.

    Attributes:
        map_from_base, covariance: the pose. odom_from_base, last_odom: the odometry beside it, and as last heard.
        travelled, turned: m and rad.
    """

    map_from_base: Matrix
    covariance: Matrix
    odom_from_base: Matrix
    last_odom: Matrix
    travelled: float = 0.0
    turned: float = 0.0

    @staticmethod
    def at(map_from_base: Matrix, covariance: Matrix, odom_from_base: Matrix) -> Anchor:
        """A pose of now; its covariance (6, 6) as in :func:`~ace_ros.geometry.pose_residual`."""
        return Anchor(map_from_base, covariance, odom_from_base, odom_from_base)

    def move(self, odom_from_base: Matrix) -> None:
        """Add the way since the last call: drift grows with it, not with the distance between start and end."""
        step = invert(self.last_odom) @ odom_from_base
        self.travelled += float(np.linalg.norm(step[:3, 3]))
        self.turned += float(Rotation.from_matrix(step[:3, :3]).magnitude())
        self.last_odom = odom_from_base

    def distance(self, new: Anchor, options: GateOptions) -> tuple[float, Matrix]:
        """Squared Mahalanobis distance of ``new`` from this one carried on, and the residual (6,)."""
        moved = invert(self.odom_from_base) @ new.odom_from_base
        residual = pose_residual(new.map_from_base, self.map_from_base @ moved)
        spread = move_covariance(self.covariance, self.map_from_base, moved) + new.covariance + self._drift(options)
        return float(residual @ np.linalg.solve(spread, residual)), residual

    def _drift(self, o: GateOptions) -> Matrix:
        floor, heading = math.radians(o.gate_rotation_floor), math.radians(o.odom_heading_drift)
        turn = floor**2 + (o.odom_rotation_drift * self.turned) ** 2 + (heading * self.travelled) ** 2
        # A heading that goes astray on the way takes the position along with it.
        way = (o.odom_translation_drift * self.travelled) ** 2 + turn * self.travelled**2 / 4
        return np.diag([o.gate_translation_floor**2 + way] * 3 + [turn] * 3)


def agreement(options: GateOptions) -> float:
    """Squared Mahalanobis distance up to which two poses count as one, also where no pose is refused."""
    return float(chi2.ppf(options.gate_probability or GateOptions.gate_probability, 6))


class OdometryGate:
    """Keeps the last accepted pose, carries it on by odometry, and judges new poses against it."""

    def __init__(self, options: GateOptions | None = None) -> None:
        self.use(options or GateOptions())
        self.belief: Anchor | None = None  # the last accepted pose, carried on
        self._candidate: Anchor | None = None
        self._run = 0

    def use(self, options: GateOptions) -> None:
        """Go on with these options; what is known stays known."""
        self._options = options
        self._agreement = agreement(options)
        self._limit = self._agreement if options.gate_probability else np.inf

    def forget(self) -> None:
        """Start over: the next pose is accepted as it is."""
        self.belief = self._candidate = None
        self._run = 0

    def observe(self, odom_from_base: Matrix) -> None:
        """Take note of the odometry of a frame, also of one without a pose: the way made lets the gate open."""
        for anchor in (self.belief, self._candidate):
            if anchor is not None:
                anchor.move(odom_from_base)

    def predict(self, odom_from_base: Matrix) -> Matrix | None:
        """The last accepted pose carried on to here: map_from_base; None where there is none yet."""
        if self.belief is None:
            return None
        return self.belief.map_from_base @ invert(self.belief.odom_from_base) @ odom_from_base

    def settle(self, new: Anchor) -> bool:
        """Accept a pose that others have judged; True where it ends what was believed before."""
        kidnapped = self.belief is not None and self.belief.distance(new, self._options)[0] > self._agreement
        self._accept(new, Judgement(Verdict.ACCEPTED))
        return kidnapped

    def check(self, map_from_base: Matrix, covariance: Matrix, odom_from_base: Matrix) -> Judgement:
        """Judge a new pose (covariance as in :func:`~ace_ros.geometry.pose_residual`), and remember it."""
        new = Anchor.at(map_from_base, covariance, odom_from_base)
        self.observe(odom_from_base)
        if self.belief is None:
            return self._accept(new, Judgement(Verdict.ACCEPTED))
        distance, residual = self.belief.distance(new, self._options)
        translation, rotation = float(np.linalg.norm(residual[:3])), float(np.degrees(np.linalg.norm(residual[3:])))
        if distance <= self._limit:
            return self._accept(new, Judgement(Verdict.ACCEPTED, translation, rotation))
        agrees = self._candidate is not None and self._candidate.distance(new, self._options)[0] <= self._limit
        self._run = self._run + 1 if agrees else 1
        self._candidate = new
        if self._run >= self._options.kidnap_frames:
            return self._accept(new, Judgement(Verdict.KIDNAPPED, translation, rotation, self._run))
        return Judgement(Verdict.REFUSED, translation, rotation, self._run)

    def _accept(self, new: Anchor, judgement: Judgement) -> Judgement:
        self.belief, self._candidate, self._run = new, None, 0
        return judgement

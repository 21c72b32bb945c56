"""Where the robot is: carried on by odometry, corrected by images, and no surer than both allow."""

from __future__ import annotations

from copy import copy

import numpy as np
from scipy.spatial.transform import Rotation

from ace_ros.geometry import Matrix, invert, pose_residual, skew, squared_within
from ace_ros.online.odometry_gate import GateOptions, agreement

# What is off: the pose (6), as pose_residual has it; what images from about here are off by alike (6), in their own
# sigmas; and the odometry (7): m a metre and rad a metre of way along the axes of the base, and rad per rad of turning.
_POSE, _ALIKE, _DRIFT = slice(0, 6), slice(6, 12), slice(12, 19)
_SIZE = 19
# Of the variance of an image, so much is its neighbours' too: map, calibration and light are the same. Set by hand.
_SHARED = 0.9
# So far apart, in depths of the scene and radians, images still share e^-1 of that. Set by hand.
_NEIGHBOUR = 0.1, np.radians(10.0)
_STEADY = 1000.0  # m of way on which wheels keep drifting alike: floors, loads, batteries change; set by hand
_LIKELY = squared_within(0.95)  # an image that is farther off is less sure than it says
# Of the drift on a metre, or on a radian of turning, so much is of no lasting kind: bumps and slip. With a tenth poses
# were turned off 1.05 times as far as single images where wheels slip by 2 % in each step, with a fifth 0.76 times, and
# 0.57 instead of 0.54 times where they don't (decision 0011).
_RANDOM = 0.2
_IDLE = 100.0  # s in which odometry goes astray by its floor without any way: gyros drift; set by hand
# Without odometry, 1 sigma, in depths a second and rad a second: a hand, or a robot that hurries; set by hand.
_PACE = 0.2, np.radians(30.0)


class PoseFilter:
    """An error-state Kalman filter over the pose of the base, and by it over map_from_odom.

    It learns how the odometry drifts, within what the ``odom_*`` options say, and knows that neighbouring images are
    off alike: any number of images from one place tell no more than that. An image that is off by more than 19 of 20
    are is weighed by as much less, so that it does not pull the robot along. Odometry that stands still but for its
    noise (``gate_*_floor``) adds no way. For the error state see Sola, *Quaternion kinematics for the error-state
    Kalman filter*, 2017; errors in common are states of their own, as in Schmidt's filter.

    Attributes:
        map_from_base: (4, 4), now. odom_from_base: beside it; None where there is no odometry. stamp: ns, of both.
        depth: of the scene that was seen last, m.
    """

    def __init__(
        self,
        map_from_base: Matrix,
        covariance: Matrix,
        odom_from_base: Matrix | None,
        stamp: int,
        options: GateOptions,
        depth: float,
    ) -> None:
        """Begin with a pose and its covariance (6, 6); ``depth``: of the scene that the image shows."""
        self.map_from_base, self.odom_from_base, self.stamp = map_from_base, odom_from_base, stamp
        self.options, self.depth = options, depth
        self._counted = odom_from_base  # where the way that was counted so far ends
        self._mean = np.zeros(_SIZE)  # of what is off; that of the pose is always zero
        shared = _root(_SHARED * covariance)
        self._spread = np.zeros((_SIZE, _SIZE))
        self._spread[_POSE, _POSE] = covariance
        self._spread[_POSE, _ALIKE], self._spread[_ALIKE, _POSE] = -shared, -shared.T
        self._spread[_ALIKE, _ALIKE] = np.eye(6)
        self._spread[_DRIFT, _DRIFT] = np.diag(self._drift_variances())

    def copy(self) -> PoseFilter:
        """The same, to go on by itself: no array is written into."""
        return copy(self)

    @property
    def covariance(self) -> Matrix:
        """(6, 6) of the pose, as in :func:`~ace_ros.geometry.pose_residual`."""
        return np.asarray(self._spread[_POSE, _POSE])

    def predict(self, odom_from_base: Matrix) -> Matrix | None:
        """map_from_base once the odometry is there; None where the way from here is not known."""
        before = self.odom_from_base
        return None if before is None else self.map_from_base @ invert(before) @ odom_from_base

    def carry(self, odom_from_base: Matrix | None, stamp: int) -> None:
        """Go on to ``stamp``: by odometry, or where there is none, anywhere that is not too far."""
        seconds = abs(stamp - self.stamp) * 1e-9
        if odom_from_base is None or self.odom_from_base is None:
            self._wander(seconds)
            self._counted = odom_from_base
        else:
            self._move(invert(self.odom_from_base) @ odom_from_base)
            self._spread = self._spread + np.diag(np.append(self._floor(), np.zeros(13))) * seconds / _IDLE
            assert self._counted is not None
            step = invert(self._counted) @ odom_from_base
            turn = Rotation.from_matrix(step[:3, :3]).as_rotvec()
            o = self.options
            still = np.linalg.norm(step[:3, 3]) < o.gate_translation_floor
            if not still or np.linalg.norm(turn) >= np.radians(o.gate_rotation_floor):
                self._count(float(np.linalg.norm(step[:3, 3])), turn)
                self._counted = odom_from_base
        self.odom_from_base, self.stamp = odom_from_base, stamp

    def distance(self, map_from_base: Matrix, covariance: Matrix) -> tuple[float, Matrix]:
        """Squared Mahalanobis distance of another pose from this one, and how far it is off (6,)."""
        residual, spread = pose_residual(map_from_base, self.map_from_base), self._agreeing(covariance)
        return float(residual @ np.linalg.solve(spread, residual)), residual

    def chance(self, covariance: Matrix, depth: float) -> float:
        """Of wrong poses within a depth of the scene, the share that this one would agree with.

        Where odometry carries it, wrong ones stand as high and as level as the map's own views do: three dimensions
        tell them apart, two on the ground and the heading, for which the widest are taken. A hand turns freely.
        """
        spread, reach = self._agreeing(covariance), np.sqrt(agreement(self.options))
        places, turns = (np.linalg.eigvalsh(spread[part, part]) for part in (slice(0, 3), slice(3, 6)))
        if self.odom_from_base is not None:
            places, turns = places[1:], turns[2:]
        within = reach * np.sqrt(np.concatenate((places / depth**2, turns / np.pi**2)))
        return float(np.prod(np.minimum(within, 1.0)))

    def update(self, map_from_base: Matrix, covariance: Matrix, depth: float) -> None:
        """Learn from the pose of an image that was taken now."""
        self.depth = depth
        seen = np.zeros((6, _SIZE))
        seen[:, _POSE], seen[:, _ALIKE] = np.eye(6), _root(_SHARED * covariance)
        residual = pose_residual(map_from_base, self.map_from_base) - seen @ self._mean
        alone = (1 - _SHARED) * covariance
        expected = seen @ self._spread @ seen.T
        strange = float(residual @ np.linalg.solve(expected + alone, residual)) / _LIKELY
        if strange > 1.0:  # by itself: what is common to its neighbours is no larger for that
            alone = (strange - _SHARED) * covariance
        gain = np.linalg.solve(expected + alone, seen @ self._spread).T
        rest = np.eye(_SIZE) - gain @ seen
        spread = rest @ self._spread @ rest.T + gain @ alone @ gain.T
        self._spread = (spread + spread.T) / 2
        self._mean = self._mean + gain @ residual
        corrected = self.map_from_base.copy()
        corrected[:3, 3] += self._mean[:3]
        corrected[:3, :3] = Rotation.from_rotvec(self._mean[3:6]).as_matrix() @ corrected[:3, :3]
        self.map_from_base, self._mean[_POSE] = corrected, 0.0

    def _move(self, moved: Matrix) -> None:
        """What is off in rotation swings the base as it goes."""
        lever = np.eye(_SIZE)
        lever[:3, 3:6] = -skew(self.map_from_base[:3, :3] @ moved[:3, 3])
        self.map_from_base = self.map_from_base @ moved
        self._spread = lever @ self._spread @ lever.T

    def _count(self, way: float, turn: Matrix) -> None:
        """The odometry drifted on a way (m) and a turn (3,) of the base, and images show something else by now."""
        drifted = np.zeros((6, 7))
        drifted[:3, :3], drifted[3:, 3:6], drifted[3:, 6] = way * np.eye(3), way * np.eye(3), turn
        twist = drifted @ self._mean[_DRIFT]
        correction = np.eye(4)
        correction[:3, :3], correction[:3, 3] = Rotation.from_rotvec(twist[3:]).as_matrix(), twist[:3]
        self.map_from_base = self.map_from_base @ correction
        angle, o = float(np.linalg.norm(turn)), self.options
        keeps = np.exp(-way / _STEADY)
        alike = np.exp(-way / (_NEIGHBOUR[0] * self.depth) - angle / _NEIGHBOUR[1])
        step, noise = np.eye(_SIZE), np.zeros(_SIZE)
        axes = np.kron(np.eye(2), self.map_from_base[:3, :3])
        step[_POSE, _DRIFT] = axes @ drifted
        step[_ALIKE, _ALIKE], step[_DRIFT, _DRIFT] = alike * np.eye(6), keeps * np.eye(7)
        noise[:3] = (_RANDOM * o.odom_translation_drift) ** 2 * way
        heading = np.radians(o.odom_heading_drift)
        noise[3:6] = (_RANDOM * heading) ** 2 * way + (_RANDOM * o.odom_rotation_drift) ** 2 * angle
        noise[_ALIKE], noise[_DRIFT] = 1 - alike**2, (1 - keeps**2) * self._drift_variances()
        self._spread = step @ self._spread @ step.T + np.diag(noise)
        self._mean = step @ self._mean
        self._mean[_POSE] = 0.0

    def _wander(self, seconds: float) -> None:
        noise = np.zeros(_SIZE)
        noise[:3], noise[3:6] = (_PACE[0] * self.depth * seconds) ** 2, (_PACE[1] * seconds) ** 2
        alike = np.exp(-seconds * (_PACE[0] / _NEIGHBOUR[0] + _PACE[1] / _NEIGHBOUR[1]))
        step = np.ones(_SIZE)
        step[_ALIKE], noise[_ALIKE] = alike, 1 - alike**2
        self._spread = self._spread * np.outer(step, step) + np.diag(noise)
        self._mean = step * self._mean

    def _agreeing(self, covariance: Matrix) -> Matrix:
        return np.asarray(self.covariance + covariance + np.diag(self._floor()))

    def _floor(self) -> Matrix:
        o = self.options
        return np.square([o.gate_translation_floor] * 3 + [np.radians(o.gate_rotation_floor)] * 3)

    def _drift_variances(self) -> Matrix:
        o = self.options
        heading = np.radians(o.odom_heading_drift)
        return np.square([o.odom_translation_drift] * 3 + [heading] * 3 + [o.odom_rotation_drift])


def _root(covariance: Matrix) -> Matrix:
    """Of a covariance that may be of less than full rank."""
    values, axes = np.linalg.eigh((covariance + covariance.T) / 2)
    return np.asarray(axes * np.sqrt(np.maximum(values, 0.0)))

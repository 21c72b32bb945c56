"""A pose in its place: of which frame, at what time, beside which odometry; and as a hint for other localizers."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ace_ros.geometry import Matrix, invert, pose_error
from ace_ros.online.motion import planar

_LEAST_VARIANCE = 1e-6  # m^2 and rad^2: no estimate is exact, and filters divide by it; set by hand
_AGAIN = 2_000_000_000  # ns until one that has not understood is told again; set by hand, as the next
_TRIES = 10
_NEAR = 0.5, 20.0  # m, degrees: so near to where the robot is another localizer has understood
_LEAST_INITIAL = (0.05, 0.05, 0.05, 0.02, 0.02, 0.02)  # 1 sigma, m and rad: particles need room; set by hand


@dataclass(frozen=True)
class Placed:
    """A pose to rely on, and what is needed to correct odometry by it.

    Attributes:
        stamp: of the image, ns.
        map_frame, frame: what the pose is given in, and whose it is.
        map_from_frame, covariance: (4, 4), and (6, 6) as in :func:`~ace_ros.geometry.pose_residual`.
        by_image, image_covariance: what the image alone says; the pose is what all images and the odometry say.
        odom_from_base: at the stamp; None where it is not known.
        is_base: whether ``frame`` is the robot's base.
        jump: this is the first pose, or one elsewhere than the drive had led to.
    """

    stamp: int
    map_frame: str
    frame: str
    map_from_frame: Matrix
    covariance: Matrix
    by_image: Matrix
    image_covariance: Matrix
    odom_from_base: Matrix | None = None
    is_base: bool = False
    jump: bool = False

    @property
    def map_from_odom(self) -> Matrix | None:
        """What corrects the odometry; None without odometry, or where the pose is not that of the base."""
        if not self.is_base or self.odom_from_base is None:
            return None
        return self.map_from_frame @ invert(self.odom_from_base)

    def levelled(self) -> Placed:
        """The same for a robot on level ground: z, roll and pitch of the base are zero."""
        if not self.is_base:
            return self
        odom_from_base = None if self.odom_from_base is None else planar(self.odom_from_base)
        pose, by_image = planar(self.map_from_frame), planar(self.by_image)
        return replace(self, map_from_frame=pose, by_image=by_image, odom_from_base=odom_from_base)


@dataclass(frozen=True)
class PlacedAlternative:
    """One of several poses that an image may have been taken from: ``map_from_frame`` as :class:`Placed` has it.

    ``place`` and ``probability`` as in :class:`~ace_ros.localization.alternatives.Alternative`.
    """

    map_from_frame: Matrix
    place: int
    probability: float


class InitialPose:
    """Says which poses another localizer (AMCL, slam_toolbox) is to be started with.

    One that tells where it takes the robot to be is told again until it has understood; any other, once.
    """

    def __init__(self, when: str, lost_after: float) -> None:
        """``when``: once, the first pose; when_lost, also the first after ``lost_after`` s without any; never."""
        self._when, self._lost_after = when, lost_after
        self._due = when != "never"
        self._last: int | None = None
        self._told: int | None = None
        self._tries = 0
        self._here: Matrix | None = None

    def due(self, placed: Placed, listens: bool = True, answers: bool = False) -> bool:
        """Whether it is this one; call it with every pose.

        Args:
            listens: somebody is there to take it. answers: somebody calls :meth:`understood`.
        """
        lost = self._last is not None and placed.stamp - self._last > self._lost_after * 1e9
        self._last = placed.stamp
        if self._when == "when_lost" and (lost or placed.jump):
            self._due, self._told, self._tries = True, None, 0
        if not placed.is_base:
            return False
        self._here = placed.map_from_frame
        if not self._due or not listens or (self._told is not None and placed.stamp - self._told < _AGAIN):
            return False
        self._told, self._tries = placed.stamp, self._tries + 1
        self._due = answers and self._tries < _TRIES
        return True

    def understood(self, map_from_frame: Matrix) -> None:
        """The other localizer takes the robot to be there."""
        if self._here is not None and self._tries:
            translation, degrees = pose_error(planar(map_from_frame), planar(self._here))
            if translation < _NEAR[0] and degrees < _NEAR[1]:
                self._due = False

    def forget(self) -> None:
        """Time went back: nothing is known of the last pose."""
        self._last = self._told = None


def bounded_covariance(covariance: Matrix) -> Matrix:
    """Symmetric, with variances that filters can divide by."""
    clean = (covariance + covariance.T) / 2
    index = np.diag_indices(6)
    clean[index] = np.maximum(clean[index], _LEAST_VARIANCE)
    return np.asarray(clean)


def initial_covariance(covariance: Matrix) -> Matrix:
    """Diagonal, as AMCL's validator wants it (it refuses negative terms), and not too sure for a particle filter."""
    return np.diag(np.maximum(np.diag(covariance), np.square(_LEAST_INITIAL)))

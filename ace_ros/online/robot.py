"""Where the camera is on the robot, and the robot in its odometry: as far as it is known at the time of an image."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ace_ros.geometry import Matrix
from ace_ros.online.reasons import Fault, OnlineReason

_ODOMETRY_ALIVE = 5.0  # s without odometry before it counts as dead, and is not waited for; set by hand
_ODOMETRY_FRESH = 500_000_000  # ns that odometry may be older than the image and still give a first guess; set by hand


class MissingTransform(Exception):
    """A transform that is not known (yet); the text says which and why."""


class Robot(Protocol):
    """What the rest of the robot knows, by whatever middleware.

    Transforms are (4, 4) and in metres, stamps are in ns, by the clock of the images. Each method raises
    :class:`MissingTransform` where it does not know. ``wait``: s of real time that it may take to come to know.
    """

    def base_from_camera(self, camera: str, stamp: int, wait: float) -> Matrix:
        """Where the camera of that name is on the robot."""

    def odom_from_base(self, stamp: int, wait: float) -> Matrix:
        """Where the odometry says that the robot was at ``stamp``."""

    def newest_odometry(self) -> tuple[Matrix, int]:
        """odom_from_base as it was last known, and the stamp of that."""


@dataclass(frozen=True)
class FrameNames:
    """What the frames are called (REP 105): of the map, the odometry and the robot.

    Without ``base`` the poses are those of the camera, and odometry means nothing; without ``odom`` there is none.
    """

    map: str = "map"
    odom: str = "odom"
    base: str = "base_link"


class Whereabouts:
    """Asks the robot, and knows what is worth waiting for: up to ``wait`` seconds, and nothing that is dead."""

    def __init__(self, robot: Robot | None, frames: FrameNames, wait: float) -> None:
        self._robot, self.wait = robot, wait
        self.base = frames.base
        self._odometer = robot if frames.base and frames.odom else None
        self._seen: set[str] = set()  # cameras whose place on the robot was known before
        self._newest, self._heard = -1, -_ODOMETRY_ALIVE

    def base_from_camera(self, camera: str, stamp: int) -> tuple[Matrix | None, Fault]:
        """Where the camera is on the robot; None where nobody wants to know, or with the fault why it is not known."""
        if self._robot is None or not self.base:
            return None, Fault()
        if self.base == camera:
            return np.eye(4), Fault()
        try:
            found = self._robot.base_from_camera(camera, stamp, self.wait if camera in self._seen else 0.0)
        except MissingTransform as error:
            return None, Fault(OnlineReason.NO_TRANSFORM, str(error))
        self._seen.add(camera)
        return found, Fault()

    def odom_from_base(self, stamp: int) -> tuple[Matrix | None, Fault]:
        """Where the odometry says that the robot was; None where there is none, or with the fault why not."""
        if self._odometer is None:
            return None, Fault()
        try:
            wait = self.wait if self._alive(self._odometer) else 0.0
            return self._odometer.odom_from_base(stamp, wait), Fault()
        except MissingTransform as error:
            return None, Fault(OnlineReason.NO_TRANSFORM, str(error))

    def roughly(self, stamp: int) -> Matrix | None:
        """odom_from_base where it need not be exact: at the stamp if known by now, else the newest if it is recent."""
        if self._odometer is None:
            return None
        try:
            newest, known = self._odometer.newest_odometry()
            if known > stamp:
                return self._odometer.odom_from_base(stamp, 0.0)
            return newest if stamp - known < _ODOMETRY_FRESH else None
        except MissingTransform:
            return None

    def _alive(self, odometer: Robot) -> bool:
        """Whether some odometry was heard lately."""
        try:
            newest = odometer.newest_odometry()[1]
        except MissingTransform:
            return False
        if newest != self._newest:
            self._newest, self._heard = newest, time.monotonic()
        return time.monotonic() - self._heard < _ODOMETRY_ALIVE

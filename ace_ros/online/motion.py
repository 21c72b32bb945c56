"""Rigid motions as a robot needs them: level ground, and steps of limited size."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from ace_ros.geometry import Matrix, invert


def planar(pose: Matrix) -> Matrix:
    """The pose projected to the ground: x, y and yaw stay; z, roll and pitch become zero."""
    yaw = np.arctan2(pose[1, 0], pose[0, 0])
    flat = np.eye(4)
    flat[:2, :2] = ((np.cos(yaw), -np.sin(yaw)), (np.sin(yaw), np.cos(yaw)))
    flat[:2, 3] = pose[:2, 3]
    return flat


def tilt_deg(pose: Matrix) -> float:
    """Angle between the z axes of the two frames, degrees."""
    return float(np.degrees(np.arccos(np.clip(pose[2, 2], -1.0, 1.0))))


def stepped(current: Matrix, target: Matrix, max_translation: float, max_rotation: float) -> Matrix:
    """``current`` moved towards ``target`` by at most ``max_translation`` and ``max_rotation`` (radians)."""
    offset = target[:3, 3] - current[:3, 3]
    turn = Rotation.from_matrix(target[:3, :3] @ current[:3, :3].T).as_rotvec()
    length, angle = float(np.linalg.norm(offset)), float(np.linalg.norm(turn))
    if length <= max_translation and angle <= max_rotation:
        return target
    step = np.eye(4)
    step[:3, 3] = current[:3, 3] + offset * min(1.0, max_translation / max(length, 1e-12))
    step[:3, :3] = Rotation.from_rotvec(turn * min(1.0, max_rotation / max(angle, 1e-12))).as_matrix() @ current[:3, :3]
    return step


class Correction:
    """The transform map <- odom as it is published: follows the measured one, smoothly if asked to.

    The limits hold where the robot is, not at the origin of the odometry, from which a small turn
    would swing the robot far.
    """

    def __init__(self, max_rate: float = 0.0, max_rotation_rate: float = 0.0) -> None:
        """Limits in m/s and rad/s; 0 is no limit."""
        self.limit(max_rate, max_rotation_rate)
        self._target: Matrix | None = None
        self._current: Matrix | None = None

    def limit(self, max_rate: float, max_rotation_rate: float) -> None:
        """Go on with other limits."""
        self._max_rate = max_rate or np.inf
        self._max_rotation_rate = max_rotation_rate or np.inf

    @property
    def current(self) -> Matrix | None:
        """map_from_odom to publish; None before the first measurement."""
        return self._current

    def measured(self, map_from_odom: Matrix, jump: bool = False) -> None:
        """Take a new target; ``jump`` goes there at once."""
        self._target = map_from_odom
        if jump or self._current is None:
            self._current = map_from_odom

    def step(self, seconds: float, odom_from_base: Matrix | None) -> Matrix | None:
        """Go on towards the target for ``seconds``; returns :attr:`current`."""
        if self._target is None or self._current is None:
            return None
        base = np.eye(4) if odom_from_base is None else odom_from_base
        pose = stepped(
            self._current @ base, self._target @ base, self._max_rate * seconds, self._max_rotation_rate * seconds
        )
        self._current = pose @ invert(base)
        return self._current

    def forget(self) -> None:
        """Start over: nothing is published until the next measurement."""
        self._target = self._current = None

"""What the tests of online/ share: poses on the ground, a robot on a circle whose odometry drifts."""

import time

import numpy as np
from scipy.spatial.transform import Rotation

SECOND = 1_000_000_000
COVARIANCE = np.diag([0.01**2] * 3 + [np.radians(0.3) ** 2] * 3)


def pose(x=0.0, y=0.0, z=0.0, yaw=0.0, roll=0.0):
    """Metres and degrees."""
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("zyx", (yaw, 0.0, roll), degrees=True).as_matrix()
    matrix[:3, 3] = x, y, z
    return matrix


class Drive:
    """A robot on a circle, with odometry that starts elsewhere and drifts in heading by 1 degree a metre."""

    def __init__(self, seed=0):
        self.rng = np.random.default_rng(seed)
        self.true, self.odom = pose(2.0, 1.0, 0.0, 30.0), pose()

    def step(self, metres=0.03, turn=1.0):
        self.true = self.true @ pose(x=metres, yaw=turn)
        self.odom = self.odom @ pose(x=metres, yaw=turn + metres * 1.0)
        return self.measured(), self.odom

    def measured(self):
        noise = self.rng.multivariate_normal(np.zeros(6), COVARIANCE)
        noisy = self.true.copy()
        noisy[:3, 3] += noise[:3]
        noisy[:3, :3] = Rotation.from_rotvec(noise[3:]).as_matrix() @ noisy[:3, :3]
        return noisy


def until(condition):
    """Wait until it holds."""
    deadline = time.monotonic() + 120.0
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert condition()


def off(at, covariance, rng, common=None):
    """A pose that is off as its covariance says; ``common`` (6,): in sigmas, what half of the variance is made of."""
    by = rng.standard_normal(6) if common is None else (rng.standard_normal(6) + common) / np.sqrt(2)
    by = np.linalg.cholesky(covariance) @ by
    noisy = at.copy()
    noisy[:3, 3] += by[:3]
    noisy[:3, :3] = Rotation.from_rotvec(by[3:]).as_matrix() @ noisy[:3, :3]
    return noisy


class Wheels:
    """A robot that drives at 0.5 m/s and 10 images a second.

    Its odometry has its own origin; it takes the way for so much longer (2 %, 1 sigma), goes astray by 1 degree a metre
    (1 sigma), both alike on a whole drive, and trembles, also where it stands.
    """

    def __init__(self, seed, at=None):
        self.rng = np.random.default_rng(seed)
        self.true = pose(2.0, 1.0, 0.0, 30.0) if at is None else at
        self._rolled, self.stamp = pose(-4.0, 3.0, yaw=80.0), 0
        self._longer, self._astray = self.rng.normal(0, 0.02), self.rng.normal(0, 1.0)

    def step(self, metres=0.05, turn=1.0):
        """Go on for the time of an image; returns the odometry."""
        self.stamp += SECOND // 10
        self.true = self.true @ pose(x=metres, yaw=turn)
        slip = 1 + self._longer + 0.02 * self.rng.standard_normal()
        self._rolled = self._rolled @ pose(x=metres * slip, yaw=turn * slip + metres * self._astray)
        x, y, yaw = self.rng.normal(0, (0.001, 0.001, 0.02))
        return self._rolled @ pose(x, y, yaw=yaw)

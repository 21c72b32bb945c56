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

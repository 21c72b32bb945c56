"""Rigid transforms as float64 4x4 matrices, named ``target_from_source``."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation
from scipy.special import chdtri

from ace_ros.errors import FrameError

Matrix = NDArray[np.float64]

#: (4, 4), camera axes; the same both ways
OPENGL_FROM_OPENCV = np.diag([1.0, -1.0, -1.0, 1.0])

#: (6, 3, 3), axes of cameras that look out of the sides of a cube, side from camera: ahead, right, left, down, up, back
CUBE = np.array([
    [[1.0, 0, 0], [0, 1, 0], [0, 0, 1]], [[0, 0, -1], [0, 1, 0], [1, 0, 0]], [[0, 0, 1], [0, 1, 0], [-1, 0, 0]],
    [[1, 0, 0], [0, 0, -1], [0, 1, 0]], [[1, 0, 0], [0, 0, 1], [0, -1, 0]], [[-1, 0, 0], [0, 1, 0], [0, 0, -1]],
])  # fmt: skip

_ROTATION_TOLERANCE = 1e-2  # text files round to a few digits; a wrong convention is off by far more


def check_pose(matrix: ArrayLike, where: str) -> Matrix:
    """Return ``matrix`` as a proper rigid transform, (4, 4) float64.

    Rounding is repaired (the nearest rotation is taken); ``where`` names the pose in messages.

    Raises:
        FrameError: not 4x4, not finite, not a rotation (zeros, scaled, sheared or mirrored).
    """
    pose = np.asarray(matrix, dtype=np.float64)
    if pose.shape != (4, 4):
        kind = "the pose is no 4x4 matrix"
        raise FrameError(where, kind, f"a pose is a 4x4 matrix, this one has shape {pose.shape}")
    if not np.isfinite(pose).all():
        raise FrameError(where, "the pose holds NaN or infinity")
    rotation = pose[:3, :3]
    if not rotation.any():
        raise FrameError(where, "the pose is all zeros")
    if np.abs(rotation @ rotation.T - np.eye(3)).max() > _ROTATION_TOLERANCE or np.linalg.det(rotation) < 0:
        raise FrameError(
            where,
            "the pose is not rigid",
            f"the upper left 3x3 is not a rotation (determinant {np.linalg.det(rotation):.3g}); "
            "poses must be rigid: no scale, no mirroring",
        )
    if np.abs(pose[3] - (0, 0, 0, 1)).max() > 1e-6:
        kind = "the last row of the pose is not 0 0 0 1"
        raise FrameError(where, kind, f"the last row of a pose must be 0 0 0 1, it is {pose[3].tolist()}")
    u, _, vt = np.linalg.svd(rotation)
    clean = np.eye(4)
    clean[:3, :3] = u @ vt
    clean[:3, 3] = pose[:3, 3]
    return clean


def pose_from_quaternion(translation: ArrayLike, quaternion_xyzw: ArrayLike, where: str = "pose") -> Matrix:
    """Build a (4, 4) pose from a translation (3,) and a quaternion x y z w (4,), normalised here.

    Raises:
        FrameError: a NaN, or a quaternion whose length is more than 1 % off one.
    """
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_quat(unit_quaternion(quaternion_xyzw, where)).as_matrix()
    pose[:3, 3] = np.asarray(translation, dtype=np.float64)
    return check_pose(pose, where)


def unit_quaternion(quaternion_xyzw: ArrayLike, where: str) -> Matrix:
    """``quaternion_xyzw``, (4,), normalised.

    Raises:
        FrameError: a NaN, or a length that is more than 1 % off one.
    """
    quaternion = np.asarray(quaternion_xyzw, dtype=np.float64)
    norm = float(np.linalg.norm(quaternion))
    if not np.isfinite(norm):
        raise FrameError(where, "the pose holds NaN or infinity")
    if not norm:
        raise FrameError(
            where, "the quaternion is all zeros", "the quaternion is all zeros: the orientation was left unset"
        )
    if abs(norm - 1.0) > _ROTATION_TOLERANCE:
        kind = "the quaternion is not of unit length"
        raise FrameError(where, kind, f"the quaternion {quaternion.tolist()} is not of unit length")
    return np.asarray(quaternion / norm)


def quaternion_xyzw(pose: Matrix) -> Matrix:
    """Rotation of a pose as a unit quaternion x y z w, (4,) with w >= 0."""
    quaternion = np.asarray(Rotation.from_matrix(pose[:3, :3]).as_quat())  # canonical=True came with SciPy 1.11
    return -quaternion if quaternion[3] < 0 else quaternion


def invert(pose: Matrix) -> Matrix:
    """Inverse of a rigid transform: ``b_from_a = invert(a_from_b)``."""
    inverse = np.eye(4)
    inverse[:3, :3] = pose[:3, :3].T
    inverse[:3, 3] = -pose[:3, :3].T @ pose[:3, 3]
    return inverse


def transform(target_from_source: Matrix, points: NDArray[np.floating]) -> Matrix:
    """Carry points (N, 3) from the source frame into the target frame."""
    return np.asarray(points @ target_from_source[:3, :3].T + target_from_source[:3, 3])


def rotation_angle_deg(a: Matrix, b: Matrix) -> float:
    """Angle between the rotations of two poses, degrees in [0, 180]."""
    relative = a[:3, :3].T @ b[:3, :3]
    return float(np.degrees(Rotation.from_matrix(relative).magnitude()))


def pose_error(estimate: Matrix, truth: Matrix) -> tuple[float, float]:
    """Distance of the camera centres (units of the map) and angle between the rotations (degrees)."""
    return float(np.linalg.norm(estimate[:3, 3] - truth[:3, 3])), rotation_angle_deg(estimate, truth)


def pose_residual(estimate: Matrix, truth: Matrix) -> Matrix:
    """Six-vector (translation, rotation) by which ``estimate`` is off, in the axes of the map.

    Order and axes are those of REP 103 covariances: x, y, z, then rotation about the fixed axes
    X, Y, Z (radians): ``estimate = [exp(rotation) R_truth | t_truth + translation]``.
    """
    rotation = Rotation.from_matrix(estimate[:3, :3] @ truth[:3, :3].T).as_rotvec()
    return np.concatenate([estimate[:3, 3] - truth[:3, 3], rotation])


def squared_within(share: float) -> float:
    """Squared Mahalanobis distance within which this share of poses lie that are off as their covariances say.

    Chi squared of six degrees of freedom: 5.35 for 0.5, 12.59 for 0.95.
    """
    return float(chdtri(6, 1 - share))


def skew(vector: ArrayLike) -> Matrix:
    """Cross-product matrix (3, 3): ``skew(a) @ b == cross(a, b)``."""
    x, y, z = np.asarray(vector, dtype=np.float64)
    return np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])


def move_covariance(covariance: Matrix, map_from_camera: Matrix, camera_from_body: Matrix) -> Matrix:
    """Covariance (6, 6) of ``map_from_body = map_from_camera @ camera_from_body``.

    A rotation error of the camera swings the body by its lever arm; the order is that of
    :func:`pose_residual` on both sides.
    """
    jacobian = np.eye(6)
    jacobian[:3, 3:] = -skew(map_from_camera[:3, :3] @ camera_from_body[:3, 3])
    moved = jacobian @ covariance @ jacobian.T
    return np.asarray((moved + moved.T) / 2)

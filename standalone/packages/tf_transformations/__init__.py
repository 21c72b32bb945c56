"""The part of tf_transformations that this package uses, over transforms3d as the real one is.

Quaternions are x y z w, Euler angles radians, matrices 4x4; the same tests run against both.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import transforms3d
from numpy.typing import ArrayLike, NDArray

Matrix = NDArray[np.float64]
Quaternion = Sequence[float] | Matrix


def _wxyz(quaternion: Quaternion) -> tuple[float, float, float, float]:
    x, y, z, w = quaternion
    return w, x, y, z


def _xyzw(quaternion: Quaternion) -> tuple[float, float, float, float]:
    w, x, y, z = quaternion
    return x, y, z, w


def identity_matrix() -> Matrix:
    return np.eye(4)


def translation_matrix(direction: ArrayLike) -> Matrix:
    matrix = np.eye(4)
    matrix[:3, 3] = np.asarray(direction)[:3]
    return matrix


def translation_from_matrix(matrix: ArrayLike) -> Matrix:
    return np.array(matrix, dtype=np.float64)[:3, 3]


def quaternion_matrix(quaternion: Quaternion) -> Matrix:
    matrix = np.eye(4)
    matrix[:3, :3] = transforms3d.quaternions.quat2mat(_wxyz(quaternion))
    return matrix


def quaternion_from_matrix(matrix: ArrayLike) -> tuple[float, float, float, float]:
    return _xyzw(transforms3d.quaternions.mat2quat(np.asarray(matrix)[:3, :3]))


def quaternion_from_euler(ai: float, aj: float, ak: float, axes: str = "sxyz") -> tuple[float, float, float, float]:
    return _xyzw(transforms3d.euler.euler2quat(ai, aj, ak, axes))


def euler_from_quaternion(quaternion: Quaternion, axes: str = "sxyz") -> tuple[float, float, float]:
    i, j, k = transforms3d.euler.quat2euler(_wxyz(quaternion), axes)
    return i, j, k


def euler_matrix(ai: float, aj: float, ak: float, axes: str = "sxyz") -> Matrix:
    matrix = np.eye(4)
    matrix[:3, :3] = transforms3d.euler.euler2mat(ai, aj, ak, axes)
    return matrix


def euler_from_matrix(matrix: ArrayLike, axes: str = "sxyz") -> tuple[float, float, float]:
    i, j, k = transforms3d.euler.mat2euler(np.asarray(matrix)[:3, :3], axes)
    return i, j, k


def quaternion_about_axis(angle: float, axis: ArrayLike) -> tuple[float, float, float, float]:
    return _xyzw(transforms3d.quaternions.axangle2quat(np.asarray(axis), angle))


def quaternion_multiply(quaternion1: Quaternion, quaternion0: Quaternion) -> tuple[float, float, float, float]:
    """Rotation by ``quaternion0``, then by ``quaternion1``."""
    return _xyzw(transforms3d.quaternions.qmult(_wxyz(quaternion1), _wxyz(quaternion0)))


def quaternion_conjugate(quaternion: Quaternion) -> Matrix:
    x, y, z, w = quaternion
    return np.array((-x, -y, -z, w), dtype=np.float64)


def quaternion_inverse(quaternion: Quaternion) -> Matrix:
    return np.asarray(quaternion_conjugate(quaternion) / np.dot(quaternion, quaternion))


def inverse_matrix(matrix: ArrayLike) -> Matrix:
    return np.asarray(np.linalg.inv(np.asarray(matrix)))


def concatenate_matrices(*matrices: ArrayLike) -> Matrix:
    product = np.eye(4)
    for matrix in matrices:
        product = product @ np.asarray(matrix)
    return product

"""Poses that an image can hardly tell from the one at which it was found."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from ace_ros.geometry import Matrix
from ace_ros.localization import solver
from ace_ros.localization.promise import WRONG_TURN

# Thickness of what is seen over its extent (its smallest singular value over the middle one): of a wall with what hangs
# on it. Set by hand; what is thicker looks otherwise from the other side, and the second pose falls back on the first.
_FLAT = 0.15
# Of the points, those nearest to a plane through three of them, of the best of so many: a few beside it hid walls half
# covered of which both poses had 95 and 106 landmarks, 9 degrees apart.
_MOST_OF_IT, _PLANES = 0.9, 100
_WAY = 0.05  # depths of the scene: how far a pose is moved, as far as it is wrong for sure


def mirrored(pose: Matrix, points: NDArray[np.float64]) -> Matrix | None:
    """The pose from which a plane looks about as it does from ``pose``: as far to the other side of its normal.

    A plane that is small or far away is seen by its outline alone, which is the same whether it is turned away to the
    left or to the right (the two solutions of Oberkampf, DeMenthon and Davis, CVIU 1996).

    Args:
        pose: map_from_camera. points: (N, 3) that it sees.

    Returns:
        map_from_camera; None where the points are not flat, or the plane is seen straight on.
    """
    if len(points) < solver.LEAST_PAIRS:
        return None
    centre, extent, axes = _plane(points)
    if extent[2] > _FLAT * extent[1]:
        return None
    line = centre - pose[:3, 3]
    line /= np.linalg.norm(line)
    normal = axes[2] * np.sign(axes[2] @ line)
    axis = np.cross(line, normal)
    tilt = np.arctan2(np.linalg.norm(axis), normal @ line)
    if tilt < 1e-6:
        return None
    # Turning the camera about the plane's middle one way is as turning the plane the other way.
    turn = cv2.Rodrigues(axis / np.linalg.norm(axis) * 2 * tilt)[0]
    moved = pose.copy()
    moved[:3, :3] = turn @ pose[:3, :3]
    moved[:3, 3] = centre + turn @ (pose[:3, 3] - centre)
    return np.asarray(moved)


def _plane(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Middle (3,), singular values (3,) and axes (3, 3), the normal last, of the plane that most points are near."""
    rng = np.random.default_rng(0)
    corners = points[rng.integers(len(points), size=(_PLANES, 3))]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    away = np.abs(points @ normals.T - (corners[:, 0] * normals).sum(1))
    # A corner drawn twice makes no plane: everything would lie in it.
    reach = np.where(normals.any(1), np.quantile(away, _MOST_OF_IT, axis=0), np.inf)
    best = int(reach.argmin())
    near = points[away[:, best] <= reach[best]]
    centre = near.mean(0)
    _, extent, axes = np.linalg.svd(near - centre, full_matrices=False)
    return centre, extent, axes


def beside(pose: Matrix, information: Matrix, depth: float) -> list[Matrix]:
    """The two poses a twentieth of the depth beside one, the way that it is held least, turned as the pairs want it.

    Args:
        pose: map_from_camera. information: (6, 6) at it. depth: of the scene.

    Returns:
        map_from_camera of both; none where the geometry does not fix the pose at all.
    """
    covariance = solver.covariance_from_information(information)
    if covariance is None:
        return []
    variances, ways = np.linalg.eigh(covariance[:3, :3])
    step = covariance[:, :3] @ ways[:, -1] / variances[-1] * _WAY * depth
    moved = []
    for way in (step, -step):
        other = pose.copy()
        other[:3, 3] += way[:3]
        other[:3, :3] = cv2.Rodrigues(way[3:])[0] @ pose[:3, :3]
        moved.append(other)
    return moved


def turned(pose: Matrix, points: NDArray[np.float64]) -> list[Matrix]:
    """Four poses from which a thing that is small or far away looks about as it does from one: about its middle, up,
    down and to either side, as far as a pose is wrong. How far it is turned its depth alone tells.

    Args:
        pose: map_from_camera. points: (N, 3) that it sees.
    """
    centre = np.median(points, 0)
    moved = []
    for axis in (pose[:3, 0], pose[:3, 1]):
        for way in (WRONG_TURN, -WRONG_TURN):
            turn = cv2.Rodrigues(axis * np.radians(way))[0]
            other = pose.copy()
            other[:3, :3] = turn @ pose[:3, :3]
            other[:3, 3] = centre + turn @ (pose[:3, 3] - centre)
            moved.append(other)
    return moved


def slack(
    pose: Matrix,
    others: Sequence[Matrix],
    rays: NDArray[np.float64],
    points: NDArray[np.float64],
    focals: NDArray[np.float64],
    sharp: float,
) -> float:
    """Of the pairs that agree with a pose, so many agree with one :func:`beside` it, or :func:`turned`.

    A covariance is of the errors that pairs have each by itself. What is narrow, flat or far away leaves a way along
    which the pose can go while each error grows by less than a pixel, and errors that neighbours share take it there.

    Args:
        pose, others: map_from_camera. rays, points, focals: (N, 3), (N, 3), (N,) of the pairs.
        sharp: pixels within which a pair agrees.

    Returns:
        the larger share; more than one where the other pose is the better one. Zero where nothing agrees.
    """

    def agreeing(one: Matrix) -> int:
        return int((solver.reprojection_errors(one, rays, points, focals) < sharp).sum())

    return max(map(agreeing, others), default=0) / max(1, agreeing(pose))

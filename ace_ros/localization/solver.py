"""From 2D-3D pairs to a camera pose: RANSAC (PoseLib), robust refinement, covariance.

Poses are ``map_from_camera`` in the local frame of the map; pixels are those of the encoded image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import poselib
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ace_ros.geometry import Matrix, invert

LEAST_PAIRS = 6  # three fix a pose, and three more must agree by chance before it is one
_FIRST = 64  # iterations of RANSAC at least, where enough seem to agree before
_TAIL = 2.0  # sigmas at which Cauchy's tail begins; his own constant for 95 % efficiency is 2.385
_STILL = 0.03  # standard deviations: a smaller step changes nothing that anybody could see
_DEGENERATE = 1e10  # condition number of the scaled information matrix


@dataclass(frozen=True)
class Observations:
    """Pairs for refinement.

    Attributes:
        normalised: (N, 2) x/z, y/z. points: (N, 3) local frame. sigmas: (N,) standard deviation of the
            reprojection error of an inlier, pixels.
    """

    normalised: NDArray[np.float64]
    points: NDArray[np.float64]
    sigmas: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.normalised)


def ransac(
    normalised: NDArray[np.float64],
    points: NDArray[np.float64],
    focal: float,
    threshold: float,
    iterations: int,
    progressive: bool = False,
) -> tuple[Matrix, int] | None:
    """LO-RANSAC with P3P.

    Args:
        normalised: (N, 2). points: (N, 3). threshold: inlier reprojection error, pixels.
        iterations: upper bound, so that latency is bounded whatever the inlier ratio.
        progressive: the pairs are sorted, best first, and are sampled so (PROSAC).

    Returns:
        map_from_camera and the number of inliers; None when there is no pose.
    """
    finite = np.isfinite(points).all(1)
    if finite.sum() < LEAST_PAIRS:
        return None
    camera = {"model": "SIMPLE_PINHOLE", "width": 0, "height": 0, "params": [focal, 0.0, 0.0]}
    options = {
        "max_reproj_error": threshold,
        "max_iterations": iterations,
        "min_iterations": min(_FIRST, iterations),
        "progressive_sampling": progressive,
        "seed": 0,
    }
    pose, info = poselib.estimate_absolute_pose(
        normalised[finite] * focal, points[finite].astype(np.float64), camera, options, {"max_iterations": 10}
    )
    camera_from_map = np.eye(4)
    camera_from_map[:3, :3], camera_from_map[:3, 3] = pose.R, pose.t
    if info["num_inliers"] < LEAST_PAIRS or not np.isfinite(camera_from_map).all():
        return None
    return invert(camera_from_map), int(info["num_inliers"])


def iterations_for(share: float) -> int:
    """Samples of three that hold one of inliers alone with 99 % probability, of pairs that are inliers to ``share``."""
    return int(np.ceil(np.log(0.01) / np.log1p(-(min(max(share, 0.05), 0.95) ** 3))))


def reprojection_errors(
    pose: Matrix, normalised: NDArray[np.floating], points: NDArray[np.floating], focal: float
) -> NDArray[np.float64]:
    """(N,) Euclidean reprojection errors, pixels; infinite behind the camera."""
    local = (points - pose[:3, 3]) @ pose[:3, :3]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        error = np.linalg.norm(local[:, :2] / local[:, 2:] - normalised, axis=1) * focal
    return np.where((local[:, 2] > 0) & np.isfinite(error), error, np.inf)


def refine(pose: Matrix, observed: Observations, focal: float, steps: int = 8) -> tuple[Matrix, Matrix]:
    """Iteratively reweighted Gauss-Newton with a Cauchy loss, each pair by its own sigma.

    Returns:
        map_from_camera, and the information matrix (6, 6) at the solution in the order and axes of
        :func:`ace_ros.geometry.pose_residual`.
    """
    information = np.zeros((6, 6))
    whiten = focal / observed.sigmas
    jacobian = np.empty((2, len(observed), 6))
    for _ in range(steps):
        offset = observed.points - pose[:3, 3]
        local = offset @ pose[:3, :3]
        z = np.maximum(local[:, 2], 1e-6)
        residual = (local[:, :2] / z[:, None] - observed.normalised) * whiten[:, None]
        weight = (local[:, 2] > 0) / (1 + (residual**2).sum(1) / _TAIL**2)
        for axis in (0, 1):
            # Of the projection by the point in the axes of the map: (r_axis - x * r_z) / z.
            by_point = pose[:3, axis] - (local[:, axis] / z)[:, None] * pose[:3, 2]
            by_point *= (whiten / z)[:, None]
            jacobian[axis, :, :3] = -by_point
            # Cross product by hand: numpy's takes longer than all the rest.
            for a, b, c in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
                jacobian[axis, :, 3 + a] = by_point[:, b] * offset[:, c] - by_point[:, c] * offset[:, b]
        weighted = jacobian * weight[:, None]
        information = weighted[0].T @ jacobian[0] + weighted[1].T @ jacobian[1]
        gradient = weighted[0].T @ residual[:, 0] + weighted[1].T @ residual[:, 1]
        scale = np.sqrt(np.maximum(np.diag(information), 1e-12))
        normal = information / np.outer(scale, scale) + 1e-9 * np.eye(6)
        step = -np.linalg.solve(normal, gradient / scale) / scale
        moved = pose.copy()
        moved[:3, :3] = Rotation.from_rotvec(step[3:]).as_matrix() @ pose[:3, :3]
        moved[:3, 3] += step[:3]
        pose = moved
        if np.linalg.norm(step * scale) < _STILL:
            break
    return pose, information


def covariance_from_information(information: Matrix) -> Matrix | None:
    """Inverse of an information matrix, symmetric and positive definite; None when the geometry is degenerate."""
    scale = np.sqrt(np.maximum(np.diag(information), 1e-300))
    normal = information / np.outer(scale, scale)
    if not np.isfinite(normal).all() or np.linalg.cond(normal) > _DEGENERATE:
        return None
    covariance = np.linalg.inv(normal) / np.outer(scale, scale)
    return np.asarray((covariance + covariance.T) / 2)

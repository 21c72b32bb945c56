"""From 2D-3D pairs to a camera pose: RANSAC (PoseLib), robust refinement, covariance.

Poses are ``map_from_camera`` in the local frame of the map; pixels are those of the encoded image.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import poselib
from numpy.typing import NDArray

from ace_ros.geometry import Matrix, invert

LEAST_PAIRS = 6  # three fix a pose, and three more must agree by chance before it is one
_FIRST = 64  # iterations of RANSAC at least, where enough seem to agree before
_TAIL = 2.0  # sigmas at which Cauchy's tail begins; his own constant for 95 % efficiency is 2.385
_STILL = 0.03  # standard deviations (Mahalanobis): a smaller step changes nothing that anybody could see
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
    information, turn = np.zeros((6, 6)), np.zeros((6, 6))
    whiten, points, seen = focal / observed.sigmas, observed.points.T, observed.normalised.T
    for _ in range(steps):
        rotation = pose[:3, :3]
        local = rotation.T @ (points - pose[:3, 3:])
        z = np.maximum(local[2], 1e-6)
        x, y = local[:2] / z
        residual = (np.stack([x, y]) - seen) * whiten
        weight = (local[2] > 0) / (1 + (residual**2).sum(0) / _TAIL**2)
        # Of the projection, by a shift and a turn of the camera along its own axes.
        nothing, inverse = np.zeros_like(x), 1 / z
        by_x = np.stack([-inverse, nothing, x * inverse, x * y, -1 - x * x, y]) * whiten
        by_y = np.stack([nothing, -inverse, y * inverse, 1 + y * y, -x * y, -x]) * whiten
        information = (by_x * weight) @ by_x.T + (by_y * weight) @ by_y.T
        gradient = by_x @ (weight * residual[0]) + by_y @ (weight * residual[1])
        turn[:3, :3] = turn[3:, 3:] = rotation  # to the axes of the map
        information, gradient = turn @ information @ turn.T, turn @ gradient
        step = -np.linalg.solve(information + np.diag(1e-9 * information.diagonal() + 1e-12), gradient)
        pose = pose.copy()
        pose[:3, :3] = cv2.Rodrigues(step[3:])[0] @ rotation
        pose[:3, 3] += step[:3]
        if -step @ gradient < _STILL**2:
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

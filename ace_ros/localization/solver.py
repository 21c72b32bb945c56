"""From 2D-3D pairs to a camera pose: RANSAC (PoseLib), robust refinement, covariance.

Poses are ``map_from_camera`` in the local frame of the map; pixels are those of the encoded image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import poselib
from numpy.typing import NDArray

from ace_ros.geometry import CUBE, Matrix, invert, skew

LEAST_PAIRS = 6  # three fix a pose, and three more must agree by chance before it is one
_FIRST = 64  # iterations of RANSAC at least, where enough seem to agree before
_LOCAL = {"max_iterations": 10}  # of the refinement within it; set by hand
_TAIL = 2.0  # sigmas at which Cauchy's tail begins; his own constant for 95 % efficiency is 2.385
_STILL = 0.03  # standard deviations (Mahalanobis): a smaller step changes nothing that anybody could see
_ONE_PLANE = 0.5  # cosine, 60 degrees from the axis: farther out one plane stretches an angle more than four times
TYPICAL = 1.1774  # sigmas: median length of an error whose two coordinates are normal (Rayleigh)
_DEGENERATE = 1e10  # condition number of the scaled information matrix


@dataclass(frozen=True)
class Observations:
    """Pairs for refinement.

    Attributes:
        rays: (N, 3) unit, camera axes. points: (N, 3) local frame. sigmas: (N,) standard deviation of the
            reprojection error of an inlier, pixels.
    """

    rays: NDArray[np.float64]
    points: NDArray[np.float64]
    sigmas: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.rays)

    @staticmethod
    def none() -> Observations:
        return Observations(np.empty((0, 3)), np.empty((0, 3)), np.empty(0))

    def followed_by(self, others: Observations) -> Observations:
        """These, then others."""
        pairs = ((self.rays, others.rays), (self.points, others.points), (self.sigmas, others.sigmas))
        return Observations(*(np.concatenate(pair) for pair in pairs))


@dataclass(frozen=True)
class Pinhole:
    """A camera as PoseLib has it.

    Attributes:
        pinhole_from_rig: (4, 4). pixels: (N, 2) from its principal point. points: (N, 3) seen there. focal: pixels.
    """

    pinhole_from_rig: Matrix
    pixels: NDArray[np.float64]
    points: NDArray[np.float64]
    focal: float

    @property
    def camera(self) -> dict[str, Any]:
        """Its intrinsics."""
        return {"model": "SIMPLE_PINHOLE", "width": 0, "height": 0, "params": [self.focal, 0.0, 0.0]}

    @property
    def mount(self) -> poselib.CameraPose:
        """Where it sits."""
        pose = poselib.CameraPose()
        pose.R, pose.t = self.pinhole_from_rig[:3, :3], self.pinhole_from_rig[:3, 3]
        return pose


def ransac(
    rays: NDArray[np.float64],
    points: NDArray[np.float64],
    focal: float,
    threshold: float,
    iterations: int,
    progressive: bool = False,
) -> tuple[Matrix, int] | None:
    """LO-RANSAC with P3P.

    Args:
        rays: (N, 3) unit, camera axes. points: (N, 3). threshold: inlier reprojection error, pixels.
        iterations: upper bound, so that latency is bounded whatever the inlier ratio.
        progressive: the pairs are sorted, best first, and are sampled so (PROSAC); not by a wide lens.

    Returns:
        map_from_camera and the number of inliers; None when there is no pose.
    """
    finite = np.isfinite(points).all(1)
    if finite.sum() < LEAST_PAIRS:
        return None
    pinholes = pinholes_of(rays[finite], points[finite].astype(np.float64), focal, np.eye(4))
    if len(pinholes) > 1:
        return ransac_together(pinholes, threshold, iterations, progressive)
    (one,) = pinholes
    options = _options(threshold, iterations, progressive)
    pose, info = poselib.estimate_absolute_pose(one.pixels, one.points, one.camera, options, _LOCAL)
    return _found(pose, info, one.pinhole_from_rig[:3, :3].T)


def ransac_together(
    pinholes: Sequence[Pinhole], threshold: float, iterations: int, progressive: bool = False
) -> tuple[Matrix, int] | None:
    """As :func:`ransac`, by pinholes that are mounted on one rig: map_from_rig."""
    if sum(len(one.points) for one in pinholes) < LEAST_PAIRS:
        return None
    pose, info = poselib.estimate_generalized_absolute_pose(
        [one.pixels for one in pinholes],
        [one.points for one in pinholes],
        [one.mount for one in pinholes],
        [one.camera for one in pinholes],
        _options(threshold, iterations, progressive),
        _LOCAL,
    )
    return _found(pose, info, np.eye(3))


def pinholes_of(
    rays: NDArray[np.float64], points: NDArray[np.float64], focal: float, camera_from_rig: Matrix
) -> list[Pinhole]:
    """The pinholes that a camera with these rays (N, 3) to points (N, 3) is for PoseLib, by :func:`on_planes`."""
    pinholes = []
    for side, index, plane in on_planes(rays):
        mount = np.eye(4)
        mount[:3] = side @ camera_from_rig[:3]
        pinholes.append(Pinhole(mount, plane * focal, points[index], focal))
    return pinholes


def _options(threshold: float, iterations: int, progressive: bool) -> dict[str, Any]:
    return {
        "max_reproj_error": threshold,
        "max_iterations": iterations,
        "min_iterations": min(_FIRST, iterations),
        "progressive_sampling": progressive,
        "seed": 0,
    }


def _found(pose: poselib.CameraPose, info: dict[str, Any], turn: Matrix) -> tuple[Matrix, int] | None:
    """map_from_camera and its inliers, of what PoseLib says; ``turn``: (3, 3) camera from its pinhole."""
    camera_from_map = np.eye(4)
    camera_from_map[:3, :3], camera_from_map[:3, 3] = turn @ pose.R, turn @ pose.t
    if info["num_inliers"] < LEAST_PAIRS or not np.isfinite(camera_from_map).all():
        return None
    return invert(camera_from_map), int(info["num_inliers"])


def on_planes(rays: NDArray[np.float64]) -> list[tuple[Matrix, NDArray[np.int64], NDArray[np.float64]]]:
    """Rays (N, 3) as PoseLib wants them, x/z and y/z of pinholes: of one where it holds them all, else of the sides of
    a cube, which are so many pinholes of one centre.

    Returns:
        of each plane its axes (3, 3), plane from camera, the indices (M,) of the rays on it, and their points (M, 2).
    """
    if not len(rays):
        return []
    if rays[:, 2].min() > _ONE_PLANE:
        return [(CUBE[0], np.arange(len(rays)), rays[:, :2] / rays[:, 2:])]
    side = np.argmax(rays @ CUBE[:, 2].T, axis=1)
    planes = []
    for number in np.unique(side):
        index = np.nonzero(side == number)[0]
        turned = rays[index] @ CUBE[number].T
        planes.append((CUBE[number], index, turned[:, :2] / turned[:, 2:]))
    return planes


def iterations_for(share: float) -> int:
    """Samples of three that hold one of inliers alone with 99 % probability, of pairs that are inliers to ``share``."""
    return int(np.ceil(np.log(0.01) / np.log1p(-(min(max(share, 0.05), 0.95) ** 3))))


def reprojection_errors(
    pose: Matrix, rays: NDArray[np.floating], points: NDArray[np.floating], focal: float | NDArray[np.float64]
) -> NDArray[np.float64]:
    """(N,) chords between rays and where the pose makes the points appear, in pixels, of a ``focal`` or one each."""
    local = (points - pose[:3, 3]) @ pose[:3, :3]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        local /= np.linalg.norm(local, axis=1, keepdims=True)
        error = np.linalg.norm(local - rays, axis=1) * focal
    return np.where(np.isfinite(error), error, np.inf)


def refine(
    pose: Matrix, observed: Observations, focal: float | NDArray[np.float64], steps: int = 8
) -> tuple[Matrix, Matrix]:
    """Iteratively reweighted Gauss-Newton with a Cauchy loss, each pair by its own sigma and, if (N,), focal length.

    Returns:
        map_from_camera, and the information matrix (6, 6) at the solution in the order and axes of
        :func:`ace_ros.geometry.pose_residual`.
    """
    information, turn = np.zeros((6, 6)), np.zeros((6, 6))
    whiten, points, seen = (focal / observed.sigmas) ** 2, observed.points.T, observed.rays.T
    for _ in range(steps):
        rotation = pose[:3, :3]
        local = rotation.T @ (points - pose[:3, 3:])
        near = 1 / np.maximum(np.sqrt(np.einsum("in,in->n", local, local)), 1e-9)
        u = local * near
        residual = u - seen
        weight = whiten / (1 + np.einsum("in,in->n", residual, residual) * whiten / _TAIL**2)
        # u moves by -(1 - u u^T) / distance with the camera's centre and by [u]x with its turn, in its own axes, so
        # that the products of the two are 1 - u u^T but for weights, and -[u]x / distance.
        information = np.empty((6, 6))
        by_shift = weight * near * near
        information[:3, :3] = by_shift.sum() * np.eye(3) - (u * by_shift) @ u.T
        information[3:, 3:] = weight.sum() * np.eye(3) - (u * weight) @ u.T
        information[:3, 3:] = -skew(u @ (weight * near))
        information[3:, :3] = information[:3, 3:].T
        along = np.einsum("in,in->n", u, seen)
        gradient = np.concatenate([(seen - u * along) @ (weight * near), np.cross(u, seen, axis=0) @ weight])
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

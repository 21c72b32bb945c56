"""Poses of several images at once: what each sees holds it, and what is known of the ways between holds them together.

Landmarks stay where they are. Each pose has its six unknowns, so that odometry may be off by what it drifts, and a pose
that sees little of the map leans on its neighbours no more than the way between them is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ace_ros.geometry import Matrix, invert, skew
from ace_ros.localization import solver

_STILL = 1e-2  # standard deviations, as in solver.refine


@dataclass(frozen=True)
class Link:
    """The way from one camera to the next.

    Attributes:
        motion: (4, 4) first_from_second. shift: standard deviation of its translation, units of the map, each axis.
        turn: of its rotation, radians, each axis.
    """

    motion: Matrix
    shift: float
    turn: float

    @property
    def sigmas(self) -> Matrix:
        """(6,) standard deviations."""
        return np.array([self.shift] * 3 + [self.turn] * 3)

    def jacobian(self, first: Matrix, second: Matrix) -> Matrix:
        """(6, 12) of :meth:`Chain.off` by both poses, order and axes as of :func:`ace_ros.geometry.pose_residual`."""
        back, apart = first[:3, :3].T, second[:3, 3] - first[:3, 3]
        jacobian = np.zeros((6, 12))
        jacobian[:3, 0:3], jacobian[:3, 6:9] = -back, back
        jacobian[:3, 3:6] = back @ skew(apart)
        jacobian[3:, 3:6], jacobian[3:, 9:12] = -back, back
        return jacobian / self.sigmas[:, None]


@dataclass(frozen=True)
class Chain:
    """Links between the poses of ``len(links) + 1`` images, in their order.

    Attributes:
        worth: of what an image alone says about its pose, so much counts beside the links: less than one where pairs
            share errors, so that many of them are not as sure as they seem.
    """

    links: Sequence[Link]
    worth: float

    def poses(self, last: Matrix) -> list[Matrix]:
        """Of all, where the last one is known, and the links are true."""
        poses = [last]
        for link in reversed(self.links):
            poses.insert(0, poses[0] @ invert(link.motion))
        return poses

    def refine(
        self,
        poses: Sequence[Matrix],
        observed: Sequence[solver.Observations],
        focals: Sequence[float | NDArray[np.float64]],
        steps: int = 4,
    ) -> tuple[list[Matrix], list[Matrix], Matrix]:
        """The poses that fit what the images see and the links best.

        Args:
            poses: map_from_camera, local frame. observed: of each image. focals: pixels, of each image or of each of
                its pairs.

        Returns:
            the poses; what each image alone says of its own, (6, 6) information; and that of the last pose, as all
            images and links have it, in which ``worth`` is counted.
        """
        stack, count = np.array(poses), len(poses)
        for _ in range(steps):
            # One step of an image alone tells both its information and where that would lead.
            alone = [
                solver.refine(pose, seen, focal, steps=1) if len(seen) else (pose, np.zeros((6, 6)))
                for pose, seen, focal in zip(stack, observed, focals, strict=True)
            ]
            own = [information for _, information in alone]
            towards = _residuals(np.array([led for led, _ in alone]), stack)
            normal, gradient = np.zeros((6 * count, 6 * count)), np.zeros(6 * count)
            for k, information in enumerate(own):
                at = slice(6 * k, 6 * k + 6)
                normal[at, at] += self.worth * information
                gradient[at] -= self.worth * information @ towards[k]
            for k, (link, off) in enumerate(zip(self.links, self.off(stack), strict=True)):
                jacobian, at = link.jacobian(stack[k], stack[k + 1]), slice(6 * k, 6 * k + 12)
                normal[at, at] += jacobian.T @ jacobian
                gradient[at] += jacobian.T @ off
            scale = np.sqrt(np.maximum(np.diag(normal), 1e-12))
            scaled = normal / np.outer(scale, scale) + 1e-9 * np.eye(6 * count)
            step = -np.linalg.solve(scaled, gradient / scale) / scale
            stack = _moved(stack, step.reshape(count, 6))
            if np.abs(step * scale).max() < _STILL:
                break
        return list(stack), own, _of_last(normal)

    def off(self, poses: Sequence[Matrix] | Matrix) -> Matrix:
        """(L, 6): how far the poses are from each link, in standard deviations, in the axes of the first of both."""
        if not self.links:
            return np.empty((0, 6))
        motions = np.array([invert(a) @ b for a, b in pairwise(poses)])
        told = np.array([link.motion for link in self.links])
        return np.asarray(_residuals(motions, told) / np.array([link.sigmas for link in self.links]))

    def tension(self, poses: Sequence[Matrix]) -> float:
        """The squared Mahalanobis distance (six degrees of freedom) by which the worst of the links is stretched."""
        return float((self.off(poses) ** 2).sum(1).max(initial=0.0))


def _residuals(estimates: Matrix, truths: Matrix) -> Matrix:
    """(N, 6): as :func:`ace_ros.geometry.pose_residual`, of N poses at once: what SciPy takes, it takes by the call."""
    turns = Rotation.from_matrix(estimates[:, :3, :3] @ truths[:, :3, :3].transpose(0, 2, 1)).as_rotvec()
    return np.concatenate([estimates[:, :3, 3] - truths[:, :3, 3], turns], axis=1)


def _moved(poses: Matrix, steps: Matrix) -> Matrix:
    moved = poses.copy()
    moved[:, :3, :3] = Rotation.from_rotvec(steps[:, 3:]).as_matrix() @ poses[:, :3, :3]
    moved[:, :3, 3] += steps[:, :3]
    return np.asarray(moved)


def _of_last(normal: Matrix) -> Matrix:
    """(6, 6) information of the last pose, whatever the others are: the Schur complement."""
    if len(normal) == 6:
        return normal
    rest, last, across = normal[:-6, :-6], normal[-6:, -6:], normal[:-6, -6:]
    scale = np.sqrt(np.maximum(np.diag(rest), 1e-12))
    inner = np.linalg.solve(rest / np.outer(scale, scale) + 1e-12 * np.eye(len(rest)), across / scale[:, None])
    return np.asarray(last - (across / scale[:, None]).T @ inner)

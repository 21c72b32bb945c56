"""The second witness: a few thousand triangulated keypoints with a descriptor each.

A query is matched against all of them at once (no retrieval), and again where a pose says they must appear.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ace_ros.device import comparable, fast_dtype
from ace_ros.features.encoder import USUAL_LIKENESS, Likeness
from ace_ros.features.features import Features
from ace_ros.features.pairing import mutual_best, pairs_within

_COLD = 5000  # the best seen landmarks are enough to find a first pose in a room; all of them sharpen it


@dataclass(frozen=True)
class Pairs:
    """2D-3D pairs by index: ``keypoint[i]`` of the query shows point ``point[i]``."""

    keypoint: NDArray[np.int64]
    point: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.keypoint)


NO_PAIRS = Pairs(np.empty(0, np.int64), np.empty(0, np.int64))


class Landmarks:
    """Triangulated keypoints of a map, ready for matching on a device.

    Attributes:
        points: (L, 3) float32 in the local frame of the map, the most often seen ones first.
        codes: (L, D) int8, descriptors up to a common factor; see :func:`quantize`.
    """

    def __init__(
        self,
        points: NDArray[np.float32],
        codes: NDArray[np.int8],
        device: torch.device,
        likeness: Likeness = USUAL_LIKENESS,
    ) -> None:
        self.points, self.codes = points, codes
        self._least_cosine = likeness.query
        self._descriptors = codes.astype(np.float32)
        self._descriptors /= np.maximum(np.linalg.norm(self._descriptors, axis=1, keepdims=True), 1e-9)
        self._device, self._dtype = device, fast_dtype(device)
        self._matrix = torch.from_numpy(self._descriptors[:_COLD]).to(device, self._dtype)

    def __len__(self) -> int:
        return len(self.points)

    def match(self, features: Features) -> Pairs:
        """Mutual best matches of all keypoints with the best seen landmarks, the likest first."""
        if not len(self) or not len(features):
            return NO_PAIRS
        similarity = features.descriptors.to(self._device, self._dtype) @ self._matrix.T
        fast = comparable(similarity)
        best, landmark = fast.max(1)
        cosine = best.view(similarity.dtype)
        # A maximum down the columns costs a tenth of the argument of it; ties are left to RANSAC.
        good = torch.nonzero((fast.amax(0)[landmark] <= best) & (cosine > self._least_cosine))[:, 0]
        order = torch.argsort(cosine[good], descending=True, stable=True)
        good = good[order]
        return Pairs(good.cpu().numpy(), landmark[good].cpu().numpy())

    def around(
        self,
        descriptors: NDArray[np.float32],
        rays: NDArray[np.float64],
        map_from_camera: NDArray[np.float64],
        focals: NDArray[np.float64],
        radius: float,
    ) -> Likely:
        """What may be matched within ``radius`` pixels of where a pose (4, 4, local frame) makes landmarks appear.

        Args:
            descriptors: (N, D) of the keypoints. rays: (N, 3) and focals: (N,) pixels, theirs.
        """
        if not len(self) or not len(rays):
            return Likely(NO_PAIRS, np.empty(0, np.float32), np.empty((0, 3), np.float32), rays[:0], focals[:0])
        expected = directions(self.points, map_from_camera)
        widest = radius / focals.min()
        inside = np.nonzero(among(expected, rays, widest))[0]
        row, keypoint = pairs_within(expected[:, inside].T, rays, widest)
        landmark = inside[row]
        cosine = np.einsum("nd,nd->n", self._descriptors[landmark], descriptors[keypoint])
        like = np.nonzero(cosine > self._least_cosine)[0]
        landmark, keypoint = landmark[like], keypoint[like]
        likely = Likely(
            Pairs(keypoint, landmark), cosine[like], self.points[landmark], rays[keypoint], focals[keypoint]
        )
        return likely.within(map_from_camera, radius)


@dataclass(frozen=True)
class Likely:
    """Pairs that look alike, some of them of one keypoint or of one landmark.

    Attributes:
        pairs: P of them. cosine: (P,) of their descriptors.
        points: (P, 3) float32, the landmarks. rays: (P, 3), along which they were seen. focals: (P,) pixels.
    """

    pairs: Pairs
    cosine: NDArray[np.float32]
    points: NDArray[np.float32]
    rays: NDArray[np.float64]
    focals: NDArray[np.float64]

    def within(self, map_from_camera: NDArray[np.float64], radius: float) -> Likely:
        """Those within ``radius`` pixels of where another pose makes the landmarks appear."""
        errors = np.linalg.norm(directions(self.points, map_from_camera) - self.rays.T, axis=0) * self.focals
        near = np.nonzero(errors < radius)[0]
        pairs = Pairs(self.pairs.keypoint[near], self.pairs.point[near])
        return Likely(pairs, self.cosine[near], self.points[near], self.rays[near], self.focals[near])

    def best(self) -> Pairs:
        """Those that are the likest of their keypoint and of their landmark."""
        best = mutual_best(self.pairs.point, self.pairs.keypoint, self.cosine)
        return Pairs(self.pairs.keypoint[best], self.pairs.point[best])


def directions(points: NDArray[np.float32], map_from_camera: NDArray[np.float64]) -> NDArray[np.float32]:
    """(3, N): unit rays, camera axes, along which a pose makes points (N, 3) appear."""
    pose = map_from_camera.astype(np.float32)
    local: NDArray[np.float32] = pose[:3, :3].T @ (points - pose[:3, 3]).T
    local /= np.maximum(np.sqrt(np.einsum("in,in->n", local, local)), 1e-12)
    return local


def among(
    directions: NDArray[np.floating], rays: NDArray[np.floating], margin: float | NDArray[np.floating]
) -> NDArray[np.bool_]:
    """(N,) which directions (3, N) lie in the box about rays (M, 3), and a margin (or one an axis) about it.

    On the sphere of directions that is about the part that an image with these rays shows, whatever its lens.
    """
    low, high = rays.min(0) - margin, rays.max(0) + margin
    inside = (directions > low[:, None]) & (directions < high[:, None])
    return np.asarray(inside[0] & inside[1] & inside[2])


def quantize(descriptors: Tensor, code_range: float = 0.5) -> NDArray[np.int8]:
    """Unit descriptors (L, D) as int8; an entry of ``code_range``, the largest that can be held, becomes 127."""
    return (descriptors.cpu() * (127 / code_range)).round().clamp(-127, 127).to(torch.int8).numpy()

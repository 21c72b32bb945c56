"""Keypoints paired with the places where something is expected to appear in the image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

_MOST = 6  # keypoints looked at around a prediction; more never lie within a few pixels


def pairs_within(
    predicted: NDArray[np.floating], keypoints: NDArray[np.floating], radius: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs (index into predicted (A, 2), index into keypoints (B, 2)) within ``radius``, at most 6 a prediction."""
    if not len(predicted) or not len(keypoints):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    distance, index = cKDTree(keypoints).query(predicted, k=min(_MOST, len(keypoints)), distance_upper_bound=radius)
    row, column = np.nonzero(np.isfinite(distance.reshape(len(predicted), -1)))
    return row, index.reshape(len(predicted), -1)[row, column]


def mutual_best(a: NDArray[np.int64], b: NDArray[np.int64], score: NDArray[np.floating]) -> NDArray[np.int64]:
    """Rows of candidate pairs (a, b) that are the best of their a and of their b, with a score >= 0."""
    rows = np.nonzero(score >= 0)[0]
    if not len(rows):
        return rows
    order = rows[np.argsort(-score[rows], kind="stable")]
    worst_first = order[::-1]
    best_of_a, best_of_b = np.zeros(a[rows].max() + 1, np.int64), np.zeros(b[rows].max() + 1, np.int64)
    best_of_a[a[worst_first]], best_of_b[b[worst_first]] = worst_first, worst_first  # the last write stays
    best: NDArray[np.int64] = order[(best_of_a[a[order]] == order) & (best_of_b[b[order]] == order)]
    return best

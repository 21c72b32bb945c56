"""Pairs of a recording's images that show the same, and what is seen twice in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from ace_ros.features.features import EncodedImage
from ace_ros.geometry import Matrix, rotation_angle_deg
from ace_ros.recordings.posed_frame import PosedFrame

# Set by hand, on the real scenes: what takes a second and finds all that docs/recordings.md lists.
_STRETCHES = 10  # of the recording, each with up to two pairs
_TRIED = 8  # frames of a stretch, of which the best pair is taken
_REACH = 12  # frames after one that its partner may be
# Degrees between the two: less says little of axes and focal length, more shares little.
_BEST_TURN, _MOST_TURN = 9.0, 30.0
_LEAST_MATCHES, _MOST_MATCHES = 40, 250  # of a pair
_LEAST_SHIFT = 6.0  # median pixels that matches of a pair move by; a camera that stood says nothing
_NOISE = 1.5  # pixels at the size of encoding: of a keypoint off an epipolar line that was fitted to all of them
_AHEAD = 0.3  # cosine, 72 degrees from the axis: what is farther aside is not asked whether it lies on straight lines


@dataclass(frozen=True)
class Pair:
    """Two frames and the keypoints that are the same in both.

    Attributes:
        first, second: frames. a, b: (N, 2) pixels of their images as stored.
        scale: from pixels as stored to pixels at the size of encoding.
    """

    first: PosedFrame
    second: PosedFrame
    a: NDArray[np.float64]
    b: NDArray[np.float64]
    scale: float


def choose(frames: Sequence[PosedFrame]) -> list[tuple[PosedFrame, PosedFrame]]:
    """Pairs of neighbours, spread over the recording, that turn by some degrees from one to the other.

    The angle between two rotations is the same however poses were misread: inverted, with other axes, or with the
    quaternion in another order. So the choice does not hang on what is to be found out.
    """
    posed = [frame for frame in frames if frame.map_from_camera is not None]
    poses = [frame.map_from_camera for frame in posed if frame.map_from_camera is not None]
    if len(poses) < 2:
        return []
    centres = np.array([pose[:3, 3] for pose in poses])
    chosen: dict[tuple[int, int], None] = {}
    for stretch in np.array_split(np.arange(len(poses) - 1), min(_STRETCHES, len(poses) - 1)):
        tried = stretch[:: max(1, len(stretch) // _TRIED)]
        for near in (_following(tried, len(poses)), _nearest(tried, centres)):
            if pair := _best(poses, near):
                chosen[min(pair), max(pair)] = None
    return [(posed[i], posed[j]) for i, j in chosen]


def _following(tried: NDArray[np.int64], count: int) -> Iterable[tuple[int, int]]:
    return ((int(i), j) for i in tried for j in range(i + 1, min(int(i) + 1 + _REACH, count)))


def _nearest(tried: NDArray[np.int64], centres: Matrix) -> Iterable[tuple[int, int]]:
    for i in tried:
        for j in np.argsort(np.linalg.norm(centres - centres[i], axis=1))[:_REACH]:
            if i != j:
                yield int(i), int(j)


def _best(poses: Sequence[Matrix], candidates: Iterable[tuple[int, int]]) -> tuple[int, int] | None:
    """The pair whose turn is the best; frames at one place have no epipolar lines."""
    best, found = np.inf, None
    for i, j in candidates:
        angle = rotation_angle_deg(poses[i], poses[j])
        off = abs(angle - _BEST_TURN)
        if angle <= _MOST_TURN and off < best and not np.array_equal(poses[i][:3, 3], poses[j][:3, 3]):
            best, found = off, (i, j)
    return found


def match(
    chosen: Sequence[tuple[PosedFrame, PosedFrame]],
    encode: Callable[[PosedFrame], EncodedImage | None],
    likeness: float,
) -> list[Pair]:
    """The pairs whose images show the same, with what is the same in them.

    Matches are mutual best ones that agree with some epipolar geometry, found without any pose or intrinsics.
    """
    encoded: dict[str, EncodedImage | None] = {}
    pairs = []
    for first, second in chosen:
        for frame in (first, second):
            if frame.name not in encoded:
                encoded[frame.name] = encode(frame)
        one, other = encoded[first.name], encoded[second.name]
        if one is not None and other is not None and (pair := _match(first, second, one, other, likeness)):
            pairs.append(pair)
    return pairs


def _match(
    first: PosedFrame, second: PosedFrame, one: EncodedImage, other: EncodedImage, likeness: float
) -> Pair | None:
    if len(one) < _LEAST_MATCHES or len(other) < _LEAST_MATCHES:
        return None
    similarity = one.features.descriptors.float() @ other.features.descriptors.float().T
    cosine, best = similarity.max(1)
    rows = torch.arange(len(best), device=best.device)
    kept = (similarity.argmax(0)[best] == rows) & (cosine > likeness)
    a, b = one.pixels[kept.cpu().numpy()], other.pixels[best[kept].cpu().numpy()]
    scale = one.focal / first.camera.focal
    if len(a) < _LEAST_MATCHES or np.median(np.linalg.norm(a - b, axis=1)) * scale < _LEAST_SHIFT:
        return None
    # Lines are straight on a plane alone, and what a wide lens sees aside of it is on none.
    flat_a, flat_b = _flat(one)[kept.cpu().numpy()], _flat(other)[best[kept].cpu().numpy()]
    flat = np.flatnonzero(np.isfinite(flat_a).all(1) & np.isfinite(flat_b).all(1))
    if len(flat) < _LEAST_MATCHES:
        return None
    cv2.setRNGSeed(0)
    _, inliers = cv2.findFundamentalMat(flat_a[flat], flat_b[flat], cv2.USAC_MAGSAC, _NOISE, 0.999, 1000)
    if inliers is None or inliers.sum() < _LEAST_MATCHES:
        return None
    rows_kept = flat[np.flatnonzero(inliers)[:_MOST_MATCHES]]  # the best keypoints come first
    return Pair(first, second, a[rows_kept], b[rows_kept], scale)


def _flat(image: EncodedImage) -> NDArray[np.float64]:
    """(N, 2) pixels of a pinhole of the image's focal length that sees the same; NaN far aside."""
    x, y, z = image.rays.T
    with np.errstate(divide="ignore"):
        return np.where((z > _AHEAD)[:, None], np.stack([x, y], 1) / z[:, None] * image.focal, np.nan)

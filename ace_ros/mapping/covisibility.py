"""Which mapping views see the same: a graph over a few key views, grown as views come, in any unit of the poses."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ace_ros.features.encoder import Likeness
from ace_ros.mapping.matching import MAX_EPIPOLAR, MIN_ANGLE
from ace_ros.mapping.views import View

_KEYPOINTS = 500  # of a view, its best ones: enough to count matches by, at a quarter of the cost
_LIKE_A_KEY = 0.15  # of these matched: the view shows nothing new; set by hand, 10 to 50 key views a room
_COMPARED = 5  # key views that a view is compared with, the nearest ones
_FACING = 60.0  # degrees between the directions of views that may see the same
_PARALLEL = 0.3  # degrees between two rays that meet nowhere near
_FAR = 10.0  # depths of the scene: what is matched as far as that is more likely the twin of something near
_AT_ONCE = 0.01  # depths of the scene: views so near one another see the same however parallel their rays are
_LEAST = 5  # matches, fewer are chance


@dataclass(frozen=True)
class _Key:
    """A view that stands for those like it; rays in the axes of the map."""

    descriptors: Tensor
    rays: NDArray[np.float64]
    pose: NDArray[np.float64]
    focal: float


class Covisibility:
    """Views are added one by one, and compared with the nearest key views only: a millisecond each.

    Attributes:
        key_of: the key view (its place in the order of key views) that each view is like.
        shared: matches between two key views, those of the views that are like them included.
    """

    def __init__(self, likeness: Likeness) -> None:
        self._likeness = likeness
        self._keys: list[_Key] = []
        self._poses = np.empty((0, 4, 4))  # of these
        self._depths: list[list[float]] = []
        self._last = -1
        self.key_of: list[int] = []
        self.shared: Counter[tuple[int, int]] = Counter()

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def depth(self) -> NDArray[np.float64]:
        """(K,) median depth of what each key view sees, units of the map; NaN where nothing was seen from two sides."""
        return np.array([np.median(found) if found else np.nan for found in self._depths])

    @property
    def last_depth(self) -> float:
        """Least depth of what the last view and the key views before it see, units of the map; NaN: not known yet."""
        return float(
            np.min([d for found in self._depths[max(0, self._last - 4) : self._last + 1] for d in found] or np.nan)
        )

    def add(self, view: View) -> None:
        """Find out what the next view sees."""
        features = view.encoded.features.best(_KEYPOINTS)
        rays = view.encoded.rays[: len(features)] @ view.map_from_camera[:3, :3].T
        here = _Key(features.descriptors.float(), rays, view.map_from_camera, view.encoded.focal)
        matches = {number: self._matches(here, number) for number in self._near(here)}
        best = max(matches, key=lambda number: matches[number], default=-1)
        if best < 0 or matches[best] < _LIKE_A_KEY * _KEYPOINTS:
            best = len(self._keys)
            self._keys.append(here)
            self._poses = np.concatenate([self._poses, here.pose[None]])
            self._depths.append([])
        self.key_of.append(best)
        self._last = best
        for number, count in matches.items():
            if number != best and count >= _LEAST:
                self.shared[min(number, best), max(number, best)] += count

    def _near(self, here: _Key) -> list[int]:
        """The last key view, and the nearest that look the same way."""
        if not self._keys:
            return []
        poses = self._poses
        distance = np.linalg.norm(poses[:, :3, 3] - here.pose[:3, 3], axis=1)
        facing = poses[:, :3, 2] @ here.pose[:3, 2] > np.cos(np.radians(_FACING))
        order = np.argsort(np.where(facing, distance, np.inf), kind="stable")[:_COMPARED]
        return sorted({self._last, *(number for number in order.tolist() if facing[number])})

    def _depth_of(self, number: int) -> float:
        """Median depth of what a key view sees, infinite where that is not known."""
        return float(np.median(self._depths[number])) if self._depths[number] else np.inf

    def _matches(self, here: _Key, number: int) -> int:
        """How many keypoints two views share: alike, on each other's epipolar lines, and before both cameras."""
        there = self._keys[number]
        similarity = here.descriptors @ there.descriptors.T
        cosine, best = similarity.max(1)
        mutual = (similarity.amax(0)[best] <= cosine) & (cosine > self._likeness.match)
        index = torch.nonzero(mutual)[:, 0]
        if len(index) < _LEAST:
            return 0
        baseline = here.pose[:3, 3] - there.pose[:3, 3]
        ours, theirs = here.rays[index.numpy()], there.rays[best[index].numpy()]
        planes = np.cross(baseline, ours)
        off = np.abs((planes * theirs).sum(1)) / np.maximum(np.linalg.norm(planes, axis=1), 1e-12) * there.focal
        cosines = (ours * theirs).sum(1)
        # Where the rays pass nearest to one another, along either.
        sine = np.maximum(1 - cosines**2, 1e-12)
        from_here = ((theirs @ baseline) * cosines - ours @ baseline) / sine
        from_there = (theirs @ baseline - (ours @ baseline) * cosines) / sine
        near = from_there < _FAR * self._depth_of(number)
        met = (off < MAX_EPIPOLAR) & (from_here > 0) & (from_there > 0) & near
        wide = met & (cosines < np.cos(np.radians(MIN_ANGLE)))
        if wide.any():
            self._depths[number].append(float(np.median(from_there[wide])))
        depth = self._depth_of(number)
        if np.linalg.norm(baseline) > _AT_ONCE * depth:
            met &= cosines < np.cos(np.radians(_PARALLEL))
        elif not np.isfinite(depth) or np.linalg.norm(baseline) < 1e-9:
            return len(index)
        return int(met.sum())

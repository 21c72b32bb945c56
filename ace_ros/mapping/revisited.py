"""Landmarks as they would be had nobody stood where a view stands: what a robot finds that comes by another way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ace_ros.features.encoder import EncoderProfile
from ace_ros.geometry import Matrix
from ace_ros.localization.search import SAME_SHIFT, SAME_TURN
from ace_ros.map.landmarks import quantize
from ace_ros.map.place import Place
from ace_ros.mapping.sharpening import Sharpened
from ace_ros.mapping.triangulation import MIN_VIEWS, Tracks, mean_descriptors, refine_points
from ace_ros.mapping.views import PackedViews


class Revisited:
    """The landmarks of a place, each with the views that it was triangulated from.

    A view that was held back of a drive at 30 frames a second has neighbours in the map a hand's breadth away, which
    saw what it sees with the same errors: of pose, of keypoints, of light. No robot that comes later has.

    Args:
        tracks: of which the place has the landmarks ``kept`` (L,), in this order, as ``exact``. views: from which they
            come.
    """

    def __init__(
        self, tracks: Tracks, kept: Tensor, exact: Sharpened, views: PackedViews, profile: EncoderProfile
    ) -> None:
        number = torch.full((len(tracks),), -1, dtype=torch.long, device=tracks.track.device)
        number[kept] = torch.arange(len(kept), device=number.device)
        landmark = number[tracks.track]
        mine = landmark >= 0
        self._landmark, self._view, self._keypoint = landmark[mine], tracks.view[mine], tracks.keypoint[mine]
        self._exact, self._views, self._profile = exact, views, profile

    def without(self, place: Place, map_from_camera: Matrix) -> Place:
        """The place as it would be without the views from where ``map_from_camera`` looks.

        Landmarks that fewer than three others see are gone, and so are patches that these views have cut.
        """
        near = self._standing(map_from_camera, place.header.median_depth)
        changed = torch.zeros(len(place.points), dtype=torch.bool, device=near.device)
        changed[self._landmark[near[self._view]]] = True
        left = changed[self._landmark] & ~near[self._view]
        seen = torch.bincount(self._landmark[left], minlength=len(changed)) >= MIN_VIEWS
        again = changed & seen
        row = torch.cumsum(again, 0) - 1
        use = left & again[self._landmark]
        view, keypoint, track = self._view[use], self._keypoint[use], row[self._landmark[use]]
        fresh = self._intersected(torch.from_numpy(place.points).to(near.device), again, near)
        looks = mean_descriptors(self._views, len(fresh), view, keypoint, track)
        where = again.cpu().numpy()
        xyz, codes = place.points.copy(), place.codes.copy()
        xyz[where], codes[where] = fresh.cpu().numpy(), quantize(looks, self._profile.code_range)
        stay = (again | ~changed).cpu().numpy()
        cut = self._exact.reference
        spacing = np.where((near[cut] & (cut >= 0)).cpu().numpy(), 0, place.patches.spacing)
        patches = replace(place.patches, spacing=spacing)
        return replace(place, points=xyz, codes=codes, patches=patches).with_landmarks(stay)

    def _intersected(self, points: Tensor, again: Tensor, near: Tensor) -> Tensor:
        """(N, 3) landmarks ``again`` (L,) of ``points``, without what the views ``near`` (V,) say of them."""
        seen = self._exact.seen
        seen = seen.at(again[seen.landmark] & ~near[seen.view])
        row = torch.cumsum(again, 0) - 1
        return refine_points(self._views, points[again], seen.view, seen.rays, row[seen.landmark], steps=3)[0]

    def _standing(self, map_from_camera: Matrix, depth: float) -> Tensor:
        """(V,) which views stand there and look the same way: as far as two poses count as one."""
        pose: NDArray[np.float32] = map_from_camera.astype(np.float64).copy()
        pose[:3, 3] -= self._views.origin
        there = torch.from_numpy(pose).float().to(self._views.device)
        shift = (self._views.centres - there[:3, 3]).norm(dim=1)
        trace = (self._views.rotations * there[:3, :3]).sum((1, 2))
        near: Tensor = (shift < SAME_SHIFT * depth) & (trace > 1 + 2 * np.cos(np.radians(SAME_TURN)))
        return near

"""A place that new views have something to tell of: what is gone is forgotten, what is new is added."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor

from ace_ros.features.encoder import Encoder
from ace_ros.growing.provenance import Recorded, with_source
from ace_ros.map.header import MapHeader
from ace_ros.map.landmarks import quantize
from ace_ros.map.place import Place
from ace_ros.mapping.build import hold_back, tracked
from ace_ros.mapping.calibration import calibrate
from ace_ros.mapping.options import MapOptions
from ace_ros.mapping.progress import Reporter
from ace_ros.mapping.selection import select
from ace_ros.mapping.sharpening import Seen, Sharpened, sharpened
from ace_ros.mapping.triangulation import MERGE_RADIUS, Tracks
from ace_ros.mapping.views import PackedViews, View, spread_poses


@dataclass(frozen=True)
class Evidence:
    """What new views of a place saw.

    Attributes:
        taught: those that teach. views: the same, packed. tracks: what they triangulated, in the frame local to them.
        held_back: the others.
    """

    taught: list[View]
    views: PackedViews
    tracks: Tracks
    held_back: list[View]

    def points(self, place: Place) -> NDArray[np.float32]:
        """(L, 3) of the tracks, in the local frame of a place."""
        return self.local_to(place, self.tracks.points)

    def local_to(self, place: Place, points: Tensor) -> NDArray[np.float32]:
        """Points (N, 3) of the frame local to the tracks, in the local frame of a place."""
        shift = self.views.origin - np.asarray(place.header.origin)
        return np.asarray(points.cpu().numpy().astype(np.float64) + shift, np.float32)

    def sharpened(self, kept: Tensor, report: Reporter) -> Sharpened:
        """Some of the tracks (L,) made exact."""
        kept = kept.to(self.tracks.points.device)
        seen = Seen.of(self.tracks, kept, self.views)
        return sharpened(self.tracks.points[kept], seen, self.views, self.taught, partial(report, "sharpening"))


def triangulated(views: Sequence[View], encoder: Encoder, options: MapOptions, report: Reporter) -> Evidence:
    """What views of a place see from several sides."""
    torch.manual_seed(options.seed)
    views = [views[i] for i in spread_poses(np.stack([view.map_from_camera for view in views]), options.views)]
    held_back, taught = hold_back(views)
    packed = PackedViews(taught, options.keypoints, encoder.device, encoder.profile.likeness)
    return Evidence(taught, packed, tracked(packed, options, encoder.profile, report)[0], held_back)


def updated(
    place: Place,
    evidence: Evidence,
    encoder: Encoder,
    options: MapOptions,
    recorded: Recorded,
    report: Reporter,
    gone: NDArray[np.bool_] | None = None,
) -> tuple[Place, int]:
    """The place without the landmarks that are ``gone`` (L,), with new ones, calibrated anew; and how many are new.

    Its head stays: landmarks decide, and a head that misses what is new is outweighed by its calibration.
    """
    if gone is not None and gone.any():
        place = place.with_landmarks(~gone)
    place, added = _joined(place, evidence, encoder, options, report)
    header = _header(place.header, evidence, recorded)
    place = replace(place, header=header)
    if not evidence.held_back:
        return place, added
    return calibrate(
        place, evidence.held_back, encoder.device, lambda done, total: report("calibrating", done, total)
    ), added


def _joined(
    place: Place, evidence: Evidence, encoder: Encoder, options: MapOptions, report: Reporter
) -> tuple[Place, int]:
    """Old and new landmarks, each kind in its order, as often seen ones by turns."""
    kept = select(evidence.tracks, evidence.views, options.landmarks).cpu()
    kept = kept[~torch.from_numpy(_doubled(place, evidence, encoder)[kept.numpy()])]
    exact = evidence.sharpened(kept, report)
    points = evidence.local_to(place, exact.points)
    codes = quantize(evidence.tracks.descriptors.cpu()[kept], encoder.profile.code_range)
    # How often the old ones were seen the map does not know, but in which order.
    rank = np.concatenate([np.arange(len(some)) / max(1, len(some)) for some in (place.points, points)])
    order = np.argsort(rank, kind="stable")[: max(options.landmarks, len(place.points))]
    added = int((order >= len(place.points)).sum())
    joined = replace(
        place,
        points=np.concatenate([place.points, points]),
        codes=np.concatenate([place.codes, codes]),
        patches=place.patches.followed_by(exact.patches),
    )
    return joined.with_landmarks(order), added


def _doubled(place: Place, evidence: Evidence, encoder: Encoder) -> NDArray[np.bool_]:
    """Which of the tracks the place has as landmarks already: near them, as the views see it, and alike."""
    views, tracks, points = evidence.views, evidence.tracks, evidence.points(place)
    doubled = np.zeros(len(points), bool)
    if not len(points) or not len(place.points):
        return doubled
    first = torch.zeros(len(points), dtype=torch.long, device=views.device)
    first[tracks.track] = tracks.view
    distance = (tracks.points - views.centres[first]).norm(dim=1)
    radius = (MERGE_RADIUS * distance / views.focals[first]).cpu().numpy()
    looks = tracks.descriptors.cpu().numpy()
    codes = place.codes.astype(np.float32)
    codes /= np.maximum(np.linalg.norm(codes, axis=1, keepdims=True), 1e-9)
    for k, near in enumerate(cKDTree(place.points).query_ball_point(points, radius, return_sorted=False)):
        doubled[k] = bool(len(near)) and bool((codes[near] @ looks[k] > encoder.profile.likeness.merge).any())
    return doubled


def _header(header: MapHeader, evidence: Evidence, recorded: Recorded) -> MapHeader:
    centres = evidence.views.centres.cpu().numpy().astype(np.float64) + evidence.views.origin
    low, high = header.extent
    source = recorded.source(evidence.views.count, len(evidence.held_back))
    return replace(
        with_source(header, source),
        extent=(
            tuple(np.minimum(low, centres.min(0)).tolist()),
            tuple(np.maximum(high, centres.max(0)).tolist()),
        ),
        created=recorded.when,
        frames=header.frames + evidence.views.count,
    )

"""Landmarks from posed views: stars of matches, merged, re-observed in every view, refined.

No bundle adjustment: the poses are given. Everything is in the local frame of the views.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor

from ace_ros.features.pairing import mutual_best, pairs_within
from ace_ros.mapping import matching
from ace_ros.mapping.views import PackedViews, spread

_PARTNERS = 10  # views that a view is matched with; set by hand
# Enough for a room and for a hall: from 240 views (of 244) queries were as exact, and by the map's denser likeness to
# itself some 6 of 150 fewer were believed. On a street 120 views gave 8,000 landmarks a place: 42 of 60 queries were
# localized, and 48 to 54 with 240.
_FEW_VIEWS = 120
MIN_VIEWS = 3  # two views agree by accident along an epipolar line
MERGE_RADIUS = 6.0  # pixels: nearer landmarks of like descriptors are one; below a cell of the encoder
_OBSERVE_RADIUS = 3.0  # pixels, as MAX_EPIPOLAR


@dataclass(frozen=True)
class Tracks:
    """Triangulated points and the keypoints that see them.

    Attributes:
        points: (L, 3) float32, local frame. descriptors: (L, D) float32, unit length.
        view, keypoint, track: (M,) int64, one row an observation.
    """

    points: Tensor
    descriptors: Tensor
    view: Tensor
    keypoint: Tensor
    track: Tensor

    def __len__(self) -> int:
        return len(self.points)

    @staticmethod
    def none(views: PackedViews) -> Tracks:
        """Where nothing can be triangulated."""
        nobody = torch.empty(0, dtype=torch.long, device=views.device)
        points = torch.empty(0, 3, device=views.device)
        return Tracks(points, torch.empty(0, views.descriptors.shape[2], device=views.device), nobody, nobody, nobody)

    @property
    def lengths(self) -> Tensor:
        """(L,) number of observations."""
        return torch.bincount(self.track, minlength=len(self.points))


def triangulate(
    views: PackedViews,
    max_views: int,
    depth: float,
    enough: int,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Tracks:
    """Triangulate what at most ``max_views`` well spread views see, and look for it in all views.

    Args:
        depth: median depth of the scene (:func:`ace_ros.mapping.matching.scene_depth`), units of the map.
        enough: landmarks; where a few views give so many, they do.
        report: called with (views done, views in all); may raise to stop.
    """
    few, most = spread(views, min(_FEW_VIEWS, max_views)), spread(views, max_views)
    first, second = 2 * len(few), 2 * len(most) if len(most) > len(few) else 0
    total = first + second + views.count
    tracks = _seen_from(views, few, depth, lambda done: report(done, total))
    if second and len(tracks) < enough:
        tracks = _seen_from(views, most, depth, lambda done: report(first + done, total))
    return _observe(views, tracks, np.arange(views.count), lambda done: report(first + second + done, total))


def _seen_from(views: PackedViews, chosen: NDArray[np.int64], depth: float, report: Callable[[int], None]) -> Tracks:
    """What the chosen views see together."""
    points, descriptors = _merge(views, *_stars(views, chosen, depth, report))
    nobody = torch.empty(0, dtype=torch.long)
    tracks = Tracks(points, descriptors, nobody, nobody, nobody)
    return _observe(views, tracks, chosen, lambda done: report(len(chosen) + done))


def _stars(
    views: PackedViews, chosen: NDArray[np.int64], depth: float, report: Callable[[int], None]
) -> tuple[Tensor, Tensor, Tensor]:
    """Points (S, 3), their inlier counts (S,), and observations (S, 1 + K) as flat keypoint indices, -1 for none."""
    candidates = torch.from_numpy(chosen).to(views.device)
    points, counts = [torch.empty(0, 3)], [torch.empty(0)]
    # Whole numbers from the start: in float32 those beyond 2^24 would be rounded.
    observations = [torch.empty(0, 1 + _PARTNERS, dtype=torch.long)]
    for done, i in enumerate(chosen.tolist()):
        report(done)
        others = matching.overlapping_views(views, i, candidates, depth, _PARTNERS)
        if len(others) < MIN_VIEWS - 1:
            continue
        matches = matching.match(views, i, others)
        found, inliers = matching.triangulate_star(views, i, others, matches)
        count = inliers.sum(0)
        good = torch.nonzero(count >= MIN_VIEWS - 1)[:, 0]
        seen = torch.where(inliers, others[:, None] * views.keypoints + matches, -1)[:, good].T
        seen = F.pad(seen, (0, _PARTNERS - seen.shape[1]), value=-1)
        points.append(found[good].cpu())
        counts.append(count[good].float().cpu())
        observations.append(torch.cat([(i * views.keypoints + good)[:, None], seen], 1).cpu())
    return torch.cat(points), torch.cat(counts), torch.cat(observations)


def _merge(views: PackedViews, points: Tensor, counts: Tensor, observations: Tensor) -> tuple[Tensor, Tensor]:
    """One landmark for all the stars of a point: the best seen star speaks for its observations and neighbours."""
    order = torch.argsort(counts, descending=True, stable=True)
    claimed = np.zeros(views.count * views.keypoints + 1, dtype=bool)
    rows = observations.numpy()
    accepted = []
    for k in order.tolist():
        if not claimed[rows[k, 0]]:
            accepted.append(k)
            claimed[rows[k]] = True  # -1 is the spare last entry
    points, observations = points[accepted].to(views.device), observations[accepted].to(views.device)
    track, column = torch.nonzero(observations >= 0, as_tuple=True)
    flat = observations[track, column]
    view, keypoint = flat // views.keypoints, flat % views.keypoints
    points, _ = refine_points(views, points, view, views.rays[view, keypoint], track, steps=3)
    descriptors = mean_descriptors(views, len(points), view, keypoint, track)
    first = observations[:, 0] // views.keypoints
    distance = (points - views.centres[first]).norm(dim=1)
    keep = _suppress(points, MERGE_RADIUS * distance / views.focals[first], descriptors, views.likeness.merge)
    return points[keep], descriptors[keep]


def _suppress(points: Tensor, radius: Tensor, descriptors: Tensor, least_cosine: float) -> Tensor:
    """Indices, in order of rank, of points (best first) that no better one within its radius resembles."""
    finite = torch.nonzero(points.isfinite().all(1))[:, 0]
    xyz, reach, looks = (t[finite].cpu().numpy() for t in (points, radius, descriptors))
    dead = np.zeros(len(xyz), dtype=bool)
    for k, near in enumerate(cKDTree(xyz).query_ball_point(xyz, reach, return_sorted=False) if len(xyz) else []):
        if dead[k] or len(near) < 2:
            continue
        worse = np.array(near)
        worse = worse[(worse > k) & ~dead[worse]]
        dead[worse[looks[worse] @ looks[k] > least_cosine]] = True
    return finite[torch.from_numpy(~dead).to(finite.device)]


def _observe(views: PackedViews, tracks: Tracks, chosen: NDArray[np.int64], report: Callable[[int], None]) -> Tracks:
    """Look for every landmark in every chosen view, refine, and drop what fewer than three views see."""
    points, descriptors = tracks.points.cpu().numpy(), tracks.descriptors.cpu().numpy()
    found = []
    for done, i in enumerate(chosen.tolist()):
        report(done)
        landmark, keypoint = _visible(views, i, points, descriptors)
        found.append(np.stack([np.full_like(landmark, i), keypoint, landmark]))
    view, keypoint, track = torch.from_numpy(np.concatenate(found, 1)).to(views.device)
    xyz, error = refine_points(views, tracks.points, view, views.rays[view, keypoint], track, steps=3)
    inlier = error < matching.MAX_ERROR
    view, keypoint, track = view[inlier], keypoint[inlier], track[inlier]
    enough = torch.bincount(track, minlength=len(xyz)) >= MIN_VIEWS
    kept = enough[track]
    view, keypoint, track = view[kept], keypoint[kept], (torch.cumsum(enough, 0) - 1)[track[kept]]
    xyz, _ = refine_points(views, xyz[enough], view, views.rays[view, keypoint], track, steps=2)
    looks = mean_descriptors(views, len(xyz), view, keypoint, track)
    return Tracks(xyz, looks, view, keypoint, track)


def _visible(
    views: PackedViews, i: int, points: NDArray[np.float32], descriptors: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Landmarks and the keypoints of view ``i`` that show them."""
    valid, focal = int(views.valid[i].sum()), float(views.focals[i])
    offsets = points - views.centres[i].cpu().numpy()
    expected = offsets / np.maximum(np.linalg.norm(offsets, axis=1, keepdims=True), 1e-12)
    shown = views.show(torch.tensor([i]), torch.from_numpy(expected).to(views.device)[None])[0]
    inside = np.nonzero(shown.cpu().numpy())[0]
    looks = views.descriptors[i, :valid].cpu().numpy()
    pairs = pairs_within(expected[inside] * focal, views.rays[i, :valid].cpu().numpy() * focal, _OBSERVE_RADIUS)
    landmark, keypoint = inside[pairs[0]], pairs[1]
    cosine = np.einsum("nd,nd->n", descriptors[landmark], looks[keypoint])
    best = mutual_best(landmark, keypoint, np.where(cosine > views.likeness.observe, cosine, -1.0))
    return landmark[best], keypoint[best]


def refine_points(
    views: PackedViews, points: Tensor, view: Tensor, rays: Tensor, track: Tensor, steps: int
) -> tuple[Tensor, Tensor]:
    """Gauss-Newton on the reprojection error with Geman-McClure weights, every point by itself.

    Args:
        points: (L, 3). view: (M,) of every observation; rays: (M, 3) unit, in the axes of the map, along which it saw
            the point ``track``.

    Returns:
        points (L, 3) and the reprojection error (M,) of every observation, pixels.
    """
    centre, focal = views.centres[view], views.focals[view]
    identity = torch.eye(3, device=views.device)
    for _ in range(steps):
        offset = points[track] - centre
        distance = offset.norm(dim=1).clamp_min(1e-6)
        direction = offset / distance[:, None]
        residual = direction - rays
        weight = (1 + (residual.norm(dim=1) * focal / matching.MAX_ERROR) ** 2) ** -2 * (focal / distance) ** 2
        # The direction moves by what of a step is across it, over the distance.
        across = identity - direction[:, :, None] * direction[:, None]
        hessian = torch.zeros(len(points), 3, 3, device=views.device).index_add_(
            0, track, weight[:, None, None] * across
        )
        pull = ((direction * rays).sum(1, keepdim=True) * direction - rays) * (weight * distance)[:, None]
        gradient = torch.zeros(len(points), 3, device=views.device).index_add_(0, track, pull)
        damping = 1e-6 * hessian.diagonal(dim1=1, dim2=2).sum(1) + 1e-12
        step = torch.linalg.solve(hessian.double() + damping[:, None, None] * identity, gradient.double())
        points = points - step.float()
    error = (F.normalize(points[track] - centre, dim=1) - rays).norm(dim=1) * focal
    return points, torch.where(error.isfinite(), error, 1e6)


def mean_descriptors(views: PackedViews, count: int, view: Tensor, keypoint: Tensor, track: Tensor) -> Tensor:
    seen = views.descriptors[view, keypoint]
    return F.normalize(torch.zeros(count, seen.shape[1], device=views.device).index_add_(0, track, seen), dim=1)

"""Keypoints of mapping views matched under their known poses, and triangulated from one view's standpoint."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ace_ros.mapping.views import PackedViews

# Set by hand with the generated room, where truth is exact, and redkitchen.
MAX_EPIPOLAR = 3.0  # pixels: poses and keypoints are about one off each
MAX_ERROR = 2.0  # reprojection error of an inlier, pixels
MIN_ANGLE = 1.5  # between two rays that fix a depth, degrees
_ALIKE = 40.0  # degrees between the directions of views that see the same
_LEAST_OVERLAP = 0.2  # of the points by which it is judged
_BEST_ANGLE, _WIDE = 8.0, 15.0  # degrees: wider, descriptors look less alike, and how fast
_HALF_ANGLE = 2.0  # degrees at which the depth is worth half
_ZOOM = 0.6  # logarithm of the ratio of distances that descriptors bear
_LEAST_SCORE = 1e-4  # of a partner
_STARS, _NEIGHBOURS = 30, 6  # how many views tell the scene's depth, each with so many neighbours
_LEAST_POINTS = 10  # that such a view must give
_DEPTH_ROUNDS, _SAME_DEPTH = 3, 1.05  # it is looked farther, until the depth grows by less


def match(views: PackedViews, i: int, others: Tensor) -> Tensor:
    """Mutual best matches of view ``i`` in ``others`` (K,) that agree with the epipolar geometry.

    Returns:
        (K, N) index of the keypoint in each other view, -1 for none.
    """
    # Of the planes through both cameras and each ray: what lies in it stands upright to this.
    planes = torch.linalg.cross((views.centres[i] - views.centres[others])[:, None], views.rays[i][None])
    planes = planes / planes.norm(dim=-1, keepdim=True).clamp_min(1e-9) * views.focals[others, None, None]
    numbers = torch.arange(views.keypoints, device=views.device)
    matches = []
    # Pair by pair: a million similarities fit a processor's cache, ten million don't.
    for k, other in enumerate(others.tolist()):
        similarity = views.descriptors[i] @ views.descriptors[other].T
        distance = (planes[k] @ views.rays[other].T).abs_()
        similarity.masked_fill_(distance > MAX_EPIPOLAR, 0.0)
        cosine, best = similarity.max(1)
        mutual = similarity.argmax(0)[best] == numbers
        matches.append(torch.where(mutual & (cosine > views.likeness.match) & views.valid[i], best, -1))
    return torch.stack(matches)


def triangulate_star(views: PackedViews, i: int, others: Tensor, matches: Tensor) -> tuple[Tensor, Tensor]:
    """Fix the depth of each keypoint of view ``i`` by its matches: every match proposes, all matches judge.

    Args:
        others: (K,) the other views. matches: (K, N) from :func:`match`.

    Returns:
        points (N, 3) in the local frame, and the inlier matches (K, N) bool of the best proposal;
        a keypoint without a proposal has none.
    """
    rays = views.rays[i]
    matched = matches >= 0
    directions = torch.gather(views.rays[others], 1, matches.clamp_min(0)[..., None].expand(-1, -1, 3))
    baseline = (views.centres[others] - views.centres[i])[:, None]
    cosine = (rays * directions).sum(-1)
    # Where ray i passes nearest to ray j.
    depth = ((baseline * rays).sum(-1) - (baseline * directions).sum(-1) * cosine) / (1 - cosine**2).clamp_min(1e-8)
    proposes = matched & (depth > 0) & (cosine < np.cos(np.radians(MIN_ANGLE)))
    points = views.centres[i] + depth[..., None] * rays
    expected = F.normalize(points[:, :, None] - views.centres[others], dim=-1)
    error = (expected - directions.transpose(0, 1)).norm(dim=-1)
    inlier = (error * views.focals[others] < MAX_ERROR) & matched.T
    best = (inlier.sum(-1) * proposes).argmax(0)
    column = torch.arange(views.keypoints, device=views.device)
    return points[best, column], (inlier[best, column] & proposes[best, column, None]).T


def neighbouring_views(views: PackedViews, i: int, among: Tensor, count: int) -> Tensor:
    """``count`` views that look the same way within 40 degrees and stand elsewhere: the nearest, the second, the
    fourth, the eighth and so on, so that some stand aside far enough, however near each other views are."""
    distance = (views.centres[among] - views.centres[i]).norm(dim=1)
    alike = views.rotations[among, :, 2] @ views.rotations[i, :, 2] > np.cos(np.radians(_ALIKE))
    fit = alike & (distance > 1e-6)
    near = among[fit][distance[fit].argsort()]
    ranks = torch.tensor([2**k - 1 for k in range(count)], device=near.device)
    return near[ranks[ranks < len(near)]]


def overlapping_views(views: PackedViews, i: int, among: Tensor, depth: float, count: int) -> Tensor:
    """The ``count`` best partners for triangulation, judged by points at ``depth`` all over view ``i``.

    They see much of it, from about 8 degrees aside, at about the same scale.
    """
    here = views.probes[i] @ views.rotations[i].T
    offsets = views.centres[i] + depth * here - views.centres[among][:, None]
    there = F.normalize(offsets, dim=-1)
    overlap = views.show(among, there).float().mean(1)
    angle = torch.rad2deg(torch.acos((here * there).sum(-1).clamp(-1, 1))).median(1).values
    zoom = (offsets.norm(dim=-1).median(1).values / depth).clamp_min(1e-3).log()
    far = ((angle - _BEST_ANGLE).clamp_min(0) / _WIDE) ** 2 + (zoom / _ZOOM) ** 2
    score = overlap * angle / (angle + _HALF_ANGLE) * torch.exp(-far)
    score[(overlap < _LEAST_OVERLAP) | (among == i)] = 0
    best = score.topk(min(count, len(among)))
    return among[best.indices[best.values > _LEAST_SCORE]]


def scene_depth(views: PackedViews, among: NDArray[np.int64]) -> float | None:
    """Median distance of what the views see; None if nothing holds.

    A few stars with their nearest neighbours tell a first one, of what is near where neighbours are. Stars with
    partners that are good for what is so far tell of what is farther, until it is no more.
    """
    candidates = torch.from_numpy(among).to(views.device)
    stars = among[:: max(1, len(among) // _STARS)].tolist()
    depth = _depth_of(views, stars, [neighbouring_views(views, i, candidates, _NEIGHBOURS) for i in stars])
    for _ in range(_DEPTH_ROUNDS):
        if depth is None:
            break
        partners = [overlapping_views(views, i, candidates, depth, _NEIGHBOURS) for i in stars]
        farther = _depth_of(views, stars, partners)
        if farther is None or farther < _SAME_DEPTH * depth:
            break
        depth = farther
    return depth


def _depth_of(views: PackedViews, stars: list[int], partners: list[Tensor]) -> float | None:
    """Median distance of what some views see together with the partners of each."""
    depths = []
    for i, others in zip(stars, partners, strict=True):
        if len(others) < 2:
            continue
        points, inliers = triangulate_star(views, i, others, match(views, i, others))
        good = inliers.sum(0) >= 2
        if good.sum() > _LEAST_POINTS:
            depths.append(float((points[good] - views.centres[i]).norm(dim=1).median()))
    return float(np.median(depths)) if depths else None

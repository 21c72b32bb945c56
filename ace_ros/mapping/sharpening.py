"""Landmarks made exact: a patch is cut where a view sees one best, laid onto others that see it, and intersected anew.

Keypoints of one landmark lie a pixel apart from view to view; patches of it, a tenth or two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ace_ros.features.picture import Picture
from ace_ros.geometry import Matrix
from ace_ros.map.patches import AXIS, Patches, grids, laid, strides_of, telling, within
from ace_ros.mapping.matching import MAX_ERROR
from ace_ros.mapping.triangulation import MIN_VIEWS, Tracks, refine_points
from ace_ros.mapping.views import PackedViews, View

_PATCHED = 5000  # patches at most, of the landmarks seen most often: a query has room for 400
_LAID = 16  # views onto which a patch is laid, at most; set by hand
_FITS, _NEAR = 0.8, 3.0  # likeness at least and shift at most, pixels, of a patch that is found; set by hand


@dataclass(frozen=True)
class Seen:
    """Along which rays views see landmarks: one row an observation.

    Attributes:
        landmark, view: (M,) int64. rays: (M, 3) float32 unit, in the axes of the map.
    """

    landmark: Tensor
    view: Tensor
    rays: Tensor

    @staticmethod
    def of(tracks: Tracks, kept: Tensor, packed: PackedViews) -> Seen:
        """What keypoints say of the tracks ``kept`` (L,), in this order."""
        number = torch.full((len(tracks),), -1, dtype=torch.long, device=tracks.track.device)
        number[kept] = torch.arange(len(kept), device=number.device)
        landmark = number[tracks.track]
        mine = landmark >= 0
        view = tracks.view[mine]
        return Seen(landmark[mine], view, packed.rays[view, tracks.keypoint[mine]])

    def at(self, which: Tensor) -> Seen:
        """Some of the rows."""
        return Seen(self.landmark[which], self.view[which], self.rays[which])

    def followed_by(self, other: Seen) -> Seen:
        """These rows and others."""
        pairs = ((self.landmark, other.landmark), (self.view, other.view), (self.rays, other.rays))
        landmark, view, rays = (torch.cat(pair) for pair in pairs)
        return Seen(landmark, view, rays)


@dataclass(frozen=True)
class Sharpened:
    """Landmarks after that.

    Attributes:
        points: (L, 3) float32. patches: theirs; none of a landmark that fewer than three views see alike.
        seen: by what each was intersected. reference: (L,) view that its patch was cut from.
    """

    points: Tensor
    patches: Patches
    seen: Seen
    reference: Tensor


def sharpened(
    points: Tensor, seen: Seen, packed: PackedViews, views: Sequence[View], report: Callable[[int, int], None]
) -> Sharpened:
    """Landmarks (L, 3) made exact, where the views have pictures.

    Args:
        seen: by which they were triangulated. views: those that were packed.
        report: called with (views done, views in all); may raise to stop.
    """
    order, rank, count = _best_first(points, seen, packed)
    reference = torch.full((len(points),), -1, dtype=torch.long, device=points.device)
    best = seen.at(order[rank == 0])
    reference[best.landmark] = best.view
    spread = (rank * _LAID // count) != ((rank - 1) * _LAID // count)  # of all if they are fewer
    some, total = seen.at(order[spread]), 2 * len(views)
    patches = _cut(points, reference, packed, views, lambda done: report(done, total))
    found = _found(patches, points, some, packed, views, lambda done: report(len(views) + done, total))
    exact, error = refine_points(packed, points, found.view, found.rays, found.landmark, steps=5)
    found = found.at(error < MAX_ERROR)
    held = torch.bincount(found.landmark, minlength=len(points)) >= MIN_VIEWS
    there = held.cpu().numpy()
    return Sharpened(
        torch.where(held[:, None], exact, points),
        replace(patches, spacing=np.where(there, patches.spacing, 0)),
        found.at(held[found.landmark]).followed_by(seen.at(~held[seen.landmark])),
        reference,
    )


def _best_first(points: Tensor, seen: Seen, packed: PackedViews) -> tuple[Tensor, Tensor, Tensor]:
    """Rows by landmark, and of each by how near a view is to the middle of all that see it: by side and distance.

    Returns:
        the order (M,), the rank (M,) of each among those of its landmark, and how many these are (M,).
    """
    offset = packed.centres[seen.view] - points[seen.landmark]
    distance = offset.norm(dim=1).clamp_min(1e-9)
    side, size = offset / distance[:, None], distance.log()
    rows = torch.bincount(seen.landmark, minlength=len(points))
    middle = torch.zeros_like(points).index_add_(0, seen.landmark, side)
    usual = torch.zeros(len(points), device=points.device).index_add_(0, seen.landmark, size) / rows.clamp_min(1)
    middle = torch.nn.functional.normalize(middle, dim=1)[seen.landmark]
    worse = (side * middle).sum(1).clamp(-1, 1).acos() + (size - usual[seen.landmark]).abs()
    order = torch.from_numpy(np.lexsort((worse.cpu().numpy(), seen.landmark.cpu().numpy()))).to(points.device)
    start = torch.cumsum(rows, 0) - rows
    landmark = seen.landmark[order]
    return order, torch.arange(len(order), device=points.device) - start[landmark], rows[landmark]


def _cut(
    points: Tensor, reference: Tensor, packed: PackedViews, views: Sequence[View], report: Callable[[int], None]
) -> Patches:
    """The patches of landmarks as the view ``reference`` (L,) of each has them: corners, the first so many."""
    xyz, none = points.cpu().numpy(), Patches.none(len(points))
    pixels, axes, spacing = none.pixels, none.axes, none.spacing
    for which, picture, pose in _by_view(reference, packed, views, report):
        local = (xyz[which] - pose[:3, 3]) @ pose[:3, :3]
        distance = np.linalg.norm(local, axis=1, keepdims=True)
        ahead = local / distance
        right = np.array([1.0, 0.0, 0.0]) - ahead[:, :1] * ahead
        right /= np.maximum(np.linalg.norm(right, axis=1, keepdims=True), 1e-9)
        axes[which] = np.round(AXIS * np.stack([right, np.cross(ahead, right)], 1) @ pose[:3, :3].T)
        apart = distance[:, 0] / picture.camera.focals(ahead)
        middle, grid = grids(xyz[which], strides_of(axes[which], apart), picture.camera, pose)
        values = picture.at(grid)
        pixels[which] = np.round(values[..., 0])
        spacing[which] = np.where(telling(values) & within(middle, picture), apart, 0)
    spacing[np.nonzero(spacing)[0][_PATCHED:]] = 0
    return Patches(pixels, axes, spacing)


def _found(
    patches: Patches,
    points: Tensor,
    some: Seen,
    packed: PackedViews,
    views: Sequence[View],
    report: Callable[[int], None],
) -> Seen:
    """Where the views see the patches, as far as they do."""
    xyz, landmark = points.cpu().numpy(), some.landmark.cpu().numpy()
    rows, rays = [np.empty(0, np.int64)], [np.empty((0, 3))]
    wanted = torch.where(torch.from_numpy(patches.known).to(some.view.device)[some.landmark], some.view, -1)
    for which, picture, pose in _by_view(wanted, packed, views, report):
        there = laid(patches, xyz, landmark[which], picture, pose)
        fits = (there.likeness > _FITS) & (there.shift < _NEAR)
        rows.append(which[fits])
        rays.append(picture.camera.rays(there.pixels[fits]) @ pose[:3, :3].T)
    found = some.at(torch.from_numpy(np.concatenate(rows)).to(some.view.device))
    return replace(found, rays=torch.from_numpy(np.concatenate(rays)).float().to(some.view.device))


def _by_view(
    view: Tensor, packed: PackedViews, views: Sequence[View], report: Callable[[int], None]
) -> Iterator[tuple[NDArray[np.int64], Picture, Matrix]]:
    """Of each view with a picture, the indices of what is of it in ``view`` (M,), that, and its pose, local frame."""
    of = view.cpu().numpy()
    order = np.argsort(of, kind="stable")
    for number in np.unique(of[of >= 0]).tolist():
        report(number)
        picture = views[number].picture
        if picture is not None:
            pose = np.eye(4)
            pose[:3, :3] = packed.rotations[number].cpu().numpy()
            pose[:3, 3] = packed.centres[number].cpu().numpy()
            yield order[slice(*np.searchsorted(of[order], [number, number + 1]))], picture, pose

"""The training buffer: every sample of every view, shuffled, 148 bytes each (64 dimensions)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ace_ros.mapping.loss import Batch
from ace_ros.mapping.views import PackedViews

_TRIANGULATED = 4.0  # so many times likelier to be drawn; set by hand


class TrainingBuffer:
    """Samples with a feature (half precision), a ray, a view and perhaps a triangulated point.

    A sample names its view: centre and focal length are held once a view, the point once a landmark.
    All tensors live on one device and so does the sampling: a training step never waits for the host.

    Args:
        views: the mapping views. scale: units of the map that make 1 in the unit frame.
        per_view: samples drawn from each view, weighted by keypoint score, without repetition; those that were
            triangulated, which are found again in other views, count several times.
        points: (L, 3) triangulated points in the local frame; observed by ``keypoint`` (M,) of ``view`` (M,)
            as ``track`` (M,).
    """

    def __init__(
        self,
        views: PackedViews,
        scale: float,
        per_view: int,
        points: Tensor,
        view: Tensor,
        keypoint: Tensor,
        track: Tensor,
        generator: torch.Generator,
    ) -> None:
        device = views.device
        owner = torch.full((views.count, views.keypoints), len(points), dtype=torch.int32, device=device)
        owner[view, keypoint] = track.to(torch.int32)
        # Gumbel's trick draws without repetition from all views at once.
        noise = torch.rand(views.scores.shape, generator=generator, device=device).clamp_min(1e-9)
        weight = torch.where(owner < len(points), _TRIANGULATED, 1.0)
        key = (weight * views.scores.clamp_min(1e-9)).log() - (-noise.log()).log()
        key = torch.where(views.valid, key, -torch.inf)
        drawn = key.topk(min(per_view, views.keypoints), dim=1)
        row, column = torch.nonzero(torch.isfinite(drawn.values), as_tuple=True)
        index = drawn.indices[row, column]
        self.features = views.descriptors[row, index].half()
        self._rays = views.rays[row, index]
        self._views = row.to(torch.int32)
        self._owners = owner[row, index]
        self._points = torch.cat([points.to(device) / scale, torch.full((1, 3), torch.nan, device=device)])
        self._centres = views.centres / scale
        self._focals = views.focals

    def __len__(self) -> int:
        return len(self.features)

    @property
    def bytes_per_sample(self) -> int:
        """Bytes that one more sample costs."""
        tensors = (self.features, self._rays, self._views, self._owners)
        return sum(t[0].numel() * t.element_size() for t in tensors)

    def batch(self, index: Tensor) -> tuple[Tensor, Batch]:
        """Features (B, D) and everything that the loss needs, for sample indices (B,)."""
        view = self._views[index]
        return self.features[index], Batch(
            self._rays[index],
            self._centres[view],
            self._focals[view],
            self._points[self._owners[index]],
        )

    def shuffled(self, size: int, generator: torch.Generator) -> Iterator[Tensor]:
        """Endless batches of indices; in an epoch no sample comes twice, and the rest that fills no batch waits."""
        size = min(size, len(self))
        while True:
            order = torch.randperm(len(self), generator=generator, device=self.features.device)
            yield from order[: len(order) - len(order) % size].view(-1, size)

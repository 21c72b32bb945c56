"""The reprojection loss and its curriculum (ACE, section 3.3), in pixels of the encoded image.

Coordinates are in the unit frame: units of the scene's median depth, so nothing depends on metres.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

_NEAREST = 0.02  # of the median depth: what is nearer counts as behind the camera; ACE has 0.1 m
_FARTHEST_ERROR = 1000.0  # pixels, as ACE
_SLOPE = 0.02  # of the loss where tanh is flat: keeps far-off predictions moving; set by hand
_PULL = 50.0  # pixels a unit: strength that brings invalid points back to their rays; set by hand


@dataclass(frozen=True)
class Batch:
    """Samples of a training step, B of them.

    Attributes:
        rays: (B, 3) unit, of the keypoints, in the axes of the map. centres: (B, 3) of the cameras.
        focals: (B,) pixels. targets: (B, 3) triangulated points, NaN where there is none.
    """

    rays: Tensor
    centres: Tensor
    focals: Tensor
    targets: Tensor


def softclamp_threshold(progress: float, start: float = 50.0, end: float = 1.0) -> float:
    """Width of the tanh at a training progress in [0, 1]: a quarter circle from ``start`` to ``end`` pixels."""
    return end + (start - end) * math.sqrt(max(0.0, 1.0 - progress**2))


def coordinate_loss(points: Tensor, batch: Batch, threshold: Tensor, supervision: Tensor) -> tuple[Tensor, Tensor]:
    """Mean loss of predicted scene coordinates, and the reprojection error (B,) of each, pixels.

    A valid prediction pays ``w tanh(e / w)`` for its reprojection error e, on a plane across the ray; an invalid one
    (behind, too near, off by more than 1000 px) is pulled to its ray at median depth. Where a triangulated point is
    known, its distance, seen from the camera in pixels, is paid likewise, times ``supervision``.

    Args:
        points: (B, 3) predictions. threshold: w, scalar tensor. supervision: weight, scalar tensor.
    """
    offset = points - batch.centres
    depth = (offset * batch.rays).sum(1)
    aside = (offset - depth[:, None] * batch.rays).norm(dim=1)
    error = aside / depth.clamp_min(_NEAREST) * batch.focals
    valid = (depth > _NEAREST) & (error < _FARTHEST_ERROR)
    pull = _PULL * (offset - batch.rays).norm(dim=1).clamp_max(1000.0)
    loss = torch.where(valid, _softclamp(error, threshold), pull)
    known = ~batch.targets[:, 0].isnan()
    target = torch.where(known[:, None], batch.targets, points.detach())
    target_distance = (target - batch.centres).norm(dim=1).clamp_min(_NEAREST)
    distance = (points - target).norm(dim=1) / target_distance * batch.focals
    loss = loss + torch.where(known, supervision * _softclamp(distance, threshold), 0.0)
    return loss.mean(), error.detach()


def _softclamp(error: Tensor, threshold: Tensor) -> Tensor:
    return threshold * torch.tanh(error / threshold) + _SLOPE * error.clamp_max(_FARTHEST_ERROR)

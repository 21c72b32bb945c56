"""The layout of the heads that ACE (Brachmann et al., CVPR 2023) publishes, as a head of ours."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ace_ros.features.ace_files import DIMENSIONS
from ace_ros.map.fields import refusal
from ace_ros.map.head import Head, HeadShape

_LARGEST = 1000.0  # scale that a head of ours may give its output, units of median depth
_SMALLEST = 0.01
OUTPUT_BOUNDS = {  # by their published names: the output is scaled by at least min_scale and at most max_scale
    "max_scale": _LARGEST,
    "min_scale": _SMALLEST,
    "max_inv_scale": 1 / _LARGEST,
    "h_beta": math.log(2) / (1 - 1 / _LARGEST),  # of the softplus; divides by one at zero
    "min_inv_scale": 1 / _SMALLEST,
}


class AceHead(Head):
    """The published layout: raw 512-d features straight into residual blocks, a divisor with two bounds.

    The bounds are buffers, (1,) each.
    """

    POSITIVE = tuple(OUTPUT_BOUNDS)

    h_beta: Tensor
    max_inv_scale: Tensor
    min_inv_scale: Tensor

    def __init__(self, shape: HeadShape) -> None:
        for name in ("dimensions", "width"):
            if getattr(shape, name) != DIMENSIONS:
                raise refusal(f"head.{name}", f"{DIMENSIONS} in the layout ace", getattr(shape, name))
        super().__init__(shape)
        self.first = nn.Identity()
        for name, value in OUTPUT_BOUNDS.items():
            self.register_buffer(name, torch.tensor([value]).half().float())

    def _enter(self, descriptors: Tensor) -> Tensor:
        return descriptors

    def _weight(self, w: Tensor) -> Tensor:
        # F.softplus takes beta as a number, which would have to be fetched from the device.
        return (F.softplus(w * self.h_beta) / self.h_beta + self.max_inv_scale).minimum(self.min_inv_scale)

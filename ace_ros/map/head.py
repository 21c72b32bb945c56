"""The scene-coordinate head: an MLP from a descriptor to a 3D point (ACE, section 3.1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ace_ros.device import fast_dtype
from ace_ros.map.fields import Checked, one_of, reads, whole

_WIDEST = 8192  # set by hand: beyond, a map would be larger than any that is known
_NEAREST_ONE = 0.5413  # softplus of it is 1: an untrained head answers at unit distance
_LEAST_WEIGHT = 1e-3  # points up to 1000 units of depth


@dataclass(frozen=True)
class HeadShape(Checked):
    """Size and kind of a head.

    Attributes:
        dimensions: of its input. width: of its layers. blocks: residual blocks of three layers.
        layout: ``ours``, or ``ace`` for that of the heads that ACE publishes (:class:`ace_ros.map.ace_head.AceHead`).

    Raises:
        MapFileError: a size that no head has.
    """

    WHERE: ClassVar[str] = "head."

    dimensions: int = field(default=64, metadata=reads(whole(1, _WIDEST)))
    width: int = field(default=256, metadata=reads(whole(1, _WIDEST)))
    blocks: int = field(default=2, metadata=reads(whole(1, 100)))
    layout: str = field(default="ours", metadata=reads(one_of("ours", "ace"), later=True))


class Head(nn.Module):
    """Maps descriptors to scene coordinates in the unit frame (origin 0, median depth of the scene 1).

    The output is homogeneous, (x, y, z, w), so that far points need no large activations. Hidden
    layers may run in bfloat16; the last layer and the division are always float32.
    """

    POSITIVE: ClassVar[tuple[str, ...]] = ()  # entries of the state dict that divide or scale

    def __init__(self, shape: HeadShape) -> None:
        super().__init__()
        self.shape = shape
        self.first: nn.Module = nn.Linear(shape.dimensions, shape.width)
        self.blocks = nn.ModuleList(
            nn.ModuleList(nn.Linear(shape.width, shape.width) for _ in range(3)) for _ in range(shape.blocks)
        )
        self.last = nn.ModuleList(nn.Linear(shape.width, shape.width) for _ in range(2))
        self.out = nn.Linear(shape.width, 4)
        if not self.out.weight.is_meta:  # there it would mean nothing, and take seconds
            self._initialise()

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)
        nn.init.normal_(self.out.weight, std=0.01)

    @property
    def hidden(self) -> list[nn.Parameter]:
        """The square weight matrices, which Muon trains."""
        layers = [layer for block in self.blocks for layer in block] + list(self.last)  # type: ignore[attr-defined]
        return [layer.weight for layer in layers]

    def forward(self, descriptors: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """(N, D) descriptors to (N, 3) float32 points; hidden layers run in ``dtype``."""
        x = self._enter(descriptors.to(dtype))
        for block in self.blocks:
            y = x
            for layer in block:  # type: ignore[attr-defined]
                y = F.relu(_linear(y, layer))
            x = x + y
        for layer in self.last:
            x = F.relu(_linear(x, layer))
        homogeneous = _linear(x.float(), self.out)
        return homogeneous[:, :3] / self._weight(homogeneous[:, 3:])

    def _enter(self, descriptors: Tensor) -> Tensor:
        # Entries of a unit vector are small: bring them to order one.
        return F.relu(_linear(descriptors * self.shape.dimensions**0.5, self.first))

    def _weight(self, w: Tensor) -> Tensor:
        """What the fourth output means as a divisor."""
        return F.softplus(w + _NEAREST_ONE) + _LEAST_WEIGHT

    @torch.inference_mode()
    def predict(self, descriptors: Tensor) -> Tensor:
        """(N, D) descriptors to (N, 3) float32 points, as fast as the device can."""
        device = self.out.weight.device
        points: Tensor = self(descriptors.to(device), fast_dtype(device))
        return points


def _linear(x: Tensor, layer: nn.Module) -> Tensor:
    assert isinstance(layer, nn.Linear)
    return F.linear(x, layer.weight.to(x.dtype), layer.bias.to(x.dtype))

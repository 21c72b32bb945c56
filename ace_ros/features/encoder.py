"""What a scene-agnostic backbone is: an image in, keypoints with descriptors out. Never trained here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ace_ros.errors import InputError

_MULTIPLE = 32  # XFeat halves the image five times


@dataclass(frozen=True)
class Features:
    """Keypoints of one image, best first.

    Attributes:
        descriptors: (N, D) float32, unit length where the encoder has keypoints.
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
    """A backbone.

    Attributes:
        identity: its name in map files. sha256: of its weights' file. dimensions: of a descriptor.
        has_keypoints: whether it answers with keypoints that can be matched by their unit descriptors, so that
            landmarks can be made of them, and not with cells of the image.
    """

    identity: str
    sha256: str
    dimensions: int
    has_keypoints: bool
    device: torch.device

    def __call__(self, image: NDArray[np.uint8], count: int) -> Features:
        """At most ``count`` keypoints of an image, uint8 (H, W) or (H, W, 3) RGB."""
        ...


def check_image(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The image in grey, contiguous and writable as PyTorch wants it; a copy only where it has to be.

    Raises:
        InputError: not uint8, empty, or neither (H, W) nor (H, W, 3).
    """
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
        raise InputError(
            f"image: expected uint8 of shape (H, W) or (H, W, 3) RGB, got {image.dtype} of shape {image.shape}"
        )
    if min(image.shape[:2]) < 2 * _MULTIPLE:
        raise InputError(f"image: {image.shape[1]} x {image.shape[0]} pixels are too few; 64 x 64 is the least")
    if image.ndim == 2:
        return np.require(image, requirements=["C", "W"])
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def working_size(width: int, height: int, short_side: int) -> tuple[int, int]:
    """Size at which an image is encoded: its short side at most ``short_side``, multiples of 32."""
    scale = min(1.0, short_side / min(width, height))
    return tuple(max(2, round(side * scale / _MULTIPLE)) * _MULTIPLE for side in (width, height))  # type: ignore[return-value]


def working_image(image: NDArray[np.uint8], short_side: int) -> NDArray[np.uint8]:
    """The grey image, reduced to its :func:`working_size`, that a backbone sees.

    Raises:
        InputError: as :func:`check_image`.
    """
    grey = check_image(image)
    size = working_size(grey.shape[1], grey.shape[0], short_side)
    if size == (grey.shape[1], grey.shape[0]):
        return grey
    shrinking = size[0] * size[1] < grey.size
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR), np.uint8)


def make_encoder(identity: str, device: torch.device, short_side: int, weights: Path | None = None) -> Encoder:
    """The encoder of that name, ``xfeat`` or ``ace``; ``weights`` is its file where it is not the packaged one.

    Raises:
        InputError: no such encoder, or its weights are not to be had.
    """
    if identity == "xfeat":
        from ace_ros.features.xfeat import XFeatEncoder

        return XFeatEncoder(device, short_side, weights)
    if identity == "ace":
        from ace_ros.features.ace import AceEncoder

        if weights is None:
            raise InputError(
                "encoder: the weights of ACE's own encoder don't come with ace_ros; give their file: "
                "--encoder ace:PATH to map or import, --encoder-weights PATH (encoder_weights) to use such a map"
            )
        return AceEncoder(device, short_side, weights)
    raise InputError(f"encoder: '{identity}' is unknown; there are xfeat and ace:PATH")


def parse_encoder(text: str, weights: Path | None = None) -> tuple[str, Path | None]:
    """``ace:PATH`` as identity and weights' file; without a path the file is ``weights``."""
    identity, _, path = text.partition(":")
    return identity, Path(path).expanduser() if path else weights

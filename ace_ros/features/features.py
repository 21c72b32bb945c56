"""What an encoder answers with: keypoints, and keypoints seen through a camera."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ace_ros.camera import Camera


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

    def stored_as(self, dtype: torch.dtype, device: torch.device) -> Features:
        """The same there, with descriptors of that type: half precision to keep them, float32 to work with."""
        return replace(
            self,
            descriptors=self.descriptors.to(device, dtype),
            pixels=self.pixels.to(device),
            scores=self.scores.to(device),
        )


@dataclass(frozen=True)
class EncodedImage:
    """Keypoints of an image seen through its camera: all that mapping and localization ever see of it.

    Attributes:
        features: the keypoints.
        camera: that took the image.
        focal: focal length at the size of encoding, pixels; it turns angles into the pixels of all error measures.
        contrast: standard deviation of the image's grey values.
    """

    features: Features
    camera: Camera
    focal: float
    contrast: float = 255.0

    def __len__(self) -> int:
        return len(self.features)

    @cached_property
    def pixels(self) -> NDArray[np.float64]:
        """(N, 2) of the image that was given."""
        return self.features.pixels.cpu().numpy().astype(np.float64)

    @cached_property
    def normalised(self) -> NDArray[np.float64]:
        """(N, 2) normalised image coordinates x/z, y/z: undistorted, on the plane z = 1 before the camera."""
        return self.camera.normalise(self.pixels)

    @cached_property
    def descriptors(self) -> NDArray[np.float32]:
        """(N, D) on the host."""
        return self.features.descriptors.float().cpu().numpy()

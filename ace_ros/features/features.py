"""What an encoder answers with: keypoints, and keypoints seen through a camera."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ace_ros.camera import Camera
from ace_ros.features.picture import Picture


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

    def at(self, index: Tensor) -> Features:
        """Those of these indices."""
        return Features(self.descriptors[index], self.pixels[index], self.scores[index])

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
        scale: of the size at which the encoder sees images as they are.
        picture: its grey values, where the encoder has keypoints that are worth a closer look.
    """

    features: Features
    camera: Camera
    focal: float
    contrast: float = 255.0
    scale: float = 1.0
    picture: Picture | None = None

    def __len__(self) -> int:
        return len(self.features)

    @cached_property
    def pixels(self) -> NDArray[np.float64]:
        """(N, 2) of the image that was given."""
        return self.features.pixels.cpu().numpy().astype(np.float64)

    @cached_property
    def rays(self) -> NDArray[np.float64]:
        """(N, 3) unit viewing rays of the keypoints, camera axes."""
        return self.camera.rays(self.pixels)

    @cached_property
    def focals(self) -> NDArray[np.float64]:
        """(N,) as :attr:`focal`, about each keypoint: what a pixel's angle is changes over the image of any lens."""
        return self.camera.focals(self.rays) * (self.focal / self.camera.focal)

    def imaged(self) -> EncodedImage:
        """Without the keypoints that are no picture of anything: beyond where the lens images, as in black corners."""
        there = np.isfinite(self.rays).all(1)
        if there.all():
            return self
        index = torch.from_numpy(np.nonzero(there)[0]).to(self.features.pixels.device)
        return replace(self, features=self.features.at(index))

    @cached_property
    def descriptors(self) -> NDArray[np.float32]:
        """(N, D) on the host."""
        return self.features.descriptors.float().cpu().numpy()

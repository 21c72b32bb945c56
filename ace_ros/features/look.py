"""Ways to look at an image again: smaller, or turned. Keypoints come back as if it had been seen as it is."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from ace_ros.features.grey import resized, working_size
from ace_ros.image import Pixels


@dataclass(frozen=True)
class Look:
    """How an image is held before an encoder.

    Attributes:
        scale: of the size at which the encoder sees images as they are; at most 1.
        turns: quarter turns to the left.
    """

    scale: float = 1.0
    turns: int = 0

    def size(self, full: tuple[int, int], multiple: int) -> tuple[int, int]:
        """Width and height of an image, before it is turned, that has ``full`` size where it is seen as it is."""
        return full if self.scale == 1.0 else working_size(*full, round(self.scale * min(full)), multiple)

    def of(self, grey: Pixels, size: tuple[int, int] | None) -> Pixels:
        """The image (H, W) as it is held: brought to a size, or of its own, and turned."""
        if size is not None:
            grey = resized(grey, size, cv2.INTER_CUBIC)
        return np.ascontiguousarray(np.rot90(grey, self.turns))

    def back(self, pixels: Tensor, held: Pixels, width: int, height: int) -> Tensor:
        """Pixels (N, 2) of the image as it was held, in those of the given image of ``width`` x ``height``."""
        rows, columns = held.shape
        for _ in range(self.turns % 4):
            pixels = torch.stack([rows - 1 - pixels[:, 1], pixels[:, 0]], 1)
            rows, columns = columns, rows
        if (columns, rows) == (width, height):
            return pixels
        return (pixels + 0.5) * pixels.new_tensor([width / columns, height / rows]) - 0.5


AS_IT_IS = Look()

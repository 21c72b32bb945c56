"""Ways to look at an image again: smaller, or turned. Keypoints come back as if it had been seen as it is."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from ace_ros.features.grey import working_size
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
            shrinking = size[0] * size[1] < grey.size
            how = cv2.INTER_AREA if shrinking else cv2.INTER_CUBIC
            grey = np.asarray(cv2.resize(grey, size, interpolation=how), np.uint8)
        return np.ascontiguousarray(np.rot90(grey, self.turns))

    def back(self, pixels: Tensor, held: Pixels, width: int, height: int) -> Tensor:
        """Pixels (N, 2) of the image as it was held, in those of the given image of ``width`` x ``height``."""
        x, y = pixels.unbind(1)
        rows, columns = held.shape
        for _ in range(self.turns % 4):
            x, y, rows, columns = rows - 1 - y, x, columns, rows
        if (columns, rows) == (width, height):
            return torch.stack([x, y], 1)
        sx, sy = width / columns, height / rows
        return torch.stack([(x + 0.5) * sx - 0.5, (y + 0.5) * sy - 0.5], 1)


AS_IT_IS = Look()

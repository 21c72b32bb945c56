"""How a query is answered."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ace_ros.options import Options, option, weights_option


@dataclass(frozen=True)
class LocalizeOptions(Options):
    """How a query is answered."""

    keypoints: int = option(1000, "At most so many keypoints of an image are used.", low=1)
    iterations: int = option(1000, "At most so many iterations of each RANSAC, which bounds the latency.", low=1)
    encoder_weights: Path | None = weights_option()

"""How a query is answered."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class LocalizeOptions:
    """How a query is answered. The defaults hold without knobs.

    Attributes:
        keypoints: at most so many of the image are used.
        iterations: upper bound of each RANSAC, which bounds the latency.
        encoder_weights: file of the backbone's weights; needed only for maps made with --encoder ace:PATH.
    """

    keypoints: int = 1000
    iterations: int = 1000
    encoder_weights: Path | None = None

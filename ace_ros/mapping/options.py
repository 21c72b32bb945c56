"""How a map is made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ace_ros.options import Options, device_option, option, weights_option

MIN_FRAMES = 10  # fewer leave nothing to hold back and no parallax


@dataclass(frozen=True)
class MapOptions(Options):
    """How the map is made. The defaults hold without knobs."""

    # As ROS parameters steps and landmarks once had 0 and -1 for the default; files that say so stay valid.
    seconds: float | None = option(None, "Train the head no longer than this.", unit="s", low=0.001, without="no limit")
    steps: int = option(1000, "Training steps of the head.", low=1, stand_in=0)
    device: str = device_option()
    seed: int = option(0, "Seed of all that is random; with the same one a machine makes the same map.", low=0)
    encoder: str = option(
        "xfeat",
        "Backbone: xfeat, or ace:PATH for ACE's own with these weights (non-commercial, slower).",
        metavar="NAME",
    )
    encoder_weights: Path | None = weights_option()
    views: int = option(1000, "At most so many frames of a place are used, spread over all poses.", low=MIN_FRAMES)
    keypoints: int = option(1000, "So many keypoints of each frame are used.", low=100)
    image_size: int = option(480, "Short side that images are reduced to.", unit="pixels", low=128)
    landmarks: int = option(
        10000,
        "Triangulated keypoints that the map keeps; 0: none, a plain ACE head. Maps of ACE's own encoder have none.",
        low=0,
        stand_in=-1,
    )
    landmark_views: int = option(120, "At most so many frames are matched with each other.", low=MIN_FRAMES)
    samples: int = option(600, "Training samples of each frame.", low=1)
    batch: int = option(4096, "Samples in a training step.", low=64)
    supervision: float = option(
        1.0, "Weight of triangulated points as targets of the head; 0: its reprojection error alone, as in ACE.", low=0
    )
    width: int = option(256, "Width of the head's layers; with ACE's own encoder always 512.", low=16)
    blocks: int = option(2, "Residual blocks of three layers in the head.", low=1)

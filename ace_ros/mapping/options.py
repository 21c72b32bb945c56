"""How a map is made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ace_ros.errors import InputError

MIN_FRAMES = 10  # fewer leave nothing to hold back and no parallax


@dataclass(frozen=True)
class MapOptions:
    """How a map is made. The defaults hold without knobs.

    Attributes:
        steps: training steps of the head.
        seconds: train the head no longer than this; None for no limit.
        landmarks: how many triangulated keypoints the map keeps; 0 gives a plain ACE head. ACE's own encoder has
            no keypoints, so its maps have no landmarks.
        keypoints: used of each view.
        views: at most so many frames are used, spread over all poses.
        landmark_views: at most so many of them are matched with each other.
        samples: training samples drawn from each view.
        batch: samples in a training step.
        supervision: weight of triangulated points as targets of the head; 0: its reprojection error alone, as in ACE.
        width: of the head's layers; with ACE's own encoder 512.
        blocks: residual blocks of three layers in the head.
        image_size: images are reduced to this short side, pixels.
        encoder: backbone: xfeat, or ace:PATH for ACE's own encoder of that weights' file (non-commercial, slower).
        encoder_weights: file of the backbone's weights; None takes those installed with the package.
        device: auto, cpu, cuda or cuda:N.
        seed: of everything random; the same seed on the same machine gives the same map.
    """

    steps: int = 1000
    seconds: float | None = None
    landmarks: int = 10000
    keypoints: int = 1000
    views: int = 1000
    landmark_views: int = 120
    samples: int = 600
    batch: int = 4096
    supervision: float = 1.0
    width: int = 256
    blocks: int = 2
    image_size: int = 480
    encoder: str = "xfeat"
    encoder_weights: Path | None = None
    device: str = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        least = {
            "steps": 1, "landmarks": 0, "keypoints": 100, "views": MIN_FRAMES, "landmark_views": MIN_FRAMES,
            "samples": 1, "batch": 64, "supervision": 0, "width": 16, "blocks": 1, "image_size": 128,
        }  # fmt: skip
        for name, value in least.items():
            if getattr(self, name) < value:
                raise InputError(f"{name}: {getattr(self, name)} is too small; at least {value}")
        if self.seconds is not None and not self.seconds > 0:
            raise InputError(f"seconds: {self.seconds} is no time to train in")

"""How a map is made."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from ace_ros.options import Options, device_option, option, weights_option

FEW_FRAMES = 1000  # of which each is taken, however near it is to the one before: one place uses no more
MIN_FRAMES = 10  # fewer leave nothing to hold back and no parallax
# Of the head of a room's map, and of each place's where there are several: with landmarks a third of the steps and half
# the width localized as many of 465 queries of five joined recordings within 5 cm or % and 5 degrees, but for four.
STEPS, WIDTH = 1000, 256
PLACE_STEPS, PLACE_WIDTH = 300, 128
# Of a place that is made in haste. Of 117 queries of five joined recordings 101 were localized within 5 cm or % and 5
# degrees, by the better map 100; within 1 and 1 it is 73 instead of 79. Fewer landmark views lose tens of queries.
HASTY_STEPS, HASTY_VIEWS, HASTY_LANDMARK_VIEWS, HASTY_KEYPOINTS = 60, 200, 60, 500


@dataclass(frozen=True)
class MapOptions(Options):
    """How the map is made. The defaults hold without knobs."""

    # As ROS parameters steps and landmarks once had 0 and -1 for the default; files that say so stay valid.
    seconds: float | None = option(None, "Train the head no longer than this.", unit="s", low=0.001, without="no limit")
    steps: int | None = option(
        None,
        "Training steps of each place's head.",
        low=1,
        without=f"{STEPS}, or {PLACE_STEPS} if there are more places",
    )
    device: str = device_option()
    seed: int = option(
        0, "Seed of all that is random; on a CPU the same one makes the same map (a GPU adds in any order).", low=0
    )
    encoder: str = option(
        "xfeat",
        "Backbone: xfeat, or ace:PATH for ACE's own with these weights (non-commercial, slower).",
        metavar="NAME",
    )
    encoder_weights: Path | None = weights_option()
    views: int = option(1000, "At most so many frames of a place are used, spread over all poses.", low=MIN_FRAMES)
    keypoints: int = option(1000, "So many keypoints of each frame are used.", low=100)
    image_size: int = option(480, "Short side that images are reduced to.", unit="pixels", low=128)
    # What images of 200 x 133 to 416 x 128 pixels gain: python -m bench.small_images.
    enlarge: float = option(3.0, "Smaller images are enlarged, at most so many times.", low=1.0, high=4.0)
    landmarks: int = option(
        10000,
        "Triangulated keypoints that a place keeps; 0: none, a plain ACE head. Maps of ACE's own encoder have none.",
        low=0,
        stand_in=-1,
    )
    landmark_views: int = option(
        240,
        "At most so many frames of a place are matched with each other; 120 where these give all landmarks.",
        low=MIN_FRAMES,
    )
    samples: int = option(600, "Training samples of each frame.", low=1)
    batch: int = option(4096, "Samples in a training step.", low=64)
    supervision: float = option(
        1.0, "Weight of triangulated points as targets of the head; 0: its reprojection error alone, as in ACE.", low=0
    )
    width: int | None = option(
        None,
        "Width of the head's layers; with ACE's own encoder always 512.",
        low=16,
        without=f"{WIDTH}, or {PLACE_WIDTH} for each of several places",
    )
    blocks: int = option(2, "Residual blocks of three layers in the head.", low=1)

    def for_places(self, count: int) -> MapOptions:
        """With what is left open decided for a map of so many places."""
        steps, width = (STEPS, WIDTH) if count == 1 else (PLACE_STEPS, PLACE_WIDTH)
        return replace(self, steps=self.steps or steps, width=self.width or width)

    def hasty(self) -> MapOptions:
        """For a place that one wants to localize in before the better one is done; none of its figures is larger."""
        assert self.steps is not None and self.width is not None
        return replace(
            self,
            steps=min(self.steps, HASTY_STEPS),
            width=min(self.width, PLACE_WIDTH),
            views=min(self.views, HASTY_VIEWS),
            landmark_views=min(self.landmark_views, HASTY_LANDMARK_VIEWS),
            keypoints=min(self.keypoints, HASTY_KEYPOINTS),
        )

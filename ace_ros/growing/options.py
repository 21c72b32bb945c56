"""How a map is made to grow."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ace_ros.map.header import MapHeader
from ace_ros.mapping.options import PLACE_STEPS, PLACE_WIDTH, MapOptions
from ace_ros.options import Options, device_option, option, weights_option


@dataclass(frozen=True)
class GrowOptions(Options):
    """How new places are made and old ones changed. All else is as the map has it."""

    steps: int = option(PLACE_STEPS, "Training steps of the head of a new place.", low=1)
    landmarks: int = option(
        10000, "Landmarks that a place has at most, those seen most often; one with more keeps as many.", low=1
    )
    views: int = option(1000, "At most so many frames teach a place, spread over its poses.", low=10)
    device: str = device_option()
    seed: int = option(
        0, "Seed of all that is random; on a CPU the same one makes the same map (a GPU adds in any order).", low=0
    )
    encoder_weights: Path | None = weights_option()

    def mapping(self, header: MapHeader) -> MapOptions:
        """As places are made that stand beside that one."""
        return MapOptions(
            steps=self.steps,
            landmarks=self.landmarks,
            views=self.views,
            device=self.device,
            seed=self.seed,
            encoder=header.encoder,
            encoder_weights=self.encoder_weights,
            image_size=header.encoder_size,
            enlarge=header.encoder_enlarge,
            width=min(header.head.width, PLACE_WIDTH),
            blocks=header.head.blocks,
        )

"""Make a map of a head that ACE trained (a state dict in half precision, as its training writes it).

It needs the encoder that the head was trained with: the published weights' file, which is not part of ace_ros and for
non-commercial use only. The map is used as any other, with --encoder-weights. It has no landmarks, and how accurate it
is is not known: 'ace evaluate' measures it on a recording of the place.

examples:
  ace import head.pt -o room.safetensors --encoder ace:ace_encoder_pretrained.pt
  ace localize room.safetensors a.jpg --camera 525,525,320,240 \\
      --encoder-weights ace_encoder_pretrained.pt
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from ace_ros.cli import interrupt
from ace_ros.cli.console import check_writable, stdout
from ace_ros.cli.flags import map_output_option
from ace_ros.cli.texts import expected_accuracy, size_text
from ace_ros.errors import InputError
from ace_ros.features.registry import make_encoder, parse_encoder
from ace_ros.map.official import import_head
from ace_ros.options import REQUIRED, Options, option


@dataclass(frozen=True)
class Command(Options):
    head: Path = option(REQUIRED, "Head in ACE's format.", metavar="HEAD", positional=True)
    output: Path = map_output_option()
    encoder: str = option(REQUIRED, "The encoder that the head was trained with.", metavar="ace:PATH")
    image_size: int = option(480, "Short side of the images that the head was trained on.", unit="pixels", low=128)
    map_frame: str = option("map", "Name of the frame that the head answers in.", metavar="FRAME")

    def run(self) -> int:
        check_writable(self.output)
        identity, weights = parse_encoder(self.encoder)
        if identity != "ace":
            raise InputError(f"encoder: heads of ACE go with its own encoder, ace:PATH, not with '{self.encoder}'")
        encoder = make_encoder(identity, torch.device("cpu"), self.image_size, weights)
        scene_map = import_head(self.head, encoder.sha256, self.image_size, self.map_frame)
        with interrupt.writing(self.output):
            size = scene_map.save(self.output)
        stdout.print(f"{self.output}: {size_text(size)} from {self.head}", soft_wrap=True)
        stdout.print(expected_accuracy(scene_map.header), soft_wrap=True)
        return 0

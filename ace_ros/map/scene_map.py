"""The map: a trained head and landmarks, with what is known of them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ace_ros.errors import MapFileError, MapVersionError
from ace_ros.features.encoder import Encoder
from ace_ros.map import tensors
from ace_ros.map.describing import describe
from ace_ros.map.head import Head
from ace_ros.map.header import MapHeader, parse_header
from ace_ros.map.map_file import read_map, write_map
from ace_ros.map.mapped_frames import MappedFrames


@dataclass(frozen=True)
class SceneMap:
    """A map in memory.

    Attributes:
        header: see :class:`MapHeader`. head: on the CPU, float32.
        points: (L, 3) float32 landmarks in the local frame. codes: (L, D) int8 descriptors.
        mapped: the frames that it was made from, as far as they are known.
    """

    header: MapHeader
    head: Head
    points: NDArray[np.float32]
    codes: NDArray[np.int8]
    mapped: MappedFrames = field(default_factory=MappedFrames)

    def save(self, path: str | os.PathLike[str]) -> int:
        """Write the map, whole or not at all; an older file of that name stays until the new one is complete.

        Returns:
            Size of the file, bytes.

        Raises:
            MapFileError: the folder is missing, read-only or full.
        """
        return write_map(Path(path), self.header, tensors.packed(self.head, self.points, self.codes, self.mapped))

    @staticmethod
    def load(path: str | os.PathLike[str]) -> SceneMap:
        """Read a map. What it holds is checked: all that comes of it can be relied upon.

        Raises:
            MapFileError: missing, truncated, not a map, or a field of the header or a tensor that can't be so; its
                name is told. MapVersionError: of another format version.
        """
        path = Path(path)
        content, held = read_map(path)
        try:
            header = parse_header(content)
            points, codes = tensors.read_landmarks(header, held)
            return SceneMap(header, tensors.read_head(header, held), points, codes, tensors.read_frames(header, held))
        except MapVersionError as error:
            raise MapVersionError(f"{path}: {error}") from None
        except MapFileError as error:
            raise MapFileError(f"{path}: {error}; map again") from None

    def describe(self) -> str:
        """What is known of the map, as lines for a person."""
        return describe(self.header, len(self.points), len(self.mapped))

    def check_encoder(self, encoder: Encoder) -> None:
        """Find out whether the map goes with that encoder.

        Raises:
            MapVersionError: it was made with another one.
        """
        header = self.header
        if encoder.sha256 != header.encoder_sha256:
            raise MapVersionError(
                f"the map was made with encoder {header.encoder} of weights {header.encoder_sha256[:12]}..., "
                f"these are {encoder.sha256[:12]}...; use the same weights or map again"
            )
        if encoder.dimensions != header.head.dimensions:
            raise MapVersionError(
                f"header field head.dimensions: must be the {encoder.dimensions} of encoder {header.encoder}, "
                f"it is {header.head.dimensions}; map again"
            )

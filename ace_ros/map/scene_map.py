"""The map: places, each with a trained head and landmarks, and what is known of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ace_ros.errors import MapFileError, MapVersionError
from ace_ros.features.encoder import Encoder
from ace_ros.features.registry import make_encoder
from ace_ros.map.atlas_file import StoredPlaces, open_atlas, write_atlas
from ace_ros.map.describing import describe
from ace_ros.map.header import MapHeader
from ace_ros.map.mapped_frames import MappedFrames
from ace_ros.map.place import Place
from ace_ros.map.whole import whole

_NEAR = 2.0  # depths of the scene that a camera may stand outside those of a place and still be in it; set by hand


@dataclass(frozen=True)
class SceneMap:
    """A map: an atlas of places in one frame. A room is the atlas of one place.

    Attributes:
        places: one at least. Those of a file of many are read from it one by one, when they are asked for.
        mapped: the frames that it was made from, as far as they are known.
    """

    places: Sequence[Place]
    mapped: MappedFrames = field(default_factory=MappedFrames)

    @cached_property
    def headers(self) -> tuple[MapHeader, ...]:
        """What each place says of itself."""
        if isinstance(self.places, StoredPlaces):
            return self.places.headers
        return tuple(place.header for place in self.places)

    @cached_property
    def header(self) -> MapHeader:
        """What the map says of itself: the header of its one place, or what those of many come to."""
        return whole(self.headers)

    @property
    def landmarks(self) -> NDArray[np.float64]:
        """(L, 3) landmarks of all places in the map frame."""
        return np.concatenate([place.landmarks for place in self.places])

    def near(self, centre: NDArray[np.float64]) -> NDArray[np.bool_]:
        """(P,) which places a camera at ``centre`` (3,), map frame, may be in."""
        low, high, margin = self._boxes
        return np.asarray(((centre > low - margin) & (centre < high + margin)).all(1))

    @cached_property
    def _boxes(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """(P, 3) least and greatest positions of the cameras of each place, (P, 1) how far others may be outside."""
        low, high = (np.array([header.extent[end] for header in self.headers]) for end in (0, 1))
        return low, high, _NEAR * np.array([header.median_depth for header in self.headers])[:, None]

    def codes(self, number: int, most: int) -> NDArray[np.int8]:
        """(at most ``most``, D) codes of a place's landmarks, evenly from those seen most often to those seen least,
        without reading the place."""
        places = self.places
        codes = places.codes(number) if isinstance(places, StoredPlaces) else places[number].codes
        return codes[np.linspace(0, len(codes) - 1, most).astype(int)] if len(codes) > most else codes

    def save(self, path: str | os.PathLike[str]) -> int:
        """Write the map, whole or not at all; an older file of that name stays until the new one is complete.

        Returns:
            Size of the file, bytes.

        Raises:
            MapFileError: the folder is missing, read-only or full.
        """
        return write_atlas(Path(path), self.places, self.mapped)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> SceneMap:
        """Read a map. What it holds is checked: all that comes of it can be relied upon.

        Of a map of many places the headers are read now, and a place's numbers (shapes are known by then) when it is
        asked for.

        Raises:
            MapFileError: missing, truncated, not a map, or a field of the header or a tensor that can't be so; its
                name is told. MapVersionError: of another format version.
        """
        path = Path(path)
        try:
            return SceneMap(*open_atlas(path))
        except MapVersionError as error:
            raise MapVersionError(f"{path}: {error}") from None
        except MapFileError as error:
            if str(error).startswith(str(path)):
                raise
            raise MapFileError(f"{path}: {error}; map again") from None

    def describe(self) -> str:
        """What is known of the map, as lines for a person."""
        if isinstance(self.places, StoredPlaces):
            count = self.places.landmarks
        else:
            count = sum(len(place.points) for place in self.places)
        return describe(self.headers, count, len(self.mapped))

    def make_encoder(self, device: torch.device, weights: Path | None = None) -> Encoder:
        """An encoder as the map's own; ``weights``: its file where it is not the packaged one.

        Raises:
            InputError: its weights are not to be had. MapVersionError: they are others.
        """
        header = self.header
        encoder = make_encoder(header.encoder, device, header.encoder_size, weights, header.encoder_enlarge)
        self.check_encoder(encoder)
        return encoder

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

"""Places in one file: a map of one place has its header and tensors plainly, one of many has them numbered.

``places.3.landmarks.points`` is a tensor of the fourth place, and the JSON header's ``places`` lists their headers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ace_ros.errors import MapFileError
from ace_ros.map import tensors
from ace_ros.map.header import MANY_PLACES, MapHeader, parse_headers
from ace_ros.map.map_file import StoredTensors, open_map, write_map
from ace_ros.map.mapped_frames import MappedFrames
from ace_ros.map.place import Place
from ace_ros.map.whole import check_together


class StoredPlaces(Sequence[Place]):
    """Places of an open file: each is read when it is asked for, and not kept.

    Attributes:
        headers: of all of them.
    """

    def __init__(self, path: Path, headers: Sequence[MapHeader], held: StoredTensors) -> None:
        self._path, self.headers, self._held = path, tuple(headers), held

    def __len__(self) -> int:
        return len(self.headers)

    @overload
    def __getitem__(self, index: int) -> Place: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Place]: ...
    def __getitem__(self, index: int | slice) -> Place | Sequence[Place]:
        """Raises MapFileError: its numbers can't be so; IndexError."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        number = range(len(self))[index]
        try:
            return _place(self.headers[number], self._held.of(_prefix(number)))
        except MapFileError as error:
            raise MapFileError(f"{self._path}: place {number}: {error}; map again") from None

    @property
    def landmarks(self) -> int:
        """How many all places have; none is read."""
        return sum(self._held.length(_prefix(number) + tensors.CODES) for number in range(len(self)))

    def codes(self, number: int) -> NDArray[np.int8]:
        """(L, D) codes of the landmarks of one place; nothing else is read."""
        return np.asarray(self._held.of(_prefix(number), [tensors.CODES])[tensors.CODES].numpy())


def write_atlas(path: Path, places: Sequence[Place], mapped: MappedFrames) -> int:
    """Write a map, whole or not at all; returns its size in bytes.

    Raises:
        MapFileError: places that don't go together; the folder is missing, read-only or full.
    """
    check_together([place.header for place in places])
    if len(places) == 1:
        place = places[0]
        held = tensors.packed(place, mapped)
        return write_map(path, asdict(place.header), held)
    packed: dict[str, Tensor] = tensors.packed_frames(mapped)
    for number, place in enumerate(places):
        own = tensors.packed(place, MappedFrames())
        packed |= {_prefix(number) + name: value for name, value in own.items()}
    return write_map(
        path, {"format_version": MANY_PLACES, "places": [asdict(place.header) for place in places]}, packed
    )


def open_atlas(path: Path) -> tuple[Sequence[Place], MappedFrames]:
    """Places and mapped frames of a file.

    Raises:
        MapFileError: see :func:`ace_ros.map.map_file.open_map`; or a field that can't be so.
        MapVersionError: of another version.
    """
    content, held = open_map(path)
    headers = parse_headers(content)
    if len(headers) == 1:
        loaded = held.of("")
        return (_place(headers[0], loaded),), tensors.read_frames(headers[0].frames, headers[0].training, loaded)
    check_together(headers)
    for number, header in enumerate(headers):
        try:
            tensors.check_shapes(header, held.shapes(_prefix(number)))
        except MapFileError as error:
            raise MapFileError(f"place {number}: {error}") from None
    # Of maps that were merged some may not have known their frames: no count is too small.
    return StoredPlaces(path, headers, held), tensors.read_frames(0, {}, held.of("", tensors.FRAMES))


def _place(header: MapHeader, held: Mapping[str, Tensor]) -> Place:
    points, codes = tensors.read_landmarks(header, held)
    return Place(header, tensors.read_head(header, held), points, codes, tensors.read_patches(len(points), held))


def _prefix(number: int) -> str:
    return f"places.{number}."

"""A place: what one head and some thousand landmarks serve well. A map holds one or many."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ace_ros.map.head import Head
from ace_ros.map.header import MapHeader


@dataclass(frozen=True)
class Place:
    """A place in memory.

    Attributes:
        header: see :class:`MapHeader`. head: on the CPU, float32.
        points: (L, 3) float32 landmarks in the local frame, those seen most often first. codes: (L, D) int8.
    """

    header: MapHeader
    head: Head
    points: NDArray[np.float32]
    codes: NDArray[np.int8]

    @property
    def landmarks(self) -> NDArray[np.float64]:
        """(L, 3) landmarks in the map frame."""
        return np.asarray(self.points + np.asarray(self.header.origin))

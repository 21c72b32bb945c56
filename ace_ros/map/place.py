"""A place: what one head and some thousand landmarks serve well. A map holds one or many."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ace_ros.map.head import Head
from ace_ros.map.header import MapHeader
from ace_ros.map.patches import Patches


@dataclass(frozen=True)
class Place:
    """A place in memory.

    Attributes:
        header: see :class:`MapHeader`. head: on the CPU, float32.
        points: (L, 3) float32 landmarks in the local frame, those seen most often first. codes: (L, D) int8.
        patches: (L,) of them.
    """

    header: MapHeader
    head: Head
    points: NDArray[np.float32]
    codes: NDArray[np.int8]
    patches: Patches

    def with_landmarks(self, which: NDArray[np.bool_] | NDArray[np.integer] | slice) -> Place:
        """The place with some of its landmarks."""
        return replace(self, points=self.points[which], codes=self.codes[which], patches=self.patches.at(which))

    def without_patches(self) -> Place:
        """The place with its landmarks, but no patches of them."""
        return replace(self, patches=Patches.none(len(self.points)))

    @property
    def landmarks(self) -> NDArray[np.float64]:
        """(L, 3) landmarks in the map frame."""
        return np.asarray(self.points + np.asarray(self.header.origin))

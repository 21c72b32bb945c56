"""What a map knows of views whose poses are given: landmarks found where they ought to appear."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ace_ros.features.encoder import Encoder
from ace_ros.map.header import MapHeader
from ace_ros.map.landmarks import Landmarks, Pairs
from ace_ros.map.scene_map import SceneMap
from ace_ros.mapping.views import View

_RADIUS = 4.0  # pixels around where a landmark ought to appear, as the estimator's finest search
_MET = 1.0  # times what chance gives a pose that is sought: a given pose had a quarter of it elsewhere in the room
_KNOWN = 3.0  # times chance, as the trust model has it where there is no doubt
_COVERED = 0.6  # of the image's cells: queries of a mapped room had 0.9, and those of an unmapped one 0.1
_CELLS = 6  # a side of the grid of cells


@dataclass(frozen=True)
class Acquaintance:
    """What a map knows of a view.

    Attributes:
        place: number of the place that knows it best; None where none does better than chance.
        known: whether there is nothing new to it.
    """

    place: int | None
    known: bool


class Knowledge:
    """Asks the places of a map about views; what a place needs is made when it is first asked."""

    def __init__(self, scene_map: SceneMap, encoder: Encoder) -> None:
        self._map, self._encoder = scene_map, encoder
        self._asked: dict[int, Landmarks] = {}

    def of(self, views: Sequence[View], report: Callable[[int, int], None]) -> list[Acquaintance]:
        """What the map knows of each view; ``report`` is called with (views done, views in all) and may raise."""
        found = []
        for done, view in enumerate(views):
            report(done, len(views))
            found.append(self._of(view))
        return found

    def near(self, view: View) -> list[int]:
        """Numbers of the places that a view may be of, by where it was taken."""
        return [int(number) for number in np.nonzero(self._map.near(view.map_from_camera[:3, 3]))[0]]

    def landmarks_in(self, number: int, view: View) -> Pairs:
        """Landmarks of a place found in a view where they ought to appear."""
        if number not in self._asked:
            place = self._map.places[number]
            self._asked[number] = Landmarks(
                place.points, place.codes, self._encoder.device, self._encoder.profile.likeness
            )
        return found_in(view, self._asked[number], self._map.headers[number])

    def _of(self, view: View) -> Acquaintance:
        pairs = {number: self.landmarks_in(number, view) for number in self.near(view)}
        best = max(pairs, key=lambda number: len(pairs[number]), default=None)
        if best is None:
            return Acquaintance(None, False)
        chance = self._map.headers[best].calibration.chance_landmarks
        if len(pairs[best]) < _MET * chance:
            return Acquaintance(None, False)
        # Where places overlap each knows its part.
        seen = np.unique(np.concatenate([one.keypoint for one in pairs.values() if len(one) >= _MET * chance]))
        known = len(seen) >= _KNOWN * chance and _covered(view.encoded.pixels, seen) >= _COVERED
        return Acquaintance(best, known)


def found_in(view: View, landmarks: Landmarks, header: MapHeader) -> Pairs:
    """Landmarks of the place of that header found in a view where they ought to appear."""
    image = view.encoded
    pose = local_pose(view, header)
    return landmarks.around(image.descriptors, image.rays, pose, image.focals, _RADIUS).best()


def local_pose(view: View, header: MapHeader) -> NDArray[np.float64]:
    """(4, 4) pose of a view in the local frame of the place of that header."""
    local: NDArray[np.float64] = view.map_from_camera.copy()
    local[:3, 3] -= header.origin
    return local


def _covered(pixels: NDArray[np.float64], seen: NDArray[np.int64]) -> float:
    """Fraction of the cells with keypoints that hold one that is ``seen``."""
    low, high = pixels.min(0), pixels.max(0)
    cell = np.clip((pixels - low) / np.maximum(high - low, 1e-9) * _CELLS, 0, _CELLS - 1).astype(int)
    number = cell[:, 0] * _CELLS + cell[:, 1]
    return len(np.unique(number[seen])) / len(np.unique(number))

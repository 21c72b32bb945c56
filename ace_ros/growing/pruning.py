"""A map made smaller: places dropped, landmarks thinned."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from ace_ros.errors import InputError
from ace_ros.map.place import Place
from ace_ros.map.scene_map import SceneMap


def prune(scene_map: SceneMap, drop: Collection[int] = (), landmarks: int | None = None) -> SceneMap:
    """A map without some places, and with at most so many landmarks in each: those seen most often are kept.

    Which frames it was made from it still knows, those of the places that are gone among them.

    Raises:
        InputError: a place that is not there, or none would be left.
    """
    count = len(scene_map.headers)
    for number in drop:
        if not 0 <= number < count:
            raise InputError(f"there is no place {number}: the map has places 0 to {count - 1} (see 'ace info')")
    kept = [number for number in range(count) if number not in drop]
    if not kept:
        raise InputError(f"none of the map's {count} places would be left; delete the file if it is of no use")
    return replace(scene_map, places=tuple(_thinned(scene_map.places[number], landmarks) for number in kept))


def _thinned(place: Place, landmarks: int | None) -> Place:
    if landmarks is None or len(place.points) <= landmarks:
        return place
    # A poorer place collects less by chance; its calibration stays the more careful one of before.
    return place.with_landmarks(np.arange(landmarks))  # copies, and no views of all

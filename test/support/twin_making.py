"""A map with twins: the small room, and once more 20 m away a room that looks like one half of it."""

from dataclasses import replace

import numpy as np

from ace_ros.map.scene_map import SceneMap

SHIFT = np.array([20.0, 0.0, 0.0])


def half_twin(scene_map: SceneMap, sign: int = 1) -> SceneMap:
    """A map of two places: of what is seen, that below the median of x (above it, if ``sign`` is -1) is in the first
    alone."""
    (place,) = scene_map.places
    kept = sign * place.landmarks[:, 0] > np.median(sign * place.landmarks[:, 0])
    noise = np.random.default_rng(0).integers(-1, 2, place.codes[kept].shape)  # nothing is made twice
    codes = np.clip(place.codes[kept] + noise, -127, 127).astype(np.int8)
    header = place.header
    extent = tuple(tuple((np.asarray(corner) + SHIFT).tolist()) for corner in header.extent)
    moved = replace(header, origin=tuple((np.asarray(header.origin) + SHIFT).tolist()), extent=extent, frames=0)
    return SceneMap((place, replace(place.with_landmarks(kept), header=moved, codes=codes)), scene_map.mapped)

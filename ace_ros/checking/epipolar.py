"""How far matches lie off the epipolar lines that poses and intrinsics draw."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ace_ros.camera import Camera
from ace_ros.checking.pairs import Pair
from ace_ros.geometry import Matrix, invert, skew
from ace_ros.recordings.readings import Reading, swapped


def essential(second_from_first: Matrix) -> Matrix:
    """E, (3, 3): ``b @ E @ a == 0`` for the rays ``a`` of the first and ``b`` of the second camera to one point."""
    direction = second_from_first[:3, 3]
    length = float(np.linalg.norm(direction))
    return np.asarray(skew(direction / length if length > 0 else direction) @ second_from_first[:3, :3])


class Measured:
    """A pair whose pixels are undistorted once, whatever is asked of it then."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self._rays = lru_cache(self._make_rays)

    def essential(self, reading: Reading) -> Matrix:
        """E of the pair when its poses are read so."""
        first, second = self.pair.first.map_from_camera, self.pair.second.map_from_camera
        assert first is not None and second is not None
        return essential(invert(reading.pose(second)) @ reading.pose(first))

    def errors(self, reading: Reading) -> NDArray[np.float64]:
        """Distance (N,) of each match from its epipolar lines, the mean of both images; pixels at the size of encoding.

        NaN where both cameras stand at one place, which have no such lines.
        """
        matrix, pair = self.essential(reading), self.pair
        a, b = self._rays(reading.swapped, reading.focal)
        planes_a, planes_b = b @ matrix, a @ matrix.T
        product = np.abs((b * planes_b).sum(1))
        with np.errstate(divide="ignore", invalid="ignore"):
            in_a = product / np.linalg.norm(planes_a, axis=1) * pair.first.camera.focal
            in_b = product / np.linalg.norm(planes_b, axis=1) * pair.second.camera.focal
        return np.asarray((in_a + in_b) / 2 * pair.scale * reading.focal)

    def error(self, reading: Reading) -> float:
        """Median of :meth:`errors`, in pixels; as large as the image where nothing can be told."""
        found = self.errors(reading)
        camera = self.pair.first.camera
        limit = float(np.hypot(camera.width, camera.height)) * self.pair.scale
        return min(limit, float(np.median(np.nan_to_num(found, nan=limit, posinf=limit))))

    def _make_rays(self, exchanged: bool, focal: float) -> tuple[Matrix, Matrix]:
        def rays(camera: Camera, pixels: NDArray[np.float64]) -> Matrix:
            chosen = swapped(camera) if exchanged else camera
            return replace(chosen, fx=chosen.fx * focal, fy=chosen.fy * focal).rays(pixels)

        return rays(self.pair.first.camera, self.pair.a), rays(self.pair.second.camera, self.pair.b)

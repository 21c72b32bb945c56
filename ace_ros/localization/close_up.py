"""A pose looked at close up: patches of landmarks are laid onto the image, which leads it to a tenth of a pixel.

Of what a wrong pose makes appear hardly anything fits, so that what is found bears the pose out, or does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ace_ros.features.picture import Picture
from ace_ros.geometry import Matrix
from ace_ros.localization.solver import Observations, reprojection_errors
from ace_ros.map.patches import Patches, laid, visible

_MOST = 400  # patches that are laid, of landmarks seen most often; each costs some 15 us
_FITS, _NEAR = 0.8, 4.0  # likeness at least and shift at most, pixels, of what leads a pose; set by hand
_SURE, _AT = 0.85, 1.5  # likeness at least and error at most, pixels, of what bears it out; set by hand
# Patches that bear out a pose that is led by them: of 123 images of other places the most had 30 of 1,000.
LED_BY = 24


@dataclass(frozen=True)
class CloseUp:
    """Patches as an image shows them.

    Attributes:
        observed: (N,) those that fit near where a pose had them. focals: (N,) pixels, about each.
        likeness: (N,) of each. asked: patches that should be seen. shift: their median distance from there, pixels.
    """

    observed: Observations
    focals: NDArray[np.float64]
    likeness: NDArray[np.float32]
    asked: int = 0
    shift: float = 0.0

    def __len__(self) -> int:
        return len(self.observed)

    def errors(self, pose: Matrix) -> NDArray[np.float64]:
        """(N,) pixels, at a pose in the local frame."""
        return reprojection_errors(pose, self.observed.rays, self.observed.points, self.focals)

    def found(self, pose: Matrix) -> int:
        """How many bear out a pose, local frame."""
        return int(((self.likeness > _SURE) & (self.errors(pose) < _AT)).sum())


NOT_LOOKED = CloseUp(Observations.none(), np.empty(0), np.empty(0, np.float32))


class CloserLook:
    """The patches of a place.

    Args:
        points: (L, 3) the landmarks, local frame. patches: theirs. sigma: of where one fits, pixels.
    """

    def __init__(self, points: NDArray[np.float32], patches: Patches, sigma: float) -> None:
        self._points, self._patches, self._sigma = points, patches, sigma
        self._any = bool(patches.known.any())

    def at(self, picture: Picture | None, pose: Matrix) -> CloseUp:
        """What a picture shows of them where a pose (local frame) makes them appear."""
        if picture is None or not self._any:
            return NOT_LOOKED
        which = visible(self._patches, self._points, picture, pose, _MOST)
        there = laid(self._patches, self._points, which, picture, pose)
        fits = (there.likeness > _FITS) & (there.shift < _NEAR)
        rays, points = picture.camera.rays(there.pixels[fits]), self._points[which[fits]].astype(np.float64)
        observed = Observations(rays, points, np.full(len(rays), self._sigma))
        shift = float(np.median(there.shift[fits])) if fits.any() else 0.0
        return CloseUp(observed, picture.camera.focals(rays), there.likeness[fits], len(which), shift)

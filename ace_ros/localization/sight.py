"""What is kept of an image so that others can be solved together with it: no second encoding, no second matching."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ace_ros.features.features import EncodedImage
from ace_ros.geometry import Matrix
from ace_ros.localization.atlas import Judged
from ace_ros.localization.estimate import Asked


@dataclass(frozen=True)
class Sight:
    """An image as the places of a map have seen it.

    Attributes:
        encoded: the image. asked: by the number of the place, what its witnesses said; more are added when they are
            asked. found: the poses that it has by itself, believed or not, the best first.
    """

    encoded: EncodedImage
    asked: dict[int, Asked]
    found: tuple[Judged, ...]

    @staticmethod
    def of(found: Sequence[Judged]) -> Sight:
        """What :meth:`ace_ros.localization.atlas.Atlas.find` has found."""
        asked = {one.place: one.estimate.asked for one in found if one.estimate.asked is not None}
        posed = tuple(one for one in found if one.estimate.map_from_camera is not None)
        return Sight(found[0].estimate.encoded, asked, posed)


@dataclass(frozen=True)
class RigView:
    """One of several images of which it is known how their cameras lie to each other.

    Attributes:
        sight: :attr:`ace_ros.localization.answer.Localization.sight` of the image.
        rig_from_camera: (4, 4), in units of the map, in any frame that all of them share.
        shift, turn: how far off the way from the image before to this one may be: standard deviations of each axis,
            units of the map and radians; odometry drifts, and no mount is exact.
    """

    sight: Sight
    rig_from_camera: Matrix
    shift: float = 0.0
    turn: float = 0.0

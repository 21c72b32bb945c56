"""How sure several images of one drive make a pose: views from different places bear witness, not images."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ace_ros.geometry import Matrix, invert, pose_error
from ace_ros.localization.answer import Localization

# Of the depth of the scene, and degrees: from nearer by, a camera sees the same from the same side, and errs alike.
_ANOTHER_VIEW = 0.05, 5.0
_BY_POSES = 3.0  # times that, where there is no odometry and poses alone tell whether the camera moved; set by hand
_ALIKE = 0.5  # of a motion that images and odometry may differ by; set by hand
# Decades that a further view adds at most: where one is wrong, one of ten from elsewhere is wrong along with it (moved
# furniture, rows of shelves). And those that one takes which gives no pose at all. Set by hand.
FURTHER, _BLIND = 1.0, -1.0
_NEVER = 1e-12  # so that odds are finite


def decades(probability: float) -> float:
    """Decimal logarithm of the odds: 0.9 is about one, 0.9999 four."""
    return math.log10(max(probability, _NEVER) / max(1 - probability, _NEVER))


def together(said: Iterable[float]) -> float:
    """Decades of what several witnesses say: the surest counts whole, each further one little."""
    surest, *others = sorted(said, reverse=True)
    return surest + sum(min(one, FURTHER) for one in others)


@dataclass(frozen=True)
class Seen:
    """What an image says by itself.

    Attributes:
        map_from_camera, covariance: its pose, (6, 6) as in :func:`~ace_ros.geometry.pose_residual`.
        decades: of the odds that it is right, as far as its confidence tells.
        depth: median distance of what it was seen by.
    """

    map_from_camera: Matrix
    covariance: Matrix
    decades: float
    depth: float

    @staticmethod
    def of(found: Localization) -> Seen:
        """An answer that has a pose."""
        pose, covariance = found.map_from_camera, found.covariance
        assert pose is not None and covariance is not None  # the library's promise for LOCALIZED
        # What images say together, the next of them say again: each time it is one part of a witness.
        return Seen(pose, covariance, decades(found.confidence) / found.images, scene_depth(found))


def scene_depth(found: Localization) -> float:
    """Median distance from the camera of the inliers, units of the map; needs a pose."""
    assert found.map_from_camera is not None
    points = found.scene_coordinates[found.inlier_mask]
    return float(np.median(np.linalg.norm(points - found.map_from_camera[:3, 3], axis=1))) if len(points) else 1.0


@dataclass
class _View:
    """Images from about one place, by odometry (None without) and by their own poses; ``said`` adds up."""

    by_odometry: Matrix | None
    by_image: Matrix | None
    said: float
    images: int = 1

    @property
    def mean(self) -> float:
        return self.said / self.images

    def differs(self, other: _View, depth: float) -> bool:
        """Whether the camera was elsewhere, and the images saw the same way as the odometry."""
        if self.by_odometry is None or other.by_odometry is None:
            return _far(self.by_image, other.by_image, depth, _BY_POSES)
        if self.by_image is None or other.by_image is None:
            return _far(self.by_odometry, other.by_odometry, depth)
        rolled, seen = invert(self.by_odometry) @ other.by_odometry, invert(self.by_image) @ other.by_image
        least = min(_moved(rolled, depth), _moved(seen, depth))
        return least >= 1.0 and _moved(invert(rolled) @ seen, depth) <= _ALIKE * least


class Witnesses:
    """The views that speak for a pose, and those that speak against it.

    What images from one place say is averaged, however many they are. The surest view counts whole; each further one
    counts little, for views of one scene can be wrong together.
    """

    def __init__(self) -> None:
        self._views: list[_View] = []

    def __len__(self) -> int:
        """Views that speak for it."""
        return sum(view.mean > 0 for view in self._views)

    @property
    def decades(self) -> float:
        """Of the odds that the pose is right."""
        return self.joined_by(0.0)

    def joined_by(self, said: float) -> float:
        """The same, where something else speaks for it, too, with so many decades."""
        return together([said, *(view.mean for view in self._views)])

    def heard(self, by_odometry: Matrix | None, by_image: Matrix | None, said: float, depth: float) -> None:
        """An image speaks for the pose, or where ``said`` (decades) is negative, against it.

        Args:
            by_odometry: odom_from_camera; None without odometry. by_image: map_from_camera; None where it is one of
                several. Only where both moved, and alike, it is another view: odometry drifts where a robot stands,
                and poses of nothing scatter.
            depth: of the scene.
        """
        new = _View(by_odometry, by_image, said)
        for view in self._views:
            if not view.differs(new, depth):
                view.said, view.images = view.said + said, view.images + 1
                view.by_image = by_image if view.by_image is None else view.by_image
                return
        self._views.append(new)

    def missed(self, by_odometry: Matrix | None, depth: float) -> None:
        """An image of that time gave no pose."""
        if by_odometry is None:  # from where it was taken nobody knows: as the last one
            views = self._views[-1:]
        else:
            views = [v for v in self._views if not _far(v.by_odometry, by_odometry, depth)]
        for view in views[:1]:
            view.said, view.images = view.said + _BLIND, view.images + 1
        if not views:
            self._views.append(_View(by_odometry, None, _BLIND))


def _moved(motion: Matrix, depth: float) -> float:
    """How far that is, in views."""
    translation, rotation = pose_error(motion, np.eye(4))
    return max(translation / (_ANOTHER_VIEW[0] * depth), rotation / _ANOTHER_VIEW[1])


def _far(a: Matrix | None, b: Matrix | None, depth: float, views: float = 1.0) -> bool:
    """Whether two cameras are views apart; where one of them is not known, nothing speaks against it."""
    return a is None or b is None or _moved(invert(a) @ b, depth) >= views

"""The images of the last seconds: odometry tells how they lie to each other, and together they see more than one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ace_ros.geometry import Matrix, invert, rotation_angle_deg
from ace_ros.localization.answer import Localization
from ace_ros.localization.localizer import Localizer
from ace_ros.localization.sight import RigView, Sight
from ace_ros.localization.state import State
from ace_ros.online.odometry_gate import GateOptions

# Set by hand. An image is another view where the camera moved by so much of the scene's depth, or turned by so many
# degrees: what stands still sees the same again, which proves nothing. So many are kept beside the newest: each costs.
_MOVED, _TURNED = 0.05, 8.0
_KEPT = 4
_SOON = 0.5  # of the seconds that an image is kept
# 1 sigma, m and degrees, between two images: stamps jitter, wheels slip; and where cameras are said to be is not exact.
_SLIP, _MOUNTS = (0.002, 0.2), (0.01, 0.5)


@dataclass(frozen=True, eq=False)
class _Kept:
    """An image, where its camera was by the odometry, and how far the robot had gone and turned until then (m, rad).

    ``worth``: what it alone has seen of the map.
    """

    stamp: int
    camera: str
    sight: Sight
    odom_from_camera: Matrix
    travelled: float
    turned: float
    worth: float


class Window:
    """Keeps images that differ by motion, or by their cameras, and solves them together where the newest is not enough.

    Args:
        options: how far the odometry is trusted. seconds: an image is kept for so long; 0: none is.
    """

    def __init__(self, options: GateOptions, seconds: float) -> None:
        self._localizer: Localizer | None = None
        self._kept: list[_Kept] = []
        self._odom: Matrix | None = None  # where the base was at the newest image
        self._travelled = self._turned = 0.0
        self.use(options, seconds)

    def use(self, options: GateOptions, seconds: float) -> None:
        """Go on with these options; what is kept stays kept."""
        self._options, self._seconds = options, seconds

    def solve(
        self,
        localizer: Localizer,
        found: Localization,
        stamp: int,
        camera: str,
        odom_from_base: Matrix,
        base_from_camera: Matrix,
    ) -> Localization:
        """The answer to an image: what it says alone, where that is enough, or else what it says with those before it.

        It is kept for those that come.

        Args:
            found: what it says alone. stamp: ns. camera: its frame. odom_from_base, base_from_camera: at the stamp.
        """
        if not self._seconds or found.sight is None:
            return found
        if localizer is not self._localizer:  # another map: its places have not been asked about what is kept
            self._kept, self._localizer = [], localizer
        self._move(odom_from_base)
        here = odom_from_base @ base_from_camera
        worth = found.evidence.rank if found.evidence is not None else 0.0
        newest = _Kept(stamp, camera, found.sight, here, self._travelled, self._turned, worth)
        # What comes late, as another camera's image does, is no older for that.
        self._kept = [one for one in self._kept if abs(stamp - one.stamp) <= self._seconds * 1e9]
        others = [one for one in self._kept if self._differs(one, newest)]
        if all(self._renews(newest, one) for one in self._kept if one not in others):
            self._keep(others, newest)
        if found.state is State.LOCALIZED or not others:
            return found
        together = localizer.together(self._views([*others, newest]))
        return together if together is not None and together.state is State.LOCALIZED else found

    def _move(self, odom_from_base: Matrix) -> None:
        """Odometry drifts with the way, not with the distance between its ends."""
        if self._odom is not None:
            step = invert(self._odom) @ odom_from_base
            self._travelled += float(np.linalg.norm(step[:3, 3]))
            self._turned += math.radians(rotation_angle_deg(np.eye(4), step))
        self._odom = odom_from_base

    def _renews(self, newest: _Kept, one: _Kept) -> bool:
        """Whether of two that see the same the newer is kept: it sees more, or the other is soon too old."""
        return newest.worth > one.worth or newest.stamp - one.stamp > _SOON * self._seconds * 1e9

    def _differs(self, one: _Kept, other: _Kept) -> bool:
        return one.camera != other.camera or self._apart(one, other) > 1

    def _apart(self, one: _Kept, other: _Kept) -> float:
        """How far one camera moved from one image to another, in steps that make another view."""
        a, b = one.odom_from_camera, other.odom_from_camera
        assert self._localizer is not None
        depth = self._localizer.scene_map.header.median_depth
        moved = float(np.linalg.norm(a[:3, 3] - b[:3, 3])) / (_MOVED * depth)
        return max(moved, rotation_angle_deg(a, b) / _TURNED)

    def _keep(self, others: Sequence[_Kept], newest: _Kept) -> None:
        """In the place of those that saw the same, and less; of too many, that goes which is nearest to others."""
        self._kept = sorted([*others, newest], key=lambda one: one.stamp)
        if len(self._kept) > _KEPT:
            self._kept.remove(min(self._kept, key=self._gap))

    def _gap(self, one: _Kept) -> tuple[float, int]:
        """How far the images of the camera before and after it are from it; the first and the last are needed most."""
        same = [other for other in self._kept if other.camera == one.camera]
        at = same.index(one)
        if at in (0, len(same) - 1):
            return math.inf, one.stamp  # of several, the oldest goes
        return self._apart(same[at - 1], one) + self._apart(one, same[at + 1]), one.stamp

    def _views(self, kept: Sequence[_Kept]) -> list[RigView]:
        befores = [kept[0], *kept[:-1]]
        return [
            RigView(one.sight, one.odom_from_camera, *self._drift(before, one))
            for before, one in zip(befores, kept, strict=True)
        ]

    def _drift(self, before: _Kept, after: _Kept) -> tuple[float, float]:
        """How far off the odometry may be between two images: m and radians, 1 sigma."""
        o, way, turned = self._options, after.travelled - before.travelled, after.turned - before.turned
        heading = math.radians(o.odom_heading_drift) * way
        shift, turn = _SLIP if before.camera == after.camera else _MOUNTS
        turn = math.hypot(math.radians(turn), o.odom_rotation_drift * turned, heading)
        return math.hypot(shift, o.odom_translation_drift * way, heading * way / 2), turn

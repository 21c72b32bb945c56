"""Places that look the same: each pose that an image may be taken from is carried on until the drive decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ace_ros.geometry import Matrix, pose_error
from ace_ros.online.odometry_gate import GateOptions, agreement
from ace_ros.online.pose_filter import PoseFilter

_ANOTHER_VIEW = (0.1, 5.0)  # m, degrees that a robot moves before an image is news: from one spot all say the same
_CLEAR = 4.0  # see _Hypothesis: odometry may drift more than it says; set by hand
_SAID_CLEAR = 1.0  # a person's click is as good as it says
_CARRIED = 2  # times the lead that is believed: so unlikely is it that a robot is carried; so that a lead remains, > 1


@dataclass(frozen=True)
class _Hypothesis:
    """A pose that is carried on.

    Attributes:
        against: views that spoke against it, less those for it. late: as many views had passed when it came up; it
            never has less against it.
        clear: times the squared distance up to which poses agree: what is nearer may yet be the one that is meant.
    """

    carried: PoseFilter
    against: int
    late: int
    clear: float = _CLEAR


class Hypotheses:
    """Decides where a robot is by images that each fit several places: only one of these lies on the way that it drove.

    Every view speaks for the hypotheses that one of its poses agrees with, and against the others. One is believed
    when it is ``kidnap_frames`` views ahead of each other one. A pose that no hypothesis led to becomes one, twice as
    far behind at most: the robot may have been carried there.
    """

    def __init__(self, options: GateOptions) -> None:
        self.use(options)
        self.forget()

    def use(self, options: GateOptions) -> None:
        """Go on with these options."""
        self._options, self._needed = options, options.kidnap_frames
        self._limit = agreement(options)

    def forget(self) -> None:
        """Where the robot is, is known; or nothing is."""
        self._alive: list[_Hypothesis] = []
        self._views = 0
        self._last: Matrix | None = None

    def suppose(self, pose: PoseFilter) -> None:
        """Begin with what somebody says: it has the lead that is believed once a view bears it out, and no more."""
        self._alive, self._views, self._last = [_Hypothesis(pose, 0, 0, _SAID_CLEAR)], self._needed, None

    def carry(self, odom_from_base: Matrix, stamp: int) -> None:
        """Take note of the odometry of a frame, also of one without a pose."""
        for one in self._alive:
            one.carried.carry(odom_from_base, stamp)

    def weigh(self, poses: Sequence[PoseFilter], belief: PoseFilter | None) -> int | None:
        """Index of the one of the poses of an image that the drive has decided for; None where it has not (yet).

        Args:
            poses: at one odometry, to which all were carried. belief: where the robot was last known to be, carried on
                to here; it is what the drive begins with.
        """
        odom_from_base = poses[0].odom_from_base
        assert odom_from_base is not None  # nothing else tells which pose lies on the way
        if self._last is not None and not _apart(self._last, odom_from_base):
            return None
        if belief is not None and not self._alive:
            self._alive, self._views = [_Hypothesis(belief.copy(), 0, 0)], _CARRIED * self._needed
        self._last = odom_from_base
        found, refuted = self._confirm(poses)
        leading = min((one.against for one in [*found.values(), *refuted]), default=0)
        late = min(self._views, leading + _CARRIED * self._needed)
        for index, pose in enumerate(poses):
            found.setdefault(index, _Hypothesis(pose, late, late))
        self._views += 1
        known = [*found.values(), *refuted]
        best = min(range(len(poses)), key=lambda index: found[index].against)
        # What was refuted so often is gone for good: its drift would grow until it agreed with something.
        self._alive = [one for one in known if one.against < one.late + self._needed]
        rivals = sum(one.against < found[best].against + self._needed for one in known)
        return best if rivals == 1 and self._views >= self._needed else None

    def _confirm(self, poses: Sequence[PoseFilter]) -> tuple[dict[int, _Hypothesis], list[_Hypothesis]]:
        """By index of a pose, the best hypothesis that led to it; and those that led to none."""
        found: dict[int, _Hypothesis] = {}
        refuted = []
        for one in self._alive:
            distances = np.array([one.carried.distance(pose.map_from_base, pose.covariance)[0] for pose in poses])
            if distances.min() > self._limit:
                refuted.append(replace(one, against=one.against + 1))
                continue
            for index in np.flatnonzero(distances <= one.clear * self._limit).tolist():
                confirmed = _Hypothesis(poses[index], max(one.late, one.against - 1), one.late)
                if index not in found or confirmed.against < found[index].against:
                    found[index] = confirmed
        return found, refuted


def _apart(a: Matrix, b: Matrix) -> bool:
    translation, rotation = pose_error(a, b)
    return translation >= _ANOTHER_VIEW[0] or rotation >= _ANOTHER_VIEW[1]

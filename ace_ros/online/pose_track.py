"""The poses that a topic tells, asked for at the times of images."""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass, field

from ace_ros.errors import InputError
from ace_ros.geometry import Matrix
from ace_ros.online.robot import MissingTransform
from ace_ros.recordings.trajectory import Trajectory

_LONGEST_GAP = 250_000_000  # ns between two poses that are interpolated: odometry of 5 Hz has less; set by hand
_WENT_BACK = 1_000_000_000  # ns by which a stamp is earlier than the newest: time began anew; set by hand
_KEPT = 2000  # poses: ten seconds at 200 Hz; set by hand


class NoPoses(MissingTransform):
    """Not one pose came."""


@dataclass(frozen=True, order=True)
class TracedPose:
    """A pose of the frame ``body`` at ``stamp`` (ns), or why it can't be used."""

    stamp: int
    body: str = field(compare=False)
    map_from_body: Matrix | None = field(compare=False)
    fault: str = field(default="", compare=False)


class PoseTrack:
    """Keeps the last poses.

    Args:
        slop: s by which a pose may be off in time where there are no two to interpolate between.
    """

    def __init__(self, topic: str, slop: float) -> None:
        self._topic, self._slop = topic, round(slop * 1e9)
        self._poses: list[TracedPose] = []

    def add(self, pose: TracedPose) -> None:
        """Take a pose; in any order, but one that is far earlier than the last begins a new track."""
        if self._poses and pose.stamp < self._poses[-1].stamp - _WENT_BACK:
            self.forget()
        insort(self._poses, pose)
        del self._poses[:-_KEPT]

    def forget(self) -> None:
        """Time jumped."""
        self._poses.clear()

    def at(self, stamp: int, later: bool) -> TracedPose:
        """The pose at ``stamp``: one of that stamp, or between its neighbours, or near in time where that must do.

        Args:
            later: whether there is time to ask again.

        Raises:
            MissingTransform: it is not known, or not yet. InputError: it can't be used.
        """
        after = bisect_left(self._poses, stamp, key=lambda pose: pose.stamp)
        around = self._poses[max(0, after - 1) : after + 1]
        if after < len(self._poses) and self._poses[after].stamp == stamp:
            return _usable(self._poses[after])
        if 0 < after < len(self._poses):
            first, second = map(_usable, around)
            if second.stamp - first.stamp <= _LONGEST_GAP:
                return _between(first, second, stamp)
        elif later:
            raise MissingTransform(f"no message on {self._topic} that is later than the image")
        if not self._poses:
            raise NoPoses(f"no message on {self._topic} so far")
        nearest = min(around, key=lambda pose: abs(pose.stamp - stamp))
        apart = abs(nearest.stamp - stamp)
        if apart > self._slop:
            raise MissingTransform(
                f"no pose on {self._topic} within {self._slop * 1e-9:g} s of the image, nor two around it that are at "
                f"most {_LONGEST_GAP * 1e-9:g} s apart (the nearest is {apart * 1e-9:.3f} s off)"
            )
        return _usable(nearest)


def _usable(pose: TracedPose) -> TracedPose:
    if pose.map_from_body is None:
        raise InputError(pose.fault)
    return pose


def _between(first: TracedPose, second: TracedPose, stamp: int) -> TracedPose:
    track = Trajectory.of((pose.stamp, pose.map_from_body) for pose in (first, second))  # type: ignore[misc]
    return TracedPose(stamp, first.body, track.at([stamp], float("inf"))[0])

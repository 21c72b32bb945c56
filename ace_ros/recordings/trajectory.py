"""Poses over time, at the times of images."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation, Slerp

from ace_ros.geometry import Matrix

MAX_GAP = 0.25  # s between poses of a file; motion capture gives one every 10 ms, its dropouts are longer


@dataclass(frozen=True)
class Trajectory:
    """Poses (N, 4, 4) at strictly increasing stamps (N,), ns."""

    stamps: NDArray[np.int64]
    poses: Matrix

    @staticmethod
    def of(samples: Iterable[tuple[int, Matrix]]) -> Trajectory:
        """From samples in any order; of several with one stamp the last is kept."""
        ordered = sorted(dict(samples).items())
        stamps = np.array([stamp for stamp, _ in ordered], dtype=np.int64)
        return Trajectory(stamps, np.array([pose for _, pose in ordered], dtype=np.float64).reshape(-1, 4, 4))

    @property
    def spacing(self) -> float:
        """Median time between two poses, s; infinite for fewer than two."""
        return float(np.median(np.diff(self.stamps))) * 1e-9 if len(self.stamps) > 1 else float("inf")

    def at(self, stamps: Sequence[int], max_gap: float) -> list[Matrix | None]:
        """Pose at each stamp: exact, or interpolated between neighbours at most ``max_gap`` seconds apart, or None.

        Positions go straight from one to the other, rotations by the shortest turn at constant speed.
        """
        wanted = np.asarray(stamps, dtype=np.int64)
        found: list[Matrix | None] = [None] * len(wanted)
        if not len(self.stamps):
            return found
        after = np.searchsorted(self.stamps, wanted)
        for index, (stamp, right) in enumerate(zip(wanted, after, strict=True)):
            if right < len(self.stamps) and self.stamps[right] == stamp:
                found[index] = self.poses[right]
            elif 0 < right < len(self.stamps) and self.stamps[right] - self.stamps[right - 1] <= max_gap * 1e9:
                found[index] = self._between(right - 1, int(stamp))
        return found

    def apart(self, stamps: Sequence[int]) -> str:
        """In words, why none of these stamps has a pose."""
        ends = int(self.stamps[0]), int(self.stamps[-1]), min(stamps), max(stamps)
        times = [f"{end // 10**9}.{end % 10**9:09d}" for end in ends]
        return (
            f"no image has a pose near its time: the poses are from {times[0]} to {times[1]} s, the images from "
            f"{times[2]} to {times[3]} s; are both of one clock, in one unit?"
        )

    def _between(self, left: int, stamp: int) -> Matrix:
        span = int(self.stamps[left + 1] - self.stamps[left])
        fraction = (stamp - int(self.stamps[left])) / span
        pair = self.poses[left : left + 2]
        pose = np.eye(4)
        pose[:3, :3] = Slerp([0.0, 1.0], Rotation.from_matrix(pair[:, :3, :3]))(fraction).as_matrix()
        pose[:3, 3] = (1 - fraction) * pair[0, :3, 3] + fraction * pair[1, :3, 3]
        return pose

"""Trajectories in TUM format, ``timestamp tx ty tz qx qy qz qw``, as evo and others read them."""

from __future__ import annotations

from collections.abc import Iterable

from ace_ros.geometry import Matrix, quaternion_xyzw


def tum_text(poses: Iterable[tuple[int, Matrix]]) -> str:
    """A line a pose from (stamp in nanoseconds, map_from_camera)."""
    lines = []
    for stamp, pose in poses:
        values = " ".join(f"{value:.9f}" for value in (*pose[:3, 3], *quaternion_xyzw(pose)))
        lines.append(f"{stamp // 10**9}.{stamp % 10**9:09d} {values}\n")  # a double can't hold nanoseconds since 1970
    return "".join(lines)

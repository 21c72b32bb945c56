"""Trajectories in TUM format, ``timestamp tx ty tz qx qy qz qw``, as evo and others read them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ace_ros.evaluation.metrics import FrameResult
from ace_ros.geometry import Matrix, quaternion_xyzw
from ace_ros.recordings.posed_frame import stamp_text


def estimated_tum(results: Sequence[FrameResult]) -> str:
    """The poses that count."""
    return tum_text((r.stamp, r.pose) for r in results if r.pose is not None)


def true_tum(results: Sequence[FrameResult]) -> str:
    """The true poses of all."""
    return tum_text((r.stamp, r.truth) for r in results)


def tum_text(poses: Iterable[tuple[int, Matrix]]) -> str:
    """A line a pose from (stamp in nanoseconds, map_from_camera)."""
    return "".join(f"{stamp_text(stamp)} {pose_text(pose, 9)}\n" for stamp, pose in poses)


def pose_text(pose: Matrix, digits: int) -> str:
    """``tx ty tz qx qy qz qw`` with so many digits behind the point."""
    return " ".join(f"{value:.{digits}f}" for value in (*pose[:3, 3], *quaternion_xyzw(pose)))

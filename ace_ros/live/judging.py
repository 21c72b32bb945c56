"""How good what was recorded is.

Only poses that were published count, and only frames that the node worked on: one that was overtaken by a newer image
never asked for a pose. How many those were is told beside the figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ace_ros.errors import InputError
from ace_ros.evaluation.metrics import FrameResult
from ace_ros.evaluation.run import result_of, with_truth
from ace_ros.geometry import Matrix, move_covariance, pose_error
from ace_ros.live.plan import Run
from ace_ros.live.record import Record
from ace_ros.recordings.posed_frame import PosedFrame


def judged(record: Record, frames: Sequence[PosedFrame], run: Run) -> tuple[list[FrameResult], list[str]]:
    """Results of the frames that were worked on, and notes, as :func:`ace_ros.evaluation.run.evaluate` gives them.

    Raises:
        InputError: the record tells of none of the frames that have a true pose.
    """
    known, notes = with_truth(frames)
    results = []
    for frame in known:
        status = record.frames.get(frame.stamp)
        if status is None:
            continue
        estimate, covariance = _published(record, frame.stamp, run) if status["state"] == "LOCALIZED" else (None, None)
        results.append(
            result_of(
                frame,
                state=status["state"],
                reason=status["reason"],
                estimate=estimate,
                covariance=covariance,
                confidence=status["confidence"] or 0.0,
                inliers=status["inliers"],
                candidates=status["candidates"],
                seconds=status["processing_time"] or 0.0,
                age=record.ages.get(frame.stamp),
                place=None if status.get("place", -1) < 0 else status["place"],
            )
        )
    if not results:
        raise InputError(
            f"not one of {len(known)} frames with a true pose is among the {len(record.frames)} that the node worked on"
        )
    return results, notes


def _published(record: Record, stamp: int, run: Run) -> tuple[Matrix | None, Matrix | None]:
    """The pose that was published for an image, carried over to the camera, with its covariance."""
    if stamp not in record.poses:
        return None, None
    pose, covariance = record.poses[stamp]
    return pose @ run.pose_from_camera, move_covariance(covariance, pose, run.pose_from_camera)


def live_figures(record: Record, frames: Sequence[PosedFrame], played: int, rate: float = 1.0) -> dict[str, Any]:
    """What came out besides poses: counts of frames, rates in Hz of recorded time, ages, and how TF did.

    Parameters
    ----------
    frames
        those of the recording that are judged. played: how many images the recording holds.
    """
    stamps = sorted(record.frames)
    counts = {name: int(record.counts[name]) for name in ("received", "processed", "dropped", "rejected", "localized")}
    ages = np.array(list(record.ages.values())) * 1e3
    posed = np.sort(np.array(list(record.poses), dtype=np.int64)) * 1e-9
    seconds = (max(f.stamp for f in frames) - min(f.stamp for f in frames)) * 1e-9
    span = max(seconds, (stamps[-1] - stamps[0]) * 1e-9) if stamps else seconds
    return {
        "rate": rate,
        "seconds": span,
        "frames_played": played,
        "frames_not_received": max(0, played - counts["received"]),
        **{f"frames_{name}": count for name, count in counts.items()},
        "images_hz": _per_second(played, span),
        "poses": len(posed),
        "poses_hz": _per_second(len(posed), span),
        "longest_gap_s": float(np.diff(posed).max()) if len(posed) > 1 else None,
        "latency_ms": _ages(ages) if len(ages) else None,
        "tf": _tf_figures(record, frames),
    }


def _ages(milliseconds: NDArray[np.float64]) -> dict[str, float]:
    return {
        "median": float(np.median(milliseconds)),
        "p95": float(np.percentile(milliseconds, 95)),
        "max": float(milliseconds.max()),
    }


def _per_second(count: int, seconds: float) -> float | None:
    return (count - 1) / seconds if count > 1 and seconds > 0 else None


def _tf_figures(record: Record, frames: Sequence[PosedFrame]) -> dict[str, Any]:
    """map_from_camera as TF gives it at the stamps of the frames that were worked on, localized or not."""
    truth = {f.stamp: f.map_from_camera for f in frames if f.map_from_camera is not None and f.stamp in record.frames}
    told = record.transforms
    errors = np.array([pose_error(told[s], truth[s]) for s in truth if s in told]).reshape(-1, 2)
    figures: dict[str, Any] = {"frames": len(truth), "known": len(errors), "missing": record.counts.get("no_tf", "")}
    for name, column in (("translation", 0), ("rotation_deg", 1)):
        figures[f"median_{name}"] = float(np.median(errors[:, column])) if len(errors) else None
        figures[f"p95_{name}"] = float(np.percentile(errors[:, column], 95)) if len(errors) else None
    return figures

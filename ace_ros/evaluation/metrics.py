"""Figures of a run: medians, recall, and whether the localizer knew how good it was.

A frame *has a pose* when the localizer gave one and called it LOCALIZED or UNCERTAIN. Fractions and medians are of
**all** frames: one without a pose counts as infinitely far off, so that saying "lost" never makes a run look better.

Translation errors of a metric map are metres. Of any other map they are fractions of the scene's median depth, and
the centimetres in the names of the recall thresholds then mean percent of that depth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ace_ros.geometry import Matrix, pose_error, pose_residual, squared_within
from ace_ros.localization.promise import WRONG_TURN, wrong_shift

STATES = ("LOCALIZED", "UNCERTAIN", "LOST")

#: name -> (metres or fraction of the median depth, degrees), widest first; 5 cm and 5 deg are the measure of 7-Scenes
THRESHOLDS = {"10cm_5deg": (0.10, 5.0), "5cm_5deg": (0.05, 5.0), "2cm_2deg": (0.02, 2.0), "1cm_1deg": (0.01, 1.0)}

#: NEES of 95 % of the poses whose covariances are honest; more lie outside of their 95 % ellipsoid
ELLIPSOID = squared_within(0.95)

#: limits of the classes of confidence whose poses are counted: LOCALIZED from 0.9 on
CONFIDENCES = (0.0, 0.3, 0.5, 0.7, 0.9, 0.99, 1.0)


@dataclass(frozen=True)
class FrameResult:
    """What became of one query.

    Attributes:
        name, stamp: of the frame; the stamp in nanoseconds.
        truth: (4, 4) map_from_camera of the recording.
        state: LOCALIZED, UNCERTAIN or LOST.
        reason: why it is not LOCALIZED; empty where it is.
        estimate: (4, 4) map_from_camera; None where nothing was found at all. A LOST frame may have one: the
            localizer's discarded guess, which counts nowhere but in ``localized_among_5cm_5deg``.
        covariance: (6, 6) in the order of ``geometry.pose_residual``, or None.
        confidence: in [0, 1].
        inliers, candidates: 2D-3D pairs.
        seconds: from image in memory to pose.
        age: of the image when its pose was published, s; None where none was, or where nobody listened.
        place: number of the place in the map that the pose is in; None where there is none.
    """

    name: str
    stamp: int
    truth: Matrix
    state: str
    reason: str
    estimate: Matrix | None
    covariance: Matrix | None
    confidence: float
    inliers: int
    candidates: int
    seconds: float
    age: float | None = None
    place: int | None = None

    @property
    def pose(self) -> Matrix | None:
        """The estimate, where it counts."""
        return self.estimate if self.state != "LOST" else None

    @property
    def has_pose(self) -> bool:
        return self.pose is not None


def errors(results: Sequence[FrameResult], unit: float = 1.0) -> NDArray[np.float64]:
    """(N, 2) translation error in ``unit``s and rotation error in degrees of each estimate; inf where there is none."""
    table = np.full((len(results), 2), np.inf)
    for row, result in zip(table, results, strict=True):
        if result.estimate is not None:
            row[:] = pose_error(result.estimate, result.truth)
    table[:, 0] /= unit
    return table


def nees(estimate: Matrix, truth: Matrix, covariance: Matrix) -> float:
    """Normalised estimation error squared, 6 degrees of freedom: about 6 on average for an honest covariance.

    inf where the covariance is singular or not positive.
    """
    residual = pose_residual(estimate, truth)
    try:
        root = np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        return float("inf")
    whitened = np.linalg.solve(root, residual)
    return float(whitened @ whitened)


def nees_of(results: Sequence[FrameResult]) -> NDArray[np.float64]:
    """NEES of each LOCALIZED frame that carries a covariance, (M,)."""
    return np.array(
        [
            nees(r.estimate, r.truth, r.covariance)
            for r in results
            if r.state == "LOCALIZED" and r.estimate is not None and r.covariance is not None
        ]
    )


def within(table: NDArray[np.float64], threshold: str) -> NDArray[np.bool_]:
    """Which rows of :func:`errors` are within the named threshold, (N,)."""
    translation, rotation = THRESHOLDS[threshold]
    return np.asarray((table[:, 0] <= translation) & (table[:, 1] <= rotation))


def far_off(table: NDArray[np.float64], metric: bool, median_depth: float) -> NDArray[np.bool_]:
    """Which rows of :func:`errors` nobody may be sure of, (N,): over 5 degrees off, or over 10 cm *and* 2 % of the
    depth, or over 5 % of it where there is no scale.
    """
    least = wrong_shift(True, median_depth) if metric else wrong_shift(False, 1.0)
    return np.asarray((table[:, 0] > least) | (table[:, 1] > WRONG_TURN))


def summarize(results: Sequence[FrameResult], metric: bool, median_depth: float) -> dict[str, Any]:
    """Figures of a run as plain numbers ready for JSON; None where a figure is not defined.

    Parameters
    ----------
    metric
        whether the map's unit is the metre.
    median_depth
        of the scene in units of the map; what translation errors are divided by when it is not metric.
    """
    if not results:
        raise ValueError("no frames were evaluated")
    found = errors(results, 1.0 if metric else median_depth)
    states = np.array([r.state for r in results])
    has_pose = np.array([r.has_pose for r in results])
    counted = found.copy()
    counted[~has_pose] = np.inf
    good = within(found, "5cm_5deg")
    localized = states == "LOCALIZED"
    consistency = nees_of(results)
    milliseconds = np.array([r.seconds for r in results]) * 1e3
    return {
        "frames": len(results),
        "localized": int(localized.sum()),
        "uncertain": int((states == "UNCERTAIN").sum()),
        "lost": int((states == "LOST").sum()),
        "metric": metric,
        "median_depth": finite(median_depth),
        "median_translation": finite(np.median(counted[:, 0])),
        "median_rotation_deg": finite(np.median(counted[:, 1])),
        "recall": {name: float(within(counted, name).mean()) for name in THRESHOLDS},
        "localized_among_5cm_5deg": float(localized[good].mean()) if good.any() else None,
        "false_confident": int((localized & far_off(found, metric, median_depth)).sum()),
        "nees_mean": finite(consistency.mean()) if len(consistency) else None,
        "nees_median": finite(np.median(consistency)) if len(consistency) else None,
        "nees_p95": finite(np.percentile(consistency, 95, method="higher")) if len(consistency) else None,
        "ellipsoid": float((consistency < ELLIPSOID).mean()) if len(consistency) else None,
        "reliability": reliability(
            [r.confidence for r in results if r.has_pose], ~far_off(counted, metric, median_depth)[has_pose]
        ),
        "query_ms": {
            "median": finite(np.median(milliseconds)),
            "p95": finite(np.percentile(milliseconds, 95)),
        },
    }


def reliability(confidences: Sequence[float], right: NDArray[np.bool_]) -> list[dict[str, float]]:
    """Of each class of confidence that is not empty: its limits, how many poses it has, and how many of them are right.

    A reliability diagram: of poses with a confidence of 0.9 nine in ten are right, or more.
    """
    numbers = np.clip(np.searchsorted(CONFIDENCES, confidences, side="right") - 1, 0, len(CONFIDENCES) - 2)
    return [
        {
            "from": CONFIDENCES[i],
            "to": CONFIDENCES[i + 1],
            "frames": int((numbers == i).sum()),
            "right": int(right[numbers == i].sum()),
        }
        for i in range(len(CONFIDENCES) - 1)
        if (numbers == i).any()
    ]


def finite(value: float | np.floating) -> float | None:
    """The value for JSON, which has neither infinity nor NaN: None there."""
    return float(value) if np.isfinite(value) else None

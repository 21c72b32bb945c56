"""Held-back views that a new map believes, and how exact covariances have to be for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtri

from ace_ros.geometry import Matrix, pose_error, pose_residual, squared_within
from ace_ros.localization.alternatives import decide
from ace_ros.localization.atlas import Judged
from ace_ros.localization.close_up import LED_BY
from ace_ros.localization.estimate import Estimate
from ace_ros.localization.solver import covariance_from_information
from ace_ros.localization.state import State
from ace_ros.localization.trust import TrustModel
from ace_ros.map.header import Calibration
from ace_ros.mapping.views import View

Vector = NDArray[np.float64]
_PRIOR_VIEWS = 4.0  # a few held-back views are outweighed by what is usual
_USUAL_SCALE = 3.0  # on the recordings of bench accuracy
_LEAST_SCALE, _LARGEST_SCALE = 0.01, 1e6  # of the search for one: patches may be ten times as exact as keypoints
_FREEDOM = 6  # of a pose: the mean NEES of an honest covariance
_COUNTS = 2.0  # times that a view counts: what shifts it and what turns it (decision 0025)
_HELD = 0.95  # share of the poses whose ellipsoid of that size has to hold the truth
# So much of how far poses are off (mean of shift and turn) patches may leave. Of 34 places of 21 maps 14 are left 0.11
# to 0.86 of it; the others, on a street, above a race track, where mapping poses are no more exact than keypoints, 0.91
# and more. Patches know nothing better there, and count in poses and their rivals all the same: 66 of 320 views of a
# street that had no part in its map were believed with them, 79 without (decision 0024).
_NEARER = 0.9
_FAR_OUT = 10.0  # times the median: what is farther out counts as that far, or one view would set the scale


@dataclass(frozen=True)
class Believed:
    """A held-back view that was localized, ``index`` among them: how far off, and with which covariance before any
    scale; ``lean`` is what no scale is for, ``patches`` bear it out."""

    index: int
    residual: Vector
    error: tuple[float, float]
    inverse: Matrix
    lean: Matrix
    patches: int

    @property
    def led(self) -> bool:
        return self.patches >= LED_BY

    def nees(self, scale: float) -> float:
        return float(self.residual @ np.linalg.solve(scale * self.inverse + self.lean, self.residual))


def believed(
    estimates: Sequence[list[Estimate]], views: Sequence[View], trust: TrustModel, depth: float
) -> list[Believed]:
    """Of the views that are believed; what shows one of several equal bays teaches nothing."""
    told = []
    for index, (of_image, view) in enumerate(zip(estimates, views, strict=True)):
        estimate, pose, information = of_image[0], of_image[0].map_from_camera, of_image[0].information
        found = [Judged.by(trust, one, 0, depth) for one in of_image]
        if pose is None or information is None or decide(found)[0].state is not State.LOCALIZED:
            continue
        inverse = covariance_from_information(information)
        assert inverse is not None  # or it would not have been believed
        residual, error = pose_residual(pose, view.map_from_camera), pose_error(pose, view.map_from_camera)
        inverse *= trust.thinned(estimate.evidence.patches)
        lean = trust.lean_covariance(estimate.encoded.focal) + estimate.spread
        told.append(Believed(index, residual, error, inverse, lean, estimate.evidence.patches))
    return told


def nearer(led: list[Believed], alone: list[Believed]) -> bool:
    """Whether patches lead poses nearer to where they should be, and not just by a little. Where mapping poses are off
    by as much as keypoints, they need not: they are exact about what is not."""
    without = {one.index: one.error for one in alone}
    ratios = [np.divide(one.error, without[one.index]) for one in led if one.led and one.index in without]
    return not ratios or float(np.prod(np.median(ratios, axis=0))) < _NEARER**2  # of shift and turn


def with_scales(
    calibration: Calibration, led: list[Believed] | None, alone: list[Believed], before: Calibration | None
) -> Calibration:
    """The calibration with the factors of covariances of poses that patches have ``led`` (None where there are none),
    or nothing has. ``before``: what they are not made smaller than."""
    unled = max(1.0, before.covariance_scale if before else 0.0)  # below one they would be surer than the pixels are
    calibration = replace(calibration, covariance_scale=_covariance_scale(alone, unled), led_scale=0.0)
    if led is None:
        return calibration
    least = max(_LEAST_SCALE, before.led_scale if before else 0.0)
    return replace(calibration, led_scale=_covariance_scale([one for one in led if one.led], least))


def _covariance_scale(told: list[Believed], least: float) -> float:
    """Factor on the inverse information matrices that brings the mean NEES to 6 (near the usual one with few views),
    and as much more as few views are unsure of it; or the least."""
    if not told:
        return max(least, _USUAL_SCALE * _unsure(0))

    def mean(scale: float) -> float:
        values = np.array([one.nees(scale) for one in told])
        return float(np.minimum(values, _FAR_OUT * np.median(values)).mean())

    candidates = np.geomspace(least, _LARGEST_SCALE, 300).tolist()
    fitted = next((scale for scale in candidates if mean(scale) <= _FREEDOM), candidates[-1])
    weight = len(told) / (len(told) + _PRIOR_VIEWS)
    return max(least, float(fitted**weight * _USUAL_SCALE ** (1 - weight)) * _unsure(len(told)))


def _unsure(views: int) -> float:
    """Factor on variances that so many views have taught, so that ellipsoids hold as much as if they had been known:
    where the scale of six normal errors is learnt, the sum of their squares is spread as F, not as chi squared."""
    freedom = _COUNTS * views + _PRIOR_VIEWS
    return float(_FREEDOM * fdtri(_FREEDOM, freedom, _HELD) / squared_within(_HELD))

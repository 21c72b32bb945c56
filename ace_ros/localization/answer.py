"""The answer to one query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ace_ros.geometry import Matrix
from ace_ros.localization.alternatives import Alternative, decide
from ace_ros.localization.atlas import Judged
from ace_ros.localization.estimate import Evidence
from ace_ros.localization.sight import Sight
from ace_ros.localization.state import Reason, State


@dataclass(frozen=True)
class Localization:
    """Answer to one query.

    Attributes:
        state: LOCALIZED, UNCERTAIN or LOST. reason, reason_code: why it is not LOCALIZED, as a sentence
            (empty when it is) and as a code.
        map_from_camera: (4, 4) float64, OpenCV camera axes; None when no pose was found.
        covariance: (6, 6) in the order and axes of :func:`ace_ros.geometry.pose_residual`; None without a
            pose or when the geometry is degenerate.
        confidence: probability that the pose is right, as far as its evidence tells (:func:`.trust.confidence_of`).
        inliers, candidates: 2D-3D pairs that agree with the pose, of how many (two a keypoint at most).
        reprojection_error: median of the inliers, pixels of the given image.
        pixels: (N, 2). scene_coordinates: (N, 3) map frame. inlier_mask: (N,). What was seen where.
        timings: seconds by stage (encode, match, solve, total).
        place: number in the map of the place that the pose was found in.
        alternatives: poses that explain the image about equally well, likeliest first, this one among them; empty where
            there is no doubt between places.
        sight: of the image, to be solved together with others by :meth:`Localizer.together`.
        images: that were solved together for it.
    """

    state: State
    reason: str
    reason_code: Reason
    map_from_camera: Matrix | None
    covariance: Matrix | None
    confidence: float
    inliers: int
    candidates: int
    reprojection_error: float
    pixels: NDArray[np.float64]
    scene_coordinates: NDArray[np.float64]
    inlier_mask: NDArray[np.bool_]
    timings: dict[str, float]
    evidence: Evidence | None = None
    place: int | None = None
    alternatives: tuple[Alternative, ...] = ()
    sight: Sight | None = field(default=None, repr=False)
    images: int = 1

    @staticmethod
    def of(found: Sequence[Judged]) -> Localization:
        """The best of what was found, see :meth:`ace_ros.localization.atlas.Atlas.find`."""
        best = found[0]
        estimate, (verdict, alternatives) = best.estimate, decide(found)
        encoded, inlier, pixel = estimate.encoded, estimate.inlier, 0.0
        if inlier.any():  # from pixels of the encoded image to those of the given one
            pixel = float(np.median(estimate.errors[inlier])) * encoded.camera.focal / encoded.focal
        return Localization(
            state=verdict.state,
            reason=verdict.sentence,
            reason_code=verdict.reason,
            map_from_camera=estimate.map_from_camera,
            covariance=verdict.covariance,
            confidence=verdict.confidence,
            inliers=int(inlier.sum()),
            candidates=estimate.candidates,
            reprojection_error=pixel,
            pixels=encoded.pixels[estimate.keypoint],
            scene_coordinates=estimate.points,
            inlier_mask=inlier,
            timings=dict(estimate.seconds),
            evidence=estimate.evidence,
            place=None if estimate.map_from_camera is None else best.place,
            alternatives=alternatives,
            sight=Sight.of(found),
        )

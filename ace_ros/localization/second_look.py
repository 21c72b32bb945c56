"""A pose that few landmarks agree with, held against what another look at the same image says.

Errors of a smeared image, or of one seen from elsewhere, are off together: residuals don't tell them, nor where in the
image they lie. Encoded at another size the same image has other keypoints, and what both poses differ by is a sample
of what either is off by.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ace_ros.geometry import pose_residual
from ace_ros.localization.answer import Localization
from ace_ros.localization.state import Reason
from ace_ros.localization.trust import TrustModel
from ace_ros.localization.verdict import Verdict, doubted

# Landmarks, times chance: with more, a pose is told at first sight. Of 740 poses of 22 places that were believed with
# less than nine times, as they are, half covered and smeared, the other look was within a quarter of what is wrong of
# 526, and none of these was wrong; within a half of 120 (1 wrong), within the whole of 53 (5), farther off of 41 (3).
# Of the nine wrong ones one had more than six times chance.
_FEW = 6.0
# Of the landmarks: so many for a pose elsewhere, and the two looks are at odds.
_AS_MANY = 0.6


def worth_another(answer: Localization, trust: TrustModel) -> bool:
    """Whether so few landmarks agree with an answer that another look is asked."""
    told = answer.evidence
    return told is not None and told.has_landmarks and told.landmark_inliers < _FEW * trust.calibration.chance_landmarks


def held_against(answer: Localization, other: Localization, trust: TrustModel) -> Localization:
    """The answer with what another look differs by in its covariance; not believed where that is too much.

    Args:
        answer: LOCALIZED. other: to the same image, however it ended. trust: of the place of the answer.
    """
    if answer.covariance is None or answer.sight is None or other.sight is None or not other.sight.found:
        return answer
    mine, theirs = answer.sight.found[0], other.sight.found[0]
    verdict = Verdict(answer.state, answer.confidence, covariance=answer.covariance)
    if mine.same(theirs):
        assert mine.estimate.map_from_camera is not None and theirs.estimate.map_from_camera is not None
        apart = pose_residual(theirs.estimate.map_from_camera, mine.estimate.map_from_camera)
        verdict = trust.exact_enough(replace(verdict, covariance=answer.covariance + np.outer(apart, apart)))
    elif theirs.estimate.evidence.landmark_inliers > _AS_MANY * mine.estimate.evidence.landmark_inliers:
        sentence = f"another look at the image has another pose ({theirs.estimate.evidence.landmark_inliers} landmarks)"
        verdict = doubted(verdict, Reason.AMBIGUOUS, sentence)
    return replace(
        answer,
        state=verdict.state,
        confidence=verdict.confidence,
        reason=verdict.sentence,
        reason_code=verdict.reason,
        covariance=verdict.covariance,
    )

"""A pose that few landmarks agree with, or that is known badly, held against what another look at the image says.

Errors of a smeared image, or of one seen from elsewhere, are off together: residuals don't tell them, nor where in the
image they lie. Encoded at another size the same image has other keypoints, and what both poses differ by is a sample
of what either is off by.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ace_ros.geometry import Matrix, pose_residual
from ace_ros.localization.answer import Localization
from ace_ros.localization.state import Reason, State
from ace_ros.localization.trust import TrustModel
from ace_ros.localization.verdict import Verdict, borne_out, doubted

# Landmarks, times chance: with more, a pose is told at first sight. Of 740 poses of 22 places that were believed with
# less than nine times, as they are, half covered and smeared, the other look was within a quarter of what is wrong of
# 526, and none of these was wrong; within a half of 120 (1 wrong), within the whole of 53 (5), farther off of 41 (3).
# Of the nine wrong ones one had more than six times chance.
_FEW = 6.0
# Of the landmarks: so many for a pose elsewhere, and the two looks are at odds.
_AS_MANY = 0.6
# Numbers that a covariance is worth: what it says of how far a pose is off is averaged with what two looks differ by,
# which is six. Of 896 poses of nineteen places 42 that were not believed for their covariance alone are then, none of
# them wrong, and ellipsoids of what is believed of few landmarks hold 100, 95 and 91 % (as they are, half covered,
# smeared); with twelve half as many are, and they hold 100, 95 and 93.
_PRIOR = 6.0


def worth_another(answer: Localization, trust: TrustModel) -> bool:
    """Whether another look is asked: so few landmarks agree with what is believed, or nothing speaks against a pose but
    how well it is known."""
    told = answer.evidence
    if told is None or answer.sight is None or answer.alternatives or borne_out(told, trust.calibration):
        return False  # patches lead another look to the same pose: what it says is no sample
    if answer.state is State.LOCALIZED:
        few = told.landmark_inliers < _FEW * trust.calibration.chance_landmarks
        return told.has_landmarks and few
    return trust.believes(answer.sight.found[0].estimate)


def same(one: Localization, other: Localization) -> bool:
    """Whether two looks at an image have the same pose for the best."""
    assert one.sight is not None and other.sight is not None
    return bool(one.sight.found and other.sight.found) and one.sight.found[0].same(other.sight.found[0])


def held_against(answer: Localization, other: Localization, trust: TrustModel) -> Localization:
    """The answer with what another look says of its covariance, as far as it is believed then.

    Args:
        answer: LOCALIZED, or UNCERTAIN for its covariance alone. other: to the same image, however it ended.
        trust: of the place of the answer.
    """
    if answer.covariance is None or answer.sight is None or other.sight is None or not other.sight.found:
        return answer
    mine, theirs = answer.sight.found[0].estimate, other.sight.found[0].estimate
    if same(answer, other):
        assert mine.map_from_camera is not None and theirs.map_from_camera is not None
        apart = pose_residual(theirs.map_from_camera, mine.map_from_camera)
        verdict = trust.judge(mine, _borne_out(answer.covariance, apart))
    elif theirs.evidence.landmark_inliers > _AS_MANY * mine.evidence.landmark_inliers:
        sentence = f"another look at the image has another pose ({theirs.evidence.landmark_inliers} landmarks)"
        verdict = Verdict(answer.state, answer.confidence, covariance=answer.covariance)
        verdict = doubted(verdict, Reason.AMBIGUOUS, sentence)
    else:
        return answer
    return replace(
        answer,
        state=verdict.state,
        confidence=verdict.confidence,
        reason=verdict.sentence,
        reason_code=verdict.reason,
        covariance=verdict.covariance,
    )


def _borne_out(covariance: Matrix, apart: Matrix) -> Matrix:
    """(6, 6): narrower, the less the looks differ by what it says, and what they differ by (6,)."""
    squared = float(apart @ np.linalg.solve(covariance, apart))
    narrower = min(1.0, (_PRIOR + squared) / (_PRIOR + len(apart)))
    return np.asarray(narrower * covariance + np.outer(apart, apart))

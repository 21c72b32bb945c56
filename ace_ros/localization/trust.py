"""When to believe a pose: evidence from two witnesses against what chance would give."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from ace_ros.map.header import Calibration


class State(Enum):
    """LOCALIZED: rely on it. UNCERTAIN: a pose, for information only. LOST: none worth having."""

    LOCALIZED = 1
    UNCERTAIN = 2
    LOST = 3


class Reason(Enum):
    """Why a pose is not LOCALIZED."""

    NONE = 0
    BLURRED_OR_DARK = 1
    TOO_FEW_INLIERS = 2
    POOR_COVERAGE = 3
    DEGENERATE_GEOMETRY = 4
    WITNESSES_DISAGREE = 5


@dataclass(frozen=True)
class Verdict:
    """State, confidence in [0, 1], and the reason as a code and as a sentence (empty when LOCALIZED)."""

    state: State
    confidence: float
    reason: Reason = Reason.NONE
    sentence: str = ""


@dataclass(frozen=True)
class Evidence:
    """What speaks for a pose.

    Attributes:
        contrast: standard deviation of the image's grey values. keypoints: found in it.
        head_asked: keypoints that the head was asked about.
        landmark_inliers, head_inliers: pairs of each witness that agree with the pose closely: chance
            scatters over its search radius, truth does not.
        has_landmarks: whether the map holds the second witness at all.
        coverage: fraction of the image's cells with an inlier. well_conditioned: a covariance exists.
    """

    contrast: float
    keypoints: int
    head_asked: int = 0
    landmark_inliers: int = 0
    head_inliers: int = 0
    has_landmarks: bool = True
    coverage: float = 0.0
    well_conditioned: bool = False


_DARK = 6.0  # grey values
_FEW_KEYPOINTS = 100
_MIN_COVERAGE = 0.15
_LOCALIZED = 0.9
_EVEN = 2.0  # support at which a pose is as likely right as wrong
_SLOPE = 8.0
_ALONE = 0.7
_UNCERTAIN = 0.3


def judge(evidence: Evidence, calibration: Calibration) -> Verdict:
    """What the evidence for a pose is worth.

    The confidence compares the inliers of each witness with the most that decoys collected on this
    map: at that count it is near zero, at three times that near one.
    """
    ratio = support(evidence, calibration)
    confidence = 1 / (1 + math.exp(-_SLOPE * math.log(max(ratio, 1e-3) / _EVEN)))
    if evidence.coverage < _MIN_COVERAGE or not evidence.well_conditioned:
        confidence = min(confidence, 0.5)
    if confidence >= _LOCALIZED:
        return Verdict(State.LOCALIZED, confidence)
    state = State.UNCERTAIN if confidence >= _UNCERTAIN else State.LOST
    return Verdict(state, confidence, *_explain(evidence, calibration, state))


def _explain(evidence: Evidence, calibration: Calibration, state: State) -> tuple[Reason, str]:
    if evidence.contrast < _DARK or evidence.keypoints < _FEW_KEYPOINTS:
        return Reason.BLURRED_OR_DARK, f"the image is dark, blurred or covered ({evidence.keypoints} keypoints)"
    if state is State.UNCERTAIN and not evidence.well_conditioned:
        return Reason.DEGENERATE_GEOMETRY, "the geometry of the inliers does not fix the pose"
    if state is State.UNCERTAIN and evidence.coverage < _MIN_COVERAGE:
        return Reason.POOR_COVERAGE, f"inliers cover only {evidence.coverage:.0%} of the image"
    counts = f"{evidence.landmark_inliers} landmarks, {evidence.head_inliers} head, of {evidence.keypoints} keypoints"
    landmarks, head = ratios(evidence, calibration)
    if evidence.has_landmarks and max(landmarks, head) > _EVEN and min(landmarks, head) < 1:
        return Reason.WITNESSES_DISAGREE, f"head and landmarks don't agree on a pose ({counts})"
    return Reason.TOO_FEW_INLIERS, f"too few inliers ({counts})"


def support(evidence: Evidence, calibration: Calibration) -> float:
    """Inliers as a multiple of what chance gives: weighted geometric mean over the witnesses.

    Landmarks alone are believed at a discount, for places that the head never learnt well.
    """
    landmarks, head = ratios(evidence, calibration)
    if not evidence.has_landmarks:
        return head
    weight = calibration.landmark_weight
    return max(math.exp(weight * math.log(landmarks) + (1 - weight) * math.log(head)), _ALONE * landmarks)


def ratios(evidence: Evidence, calibration: Calibration) -> tuple[float, float]:
    """Inliers of the landmarks and of the head as multiples of what chance gives, at least 0.01."""
    landmarks = evidence.landmark_inliers / calibration.chance_landmarks
    head = evidence.head_inliers / max(1.0, calibration.chance_head * evidence.head_asked)
    return max(landmarks, 0.01), max(head, 0.01)

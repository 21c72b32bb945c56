"""Whether to believe a pose: evidence from two witnesses against what chance would give."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ace_ros.geometry import Matrix
from ace_ros.localization.estimate import Evidence
from ace_ros.localization.promise import WRONG_TURN
from ace_ros.localization.state import Reason, State
from ace_ros.map.header import Calibration


@dataclass(frozen=True)
class Verdict:
    """State, confidence, and the reason as a code and as a sentence (empty when LOCALIZED).

    Attributes:
        confidence: probability that the pose is right (:func:`confidence_of`).
        covariance: (6, 6) in the order and axes of :func:`ace_ros.geometry.pose_residual`; None without a pose, and
            where the geometry does not fix it.
    """

    state: State
    confidence: float
    reason: Reason = Reason.NONE
    sentence: str = ""
    covariance: Matrix | None = None


# Set by hand with `bench --stages trust`: 6,886 frames of other places were never believed, and every good query was.
EVEN = 2.0  # support at which the confidence is one half
SLOPE = 8.0  # of the odds by the support, in logarithms
LOCALIZED = 0.9  # confidence: 2.6 times chance
# Beyond, odds grow that much slower. Of 4,900 images (460 queries and 610 views of left out stretches of eight scenes,
# as they are, half covered and smeared, and 1,792 images of elsewhere) 2,024 were believed; had odds grown on so,
# 3 of 549 were wrong where 1 in 700 should have been. Fitted alone, the odds begin higher and grow with 0.47.
_SURE_SLOPE = 0.5
_LEAST_ODDS = math.log(LOCALIZED / (1 - LOCALIZED))  # their logarithm, of what is believed
_UNCERTAIN = 0.3  # confidence: 1.8 times chance
# What landmarks alone are worth, for places that the head never learnt well: they are believed at three times chance
# where matches speak for them, too, and where a map doesn't tell how many do elsewhere, at nearly four. Of 1,400 poses
# that were wrong for sure none that passed all else had three times chance and the matches; without these 4 had.
_ALONE, _ALONE_UNTOLD = 0.87, 0.7
# Landmarks, times chance, that a believed pose has where there are any: a head is wrong alike for a hundred keypoints,
# and vouches for none by itself. On a street one was 1.4 m off at 1.5 times, among moved furniture one at 2.0 to 2.3;
# no good query that was believed there has under 2.8, in four rooms none under 4.
_LEAST_LANDMARKS = 2.5
# Where landmarks are dense, chance finds many, and the right pose not much more: on a street 2.2 to 2.5 times as many
# for one query of nine. So many times the matches that agree elsewhere leave no doubt (right poses there had 3 to 7, of
# those 1,400 none over 1.6 that passed all else), and fewer landmarks do.
_MATCHED_WELL, _LEAST_IF_MATCHED = 3.0, 2.15
# Confidence at most of a pose that something speaks against: a corner of the image, degenerate geometry, its own
# covariance. Of 317 such poses of 23 places, as they are, half covered and smeared, 256 were right.
_CAP = 0.75
# Of the patches that should be seen at wrong poses 3 % fit at most, of images of other places; so many times as many
# leave no doubt, and no fewer than so many: in a hall 28 of 169, 26 of 269 and 24 of 260 did at wrong ones.
_CHANCE_PATCHES, _PATCHED_WELL, _LEAST_PATCHES = 0.03, 4.0, 40
_MIN_COVERAGE = 0.15  # of the image
DARK = 6.0  # standard deviation of grey values: a covered lens, or a wall
_FEW_KEYPOINTS = 100  # a tenth of what is asked for
_LEAST_RATIO = 0.01  # so that the logarithm of nothing is a number
# Depths of the scene, degrees: poses that explain an image equally well and lie farther apart leave it open which is
# meant; a twentieth and 5 degrees is a wrong pose. Nearer ones are in the covariance.
_PLAY = 0.04, 4.0
# Of the landmarks that agree with a pose, so many agree with one a twentieth of the depth beside it: errors of less
# than a pixel, of which neighbours have the same, decide between the two. Right poses on a street have up to 0.93; a
# half covered view that was 22 % of the depth off and believed had 1.1. And so many agree with one turned by 5 degrees
# about what is seen: of 1,569 poses believed, of views as they are, half covered and smeared, 3 had more, of which 2
# were wrong.
_MOST_SLACK = 0.95, 0.8


def doubted(verdict: Verdict, reason: Reason, sentence: str) -> Verdict:
    """The verdict where something speaks against it."""
    if verdict.state is State.LOST:
        return verdict
    return Verdict(State.UNCERTAIN, min(verdict.confidence, _CAP), reason, sentence, verdict.covariance)


def judge(evidence: Evidence, calibration: Calibration) -> Verdict:
    """What the evidence for a pose is worth.

    The confidence compares the inliers of each witness with the most that decoys collected on this
    map: at that count it is near zero, at three times that above nine in ten.
    """
    confidence = confidence_of(support(evidence, calibration))
    dense = evidence.matched >= _MATCHED_WELL * calibration.self_matched > 0
    least = (_LEAST_IF_MATCHED if dense else _LEAST_LANDMARKS) * calibration.chance_landmarks
    least = max(least, calibration.self_similar)
    few = evidence.landmark_inliers < least or _elsewhere(evidence, calibration)
    by_head = evidence.has_landmarks and few and not borne_out(evidence, calibration)
    loose = _loose(evidence)
    if by_head or loose or evidence.coverage < _MIN_COVERAGE or not evidence.well_conditioned:
        confidence = min(confidence, _CAP)
    if confidence >= LOCALIZED:
        return Verdict(State.LOCALIZED, confidence)
    state = State.UNCERTAIN if confidence >= _UNCERTAIN else State.LOST
    return Verdict(state, confidence, *_explain(evidence, calibration, state))


def _loose(evidence: Evidence) -> bool:
    held = (*evidence.play, *evidence.slack)
    return any(value > most for value, most in zip(held, (*_PLAY, *_MOST_SLACK), strict=True))


def _elsewhere(evidence: Evidence, calibration: Calibration) -> bool:
    """Whether no more speaks for a pose than for some pose in a part of the place that the map does not show."""
    return evidence.landmark_inliers < calibration.self_similar or evidence.matched < calibration.self_matched


def confidence_of(support: float) -> float:
    """Probability that a pose with so much support is right, as images of all kinds have it: see docs/benchmarks.md."""
    odds = SLOPE * math.log(max(support, _LEAST_RATIO) / EVEN)
    odds = min(odds, _LEAST_ODDS) + _SURE_SLOPE * max(0.0, odds - _LEAST_ODDS)
    return 1 / (1 + math.exp(-odds))


def support_of(confidence: float) -> float:
    """Inverse of :func:`confidence_of`."""
    share = min(max(confidence, 1e-12), 1 - 1e-12)
    odds = math.log(share / (1 - share))
    odds = min(odds, _LEAST_ODDS) + max(0.0, odds - _LEAST_ODDS) / _SURE_SLOPE
    return EVEN * math.exp(odds / SLOPE)


def _explain(evidence: Evidence, calibration: Calibration, state: State) -> tuple[Reason, str]:
    if evidence.contrast < DARK or evidence.keypoints < _FEW_KEYPOINTS:
        return Reason.BLURRED_OR_DARK, f"the image is dark, blurred or covered ({evidence.keypoints} keypoints)"
    if state is State.UNCERTAIN and not evidence.well_conditioned:
        return Reason.DEGENERATE_GEOMETRY, "the geometry of the inliers does not fix the pose"
    if state is State.UNCERTAIN and evidence.coverage < _MIN_COVERAGE:
        return Reason.POOR_COVERAGE, f"inliers cover only {evidence.coverage:.0%} of the image"
    if state is State.UNCERTAIN and _loose(evidence):
        play = f"{evidence.play[0]:.1%} of the depth, {evidence.play[1]:.1f} degrees"
        aside, around = evidence.slack
        if aside > _MOST_SLACK[0]:
            play = f"{aside:.0%} of the landmarks agree 5 % of the depth aside"
        elif around > _MOST_SLACK[1]:
            play = f"{around:.0%} of the landmarks agree when it is turned by {WRONG_TURN:.0f} degrees about them"
        return Reason.AMBIGUOUS, f"poses around this one explain the image equally well ({play})"
    counts = f"{evidence.landmark_inliers} landmarks, {evidence.head_inliers} head, of {evidence.keypoints} keypoints"
    landmarks, head = ratios(evidence, calibration)
    if evidence.has_landmarks and max(landmarks, head) > EVEN and min(landmarks, head) < 1:
        return Reason.WITNESSES_DISAGREE, f"head and landmarks don't agree on a pose ({counts})"
    if landmarks >= _LEAST_LANDMARKS and _elsewhere(evidence, calibration):
        likeness = f"{calibration.self_similar:.0f} landmarks and {calibration.self_matched:.0f} matches"
        return (
            Reason.TOO_FEW_INLIERS,
            f"the place resembles itself: {likeness} agree elsewhere ({counts}, {evidence.matched} matches)",
        )
    return Reason.TOO_FEW_INLIERS, f"too few inliers ({counts})"


def support(evidence: Evidence, calibration: Calibration) -> float:
    """Inliers as a multiple of what chance gives: weighted geometric mean over the witnesses.

    Landmarks alone are believed at a discount, for places that the head never learnt well.
    """
    landmarks, head = ratios(evidence, calibration)
    if not evidence.has_landmarks:
        return head
    weight, alone = calibration.landmark_weight, _ALONE if calibration.self_matched > 0 else _ALONE_UNTOLD
    both = max(math.exp(weight * math.log(landmarks) + (1 - weight) * math.log(head)), alone * landmarks)
    if not borne_out(evidence, calibration):
        return both
    return max(both, _ALONE * evidence.patches / _patches_by_chance(evidence, calibration))


def excess(evidence: Evidence, calibration: Calibration) -> float:
    """Inliers beyond those that chance gives any pose: by these one pose is told from another. Landmarks', if there are
    any: a head is right or wrong alike for a hundred keypoints, and says as much for a pose beside the true one."""
    if evidence.has_landmarks:
        patches = max(0.0, evidence.patches - _patches_by_chance(evidence, calibration))
        return max(0.0, evidence.landmark_inliers - calibration.chance_landmarks) + patches
    return max(0.0, evidence.head_inliers - calibration.chance_head * evidence.head_asked)


def borne_out(evidence: Evidence, calibration: Calibration) -> bool:
    """Whether so many patches fit as they do at no wrong pose."""
    least = max(_LEAST_PATCHES, _PATCHED_WELL * _patches_by_chance(evidence, calibration))
    return evidence.patches >= least


def _patches_by_chance(evidence: Evidence, calibration: Calibration) -> float:
    return max(calibration.chance_patches, _CHANCE_PATCHES) * max(1, evidence.patches_asked)


def ratios(evidence: Evidence, calibration: Calibration) -> tuple[float, float]:
    """Inliers of the landmarks and of the head as multiples of what chance gives."""
    landmarks = evidence.landmark_inliers / calibration.chance_landmarks
    head = evidence.head_inliers / max(1.0, calibration.chance_head * evidence.head_asked)
    return max(landmarks, _LEAST_RATIO), max(head, _LEAST_RATIO)

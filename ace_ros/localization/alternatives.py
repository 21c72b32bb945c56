"""Poses that explain an image about equally well: twins are told, never decided by the toss of a coin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ace_ros.geometry import Matrix
from ace_ros.localization.atlas import Judged
from ace_ros.localization.state import Reason, State
from ace_ros.localization.verdict import SLOPE, Verdict

# Set by hand on generated twins and a street.
_RIVAL = 0.6  # of the best's inliers beyond chance: so many speak for a rival
# A twin may have fewer landmarks where its place is larger: a pose that would be believed by landmarks alone, and that
# explains as much of the image.
_TWIN, _TWIN_CHANCE, _TWIN_COVERAGE = 0.25, 2.5, 0.6  # of the best's excess, times chance, of the best's coverage
# Of the best's matches before there was a pose, so many agree with a rival: of 80 pairs of poses in a generated
# building's twin rooms none had fewer. A pose in another part of a street has 0.06 to 0.2 of them, and as many inliers.
_MATCHED = 0.25
_NEARBY = 1.0  # depths of the scene: a pose so near is no twin, but the same thing seen less well
_CONFIDENCE = 0.5  # at most, of a pose that has a rival


@dataclass(frozen=True)
class Alternative:
    """One of several poses that an image may have been taken from.

    Attributes:
        map_from_camera: (4, 4) float64. covariance: as :attr:`Localization.covariance`. place: number in the map.
        probability: of it among the alternatives, as far as their inliers tell; they add up to one.
        confidence: what it would be if there were no other.
    """

    map_from_camera: Matrix
    covariance: Matrix | None
    place: int
    probability: float
    confidence: float


def decide(found: Sequence[Judged]) -> tuple[Verdict, tuple[Alternative, ...]]:
    """The verdict on the best of several poses, and all that may be meant where it has rivals, itself first.

    Args:
        found: the best first, see :meth:`ace_ros.localization.atlas.Atlas.find`.
    """
    best = found[0]
    if best.verdict.state is State.LOST:
        return best.verdict, ()
    rivals = [one for one in found if one is best or _is_rival(one, best)]
    if len(rivals) < 2:
        return best.verdict, ()
    # The confidence grows with that power of the inliers, and so do the odds between two poses.
    odds = np.array([max(one.excess, 1.0) / max(best.excess, 1.0) for one in rivals]) ** SLOPE
    alternatives = tuple(
        Alternative(
            one.estimate.map_from_camera, one.verdict.covariance, one.place, float(share), one.verdict.confidence
        )
        for one, share in zip(rivals, odds / odds.sum(), strict=True)
        if one.estimate.map_from_camera is not None
    )
    sentence = f"{len(alternatives)} poses explain the image about equally well ({_where(rivals)})"
    confidence = min(best.verdict.confidence, _CONFIDENCE)
    return replace(best.verdict, state=State.UNCERTAIN, confidence=confidence, reason=Reason.AMBIGUOUS,
                   sentence=sentence), alternatives  # fmt: skip


def _is_rival(one: Judged, best: Judged) -> bool:
    a, b = one.estimate.map_from_camera, best.estimate.map_from_camera
    if one.verdict.state is State.LOST or a is None or b is None:
        return False
    evidence, covered = one.estimate.evidence, best.estimate.evidence.coverage
    if evidence.matched < _MATCHED * best.estimate.evidence.matched:
        return False
    if one.excess >= _RIVAL * best.excess:
        return True
    nearby = np.linalg.norm(a[:3, 3] - b[:3, 3]) < _NEARBY * best.depth
    chance = evidence.landmark_inliers - one.excess
    believed = evidence.landmark_inliers >= _TWIN_CHANCE * chance and one.excess >= _TWIN * best.excess
    return believed and not nearby and evidence.coverage >= _TWIN_COVERAGE * covered


def _where(rivals: Sequence[Judged]) -> str:
    places = sorted({one.place for one in rivals})
    counts = "/".join(str(one.estimate.evidence.landmark_inliers) for one in rivals)
    return f"{'place' if len(places) == 1 else 'places'} {', '.join(map(str, places))}; {counts} landmarks"

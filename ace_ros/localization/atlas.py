"""A map of places asked as one: landmarks vote for places, these are asked by turns, and each answer is judged."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ace_ros.features.encoder import EncoderProfile
from ace_ros.features.features import EncodedImage
from ace_ros.geometry import Matrix
from ace_ros.localization.estimate import Estimate
from ace_ros.localization.estimator import PoseEstimator
from ace_ros.localization.search import same_pose
from ace_ros.localization.state import State
from ace_ros.localization.trust import TrustModel
from ace_ros.localization.verdict import Verdict
from ace_ros.localization.votes import PlaceVotes
from ace_ros.map.scene_map import SceneMap

_ASKED = 3  # places at most, where the first ones don't convince: the right one was among them for every query seen
# A place that has so much of the most votes may be the twin of the one that has most; one with less may, too, if it has
# so many times what places get that the image does not show. In a generated building 23 % of the queries that show no
# twin ask a second place for it, and 96 % of those that do.
_ALIKE, _LESS_ALIKE, _ABOVE_NOISE = 0.3, 0.12, 3.0
_MOST_ALIKE = 6  # such places that are asked; set by hand, more than twins have
# Votes of the first, a tenth of the keypoints that vote: with fewer they say little, and what is believed is held
# against as many places. Of 512 queries in twin rooms none is believed in the twin with it, and 1 was without.
_WEAK = 15.0


@dataclass(frozen=True)
class Judged:
    """A pose that an image may have been taken from.

    Attributes:
        place: number of the place in the map. depth: of its scene, units of the map.
        estimate, verdict: what its estimator found, and what its trust model makes of it.
        excess: inliers beyond chance, by which one pose is told from another.
    """

    place: int
    depth: float
    estimate: Estimate
    verdict: Verdict
    excess: float

    @staticmethod
    def by(trust: TrustModel, estimate: Estimate, place: int, depth: float) -> Judged:
        """An estimate as a trust model judges it."""
        return Judged.of(estimate, trust.judge(estimate), place, depth, trust)

    @staticmethod
    def of(estimate: Estimate, verdict: Verdict, place: int, depth: float, trust: TrustModel) -> Judged:
        """An estimate of which the verdict is known."""
        return Judged(place, depth, estimate, verdict, trust.excess(estimate))

    @property
    def rank(self) -> float:
        """The best of several has most."""
        return self.estimate.evidence.rank

    def same(self, other: Judged) -> bool:
        """Whether both are one pose: where places overlap, two find it."""
        a, b = self.estimate.map_from_camera, other.estimate.map_from_camera
        return a is None or b is None or same_pose(a, b, max(self.depth, other.depth))


class Atlas:
    """Finds the poses that an image may have been taken from. What a place needs is made when it is first asked.

    Args:
        scene_map: the map. profile: of its encoder. device: to work on. iterations: upper bound of each RANSAC.
    """

    def __init__(
        self, scene_map: SceneMap, profile: EncoderProfile, device: torch.device, iterations: int = 1000
    ) -> None:
        self._map, self._profile, self._device, self._iterations = scene_map, profile, device, iterations
        self._asked: dict[int, tuple[PoseEstimator, TrustModel]] = {}
        several = len(scene_map.headers) > 1
        self._votes = PlaceVotes(scene_map, device, profile.likeness) if several else None
        if not several:
            self.place(0)

    def find(
        self,
        encoded: EncodedImage,
        prior: Matrix | None = None,
        sure_only: bool = False,
        known: Collection[int] = (),
    ) -> list[Judged]:
        """Poses, the best first, each elsewhere than those before it.

        Args:
            prior: expected map_from_camera. Places near it are asked first; others, as votes have it, when these don't
                convince, or when as much speaks for them.
            sure_only: what could not be believed need not be found: most of the time that a foreign image takes.
            known: places that are asked in any case.

        Raises:
            MapFileError: a place of the map's file can't be read.
        """
        found: list[Judged] = []
        asked: set[int] = set()
        for number in self._order(encoded, prior, known, found):
            if number in asked:
                continue
            asked.add(number)
            estimator, trust = self.place(number)
            depth = self._map.headers[number].median_depth
            least = trust.calibration_for(encoded.scale).self_matched if sure_only else 0.0
            estimates = estimator.estimates(encoded, prior, least)
            found += [Judged.by(trust, estimate, number, depth) for estimate in estimates]
        if sure_only and self._votes is not None and _sure(found):
            return self.find(encoded, prior, known=known)  # rivals in other places count all the same
        found.sort(key=lambda one: -one.rank)
        return [one for i, one in enumerate(found) if not any(one.same(better) for better in found[:i])]

    def _order(
        self, encoded: EncodedImage, prior: Matrix | None, known: Collection[int], found: list[Judged]
    ) -> Iterator[int]:
        """Numbers of the places to ask, some of them twice, as long as more are worth it; looks at what was ``found``
        meanwhile."""
        if self._votes is None:
            yield 0
            return
        votes = self._votes.count(encoded.features)
        best = np.argsort(-votes, kind="stable")
        near = best[self._map.near(prior[:3, 3])[best]] if prior is not None else best[:0]
        yield from known
        for number in near[:_ASKED].tolist():
            if _sure(found):
                break
            yield number
        # What is expected takes nobody's turn: a twin of it is elsewhere.
        turns, alike, weak = 0, _alike(votes), votes.max() < _WEAK
        for number in best.tolist():
            sure = _sure(found)
            if ((alike[number] or (sure and weak)) and turns < _MOST_ALIKE) or (not sure and turns < _ASKED):
                turns += 1
                yield number

    def place(self, number: int) -> tuple[PoseEstimator, TrustModel]:
        """What answers for a place.

        Raises:
            MapFileError: it can't be read from the map's file.
        """
        if number not in self._asked:
            place = self._map.places[number]
            header = place.header
            trust = TrustModel(header.calibration, self._profile.lean, header.median_depth, header.metric)
            self._asked[number] = PoseEstimator(place, self._device, trust.settled, self._iterations), trust
        return self._asked[number]


def _sure(found: list[Judged]) -> bool:
    return any(one.verdict.state is State.LOCALIZED for one in found)


def _alike(votes: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which places may be what the image shows, the one with most votes among them."""
    noise = float(np.median(np.sort(votes)[:-2])) if len(votes) > 2 else 0.0
    most = votes.max()
    above = (votes >= _LESS_ALIKE * most) & (votes >= _ABOVE_NOISE * noise)
    return np.asarray((votes >= _ALIKE * most) | above)

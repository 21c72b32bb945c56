"""Several images solved together: by odometry one camera becomes many, and many cameras of a robot one.

Each image alone may see too little to be believed. They propose poses, alone and together (a generalized camera), each
is carried to all of them by the ways between them, and is held against what all see.

Evidence is never cheaper than that of one image. What a wrong pose collects by chance is taken off for each image by
itself, a landmark counts once however many images show it, and the head, which is wrong alike from every side, counts
as in one image. So ten images of one view are worth no more than one, and the last image has to speak for its pose
itself: what others saw does not prove that the robot was not carried away since. And none loses the veto that it has
alone (objections.py).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ace_ros.geometry import Matrix, invert, pose_error, squared_within
from ace_ros.localization import solver
from ace_ros.localization.atlas import Atlas, Judged
from ace_ros.localization.chain import Chain, Link
from ace_ros.localization.close_up import NOT_LOOKED
from ace_ros.localization.estimate import Estimate, Evidence
from ace_ros.localization.estimator import Paired, PoseEstimator
from ace_ros.localization.objections import Opinion, objection
from ace_ros.localization.search import same_pose
from ace_ros.localization.sight import RigView
from ace_ros.localization.state import Reason
from ace_ros.localization.trust import TrustModel
from ace_ros.localization.verdict import doubted, judge
from ace_ros.map.header import Calibration
from ace_ros.map.landmarks import Likely
from ace_ros.map.scene_map import SceneMap

# Set by hand unless said otherwise; pixels of the encoded image as in estimator.py.
_RANSAC, _COARSE, _FINE = 5.0, 12.0, 4.0
_WIDE = 24.0  # an image of which it is not known better than so where it would see things helps nobody
_SIGMAS = 2.0  # of the ways between images, that are allowed for
_EXACT = 5e-4, 2e-3  # depths of the scene, and radians: no way between two images is known better
_MATCHES = 60  # of each image, the likest, that the generalized camera is found by: true are 5 %, and 2 % of all
_ITERATIONS = 1000  # of its RANSAC at most
_RIVAL, _MOST = 0.5, 2  # of the matches that agree with the best pose; so many poses are looked at closely
_ROUNDS, _AT_REST = 3, (0.01, 0.5)  # it is led on, until a round moves it by no more: depths, degrees
_WORTH = 0.5  # of the landmarks that leave no doubt, an image: with fewer it matters little where it comes to rest
_ROUGH = 2  # steps of a refinement that another follows
# Matches that agree with a pose, for it to be looked at more closely: of the last image, and of all as multiples of
# what chance gives the landmarks. What was believed in a courtyard and a hall had 3.5 times that or more, nine tenths
# of the images of the other place 2.7 or less, and those it costs most time to look at.
_SAY, _AGREEING = 3, 2.5
_PLACES = 6  # that are asked at most, as for one image among twins
# Times what chance gives, of a place whose likeness to itself is not known: as most have that were looked at, and more.
_LIKENESS = 2.0
# Of a way that images and odometry do not agree on: odometry that is as exact as it says stretches links less than half
# of the time. In a hall it did by 1.5 at most, and what was wrong and sure by odometry 30 % off, by 6.5 or more.
_TENSION = squared_within(0.5)
_CAP = 0.5  # confidence where they don't


@dataclass(frozen=True)
class _Seen:
    """An image in one place, all in its local frame.

    ``rays`` (M, 3), ``focals`` (M,) and ``points`` (M, 3) of its matches; ``spread``: pixels by which the ways between
    it and the last image may put it off.
    """

    view: RigView
    paired_by: PoseEstimator
    place: int
    rays: Matrix
    focals: NDArray[np.float64]
    points: Matrix
    spread: float

    def agreeing(self, pose: Matrix) -> int:
        """Matches that agree with a pose."""
        errors = solver.reprojection_errors(pose, self.rays, self.points, self.focals)
        return int((errors < np.hypot(_RANSAC, self.spread)).sum())

    def around(self, pose: Matrix) -> Likely:
        return self.paired_by.search.around(self.view.sight.encoded, pose, _WIDE)

    def within(self, likely: Likely, pose: Matrix, radius: float) -> tuple[solver.Observations, NDArray[np.float64]]:
        """What is near, and its focal lengths."""
        encoded, near = self.view.sight.encoded, likely.within(pose, radius).best()
        return self.paired_by.search.observed(encoded, near, radius), encoded.focals[near.keypoint]

    def paired(self, pose: Matrix) -> Paired:
        paired = self.paired_by.paired(self.view.sight.encoded, self.view.sight.asked[self.place], pose)
        return self.paired_by.closer(paired, pose)


def find_together(atlas: Atlas, scene_map: SceneMap, views: Sequence[RigView]) -> list[Judged]:
    """As :meth:`ace_ros.localization.atlas.Atlas.find`, for the last of several images; empty where nothing speaks.

    Asked are the places in which any of the images alone has found a pose, those first that most have.
    """
    asked = Counter(place for view in views for place in {one.place for one in view.sight.found})
    found: list[Judged] = []
    for place, _ in asked.most_common(_PLACES):
        header = scene_map.headers[place]
        estimator, trust = atlas.place(place)
        if estimator.has_landmarks:  # a head alone says as much of one image as of ten
            found += RigEstimator(estimator, trust, place, np.asarray(header.origin), header.median_depth).find(views)
    found.sort(key=lambda one: -one.rank)
    return [one for i, one in enumerate(found) if not any(one.same(better) for better in found[:i])]


class RigEstimator:
    """Solves images together in one place.

    Args:
        estimator, trust: of the place. place: its number. origin: (3,) of its local frame. depth: of its scene.
    """

    def __init__(
        self, estimator: PoseEstimator, trust: TrustModel, place: int, origin: NDArray[np.float64], depth: float
    ) -> None:
        self._estimator, self._trust, self._place = estimator, trust, place
        self._origin, self._depth = origin, depth

    def find(self, views: Sequence[RigView]) -> list[Judged]:
        """Poses that the last of the images may have been taken from; empty where nothing speaks for any, or no other
        image is near enough."""
        start = time.perf_counter()
        views, spreads = self._near_enough(views)
        if len(views) < 2:
            return []
        seen = [self._seen(view, spread) for view, spread in zip(views, spreads, strict=True)]
        chain = self._chain(views)
        asked = time.perf_counter()
        found = [self._judged(seen, chain, pose) for pose in self._proposed(seen, chain)]
        seconds = {"match": asked - start, "solve": time.perf_counter() - asked}
        return [replace(one, estimate=replace(one.estimate, seconds=seconds)) for one in found]

    def _near_enough(self, views: Sequence[RigView]) -> tuple[list[RigView], list[float]]:
        """Those of which it is known well enough how they lie to the last, and by how many pixels that may be off."""
        kept, spreads, shift, turn = [views[-1]], [0.0], 0.0, 0.0
        for before, after in zip(reversed(views[:-1]), reversed(views[1:]), strict=True):
            after_shift, after_turn = self._inexact(after)
            shift, turn = np.hypot(shift, after_shift), np.hypot(turn, after_turn)
            spread = _SIGMAS * before.sight.encoded.focal * float(np.hypot(turn, shift / self._depth))
            if spread > _WIDE:
                break
            kept.insert(0, before)
            spreads.insert(0, spread)
        return kept, spreads

    def _inexact(self, view: RigView) -> tuple[float, float]:
        return max(view.shift, _EXACT[0] * self._depth), max(view.turn, _EXACT[1])

    def _chain(self, views: Sequence[RigView]) -> Chain:
        links = [Link(invert(a.rig_from_camera) @ b.rig_from_camera, *self._inexact(b)) for a, b in pairwise(views)]
        return Chain(links, 1 / self._trust.calibration.covariance_scale)

    def _seen(self, view: RigView, spread: float) -> _Seen:
        sight = view.sight
        if self._place not in sight.asked:
            sight.asked[self._place] = self._estimator.ask(sight.encoded)
        matches = sight.asked[self._place].matches
        rays, focals = sight.encoded.rays[matches.keypoint], sight.encoded.focals[matches.keypoint]
        points = self._estimator.search.points_of(matches)
        return _Seen(view, self._estimator, self._place, rays, focals, points, spread)

    def _proposed(self, seen: Sequence[_Seen], chain: Chain) -> list[Matrix]:
        """Poses of the last image that the matches of all agree with best, each elsewhere than those before it."""
        last = seen[-1].view.rig_from_camera
        poses = []
        for one in seen:
            for alone in one.view.sight.found:
                pose = alone.estimate.map_from_camera
                if alone.place != self._place or pose is None:
                    continue
                local = pose @ invert(one.view.rig_from_camera) @ last
                local[:3, 3] -= self._origin
                poses.append(local)
        if (together := _generalized(seen)) is not None:
            poses.append(together)
        counted = _counted(seen, chain, poses)
        counted.sort(key=lambda one: -one[0])
        least = _AGREEING * self._trust.calibration.chance_landmarks
        apart: list[Matrix] = []
        for count, pose in counted:
            if count < max(least, _RIVAL * counted[0][0]) or len(apart) == _MOST:
                break
            if not any(same_pose(pose, other, self._depth) for other in apart):
                apart.append(pose)
        return apart

    def _judged(self, seen: Sequence[_Seen], chain: Chain, last: Matrix) -> Judged:
        """A pose of the last image, refined with all that is seen where it makes the map appear."""
        poses = self._led_on(seen, chain, chain.poses(last))
        paired = [one.paired(pose) for one, pose in zip(seen, poses, strict=True)]
        poses, _, _ = chain.refine(poses, *_seen_by(paired))
        paired = [one.leading(pose) for one, pose in zip(paired, poses, strict=True)]
        told = [self._estimator.told(one, pose, None, {}) for one, pose in zip(paired, poses, strict=True)]
        speaking = self._speaking(paired, told)
        heard = [one if k in speaking else None for k, one in enumerate(paired)]
        poses, _, _ = chain.refine(poses, *_seen_by(heard))
        # As of one image alone: patches lead, and pairs tell how well a pose is known.
        pairs = [one and replace(one, close=NOT_LOOKED) for one in heard]
        _, own, _ = chain.refine(poses, *_seen_by(pairs), steps=1)
        # What is strange makes a pose less exact, but excuses no odometry.
        landmarks = self._trust.calibration.chance_landmarks + sum(speaking.values())
        strain = self._trust.strain(landmarks, max([told[k].evidence.misfit for k in speaking], default=0.0))
        strained = replace(chain, worth=chain.worth / strain)
        _, _, information = strained.refine(poses, *_seen_by(pairs), steps=1)
        covariance = self._trust.spread(information, 1.0, seen[-1].view.sight.encoded.focal)
        estimate = self._estimator.told(paired[-1], poses[-1], own[-1], {})
        evidence = self._together([one.evidence for one in told], speaking, estimate.evidence, covariance is not None)
        verdict = replace(judge(evidence, self._bar(len(speaking))), covariance=covariance)
        verdict = self._trust.exact_enough(verdict)
        if chain.tension(poses) > _TENSION:
            verdict = doubted(verdict, Reason.WITNESSES_DISAGREE, "the way between the images is not what they see")
        opinions = [self._opinion(one, what) for one, what in zip(seen, told, strict=True)]
        if against := objection(opinions, len(speaking)):
            verdict = doubted(verdict, Reason.AMBIGUOUS, against)
        return Judged.of(replace(estimate, evidence=evidence), verdict, self._place, self._depth, self._trust)

    def _opinion(self, one: _Seen, told: Estimate) -> Opinion:
        return Opinion.of(one.view.sight, Judged.by(self._trust, told, self._place, self._depth))

    def _bar(self, images: int) -> Calibration:
        """What images together have to pass: what resembles a place does so from every side, and adds up as well."""
        calibration = self._trust.calibration
        chance = calibration.chance_landmarks
        likeness = max(calibration.self_similar or _LIKENESS * chance, chance)
        return replace(
            calibration,
            self_similar=chance + max(1, images) * (likeness - chance),
            self_matched=max(1, images) * calibration.self_matched,
        )

    def _led_on(self, seen: Sequence[_Seen], chain: Chain, poses: list[Matrix]) -> list[Matrix]:
        """The poses on what is seen near where they make the map appear, in narrower circles, until they rest."""
        for _ in range(_ROUNDS):
            before = poses[-1]
            likely = [one.around(pose) for one, pose in zip(seen, poses, strict=True)]
            for radius in (_WIDE, _COARSE, _FINE):
                near = zip(seen, likely, poses, strict=True)
                within = [one.within(some, pose, radius) for one, some, pose in near]
                observed, focals = [one for one, _ in within], [one for _, one in within]
                poses, _, _ = chain.refine(poses, observed, focals, _ROUGH)
            translation, rotation = pose_error(poses[-1], before)
            if sum(map(len, observed)) < _WORTH * self._trust.settled * len(seen):
                break
            if translation < _AT_REST[0] * self._depth and rotation < _AT_REST[1]:
                break
        return poses

    def _speaking(self, paired: Sequence[Paired], told: Sequence[Estimate]) -> dict[int, int]:
        """The images that have more to say than chance, and how many landmarks beyond it none before them has shown.

        The last is heard first; where it has nothing to say, nobody has.
        """
        shown = [set(p.landmark[t.inlier[t.is_landmark]].tolist()) for p, t in zip(paired, told, strict=True)]
        last, chance = len(shown) - 1, [self._trust.calibration_for(one.encoded.scale).chance_landmarks for one in told]
        known: set[int] = set()
        speaking: dict[int, int] = {}
        for k in [last, *sorted(range(last), key=lambda k: -len(shown[k]))]:
            new = len(shown[k] - known) - chance[k]
            if new > 0:
                speaking[k] = int(new)
                known |= shown[k]
            elif k == last:
                break
        return speaking

    def _together(
        self, each: Sequence[Evidence], speaking: dict[int, int], last: Evidence, well_conditioned: bool
    ) -> Evidence:
        """What the images say together, as if one had said it."""
        if not speaking:
            return last
        asked = sum(each[k].head_asked for k in speaking)
        share = sum(each[k].head_inliers for k in speaking) / max(1, asked)
        return replace(
            last,
            landmark_inliers=int(self._trust.calibration.chance_landmarks) + sum(speaking.values()),
            matched=sum(each[k].matched for k in speaking),
            head_inliers=round(share * last.head_asked),
            patches=sum(each[k].patches for k in speaking),
            patches_asked=sum(each[k].patches_asked for k in speaking),
            coverage=min(1.0, sum(each[k].coverage for k in speaking)),
            well_conditioned=well_conditioned,
        )


def _seen_by(paired: Sequence[Paired | None]) -> tuple[list[solver.Observations], list[NDArray[np.float64]]]:
    """What each image sees, and its focal lengths; nothing of one that is not asked."""
    each = [(solver.Observations.none(), np.empty(0)) if one is None else one.everything for one in paired]
    return [observed for observed, _ in each], [focals for _, focals in each]


def _counted(seen: Sequence[_Seen], chain: Chain, poses: Sequence[Matrix]) -> list[tuple[int, Matrix]]:
    """How many matches agree with each pose of the last image, where that has a say itself."""
    counted = []
    for pose in poses:
        agreeing = [one.agreeing(there) for one, there in zip(seen, chain.poses(pose), strict=True)]
        if agreeing[-1] >= _SAY:
            counted.append((sum(agreeing), pose))
    return counted


def _generalized(seen: Sequence[_Seen]) -> Matrix | None:
    """The pose of the last image by the likest matches of all: RANSAC with a generalized camera, and its refinement."""
    last = seen[-1].view.rig_from_camera
    pinholes: list[solver.Pinhole] = []
    for one in seen:
        # One threshold holds for all: an image that may be off by more has its pixels made smaller.
        focal = one.view.sight.encoded.focal * _RANSAC / float(np.hypot(_RANSAC, one.spread))
        camera_from_last = invert(one.view.rig_from_camera) @ last
        pinholes += solver.pinholes_of(one.rays[:_MATCHES], one.points[:_MATCHES], focal, camera_from_last)
    found = solver.ransac_together(pinholes, _RANSAC, _ITERATIONS)
    return None if found is None else found[0]

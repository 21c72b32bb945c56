"""Poses proposed by both witnesses, led to where they rest, each with what is found there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ace_ros.features.features import EncodedImage
from ace_ros.geometry import Matrix, pose_error
from ace_ros.localization import solver
from ace_ros.localization.ambiguity import beside, mirrored, slack, turned
from ace_ros.localization.estimate import HEAD_COUNTS, Asked
from ace_ros.map.landmarks import Landmarks, Likely, Pairs

# Pixels of the encoded image, about multiples of what an inlier is off (landmarks 0.8, head 4); set by hand on the
# generated room and redkitchen unless said otherwise.
MATCHED = 5.0  # a match this near agrees with a first pose
_PREDICTED = 10.0  # likewise of the head's predictions; ACE's
_COARSE = 12.0  # search radius around a first pose, and of head predictions that the refinement takes
_FINE = 4.0  # five sigmas of a landmark
_WIDE = 24.0  # where what is seen in one part of the image has led a pose astray in the rest of it
_PRIOR = 24.0  # 2.6 degrees at VGA: how far off a prior may be that odometry carried forward
SHARP = 2.0  # a landmark this near is evidence
_LEAST_POLISHED = 8  # landmarks; fewer move a pose as likely away as nearer
_TRACKED = 2  # times the evidence that ends a search: wrong priors led to poses beside the true one (bench trust)
_RIVAL = 0.25  # of the rank of the best: a pose elsewhere that has so much is a rival; set by hand on twin rooms
# Of the matches of the best, and at least: so few that agree on another pose are looked at. Where furniture had moved,
# 17 beside 84 led to the true pose, which then had 132 sharp landmarks and not 103; chance gives up to 10.
_SECOND, _LEAST_SECOND = 0.1, 8
_FEW = 2  # poses with few: beside 88 of a thing that was moved, chance had 25 or 21, and the true pose 11, later 139
# What is seen in a part of the image holds a pose badly: along a valley its errors hardly grow, and landmarks in the
# rest of the image, too far from where they should appear, don't pull. It goes on until it is still: depths, degrees.
_AT_REST, _ROUNDS = (0.002, 0.1), 4
_WORTH = 0.5  # of the landmarks that leave no doubt: with fewer, nothing is believed wherever it comes to rest
_LOOSELY = 0.4  # of the landmarks agree with a pose beside: there another one may be, that as many agree with
# Likewise turned about what is seen. Of 1,569 poses that were believed, of queries as they are, half covered and
# smeared, 73 had more, and 7 of these were farther off than their covariance says; of the others 1 in 72 was.
_TURNED = 0.5
_LESS = 0.98  # times the rank: as much, but for what comes and goes by the pixel
_AS_MUCH = 0.9  # of the rank: poses near each other that have so much explain the image equally well
_MOST_RIVALS = 4  # poses elsewhere that are looked for: four equal bays have three; set by hand
SAME_TURN, SAME_SHIFT = 10.0, 0.1  # degrees, depths of the scene: poses nearer than both are one; set by hand


@dataclass(frozen=True)
class Hypothesis:
    """A pose in the local frame, the landmarks found where it makes them appear (``sharp`` of them very near), and the
    head's points (A,) that the refinement may take."""

    pose: Matrix
    near: Pairs
    sharp: int
    head_near: NDArray[np.bool_]

    @property
    def rank(self) -> float:
        """As :attr:`ace_ros.localization.estimate.Evidence.rank`, before the refinement."""
        return self.sharp + HEAD_COUNTS * float(self.head_near.sum())


class PoseSearch:
    """Looks for the poses that an image may have been taken from, in one place. All poses are in its local frame.

    Args:
        landmarks: of the place. unit: depth of its scene.
        settled: so many sharp landmarks leave no doubt: no other proposal is sought.
        iterations: upper bound of each RANSAC.
    """

    def __init__(self, landmarks: Landmarks, unit: float, settled: float, iterations: int) -> None:
        self._landmarks, self._unit, self._settled, self._iterations = landmarks, unit, settled, iterations

    def points_of(self, pairs: Pairs) -> NDArray[np.float64]:
        """(M, 3) of the landmarks of pairs."""
        return self._landmarks.points[pairs.point].astype(np.float64)

    def around(self, encoded: EncodedImage, pose: Matrix, radius: float) -> Likely:
        """Landmarks that may be seen within ``radius`` pixels of where a pose makes them appear."""
        return self._landmarks.around(encoded.descriptors, encoded.rays, pose, encoded.focals, radius)

    def observed(self, encoded: EncodedImage, near: Pairs, radius: float) -> solver.Observations:
        """Pairs that were found within ``radius`` pixels, to be refined on."""
        sigmas = np.full(len(near), max(1.0, radius / 6))  # the radius takes them in generously
        return solver.Observations(encoded.rays[near.keypoint], self.points_of(near), sigmas)

    def track(self, encoded: EncodedImage, head_points: Matrix, prior: Matrix) -> Hypothesis | None:
        """The pose that an expected one leads to; None where the image does not bear it out."""
        found = self.weigh(encoded, head_points, self._polish(encoded, prior, (_PRIOR, _FINE)))
        return found if found.sharp >= _TRACKED * self._settled else None

    def found(self, encoded: EncodedImage, asked: Asked, least_matched: float = 0.0) -> list[Hypothesis]:
        """Poses proposed by both witnesses, each judged by both; none where fewer matches agree on the first."""
        pairs, head_points = asked.matches, asked.head_points
        points = self.points_of(pairs)
        rays, focal = encoded.rays, encoded.focal
        proposals, inliers = self._by_landmarks(rays[pairs.keypoint], points, focal, least_matched)
        if inliers < least_matched:
            return []
        # The head is asked only where landmarks leave a doubt: it costs as much again.
        if inliers < self._settled:
            found = solver.ransac(rays[: len(head_points)], head_points, focal, _PREDICTED, self._iterations)
            if found is not None:
                proposals.append(found[0])
        polished = [self._polish(encoded, pose, (_COARSE, _FINE)) for pose in proposals]
        weighed = self._weighed_new(encoded, head_points, polished, [])
        least = _RIVAL * max((one.rank for one in weighed), default=0.0)
        settled = [self._settle(encoded, head_points, one) for one in weighed if one.rank >= least]
        return [*settled, *self._hardly_told(encoded, head_points, settled)]

    def apart(self, found: list[Hypothesis]) -> list[tuple[Hypothesis, list[Matrix]]]:
        """The best, and its rivals, best first; each with poses near it that explain the image equally well."""
        apart: list[tuple[Hypothesis, list[Matrix]]] = []
        for one in sorted(found, key=lambda hypothesis: -hypothesis.rank):
            if apart and one.rank < _RIVAL * apart[0][0].rank:
                break
            better = [(other, poses) for other, poses in apart if same_pose(one.pose, other.pose, self._unit)]
            if not better:
                apart.append((one, []))
            for other, poses in better[:1]:
                if one.rank >= _AS_MUCH * other.rank:
                    poses.append(one.pose)
        return apart

    def _hardly_told(self, encoded: EncodedImage, head_points: Matrix, known: list[Hypothesis]) -> list[Hypothesis]:
        """Poses that look like the best; where a better one is among them, those that look like that."""
        new: list[Hypothesis] = []
        best = max(known, key=lambda one: one.rank, default=None)
        for _ in range(_ROUNDS):
            if best is None or best.sharp < _WORTH * self._settled:
                break
            found = self._weighed_new(encoded, head_points, self._alike(encoded, best), [*known, *new])
            new += found
            better = [one for one in found if one.rank > best.rank]
            best = max(better, key=lambda one: one.rank, default=None)
        return new

    def _alike(self, encoded: EncodedImage, best: Hypothesis) -> list[Matrix]:
        """The mirror image of a pose where it sees a plane; others along the way that it is held least, where that is
        not much; and those from which what it sees is turned a little, where most of that looks the same then."""
        rays, focals = encoded.rays[best.near.keypoint], encoded.focals[best.near.keypoint]
        points = self.points_of(best.near)
        pose, information = solver.refine(best.pose, self.observed(encoded, best.near, _FINE), focals)
        asides = [(one, _LOOSELY) for one in beside(pose, information, self._unit)]
        asides += [(one, _TURNED) for one in turned(pose, points)]
        others = [one for one, most in asides if slack(pose, [one], rays, points, focals, SHARP) > most]
        if others:  # not far: both see what was found about the best
            likely = self.around(encoded, best.pose, _WIDE)
            others = [self._led(encoded, one, (_COARSE, _FINE) * 2, likely) for one in others]
        if (other := mirrored(pose, points)) is not None:
            others.append(self._polish(encoded, other, (_COARSE, _FINE)))
        return others

    def _weighed_new(
        self, encoded: EncodedImage, head_points: Matrix, poses: list[Matrix], known: list[Hypothesis]
    ) -> list[Hypothesis]:
        """Those of the poses that are not known: several proposals end in one."""
        new: list[Hypothesis] = []
        for pose in poses:
            if not any(self._at_rest(pose, one.pose) for one in [*known, *new]):
                new.append(self.weigh(encoded, head_points, pose))
        return new

    def _by_landmarks(
        self, rays: NDArray[np.float64], points: NDArray[np.float64], focal: float, least: float = 0.0
    ) -> tuple[list[Matrix], int]:
        """Poses by matches with landmarks, and how many matches agree with the first; none where fewer than ``least``.

        Of two places that look the same each takes half of the matches: what does not agree with a pose is asked for
        another one, as long as it might have nearly as many; and twice where it has few, as it may be the room, and the
        first a thing that was moved.
        """
        found = solver.ransac(rays, points, focal, MATCHED, self._iterations, True)
        if found is None or found[1] < least:
            return [], 0
        poses, first, few = [found[0]], found[1], 0
        while len(poses) <= _MOST_RIVALS and few < _FEW:
            rest = solver.reprojection_errors(poses[-1], rays, points, focal) > MATCHED
            rays, points = rays[rest], points[rest]
            if len(points) < _RIVAL * first or first < solver.LEAST_PAIRS:
                break
            enough = min(self._iterations, solver.iterations_for(_SECOND * first / len(points)))
            again = solver.ransac(rays, points, focal, MATCHED, enough, True)
            if again is None or again[1] < max(_LEAST_SECOND, _SECOND * first):
                break
            poses.append(again[0])
            few += again[1] < _RIVAL * first
        return poses, first

    def _settle(self, encoded: EncodedImage, head_points: Matrix, first: Hypothesis) -> Hypothesis:
        """The pose led on to where it rests, unless less speaks for it there, or too little for it to be believed."""
        if first.sharp < _WORTH * self._settled:
            return first
        pose = self._fitted(encoded, first.pose, first.near, _FINE)
        if self._at_rest(pose, first.pose):
            return first
        for _ in range(_ROUNDS):
            before, pose = pose, self._polish(encoded, pose, (_WIDE, _COARSE, _FINE))
            if self._at_rest(pose, before):
                break
        rested = self.weigh(encoded, head_points, pose)
        return rested if rested.rank >= _LESS * first.rank else first

    def _polish(self, encoded: EncodedImage, pose: Matrix, radii: tuple[float, ...]) -> Matrix:
        """Look for landmarks where the pose makes them appear, and refine on those, and on the nearer of them."""
        return self._led(encoded, pose, radii, self.around(encoded, pose, radii[0]))

    def _led(self, encoded: EncodedImage, pose: Matrix, radii: tuple[float, ...], likely: Likely) -> Matrix:
        for radius in radii:
            near = likely.within(pose, radius).best()
            if len(near) < _LEAST_POLISHED:
                break
            pose = self._fitted(encoded, pose, near, radius)
        return pose

    def _fitted(self, encoded: EncodedImage, pose: Matrix, near: Pairs, radius: float) -> Matrix:
        """A pose refined on landmarks that were found within ``radius``."""
        return solver.refine(pose, self.observed(encoded, near, radius), encoded.focals[near.keypoint])[0]

    def _near(self, encoded: EncodedImage, pose: Matrix, radius: float) -> Pairs:
        return self.around(encoded, pose, radius).best()

    def _at_rest(self, pose: Matrix, before: Matrix) -> bool:
        translation, rotation = pose_error(pose, before)
        return translation < _AT_REST[0] * self._unit and rotation < _AT_REST[1]

    def weigh(self, encoded: EncodedImage, head_points: Matrix, pose: Matrix) -> Hypothesis:
        """A pose, with what of both witnesses is found where it makes that appear."""
        near = self._near(encoded, pose, _FINE)
        rays, focals, points = encoded.rays, encoded.focals, self._landmarks.points[near.point]
        errors = solver.reprojection_errors(pose, rays[near.keypoint], points, focals[near.keypoint])
        head_errors = solver.reprojection_errors(
            pose, rays[: len(head_points)], head_points, focals[: len(head_points)]
        )
        return Hypothesis(pose, near, int((errors < SHARP).sum()), head_errors < _COARSE)


def same_pose(a: Matrix, b: Matrix, depth: float) -> bool:
    """Whether two poses of a camera are one, as far as it matters where the scene is ``depth`` away."""
    translation, rotation = pose_error(a, b)
    return translation < SAME_SHIFT * depth and rotation < SAME_TURN

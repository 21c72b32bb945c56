"""Keypoints in, pose out: two witnesses propose and judge, and say what they saw. Others say what to believe."""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from ace_ros.features.features import EncodedImage
from ace_ros.features.registry import profile_of
from ace_ros.geometry import Matrix, pose_error, pose_residual
from ace_ros.localization import solver
from ace_ros.localization.ambiguity import beside, mirrored, slack
from ace_ros.localization.estimate import HEAD_COUNTS, Asked, Estimate, Evidence
from ace_ros.map.landmarks import Landmarks, Likely, Pairs
from ace_ros.map.place import Place

# Pixels of the encoded image, about multiples of what an inlier is off (landmarks 0.8, head 4); set by hand on the
# generated room and redkitchen unless said otherwise.
_RANSAC = {"landmarks": 5.0, "head": 10.0}  # of the first poses; the head's is ACE's
_COARSE = 12.0  # search radius around a first pose, and of head predictions that the refinement takes
_FINE = 4.0  # five sigmas of a landmark
_WIDE = 24.0  # where what is seen in one part of the image has led a pose astray in the rest of it
_PRIOR = 24.0  # 2.6 degrees at VGA: how far off a prior may be that odometry carried forward
_SHARP = 2.0  # a landmark this near is evidence
_AGREES = 8.0  # a head prediction this near is evidence
_HEAD_ASKED = 500  # keypoints that the head as second witness is asked about, set by hand
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
_LESS = 0.98  # times the rank: as much, but for what comes and goes by the pixel
_AS_MUCH = 0.9  # of the rank: poses near each other that have so much explain the image equally well
_MOST_RIVALS = 4  # poses elsewhere that are looked for: four equal bays have three; set by hand
SAME_TURN, SAME_SHIFT = 10.0, 0.1  # degrees, depths of the scene: poses nearer than both are one; set by hand
_CELLS = 6  # a side of the grid on which coverage is counted, set by hand


@dataclass(frozen=True)
class _Hypothesis:
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


@dataclass(frozen=True)
class Paired:
    """2D-3D pairs of an image at a pose.

    Attributes:
        observed: (M,) of both witnesses, local frame. keypoint: (M,) of each. is_landmark: (M,), these come first.
        landmark: of those, the number of each.
    """

    encoded: EncodedImage
    asked: Asked
    observed: solver.Observations
    keypoint: NDArray[np.int64]
    is_landmark: NDArray[np.bool_]
    landmark: NDArray[np.int64]

    @property
    def focals(self) -> NDArray[np.float64]:
        """(M,) pixels, about each keypoint."""
        return self.encoded.focals[self.keypoint]


class PoseEstimator:
    """Finds the pose of an encoded image in one place.

    Args:
        place: of a map. device: to match and to predict on.
        settled: so many sharp landmarks leave no doubt: no other proposal is sought.
        iterations: upper bound of each RANSAC.
    """

    def __init__(
        self,
        place: Place,
        device: torch.device,
        settled: float,
        iterations: int = 1000,
    ) -> None:
        header = place.header
        self._settled, self._iterations = settled, iterations
        self._sigmas = header.calibration.landmark_sigma, header.calibration.head_sigma
        self._origin, self._unit = np.asarray(header.origin), header.median_depth
        # A copy: a module moves as a whole, and the map's own head stays on the CPU.
        self._head = copy.deepcopy(place.head).to(device)
        self._landmarks = Landmarks(place.points, place.codes, device, profile_of(header.encoder).likeness)

    @property
    def has_landmarks(self) -> bool:
        """Whether the second witness is there at all."""
        return len(self._landmarks) > 0

    def estimates(self, encoded: EncodedImage, prior: Matrix | None = None) -> list[Estimate]:
        """The pose that ranks first, and its rivals: poses elsewhere that explain the image about as well.

        Args:
            prior: expected map_from_camera; makes a tracked frame cheaper, and is dropped at once when the image does
                not bear it out.
        """
        start = time.perf_counter()
        head_points = self._predict(encoded)
        tracked = self._track(encoded, head_points, prior) if prior is not None else None
        asked = Asked(head_points, tracked.near if tracked is not None else self._landmarks.match(encoded.features))
        matched = time.perf_counter()
        found = self._search(encoded, asked) if tracked is None else [tracked]
        seconds = {"match": matched - start, "solve": time.perf_counter() - matched}
        if not found:
            return [Estimate(encoded, self._nothing(encoded, head_points), seconds, len(encoded), asked=asked)]
        return [self._refined(encoded, asked, *one, seconds) for one in self._apart(found)]

    def ask(self, encoded: EncodedImage) -> Asked:
        """What both witnesses say to an image, before there is a pose."""
        return Asked(self._predict(encoded), self._landmarks.match(encoded.features))

    def points_of(self, pairs: Pairs) -> NDArray[np.float64]:
        """(M, 3) local frame, of the landmarks of pairs."""
        return self._landmarks.points[pairs.point].astype(np.float64)

    def around(self, encoded: EncodedImage, pose: Matrix, radius: float) -> Likely:
        """Landmarks that may be seen within ``radius`` pixels of where a pose (local frame) makes them appear."""
        return self._landmarks.around(encoded.descriptors, encoded.rays, pose, encoded.focals, radius)

    def observed(self, encoded: EncodedImage, near: Pairs, radius: float) -> solver.Observations:
        """Pairs that were found within ``radius`` pixels, to be refined on."""
        sigmas = np.full(len(near), max(1.0, radius / 6))  # the radius takes them in generously
        return solver.Observations(encoded.rays[near.keypoint], self.points_of(near), sigmas)

    def paired(self, encoded: EncodedImage, asked: Asked, pose: Matrix) -> Paired:
        """What of both witnesses a pose (local frame) makes likely, and each pair's sigma."""
        return self._paired(encoded, asked, self._weigh(encoded, asked.head_points, pose))

    def told(self, paired: Paired, pose: Matrix, information: Matrix | None, seconds: dict[str, float]) -> Estimate:
        """What speaks for a pose (local frame) that was found with these pairs."""
        encoded, head_points, observed = paired.encoded, paired.asked.head_points, paired.observed
        is_landmark = paired.is_landmark
        errors = solver.reprojection_errors(pose, observed.rays, observed.points, paired.focals)
        inlier = errors < np.where(is_landmark, _SHARP, _AGREES)
        evidence = replace(
            self._nothing(encoded, head_points),
            matched=self._agreeing(encoded, paired.asked.matches, pose),
            landmark_inliers=int(inlier[is_landmark].sum()),
            head_inliers=int(inlier[~is_landmark].sum()),
            coverage=_coverage(encoded.pixels, encoded.pixels[paired.keypoint[inlier]]),
            well_conditioned=information is not None and solver.covariance_from_information(information) is not None,
        )
        map_from_camera = pose.copy()
        map_from_camera[:3, 3] += self._origin
        return Estimate(
            encoded,
            evidence,
            seconds,
            candidates=int(is_landmark.sum()) + len(head_points),
            map_from_camera=map_from_camera,
            information=information,
            keypoint=paired.keypoint,
            points=observed.points + self._origin,
            inlier=inlier,
            is_landmark=is_landmark,
            errors=errors,
            asked=paired.asked,
        )

    def _agreeing(self, encoded: EncodedImage, matches: Pairs, pose: Matrix) -> int:
        """How many matches agree with a pose (local frame), as RANSAC counts them."""
        rays, focals = encoded.rays[matches.keypoint], encoded.focals[matches.keypoint]
        errors = solver.reprojection_errors(pose, rays, self.points_of(matches), focals)
        return int((errors < _RANSAC["landmarks"]).sum())

    def _predict(self, encoded: EncodedImage) -> Matrix:
        """(H, 3) of the head, local frame."""
        asked = _HEAD_ASKED if len(self._landmarks) else len(encoded)
        points = self._head.predict(encoded.features.best(asked).descriptors).cpu().numpy().astype(np.float64)
        return np.asarray(points * self._unit)

    def _apart(self, found: list[_Hypothesis]) -> list[tuple[_Hypothesis, list[Matrix]]]:
        """The best, and its rivals, best first; each with poses near it that explain the image equally well."""
        apart: list[tuple[_Hypothesis, list[Matrix]]] = []
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

    def _nothing(self, encoded: EncodedImage, head_points: Matrix) -> Evidence:
        return Evidence(encoded.contrast, len(encoded), len(head_points), has_landmarks=len(self._landmarks) > 0)

    def _track(self, encoded: EncodedImage, head_points: Matrix, prior: Matrix) -> _Hypothesis | None:
        local = prior.copy()
        local[:3, 3] -= self._origin
        found = self._weigh(encoded, head_points, self._polish(encoded, local, (_PRIOR, _FINE)))
        return found if found.sharp >= _TRACKED * self._settled else None

    def _search(self, encoded: EncodedImage, asked: Asked) -> list[_Hypothesis]:
        """Poses proposed by both witnesses, each judged by both."""
        pairs, head_points = asked.matches, asked.head_points
        points = self.points_of(pairs)
        rays, focal = encoded.rays, encoded.focal
        proposals, inliers = self._by_landmarks(rays[pairs.keypoint], points, focal)
        # The head is asked only where landmarks leave a doubt: it costs as much again.
        if inliers < self._settled:
            found = solver.ransac(rays[: len(head_points)], head_points, focal, _RANSAC["head"], self._iterations)
            if found is not None:
                proposals.append(found[0])
        polished = [self._polish(encoded, pose, (_COARSE, _FINE)) for pose in proposals]
        weighed = self._weighed_new(encoded, head_points, polished, [])
        least = _RIVAL * max((one.rank for one in weighed), default=0.0)
        settled = [self._settle(encoded, head_points, one) for one in weighed if one.rank >= least]
        return [*settled, *self._hardly_told(encoded, head_points, settled)]

    def _hardly_told(self, encoded: EncodedImage, head_points: Matrix, known: list[_Hypothesis]) -> list[_Hypothesis]:
        """Poses that look like the best: its mirror image where it sees a plane, and others along the way that it is
        held least, where that is not much."""
        best = max(known, key=lambda one: one.rank, default=None)
        if best is None or best.sharp < _WORTH * self._settled:
            return []
        rays, focals = encoded.rays[best.near.keypoint], encoded.focals[best.near.keypoint]
        points = self.points_of(best.near)
        pose, information = solver.refine(best.pose, self.observed(encoded, best.near, _FINE), focals)
        others = beside(pose, information, self._unit)
        others = [one for one in others if slack(pose, [one], rays, points, focals, _SHARP) > _LOOSELY]
        if others:  # not far: both see what was found about the best
            likely = self.around(encoded, best.pose, _WIDE)
            others = [self._led(encoded, one, (_COARSE, _FINE) * 2, likely) for one in others]
        if (other := mirrored(pose, points)) is not None:
            others.append(self._polish(encoded, other, (_COARSE, _FINE)))
        return self._weighed_new(encoded, head_points, others, known)

    def _weighed_new(
        self, encoded: EncodedImage, head_points: Matrix, poses: list[Matrix], known: list[_Hypothesis]
    ) -> list[_Hypothesis]:
        """Those of the poses that are not known: several proposals end in one."""
        new: list[_Hypothesis] = []
        for pose in poses:
            if not any(self._at_rest(pose, one.pose) for one in [*known, *new]):
                new.append(self._weigh(encoded, head_points, pose))
        return new

    def _by_landmarks(
        self, rays: NDArray[np.float64], points: NDArray[np.float64], focal: float
    ) -> tuple[list[Matrix], int]:
        """Poses by matches with landmarks, and how many matches agree with the first.

        Of two places that look the same each takes half of the matches: what does not agree with a pose is asked for
        another one, as long as it might have nearly as many; and twice where it has few, as it may be the room, and the
        first a thing that was moved.
        """
        found = solver.ransac(rays, points, focal, _RANSAC["landmarks"], self._iterations, True)
        if found is None:
            return [], 0
        poses, first, few = [found[0]], found[1], 0
        while len(poses) <= _MOST_RIVALS and few < _FEW:
            rest = solver.reprojection_errors(poses[-1], rays, points, focal) > _RANSAC["landmarks"]
            rays, points = rays[rest], points[rest]
            if len(points) < _RIVAL * first or first < solver.LEAST_PAIRS:
                break
            enough = min(self._iterations, solver.iterations_for(_SECOND * first / len(points)))
            again = solver.ransac(rays, points, focal, _RANSAC["landmarks"], enough, True)
            if again is None or again[1] < max(_LEAST_SECOND, _SECOND * first):
                break
            poses.append(again[0])
            few += again[1] < _RIVAL * first
        return poses, first

    def _near(self, encoded: EncodedImage, pose: Matrix, radius: float) -> Pairs:
        return self.around(encoded, pose, radius).best()

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

    def _at_rest(self, pose: Matrix, before: Matrix) -> bool:
        translation, rotation = pose_error(pose, before)
        return translation < _AT_REST[0] * self._unit and rotation < _AT_REST[1]

    def _settle(self, encoded: EncodedImage, head_points: Matrix, first: _Hypothesis) -> _Hypothesis:
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
        rested = self._weigh(encoded, head_points, pose)
        return rested if rested.rank >= _LESS * first.rank else first

    def _weigh(self, encoded: EncodedImage, head_points: Matrix, pose: Matrix) -> _Hypothesis:
        near = self._near(encoded, pose, _FINE)
        rays, focals, points = encoded.rays, encoded.focals, self._landmarks.points[near.point]
        errors = solver.reprojection_errors(pose, rays[near.keypoint], points, focals[near.keypoint])
        head_errors = solver.reprojection_errors(
            pose, rays[: len(head_points)], head_points, focals[: len(head_points)]
        )
        return _Hypothesis(pose, near, int((errors < _SHARP).sum()), head_errors < _COARSE)

    def _refined(
        self,
        encoded: EncodedImage,
        asked: Asked,
        best: _Hypothesis,
        equals: list[Matrix],
        seconds: dict[str, float],
    ) -> Estimate:
        """The pose on all pairs of both witnesses, each pair by its own sigma."""
        paired = self._paired(encoded, asked, best)
        pose, information = best.pose, None
        if len(paired.observed) >= solver.LEAST_PAIRS:
            pose, information = solver.refine(pose, paired.observed, paired.focals)
        told = self.told(paired, pose, information, seconds)
        free = 0.0 if information is None else self._slack(paired, pose, information)
        off = [pose_residual(one, best.pose) for one in equals]
        spread = sum((np.outer(one, one) for one in off), np.zeros((6, 6))) / (1 + len(off))
        return replace(
            told, evidence=replace(told.evidence, play=self._play(best.pose, equals), slack=free), spread=spread
        )

    def _paired(self, encoded: EncodedImage, asked: Asked, best: _Hypothesis) -> Paired:
        keypoint = np.concatenate([best.near.keypoint, np.nonzero(best.head_near)[0]])
        points = np.concatenate([self._landmarks.points[best.near.point], asked.head_points[best.head_near]])
        is_landmark = np.arange(len(points)) < len(best.near)
        observed = solver.Observations(encoded.rays[keypoint], points, np.where(is_landmark, *self._sigmas))
        return Paired(encoded, asked, observed, keypoint, is_landmark, best.near.point)

    def _slack(self, paired: Paired, pose: Matrix, information: Matrix) -> float:
        """Of the landmarks, if there are any: a head is smooth, and says as much for a pose beside the true one."""
        which = paired.is_landmark if self.has_landmarks else np.ones(len(paired.is_landmark), bool)
        rays, points = paired.observed.rays[which], paired.observed.points[which]
        sharp = _SHARP if self.has_landmarks else _AGREES
        return slack(pose, beside(pose, information, self._unit), rays, points, paired.focals[which], sharp)

    def _play(self, pose: Matrix, equals: list[Matrix]) -> tuple[float, float]:
        """See :attr:`ace_ros.localization.estimate.Evidence.play`."""
        translation, rotation = np.max([(0.0, 0.0), *(pose_error(one, pose) for one in equals)], axis=0)
        return float(translation / self._unit), float(rotation)


def same_pose(a: Matrix, b: Matrix, depth: float) -> bool:
    """Whether two poses of a camera are one, as far as it matters where the scene is ``depth`` away."""
    translation, rotation = pose_error(a, b)
    return translation < SAME_SHIFT * depth and rotation < SAME_TURN


def _coverage(everywhere: NDArray[np.float64], inliers: NDArray[np.float64]) -> float:
    """Fraction of a grid over the keypoints' bounding box that holds an inlier."""
    if not len(inliers):
        return 0.0
    low, high = everywhere.min(0), everywhere.max(0)
    cells = (inliers - low) / np.maximum(high - low, 1e-9) * _CELLS
    cells = np.clip(cells.astype(int), 0, _CELLS - 1)
    return len(np.unique(cells[:, 0] * _CELLS + cells[:, 1])) / _CELLS**2

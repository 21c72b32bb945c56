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
from ace_ros.localization.ambiguity import beside, slack, turned
from ace_ros.localization.close_up import LED_BY, NOT_LOOKED, CloserLook, CloseUp
from ace_ros.localization.estimate import Asked, Estimate, Evidence
from ace_ros.localization.search import MATCHED, SHARP, Hypothesis, PoseSearch
from ace_ros.map.landmarks import Landmarks, Pairs
from ace_ros.map.place import Place

_AGREES = 8.0  # pixels of the encoded image: a head prediction this near is evidence
_HEAD_ASKED = 500  # keypoints that the head as second witness is asked about, set by hand
_MOVED = 1.0  # pixels: where patches lie farther from where they were looked for, they are laid anew
_CELLS = 6  # a side of the grid on which coverage is counted, set by hand


@dataclass(frozen=True)
class Paired:
    """2D-3D pairs of an image at a pose.

    Attributes:
        observed: (M,) of both witnesses, local frame. keypoint: (M,) of each. is_landmark: (M,), these come first.
        landmark: of those, the number of each.
        close: patches that were laid onto the image besides.
    """

    encoded: EncodedImage
    asked: Asked
    observed: solver.Observations
    keypoint: NDArray[np.int64]
    is_landmark: NDArray[np.bool_]
    landmark: NDArray[np.int64]
    close: CloseUp = NOT_LOOKED

    @property
    def everything(self) -> tuple[solver.Observations, NDArray[np.float64]]:
        """Pairs and patches, to be refined on, and their focal lengths, pixels."""
        return self.observed.followed_by(self.close.observed), np.concatenate([self.focals, self.close.focals])

    def leading(self, pose: Matrix) -> Paired:
        """Without the patches, where few agree with a pose (local frame) that they have led."""
        if self.close.found(pose) >= LED_BY:
            return self
        return replace(self, close=replace(NOT_LOOKED, asked=self.close.asked))

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

    Attributes:
        search: by which first poses are found.
    """

    def __init__(
        self,
        place: Place,
        device: torch.device,
        settled: float,
        iterations: int = 1000,
    ) -> None:
        header = place.header
        self._sigmas = header.calibration.landmark_sigma, header.calibration.head_sigma
        self._origin, self._unit = np.asarray(header.origin), header.median_depth
        # A copy: a module moves as a whole, and the map's own head stays on the CPU.
        self._head = copy.deepcopy(place.head).to(device)
        self._landmarks = Landmarks(place.points, place.codes, device, profile_of(header.encoder).likeness)
        self._closer = CloserLook(place.points, place.patches, header.calibration.patch_sigma)
        self.search = PoseSearch(self._landmarks, header.median_depth, settled, iterations)

    @property
    def has_landmarks(self) -> bool:
        """Whether the second witness is there at all."""
        return len(self._landmarks) > 0

    def estimates(
        self, encoded: EncodedImage, prior: Matrix | None = None, least_matched: float = 0.0
    ) -> list[Estimate]:
        """The pose that ranks first, and its rivals: poses elsewhere that explain the image about as well.

        Args:
            prior: expected map_from_camera; makes a tracked frame cheaper, and is dropped at once when the image does
                not bear it out.
            least_matched: with fewer matches that agree on a pose none is sought.
        """
        start = time.perf_counter()
        head_points = self._predict(encoded)
        tracked = None if prior is None else self.search.track(encoded, head_points, self._local(prior))
        asked = Asked(head_points, tracked.near if tracked is not None else self._landmarks.match(encoded.features))
        matched = time.perf_counter()
        found = self.search.found(encoded, asked, least_matched) if tracked is None else [tracked]
        seconds = {"match": matched - start, "solve": time.perf_counter() - matched}
        if not found:
            return [Estimate(encoded, self._nothing(encoded, head_points), seconds, len(encoded), asked=asked)]
        return [self._refined(encoded, asked, *one, seconds) for one in self.search.apart(found)]

    def ask(self, encoded: EncodedImage) -> Asked:
        """What both witnesses say to an image, before there is a pose."""
        return Asked(self._predict(encoded), self._landmarks.match(encoded.features))

    def paired(self, encoded: EncodedImage, asked: Asked, pose: Matrix) -> Paired:
        """What of both witnesses a pose (local frame) makes likely, and each pair's sigma."""
        return self._paired(encoded, asked, self.search.weigh(encoded, asked.head_points, pose))

    def told(self, paired: Paired, pose: Matrix, information: Matrix | None, seconds: dict[str, float]) -> Estimate:
        """What speaks for a pose (local frame) that was found with these pairs."""
        encoded, head_points, observed = paired.encoded, paired.asked.head_points, paired.observed
        is_landmark = paired.is_landmark
        errors = solver.reprojection_errors(pose, observed.rays, observed.points, paired.focals)
        inlier = errors < np.where(is_landmark, SHARP, _AGREES)
        evidence = replace(
            self._nothing(encoded, head_points),
            matched=self._agreeing(encoded, paired.asked.matches, pose),
            landmark_inliers=int(inlier[is_landmark].sum()),
            head_inliers=int(inlier[~is_landmark].sum()),
            misfit=self._misfit(errors[is_landmark]),
            coverage=_coverage(encoded.pixels, encoded.pixels[paired.keypoint[inlier]]),
            well_conditioned=information is not None and solver.covariance_from_information(information) is not None,
            patches=paired.close.found(pose),
            patches_asked=paired.close.asked,
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
            patch_errors=paired.close.errors(pose),
            asked=paired.asked,
        )

    def _refined(
        self,
        encoded: EncodedImage,
        asked: Asked,
        best: Hypothesis,
        equals: list[Matrix],
        seconds: dict[str, float],
    ) -> Estimate:
        """The pose on all pairs of both witnesses, each pair by its own sigma."""
        paired = self._paired(encoded, asked, best)
        pose, information = best.pose, None
        if len(paired.observed) >= solver.LEAST_PAIRS:
            pose, information = solver.refine(pose, paired.observed, paired.focals)
            paired, pose, information = self._led(paired, pose, information)
        told = self.told(paired, pose, information, seconds)
        free = (0.0, 0.0) if information is None else self._slack(paired, pose, information)
        evidence = replace(told.evidence, play=self._play(best.pose, equals), slack=free)
        return replace(told, evidence=evidence, spread=_spread(best.pose, equals))

    def closer(self, paired: Paired, pose: Matrix) -> Paired:
        """With patches, laid onto the image where a pose (local frame) makes them appear."""
        return replace(paired, close=self._closer.at(paired.encoded.picture, pose))

    def _led(self, paired: Paired, pose: Matrix, information: Matrix) -> tuple[Paired, Matrix, Matrix]:
        """A pose refined on patches as well, if enough of them bear it out, and what pairs alone know of it: patches of
        one view are off together where a map or a way is, and their number says nothing of that."""
        led, there = paired, pose
        for _ in range(2):
            led = self.closer(paired, there)
            there, _ = solver.refine(there, *led.everything)
            if led.close.shift < _MOVED:
                break
        led = led.leading(there)
        if not len(led.close):
            return led, pose, information
        return led, there, solver.refine(there, paired.observed, paired.focals, steps=1)[1]

    def _paired(self, encoded: EncodedImage, asked: Asked, best: Hypothesis) -> Paired:
        keypoint = np.concatenate([best.near.keypoint, np.nonzero(best.head_near)[0]])
        points = np.concatenate([self._landmarks.points[best.near.point], asked.head_points[best.head_near]])
        is_landmark = np.arange(len(points)) < len(best.near)
        observed = solver.Observations(encoded.rays[keypoint], points, np.where(is_landmark, *self._sigmas))
        return Paired(encoded, asked, observed, keypoint, is_landmark, best.near.point)

    def _misfit(self, errors: NDArray[np.float64]) -> float:
        """See :attr:`ace_ros.localization.estimate.Evidence.misfit`."""
        return float(np.median(errors) / (solver.TYPICAL * self._sigmas[0])) if len(errors) else 0.0

    def _agreeing(self, encoded: EncodedImage, matches: Pairs, pose: Matrix) -> int:
        """How many matches agree with a pose (local frame), as RANSAC counts them."""
        rays, focals = encoded.rays[matches.keypoint], encoded.focals[matches.keypoint]
        errors = solver.reprojection_errors(pose, rays, self.search.points_of(matches), focals)
        return int((errors < MATCHED).sum())

    def _local(self, map_from_camera: Matrix) -> Matrix:
        pose: Matrix = map_from_camera.copy()
        pose[:3, 3] -= self._origin
        return pose

    def _predict(self, encoded: EncodedImage) -> Matrix:
        """(H, 3) of the head, local frame."""
        asked = _HEAD_ASKED if len(self._landmarks) else len(encoded)
        points = self._head.predict(encoded.features.best(asked).descriptors).cpu().numpy().astype(np.float64)
        return np.asarray(points * self._unit)

    def _nothing(self, encoded: EncodedImage, head_points: Matrix) -> Evidence:
        return Evidence(encoded.contrast, len(encoded), len(head_points), has_landmarks=len(self._landmarks) > 0)

    def _slack(self, paired: Paired, pose: Matrix, information: Matrix) -> tuple[float, float]:
        """Of the landmarks, if there are any: a head is smooth, and says as much for a pose beside the true one."""
        which = paired.is_landmark if self.has_landmarks else np.ones(len(paired.is_landmark), bool)
        rays, points = paired.observed.rays[which], paired.observed.points[which]
        focals, sharp = paired.focals[which], SHARP if self.has_landmarks else _AGREES
        aside, around = beside(pose, information, self._unit), turned(pose, points) if len(points) else []
        return slack(pose, aside, rays, points, focals, sharp), slack(pose, around, rays, points, focals, sharp)

    def _play(self, pose: Matrix, equals: list[Matrix]) -> tuple[float, float]:
        """See :attr:`ace_ros.localization.estimate.Evidence.play`."""
        translation, rotation = np.max([(0.0, 0.0), *(pose_error(one, pose) for one in equals)], axis=0)
        return float(translation / self._unit), float(rotation)


def _spread(pose: Matrix, equals: list[Matrix]) -> Matrix:
    """(6, 6) as far as the farthest of the equals lies off: the others may be the pose itself, found twice."""
    off = [pose_residual(one, pose) for one in equals]
    farthest = max(off, key=lambda one: float(np.linalg.norm(one[:3])), default=np.zeros(6))
    return np.outer(farthest, farthest)


def _coverage(everywhere: NDArray[np.float64], inliers: NDArray[np.float64]) -> float:
    """Fraction of a grid over the keypoints' bounding box that holds an inlier."""
    if not len(inliers):
        return 0.0
    low, high = everywhere.min(0), everywhere.max(0)
    cells = (inliers - low) / np.maximum(high - low, 1e-9) * _CELLS
    cells = np.clip(cells.astype(int), 0, _CELLS - 1)
    return len(np.unique(cells[:, 0] * _CELLS + cells[:, 1])) / _CELLS**2

"""Map and image in, pose out: with a covariance, a confidence, and a word on whether to trust it."""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ace_ros.camera import Camera
from ace_ros.device import resolve_device
from ace_ros.errors import InputError
from ace_ros.features.encoder import Features, check_image, make_encoder, working_size
from ace_ros.geometry import Matrix
from ace_ros.localization import solver
from ace_ros.localization.answer import Localization, lost
from ace_ros.localization.options import LocalizeOptions
from ace_ros.localization.trust import Evidence, Reason, State, judge
from ace_ros.map.landmarks import Landmarks, Pairs
from ace_ros.map.scene_map import SceneMap

_LEAST_PAIRS = 6


@dataclass(frozen=True)
class _Query:
    """Keypoints of an image in the two forms that the stages need."""

    features: Features
    descriptors: NDArray[np.float32]
    normalised: NDArray[np.float64]
    focal: float


@dataclass(frozen=True)
class _Hypothesis:
    """A pose, the landmarks found where it makes them appear (``sharp`` of them very near), and the head's
    points (M,) that agree."""

    pose: Matrix
    near: Pairs
    sharp: int
    head_inlier: NDArray[np.bool_]

    @property
    def support(self) -> float:
        # A landmark is sharper and rarer than a regressed coordinate.
        return self.sharp + 0.25 * float(self.head_inlier.sum())


class Localizer:
    """Finds cameras in one map.

    Args:
        scene_map: the map. device: auto, cpu, cuda or cuda:N.

    Raises:
        MapVersionError: the map was made for another encoder. InputError: no such device, no encoder weights.
    """

    _COARSE = 12.0  # pixels: search radius around a first pose, and for its head inliers
    _FINE = 4.0
    _PRIOR = 24.0
    _HEAD_ASKED = 500  # keypoints that the head is asked about when it is the second witness
    _SHARP = 2.0  # pixels: a landmark this near counts as evidence
    _AGREES = 8.0  # pixels: a head prediction this near counts as evidence

    def __init__(self, scene_map: SceneMap, options: LocalizeOptions | None = None, device: str = "auto") -> None:
        self.options = options or LocalizeOptions()
        self.scene_map = scene_map
        header = scene_map.header
        self._device = resolve_device(device)
        self._encoder = make_encoder(header.encoder, self._device, header.encoder_size, self.options.encoder_weights)
        scene_map.check_encoder(self._encoder)
        self._origin = np.asarray(header.origin)
        # A copy: a module moves as a whole, and the map's own head stays on the CPU.
        self._head = copy.deepcopy(scene_map.head).to(self._device)
        # So many sharp landmarks leave no doubt: no other proposal is sought.
        self._enough = max(50.0, 3 * header.calibration.chance_landmarks)
        self._landmarks = Landmarks(scene_map.points, scene_map.codes, self._device)

    def localize(self, image: NDArray[np.uint8], camera: Camera, prior: Matrix | None = None) -> Localization:
        """Where was this image taken?

        Args:
            image: uint8, (H, W) grey or (H, W, 3) RGB. camera: its intrinsics.
            prior: expected map_from_camera (the last pose carried forward); makes a tracked frame cheaper,
                and is dropped at once when the image does not bear it out.

        Raises:
            InputError: an image that can't be used, or of another size than the camera's.
        """
        start = time.perf_counter()
        if image.shape[:2] != (camera.height, camera.width):
            raise InputError(
                f"image: it is {image.shape[1]} x {image.shape[0]} pixels, "
                f"its camera says {camera.width} x {camera.height}"
            )
        contrast = float(check_image(image)[::4, ::4].std())
        features = self._encoder(image, self.options.keypoints)
        encoded = time.perf_counter()
        answer = self.localize_features(features, camera, prior, contrast)
        answer.timings["encode"] = encoded - start
        answer.timings["total"] = time.perf_counter() - start
        return answer

    def localize_features(
        self, features: Features, camera: Camera, prior: Matrix | None = None, contrast: float = 255.0
    ) -> Localization:
        """As :meth:`localize`, for an image that is encoded already; ``contrast`` is its standard deviation."""
        start = time.perf_counter()
        pixels = features.pixels.cpu().numpy().astype(np.float64)
        size = working_size(camera.width, camera.height, self.scene_map.header.encoder_size)
        query = _Query(
            features,
            features.descriptors.cpu().numpy(),
            camera.normalise(pixels),
            camera.focal * float(np.sqrt(size[0] * size[1] / (camera.width * camera.height))),
        )
        asked = self._HEAD_ASKED if len(self._landmarks) else len(features)
        head_points = self._head.predict(features.best(asked).descriptors).cpu().numpy().astype(np.float64)
        head_points *= self.scene_map.header.median_depth
        best = self._track(query, head_points, prior) if prior is not None else None
        predicted = time.perf_counter()
        if best is None:
            best = self._search(query, head_points)
        timings = {"match": predicted - start, "solve": time.perf_counter() - predicted}
        return self._answer(query, pixels, head_points, best, contrast, camera.focal / query.focal, timings)

    def _track(self, query: _Query, head_points: NDArray[np.float64], prior: Matrix) -> _Hypothesis | None:
        local = prior.copy()
        local[:3, 3] -= self._origin
        pose = self._polish(query, local, (self._PRIOR, self._FINE))
        found = self._judge(query, head_points, pose)
        # A prior a few degrees off leads to poses beside the true one, with more evidence than chance has.
        return found if found.sharp >= 2 * self._enough else None

    def _search(self, query: _Query, head_points: NDArray[np.float64]) -> _Hypothesis | None:
        """Poses proposed by both witnesses, each judged by both."""
        proposals = []
        pairs = self._landmarks.match(query.features)
        iterations = self.options.iterations
        found = solver.ransac(
            query.normalised[pairs.keypoint],
            self._landmarks.points[pairs.point].astype(np.float64),
            query.focal,
            5.0,
            iterations,
            True,
        )
        if found is not None:
            proposals.append(found[0])
        # The head is asked only where landmarks leave a doubt: it costs as much again.
        if found is None or found[1] < self._enough:
            normalised = query.normalised[: len(head_points)]
            found = solver.ransac(normalised, head_points, query.focal, 10.0, iterations)
            if found is not None:
                proposals.append(found[0])
        polished = [self._polish(query, pose, (self._COARSE, self._FINE)) for pose in proposals]
        judged = [self._judge(query, head_points, pose) for pose in polished]
        return max(judged, key=lambda hypothesis: hypothesis.support, default=None)

    def _polish(self, query: _Query, pose: Matrix, radii: tuple[float, ...]) -> Matrix:
        """Look for landmarks where the pose makes them appear, and refine on them."""
        for radius in radii:
            near = self._landmarks.match_near(query.descriptors, query.normalised, pose, query.focal, radius)
            if len(near) < 8:
                break
            observed = solver.Observations(
                query.normalised[near.keypoint],
                self._landmarks.points[near.point].astype(np.float64),
                np.full(len(near), max(1.0, radius / 6)),
            )
            pose, _ = solver.refine(pose, observed, query.focal)
        return pose

    def _judge(self, query: _Query, head_points: NDArray[np.float64], pose: Matrix) -> _Hypothesis:
        near = self._landmarks.match_near(query.descriptors, query.normalised, pose, query.focal, self._FINE)
        normalised = query.normalised[: len(head_points)]
        head_errors = solver.reprojection_errors(pose, normalised, head_points, query.focal)
        near_points = self._landmarks.points[near.point]
        errors = solver.reprojection_errors(pose, query.normalised[near.keypoint], near_points, query.focal)
        return _Hypothesis(pose, near, int((errors < self._SHARP).sum()), head_errors < self._COARSE)

    def _answer(
        self,
        query: _Query,
        pixels: NDArray[np.float64],
        head_points: NDArray[np.float64],
        best: _Hypothesis | None,
        contrast: float,
        zoom: float,
        timings: dict[str, float],
    ) -> Localization:
        calibration = self.scene_map.header.calibration
        evidence = Evidence(contrast, len(pixels), len(head_points), has_landmarks=len(self._landmarks) > 0)
        if best is None:
            return lost(judge(evidence, calibration), evidence, timings)
        landmarks = len(best.near)
        keypoint = np.concatenate([best.near.keypoint, np.nonzero(best.head_inlier)[0]])
        points = np.concatenate([self._landmarks.points[best.near.point], head_points[best.head_inlier]])
        kind = np.arange(len(points)) < landmarks
        sigmas = np.where(kind, calibration.landmark_sigma, calibration.head_sigma)
        observed = solver.Observations(query.normalised[keypoint], points, sigmas)
        pose, covariance = best.pose, None
        if len(observed) >= _LEAST_PAIRS:
            pose, information = solver.refine(pose, observed, query.focal)
            covariance = solver.covariance_from_information(information)
            if covariance is not None:
                covariance = covariance * calibration.covariance_scale + solver.shift_covariance(query.focal)
        errors = solver.reprojection_errors(pose, observed.normalised, points, query.focal)
        inlier = errors < np.where(kind, self._SHARP, self._AGREES)
        evidence = replace(
            evidence,
            landmark_inliers=int(inlier[kind].sum()),
            head_inliers=int(inlier[~kind].sum()),
            coverage=_coverage(query.normalised, query.normalised[keypoint[inlier]]),
            well_conditioned=covariance is not None,
        )
        verdict = judge(evidence, calibration)
        map_pose = pose.copy()
        map_pose[:3, 3] += self._origin
        return Localization(
            state=verdict.state,
            reason=verdict.sentence,
            reason_code=verdict.reason,
            map_from_camera=map_pose,
            covariance=covariance,
            confidence=verdict.confidence,
            inliers=int(inlier.sum()),
            candidates=landmarks + len(head_points),
            reprojection_error=float(np.median(errors[inlier])) * zoom if inlier.any() else 0.0,
            pixels=pixels[keypoint],
            scene_coordinates=points + self._origin,
            inlier_mask=inlier,
            timings=timings,
            evidence=evidence,
        )


def _coverage(everywhere: NDArray[np.float64], inliers: NDArray[np.float64]) -> float:
    """Fraction of a 6x6 grid over the keypoints' bounding box that holds an inlier."""
    if not len(inliers):
        return 0.0
    low, high = everywhere.min(0), everywhere.max(0)
    cells = np.clip(((inliers - low) / np.maximum(high - low, 1e-9) * 6).astype(int), 0, 5)
    return len(np.unique(cells[:, 0] * 6 + cells[:, 1])) / 36


__all__ = ["Localization", "LocalizeOptions", "Localizer", "Reason", "State"]

"""A map's own errors, learnt on mapping views that were held back: what its trust model is fitted to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from ace_ros.features.features import EncodedImage
from ace_ros.features.registry import profile_of
from ace_ros.geometry import Matrix, pose_error, pose_residual
from ace_ros.localization.alternatives import decide
from ace_ros.localization.atlas import Judged
from ace_ros.localization.close_up import LED_BY
from ace_ros.localization.estimate import Estimate
from ace_ros.localization.estimator import PoseEstimator
from ace_ros.localization.solver import TYPICAL, covariance_from_information, ransac
from ace_ros.localization.state import State
from ace_ros.localization.trust import TrustModel
from ace_ros.localization.verdict import ratios
from ace_ros.map.head import Head
from ace_ros.map.header import Calibration, HeldBack
from ace_ros.map.landmarks import among, directions
from ace_ros.map.place import Place
from ace_ros.mapping.revisited import Revisited
from ace_ros.mapping.views import View

Vector = NDArray[np.float64]
_DECOYS = 24  # at least so many; set by hand
# Standard deviations above the mean of decoys: what the most of 24 has, without its luck. In the hall that was 20, 24
# or 28 from one map to the next, and with it a tenth of the queries came or went; this is 18 to 21.
_CHANCE = 2.5
_HARD_DECOYS = 16  # views at most; set by hand: each costs what a query does
# Standard deviations above the mean, of matches: on a street 3 of 100 views of parts that were not mapped have more,
# but hardly one of these the landmarks and the head as well.
_FEW_REACH = 2.0
_MARGIN = 0.2  # of the image's sides
_LEAST_CHANCE = 8.0  # landmark inliers that foreign images collected in the emptiest maps (bench trust)
_USUAL_LANDMARKS = 10_000  # of the maps on which the usual chance was seen; it grows with their square root
_SIGMAS = ((0.4, 2.0), (1.0, 10.0))  # pixels: what landmarks and head may be taught; beyond, pairs are no inliers
_PATCH_SIGMAS = 0.1, 2.0  # likewise of patches
_NO_SAY = 1e3  # pixels: patches that are as far off lead no pose, but still bear it out
_ENOUGH_PAIRS = 100  # fewer teach nothing about an error
_PRIOR_VIEWS = 4.0  # a few held-back views are outweighed by what is usual
_USUAL_SCALE = 3.0  # on the recordings of bench accuracy
_LEAST_SCALE, _LARGEST_SCALE = 0.01, 1e6  # of the search for one: patches may be ten times as exact as keypoints
_MEAN_NEES = 6.0  # of an honest covariance: the degrees of freedom of a pose
_FAR_OUT = 10.0  # times the median: what is farther out counts as that far, or one view would set the scale
_TOP = 75  # percentile: what a witness says where it does well
_LOOKED_AT = 5  # views, while a head is trained
_LOOK_ITERATIONS = 200
_HEAD_THRESHOLD = 10.0  # pixels, as ACE


@dataclass(frozen=True)
class _Judged:
    """A held-back view that was localized, ``index`` among them: how far off, and with which covariance before any
    scale; ``lean`` is what no scale is for, ``patches`` bear it out."""

    index: int
    residual: Vector
    error: tuple[float, float]
    inverse: Matrix
    lean: Matrix
    patches: int

    @property
    def led(self) -> bool:
        return self.patches >= LED_BY

    def nees(self, scale: float) -> float:
        return float(self.residual @ np.linalg.solve(scale * self.inverse + self.lean, self.residual))


def calibrate(
    place: Place,
    held_back: list[View],
    device: torch.device,
    report: Callable[[int, int], None],
    revisited: Revisited | None = None,
) -> Place:
    """Return the place with the expected accuracy and the calibration of its trust model filled in.

    Decoys tell what chance gives: a held-back view whose descriptors are dealt anew to its keypoints
    looks like this place to every witness, but from nowhere.

    Args:
        revisited: of the place's landmarks; None where it is not known which views they come from. Then held-back views
            are as near to those of the map as they were driven, and the covariance is never made smaller than it was.
    """
    lean, calibration = profile_of(place.header.encoder).lean, place.header.calibration
    encoded = [replace(view.encoded, picture=view.picture) for view in held_back]
    images = [replace(image, features=image.features.stored_as(torch.float32, device)) for image in encoded]
    total = (2 if revisited is None else 4) * len(images) + max(_DECOYS, len(images))
    known, done = calibration, 0

    def estimates_of(
        images: list[EncodedImage], calibration: Calibration, place_of: Callable[[int], Place] = lambda k: place
    ) -> list[list[Estimate]]:
        nonlocal done
        settled, estimates = TrustModel(calibration, lean).settled, []
        for k, image in enumerate(images):
            report(done, total)
            done += 1
            asked = place_of(k)
            taught = replace(asked, header=replace(asked.header, calibration=calibration))
            estimates.append(PoseEstimator(taught, device, settled).estimates(image))
        return estimates

    calibration = _with_sigmas(calibration, _first(estimates_of(images, calibration)))
    decoys = _first(estimates_of(_decoys(images), calibration))
    landmarks, head = _chance(decoys, len(place.points))
    fit = [one.evidence.patches / max(1, one.evidence.patches_asked) for one in decoys]
    patches = _hardly_reached(fit, _CHANCE)
    calibration = replace(calibration, chance_landmarks=landmarks, chance_head=head, chance_patches=patches)
    estimates = estimates_of(images, calibration)
    calibration = replace(calibration, landmark_weight=_landmark_weight(_first(estimates), calibration))
    trust, depth = TrustModel(calibration, lean), place.header.median_depth
    judged = later = alone = _judged(estimates, held_back, trust, depth)
    if revisited is not None:
        poses = [view.map_from_camera for view in held_back]
        places = [revisited.without(place, pose) for pose in poses]
        estimates = estimates_of(images, calibration, lambda k: places[k])
        later = _judged(estimates, held_back, trust, depth) or judged
        estimates = estimates_of(images, calibration, lambda k: places[k].without_patches())
        alone = _judged(estimates, held_back, trust, depth) or judged
    landmarks, matches = _likeness(place, images, held_back, judged, device)
    calibration = replace(calibration, self_similar=landmarks, self_matched=matches)
    nearer = known.led_scale > 0 if revisited is None else _nearer(later, alone)
    calibration = _with_scales(calibration, later if nearer else [], alone, known if revisited is None else None)
    measured, trust = HeldBack(len(held_back)), TrustModel(calibration, lean)
    if judged:
        translation, rotation = np.median([one.error for one in judged], axis=0).tolist()
        nees = float(np.mean([one.nees(trust.scale_of(one.patches)) for one in (later if nearer else alone)]))
        measured = HeldBack(len(held_back), len(judged), translation, rotation, nees)
    return replace(place, header=replace(place.header, held_back=measured, calibration=calibration))


def _likeness(
    place: Place, images: list[EncodedImage], views: list[View], judged: list[_Judged], device: torch.device
) -> tuple[float, float]:
    """Decoys that are hard: what a view finds where nothing is left of what it shows is the place's likeness to itself.

    Views that two poses explain say nothing: what they show twice is told by its rivals.

    Returns:
        see :attr:`Calibration.self_similar` and :attr:`Calibration.self_matched`.
    """
    landmarks, matches = [0.0], []
    for one in judged[:: max(1, len(judged) // _HARD_DECOYS)][:_HARD_DECOYS]:
        image, pose = images[one.index], views[one.index].map_from_camera.copy()
        pose[:3, 3] -= place.header.origin
        left = ~_shown(image, pose, place.points)
        other = place.with_landmarks(left)
        # Nothing is left to doubt, so that the head is not asked: it knows the place all the same.
        found = [estimate.evidence for estimate in PoseEstimator(other, device, settled=0.0).estimates(image)]
        landmarks += [float(evidence.landmark_inliers) for evidence in found]
        matches.append(max(float(evidence.matched) for evidence in found))
    return max(landmarks), _hardly_reached(matches, _FEW_REACH)


def _shown(image: EncodedImage, local_from_camera: Matrix, points: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(L,) which landmarks lie in the direction of what an image shows, and a little more."""
    margin = _MARGIN * (image.rays.max(0) - image.rays.min(0))
    return among(directions(points, local_from_camera), image.rays, margin)


def miss(head: Head, held_back: list[View], origin: NDArray[np.float64], scale: float) -> float:
    """Median distance between a few held-back views and where a head alone finds them, units of the map.

    ``origin`` and ``scale`` lead from the head's unit frame to the map's; a view that is not found is infinitely
    far off.
    """
    distances = []
    for view in held_back[:: max(1, len(held_back) // _LOOKED_AT)][:_LOOKED_AT]:
        image = view.encoded
        points = head.predict(image.features.descriptors.float()).cpu().numpy().astype(np.float64) * scale
        found = ransac(image.rays, points, image.focal, _HEAD_THRESHOLD, _LOOK_ITERATIONS)
        centre = None if found is None else found[0][:3, 3] + origin
        distances.append(np.inf if centre is None else float(np.linalg.norm(centre - view.map_from_camera[:3, 3])))
    return float(np.median(distances))


def _first(estimates: list[list[Estimate]]) -> list[Estimate]:
    """The best of each image, without its rivals."""
    return [of_image[0] for of_image in estimates]


def _judged(estimates: list[list[Estimate]], views: list[View], trust: TrustModel, depth: float) -> list[_Judged]:
    """Of the views that are believed; what shows one of several equal bays teaches nothing."""
    judged = []
    for index, (of_image, view) in enumerate(zip(estimates, views, strict=True)):
        estimate, pose, information = of_image[0], of_image[0].map_from_camera, of_image[0].information
        found = [Judged.by(trust, one, 0, depth) for one in of_image]
        if pose is None or information is None or decide(found)[0].state is not State.LOCALIZED:
            continue
        inverse = covariance_from_information(information)
        assert inverse is not None  # or it would not have been believed
        residual, error = pose_residual(pose, view.map_from_camera), pose_error(pose, view.map_from_camera)
        lean = trust.lean_covariance(estimate.encoded.focal) + estimate.spread
        judged.append(_Judged(index, residual, error, inverse, lean, estimate.evidence.patches))
    return judged


def _covariance_scale(judged: list[_Judged], least: float) -> float:
    """Factor on the inverse information matrices that brings the mean NEES to 6, or the least; near the usual one with
    few views."""
    if not judged:
        return max(least, _USUAL_SCALE)

    def mean(scale: float) -> float:
        values = np.array([one.nees(scale) for one in judged])
        return float(np.minimum(values, _FAR_OUT * np.median(values)).mean())

    candidates = np.geomspace(least, _LARGEST_SCALE, 300).tolist()
    fitted = next((scale for scale in candidates if mean(scale) <= _MEAN_NEES), candidates[-1])
    weight = len(judged) / (len(judged) + _PRIOR_VIEWS)
    return max(least, float(fitted**weight * _USUAL_SCALE ** (1 - weight)))


def _nearer(led: list[_Judged], alone: list[_Judged]) -> bool:
    """Whether patches lead poses nearer to where they should be. Where mapping poses are off by as much as keypoints,
    they need not: they are exact about what is not."""
    without = {one.index: one.error for one in alone}
    ratios = [np.divide(one.error, without[one.index]) for one in led if one.led and one.index in without]
    return not ratios or float(np.log(np.maximum(np.median(ratios, axis=0), 1e-12)).sum()) < 0


def _with_scales(
    calibration: Calibration, led: list[_Judged], alone: list[_Judged], before: Calibration | None
) -> Calibration:
    """The calibration with the factors of covariances of poses that patches have led, or nothing has; without a say of
    patches where none of them leads. ``before``: what they are not made smaller than."""
    unled = max(1.0, before.covariance_scale if before else 0.0)  # below one they would be surer than the pixels are
    calibration = replace(calibration, covariance_scale=_covariance_scale(alone, unled), led_scale=0.0)
    if not led:
        return replace(calibration, patch_sigma=_NO_SAY)
    least = max(_LEAST_SCALE, before.led_scale if before else 0.0)
    return replace(calibration, led_scale=_covariance_scale([one for one in led if one.led], least))


def _with_sigmas(calibration: Calibration, estimates: list[Estimate]) -> Calibration:
    """The calibration with the errors of each witness's inliers as they were on held-back views, and of patches."""
    usual, found = (calibration.landmark_sigma, calibration.head_sigma), []
    for witness, (low, high), known in zip((True, False), _SIGMAS, usual, strict=True):
        errors = np.concatenate([estimate.errors[estimate.is_landmark == witness] for estimate in estimates])
        enough = len(errors) >= _ENOUGH_PAIRS
        found.append(float(np.clip(np.median(errors) / TYPICAL, low, high)) if enough else known)
    calibration = replace(calibration, landmark_sigma=found[0], head_sigma=found[1])
    patches = np.concatenate([estimate.patch_errors for estimate in estimates])
    if len(patches) < _ENOUGH_PAIRS:
        return calibration
    return replace(calibration, patch_sigma=float(np.clip(np.median(patches) / TYPICAL, *_PATCH_SIGMAS)))


def _landmark_weight(estimates: list[Estimate], calibration: Calibration) -> float:
    """How much more than chance each witness has to say where it does well."""
    told = np.array([ratios(estimate.evidence, calibration) for estimate in estimates])
    landmarks, head = np.maximum(np.log(np.percentile(told, _TOP, axis=0)), 0.05)
    return float(landmarks / (landmarks + head))


def _decoys(images: list[EncodedImage]) -> list[EncodedImage]:
    """Images whose descriptors are dealt anew to their keypoints."""
    generator = torch.Generator().manual_seed(0)
    decoys = []
    for index in range(max(_DECOYS, len(images))):
        image = images[index % len(images)]
        descriptors = image.features.descriptors
        order = torch.randperm(len(image), generator=generator).to(descriptors.device)
        decoys.append(replace(image, features=replace(image.features, descriptors=descriptors[order])))
    return decoys


def _chance(decoys: list[Estimate], landmarks: int) -> tuple[float, float]:
    """Landmark inliers, and the fraction of head inliers, that hardly any pose found for decoys has more of.

    Never less than what foreign images were seen to collect by chance, which grows with the landmarks.
    """
    share = min(1.0, landmarks / _USUAL_LANDMARKS)
    found = [decoy.evidence for decoy in decoys]
    least = max(_LEAST_CHANCE, Calibration.chance_landmarks * share**0.5)
    of_landmarks = _hardly_reached([evidence.landmark_inliers for evidence in found], _CHANCE)
    of_head = _hardly_reached([evidence.head_inliers / max(1, evidence.head_asked) for evidence in found], _CHANCE)
    return max(least, of_landmarks), max(Calibration.chance_head, of_head)


def _hardly_reached(values: Sequence[float], deviations: float) -> float:
    """So many standard deviations above the mean; zero of nothing."""
    return float(np.mean(values) + deviations * np.std(values)) if values else 0.0

"""A map's own errors, learnt on mapping views that were held back: what its trust model is fitted to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from ace_ros.features.features import EncodedImage
from ace_ros.features.registry import profile_of
from ace_ros.localization.estimate import Estimate
from ace_ros.localization.estimator import PoseEstimator
from ace_ros.localization.solver import TYPICAL, ransac
from ace_ros.localization.trust import TrustModel
from ace_ros.localization.verdict import ratios
from ace_ros.map.head import Head
from ace_ros.map.header import Calibration, HeldBack
from ace_ros.map.place import Place
from ace_ros.mapping.believed import Believed, believed, nearer, with_scales
from ace_ros.mapping.chance import decoys, with_chance, with_likeness
from ace_ros.mapping.revisited import Revisited
from ace_ros.mapping.views import View

_SIGMAS = ((0.4, 2.0), (1.0, 10.0))  # pixels: what landmarks and head may be taught; beyond, pairs are no inliers
_PATCH_SIGMAS = 0.1, 2.0  # likewise of patches
_ENOUGH_PAIRS = 100  # fewer teach nothing about an error
_TOP = 75  # percentile: what a witness says where it does well
_LOOKED_AT = 5  # views, while a head is trained
_LOOK_ITERATIONS = 200
_HEAD_THRESHOLD = 10.0  # pixels, as ACE


def calibrate(
    place: Place,
    held_back: list[View],
    device: torch.device,
    report: Callable[[int, int], None],
    revisited: Revisited | None = None,
) -> Place:
    """Return the place with the expected accuracy and the calibration of its trust model filled in.

    Args:
        revisited: of the place's landmarks; None where it is not known which views they come from. Then held-back views
            are as near to those of the map as they were driven, and the covariance is never made smaller than it was.
    """
    lean, known, depth = profile_of(place.header.encoder).lean, place.header.calibration, place.header.median_depth
    encoded = [replace(view.encoded, picture=view.picture) for view in held_back]
    images = [replace(image, features=image.features.stored_as(torch.float32, device)) for image in encoded]
    dealt = decoys(images)
    asked = _Asking(device, lean, (2 if revisited is None else 4) * len(images) + len(dealt), report)
    calibration = _with_sigmas(known, _first(asked.about(images, place, known)))
    calibration = with_chance(calibration, _first(asked.about(dealt, place, calibration)), len(place.points))
    estimates = asked.about(images, place, calibration)
    calibration = replace(calibration, landmark_weight=_landmark_weight(_first(estimates), calibration))
    trust = TrustModel(calibration, lean)
    told = led = alone = believed(estimates, held_back, trust, depth)
    leads = known.led_scale > 0
    if revisited is not None:
        places = [revisited.without(place, view.map_from_camera) for view in held_back]
        led = believed(asked.about(images, places, calibration), held_back, trust, depth) or told
        places = [one.without_patches() for one in places]
        alone = believed(asked.about(images, places, calibration), held_back, trust, depth) or told
        leads = bool(led) and nearer(led, alone)
    if not leads:
        place, led = place.without_patches(), []
    poses = [held_back[one.index].map_from_camera for one in told]
    calibration = with_likeness(calibration, place, [images[one.index] for one in told], poses, device)
    calibration = with_scales(calibration, led if leads else None, alone, known if revisited is None else None)
    measured = _measured(len(held_back), told, led or alone, TrustModel(calibration, lean))
    return replace(place, header=replace(place.header, held_back=measured, calibration=calibration))


class _Asking:
    """Asks places about images, and reports how many of ``total`` it has."""

    def __init__(self, device: torch.device, lean: float, total: int, report: Callable[[int, int], None]) -> None:
        self._device, self._lean, self._total, self._report = device, lean, total, report
        self._done = 0

    def about(
        self, images: Sequence[EncodedImage], places: Place | Sequence[Place], calibration: Calibration
    ) -> list[list[Estimate]]:
        """What is found for each image in the place, or in its own, that was taught so much."""
        settled, estimates = TrustModel(calibration, self._lean).settled, []
        for k, image in enumerate(images):
            self._report(self._done, self._total)
            self._done += 1
            place = places if isinstance(places, Place) else places[k]
            taught = replace(place, header=replace(place.header, calibration=calibration))
            estimates.append(PoseEstimator(taught, self._device, settled).estimates(image))
        return estimates


def _measured(frames: int, told: list[Believed], as_asked: list[Believed], trust: TrustModel) -> HeldBack:
    """How exact the views that are believed are, and their covariances where the map lacks what stands beside them."""
    if not told:
        return HeldBack(frames)
    translation, rotation = np.median([one.error for one in told], axis=0).tolist()
    nees = float(np.mean([one.nees(trust.scale_of(one.patches)) for one in as_asked]))
    return HeldBack(frames, len(told), translation, rotation, nees)


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

"""What chance gives a wrong pose of a place, and what the place gives that resembles itself: learnt from decoys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from ace_ros.features.features import EncodedImage
from ace_ros.geometry import Matrix
from ace_ros.localization.estimate import Estimate
from ace_ros.localization.estimator import PoseEstimator
from ace_ros.map.header import Calibration
from ace_ros.map.landmarks import among, directions
from ace_ros.map.place import Place

_DECOYS = 24  # at least so many; set by hand
# Standard deviations above the mean of decoys: what the most of 24 has, without its luck. In the hall that was 20, 24
# or 28 from one map to the next, and with it a tenth of the queries came or went; this is 18 to 21.
_CHANCE = 2.5
_HARD_DECOYS = 16  # views at most; set by hand: each costs what a query does
# Standard deviations above the mean, of matches: on a street 3 of 100 views of parts that were not mapped have more,
# but hardly one of these the landmarks and the head as well.
_FEW_REACH = 2.0
# Of the patches that fit there, so many count as chance: twice as many as fit elsewhere in the place bear a pose out.
# In a courtyard whose beds and walls are alike 47 of 400 did, which is what bears poses out in other places.
_BY_CHANCE, _ENOUGH_PATCHES = 0.5, 100
_MARGIN = 0.2  # of the image's sides
_LEAST_CHANCE = 8.0  # landmark inliers that foreign images collected in the emptiest maps (bench trust)
_USUAL_LANDMARKS = 10_000  # of the maps on which the usual chance was seen; it grows with their square root


def decoys(images: Sequence[EncodedImage]) -> list[EncodedImage]:
    """Images whose descriptors are dealt anew to their keypoints: to every witness they look like the place, but from
    nowhere."""
    generator = torch.Generator().manual_seed(0)
    dealt = []
    for index in range(max(_DECOYS, len(images))):
        image = images[index % len(images)]
        descriptors = image.features.descriptors
        order = torch.randperm(len(image), generator=generator).to(descriptors.device)
        dealt.append(replace(image, features=replace(image.features, descriptors=descriptors[order])))
    return dealt


def with_chance(calibration: Calibration, decoys: Sequence[Estimate], landmarks: int) -> Calibration:
    """The calibration with what hardly any pose found for decoys has more of, in a place of so many landmarks.

    Never less than what foreign images were seen to collect by chance, which grows with the landmarks.
    """
    share = min(1.0, landmarks / _USUAL_LANDMARKS)
    found = [decoy.evidence for decoy in decoys]
    least = max(_LEAST_CHANCE, Calibration.chance_landmarks * share**0.5)
    of_landmarks = _hardly_reached([evidence.landmark_inliers for evidence in found], _CHANCE)
    of_head = _hardly_reached([evidence.head_inliers / max(1, evidence.head_asked) for evidence in found], _CHANCE)
    of_patches = _hardly_reached([evidence.patches / max(1, evidence.patches_asked) for evidence in found], _CHANCE)
    return replace(
        calibration,
        chance_landmarks=max(least, of_landmarks),
        chance_head=max(Calibration.chance_head, of_head),
        chance_patches=of_patches,
    )


def with_likeness(
    calibration: Calibration,
    place: Place,
    images: Sequence[EncodedImage],
    poses: Sequence[Matrix],
    device: torch.device,
) -> Calibration:
    """The calibration with the place's likeness to itself: what a view finds where nothing is left of what it shows.
    Decoys that are hard.

    Views that two poses explain say nothing: what they show twice is told by its rivals.

    Args:
        images: that are believed, and poses: (4, 4) map_from_camera of each.
    """
    landmarks, matches, patches = [0.0], [], [0.0]
    few = slice(0, None, max(1, len(images) // _HARD_DECOYS))
    for image, map_from_camera in list(zip(images, poses, strict=True))[few][:_HARD_DECOYS]:
        pose = map_from_camera.copy()
        pose[:3, 3] -= place.header.origin
        left = ~_shown(image, pose, place.points)
        other = place.with_landmarks(left)
        # Nothing is left to doubt, so that the head is not asked: it knows the place all the same.
        found = [estimate.evidence for estimate in PoseEstimator(other, device, settled=0.0).estimates(image)]
        landmarks += [float(evidence.landmark_inliers) for evidence in found]
        matches.append(max(float(evidence.matched) for evidence in found))
        patches += [evidence.patches / max(_ENOUGH_PATCHES, evidence.patches_asked) for evidence in found]
    return replace(
        calibration,
        self_similar=max(landmarks),
        self_matched=_hardly_reached(matches, _FEW_REACH),
        chance_patches=max(calibration.chance_patches, _BY_CHANCE * max(patches)),
    )


def _shown(image: EncodedImage, local_from_camera: Matrix, points: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(L,) which landmarks lie in the direction of what an image shows, and a little more."""
    margin = _MARGIN * (image.rays.max(0) - image.rays.min(0))
    return among(directions(points, local_from_camera), image.rays, margin)


def _hardly_reached(values: Sequence[float], deviations: float) -> float:
    """So many standard deviations above the mean; zero of nothing."""
    return float(np.mean(values) + deviations * np.std(values)) if values else 0.0

"""A map's own errors, learnt on mapping views that were held back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ace_ros.features.encoder import Features
from ace_ros.geometry import Matrix, pose_error, pose_residual
from ace_ros.localization.localizer import Localization, Localizer
from ace_ros.localization.options import LocalizeOptions
from ace_ros.localization.solver import ransac, shift_covariance
from ace_ros.localization.trust import State, judge, ratios
from ace_ros.map.head import Head
from ace_ros.map.header import Calibration, HeldBack
from ace_ros.map.scene_map import SceneMap
from ace_ros.mapping.views import View

Vector = NDArray[np.float64]
_PRIOR_VIEWS = 4.0  # a few held-back views are outweighed by what is usual
_USUAL_SCALE = 3.0
_DECOYS = 24  # at least so many
_USUAL_LANDMARKS = 10_000
_LEAST_CHANCE = 8.0  # landmark inliers
_LOOKED_AT = 5  # views, while a head is trained
_LOOK_ITERATIONS = 200
_HEAD_THRESHOLD = 10.0  # pixels


def calibrate(
    scene_map: SceneMap,
    held_back: list[View],
    device: str,
    encoder_weights: Path | None,
    report: Callable[[int, int], None],
) -> SceneMap:
    """Return the map with the expected accuracy and the calibration of covariance and confidence filled in.

    Decoys tell what chance gives: a held-back view whose descriptors are dealt anew to its keypoints
    looks like this place to every witness, but from nowhere.
    """
    options = LocalizeOptions(encoder_weights=encoder_weights)
    localizer = Localizer(scene_map, options, device)
    total = 2 * len(held_back)
    chance = _decoys(localizer, held_back, lambda done: report(done, total))
    calibration = replace(scene_map.header.calibration, chance_landmarks=chance[0], chance_head=chance[1])
    answers = []
    for done, view in enumerate(held_back):
        report(len(held_back) + done, total)
        answers.append(localizer.localize_features(_in_float(view.features), view.camera))
    calibration = replace(calibration, landmark_weight=_landmark_weight(answers, calibration))
    errors, residuals, spreads = [], [], []
    for view, answer in zip(held_back, answers, strict=True):
        if answer.map_from_camera is None or answer.covariance is None or answer.evidence is None:
            continue
        if judge(answer.evidence, calibration).state is not State.LOCALIZED:
            continue
        errors.append(pose_error(answer.map_from_camera, view.map_from_camera))
        residuals.append(pose_residual(answer.map_from_camera, view.map_from_camera))
        shift = shift_covariance(view.focal)
        spreads.append(((answer.covariance - shift) / calibration.covariance_scale, shift))
    if not errors:
        header = replace(scene_map.header, calibration=calibration, held_back=HeldBack(len(held_back)))
        return replace(scene_map, header=header)
    scale = _covariance_scale(residuals, spreads)
    translation, rotation = np.median(np.array(errors), axis=0)
    nees = float(np.mean(_nees(residuals, spreads, scale)))
    header = replace(
        scene_map.header,
        held_back=HeldBack(len(held_back), len(errors), float(translation), float(rotation), nees),
        calibration=replace(calibration, covariance_scale=scale),
    )
    return replace(scene_map, header=header)


def miss(head: Head, held_back: list[View], origin: NDArray[np.float64], scale: float) -> float:
    """Median distance between a few held-back views and where a head alone finds them, units of the map.

    ``origin`` and ``scale`` lead from the head's unit frame to the map's; a view that is not found is infinitely
    far off.
    """
    distances = []
    for view in held_back[:: max(1, len(held_back) // _LOOKED_AT)][:_LOOKED_AT]:
        points = head.predict(view.features.descriptors.float()).cpu().numpy().astype(np.float64) * scale
        normalised = view.normalised.cpu().numpy().astype(np.float64)
        found = ransac(normalised, points, view.focal, _HEAD_THRESHOLD, _LOOK_ITERATIONS)
        centre = None if found is None else found[0][:3, 3] + origin
        distances.append(np.inf if centre is None else float(np.linalg.norm(centre - view.map_from_camera[:3, 3])))
    return float(np.median(distances))


def _covariance_scale(residuals: list[Vector], spreads: list[tuple[Matrix, Matrix]]) -> float:
    """Factor on the inverse information matrices that brings the mean NEES to 6; near the usual one with few views,
    and never below one, which would be surer than the pixels are."""

    def mean(scale: float) -> float:
        values = _nees(residuals, spreads, scale)
        return float(np.minimum(values, 10 * np.median(values)).mean())

    candidates = np.geomspace(1.0, 1e6, 300).tolist()
    fitted = next((scale for scale in candidates if mean(scale) <= 6.0), candidates[-1])
    weight = len(residuals) / (len(residuals) + _PRIOR_VIEWS)
    return float(fitted**weight * _USUAL_SCALE ** (1 - weight))


def _nees(residuals: list[Vector], spreads: list[tuple[Matrix, Matrix]], scale: float) -> Vector:
    """Normalised errors squared with covariances of ``scale`` times the first matrix plus the second."""
    pairs = zip(residuals, spreads, strict=True)
    return np.array([float(r @ np.linalg.solve(scale * first + second, r)) for r, (first, second) in pairs])


def _landmark_weight(answers: list[Localization], calibration: Calibration) -> float:
    """How much more than chance each witness has to say where it does well."""
    told = np.array([ratios(answer.evidence, calibration) for answer in answers if answer.evidence is not None])
    landmarks, head = np.maximum(np.log(np.percentile(told, 75, axis=0)), 0.05)
    return float(landmarks / (landmarks + head))


def _decoys(localizer: Localizer, views: list[View], report: Callable[[int], None]) -> tuple[float, float]:
    """The most landmark inliers, and the largest fraction of head inliers, of poses found for decoys.

    Never less than what foreign images were seen to collect by chance, which grows with the landmarks.
    """
    generator = torch.Generator().manual_seed(0)
    share = min(1.0, len(localizer.scene_map.points) / _USUAL_LANDMARKS)
    landmarks, head = max(_LEAST_CHANCE, Calibration.chance_landmarks * share**0.5), Calibration.chance_head
    count = max(_DECOYS, len(views))
    for done in range(count):
        report(done * len(views) // count)
        view = views[done % len(views)]
        features = _in_float(view.features)
        order = torch.randperm(len(features), generator=generator).to(features.descriptors.device)
        decoy = replace(features, descriptors=features.descriptors[order])
        evidence = localizer.localize_features(decoy, view.camera).evidence
        if evidence is not None:
            landmarks = max(landmarks, float(evidence.landmark_inliers))
            head = max(head, evidence.head_inliers / max(1, evidence.head_asked))
    return landmarks, head


def _in_float(features: Features) -> Features:
    return replace(features, descriptors=features.descriptors.float())

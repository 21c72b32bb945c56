"""A map's own errors, learnt on mapping views that were held back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ace_ros.encoder import Features
from ace_ros.geometry import pose_error, pose_residual
from ace_ros.localizer import Localization, LocalizeOptions, Localizer
from ace_ros.scene_map import Calibration, HeldBack, SceneMap
from ace_ros.trust import State, judge, ratios
from ace_ros.views import View

_PRIOR_VIEWS = 4.0  # a few held-back views are outweighed by the defaults
_DECOYS = 24  # at least so many
_USUAL_LANDMARKS = 10_000
_LEAST_CHANCE = 8.0  # landmark inliers


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
    errors, normalised = [], []
    for view, answer in zip(held_back, answers, strict=True):
        if answer.map_from_camera is None or answer.covariance is None or answer.evidence is None:
            continue
        if judge(answer.evidence, calibration).state is not State.LOCALIZED:
            continue
        errors.append(pose_error(answer.map_from_camera, view.map_from_camera))
        residual = pose_residual(answer.map_from_camera, view.map_from_camera)
        normalised.append(float(residual @ np.linalg.solve(answer.covariance, residual)))
    if not errors:
        header = replace(scene_map.header, calibration=calibration, held_back=HeldBack(len(held_back)))
        return replace(scene_map, header=header)
    factor = _factor(normalised)
    scale = calibration.covariance_scale * factor
    translation, rotation = np.median(np.array(errors), axis=0)
    header = replace(
        scene_map.header,
        held_back=HeldBack(
            len(held_back), len(errors), float(translation), float(rotation), float(np.mean(normalised)) / factor
        ),
        calibration=replace(calibration, covariance_scale=scale),
    )
    return replace(scene_map, header=header)


def _factor(normalised: list[float]) -> float:
    """Factor on the covariance that brings the mean NEES to 6, less sure of itself with few views."""
    values = np.array(normalised)
    mean = np.minimum(values, 10 * np.median(values)).mean()
    return float((mean / 6.0) ** (len(values) / (len(values) + _PRIOR_VIEWS)))


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

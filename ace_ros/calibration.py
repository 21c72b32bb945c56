"""A map's own errors, learnt on mapping views that were held back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ace_ros.geometry import pose_error, pose_residual
from ace_ros.localizer import LocalizeOptions, Localizer
from ace_ros.scene_map import Calibration, HeldBack, SceneMap
from ace_ros.trust import State
from ace_ros.views import View

_PRIOR_VIEWS = 4.0  # a few held-back views are outweighed by the defaults


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
    localizer = Localizer(scene_map, LocalizeOptions(encoder_weights=encoder_weights), device)
    total = 2 * len(held_back)
    chance = _decoys(localizer, held_back, lambda done: report(done, total))
    calibration = replace(scene_map.header.calibration, chance_landmarks=chance[0], chance_head=chance[1])
    scene_map = replace(scene_map, header=replace(scene_map.header, calibration=calibration))
    localizer = Localizer(scene_map, LocalizeOptions(encoder_weights=encoder_weights), device)
    errors, normalised = [], []
    for done, view in enumerate(held_back):
        report(len(held_back) + done, total)
        answer = localizer.localize_features(_float(view), view.camera)
        if answer.state is not State.LOCALIZED or answer.map_from_camera is None or answer.covariance is None:
            continue
        errors.append(pose_error(answer.map_from_camera, view.map_from_camera))
        residual = pose_residual(answer.map_from_camera, view.map_from_camera)
        normalised.append(float(residual @ np.linalg.solve(answer.covariance, residual)))
    if not errors:
        return replace(scene_map, header=replace(scene_map.header, held_back=HeldBack(len(held_back))))
    factor = _factor(np.array(normalised))
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


def _factor(normalised: np.ndarray) -> float:
    """Factor on the covariance that brings the mean NEES to 6, less sure of itself with few views."""
    clipped = np.minimum(normalised, 10 * np.median(normalised))
    count = len(normalised)
    return float(np.exp((np.log(clipped.mean() / 6.0)) * count / (count + _PRIOR_VIEWS)))


def _decoys(localizer: Localizer, views: list[View], report: Callable[[int], None]) -> tuple[float, float]:
    """The most landmark inliers, and the largest fraction of head inliers, of poses found for decoys."""
    generator = torch.Generator().manual_seed(0)
    landmarks, head = [0.0], [0.0]
    for done, view in enumerate(views):
        report(done)
        features = _float(view)
        order = torch.randperm(len(features), generator=generator).to(features.descriptors.device)
        decoy = replace(features, descriptors=features.descriptors[order])
        evidence = localizer.localize_features(decoy, view.camera).evidence
        if evidence is not None:
            landmarks.append(evidence.landmark_inliers)
            head.append(evidence.head_inliers / max(1, evidence.keypoints))
    print('DECOY',np.percentile(landmarks,[50,90,100]),np.percentile(head,[50,90,100]))
    return max(max(landmarks), Calibration.chance_landmarks / 2), max(max(head), Calibration.chance_head / 2)


def _float(view: View):  # type: ignore[no-untyped-def]
    return replace(view.features, descriptors=view.features.descriptors.float())

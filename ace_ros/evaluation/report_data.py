"""What the report's page shows, as plain values for its script: titles, rows, a cloud, pictures."""

from __future__ import annotations

import base64
import platform
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from ace_ros.errors import InputError
from ace_ros.evaluation.metrics import FrameResult, errors, finite, nees
from ace_ros.geometry import Matrix
from ace_ros.localization.localizer import Localizer
from ace_ros.recordings.posed_frame import PosedFrame, Recording, evenly
from ace_ros.visual.cloud import Cloud, map_cloud
from ace_ros.visual.gallery import picture
from ace_ros.visual.plots import is_path, sideways, upward

# Set by hand, so that a page stays at a few megabytes and a cloud turns without effort.
_SHOWN = 10  # worst and best frames
_CLOUD_FRAMES = 60
_CLOUD_POINTS = 25_000
_BAD = 0.05, 5.0  # m, degrees that count alike when frames are put in order: the measure of 7-Scenes
_VIEW = 3, 97  # percentiles of the points that the view of the cloud is to hold: few lie far out; set by hand
_AHEAD = 0.1  # length of the mean direction of view over the ground below which it is none; set by hand


def look(results: Sequence[FrameResult], localizer: Localizer, scene: Recording) -> Cloud:
    """What the map knows of the place, from some of the frames that were asked for."""
    frames = {frame.name: frame for frame in scene.frames}
    return map_cloud(localizer, [frames[r.name] for r in evenly(results, _CLOUD_FRAMES)], _CLOUD_POINTS)


def page_data(
    figures: dict[str, Any],
    results: Sequence[FrameResult],
    localizer: Localizer,
    scene: Recording,
    cloud: Cloud,
    options: dict[str, Any],
    compared: dict[str, Any] | None,
) -> dict[str, Any]:
    """All that the page knows; the arguments are those of ``report_files``."""
    frames = {frame.name: frame for frame in scene.frames}
    rows = frame_rows(results, 1.0 if figures["metric"] else figures["median_depth"])
    order = sorted(range(len(results)), key=lambda i: _badness(results[i], rows[i]))
    best = order[: min(_SHOWN, len(order) - len(order) // 2)]
    worst = order[::-1][: min(_SHOWN, len(order) // 2)]

    def pictures(indices: Iterable[int]) -> list[dict[str, Any]]:
        return _pictures(((index, frames[results[index].name]) for index in indices), localizer)

    how = "played through localization_node, " if figures.get("live") else ""
    return {
        "title": f"{Path(figures['map']).name} on {scene.name}",
        "subtitle": f"{figures['frames']} frames of {figures['scene']} ({figures['split']}), {_own(figures)}{how}"
        f"{time.strftime('%d %B %Y, %H:%M')}",
        "figures": figures,
        "frames": rows,
        "video": is_path(results),
        "cloud": packed_cloud(cloud, results),
        "gallery": {"best": pictures(best), "worst": pictures(worst)},
        "compared": compared or {"names": [], "lines": []},
        "configuration": {**options, **_trained(localizer), **_versions()},
    }


def _own(figures: dict[str, Any]) -> str:
    """On frames that the map was made from, where there were any."""
    if left_out := figures.get("left_out_mapped"):
        return f"{left_out} left out that the map was made from, "
    scored = figures.get("scored_mapped")
    return f"{scored} of them frames that the map was made from, " if scored else ""


def frame_rows(results: Sequence[FrameResult], unit: float) -> list[dict[str, Any]]:
    """What the page and the CSV know of each frame; None where there is nothing to say."""
    table = errors(results, unit)
    start = results[0].stamp
    return [
        {
            "name": r.name,
            "stamp": r.stamp,
            "time": (r.stamp - start) / 1e9,
            "state": r.state,
            "reason": r.reason,
            "translation": finite(translation),
            "rotation": finite(rotation),
            "confidence": float(r.confidence),
            "inliers": int(r.inliers),
            "candidates": int(r.candidates),
            "milliseconds": r.seconds * 1e3,
            "age": None if r.age is None else r.age * 1e3,
            "nees": _nees(r),
            "place": r.place,
            "truth": _position(r.truth),
            "estimate": None if r.estimate is None else _position(r.estimate),
        }
        for r, (translation, rotation) in zip(results, table, strict=True)
    ]


def _badness(result: FrameResult, row: dict[str, Any]) -> float:
    """Sorts frames from best to worst."""
    if not result.has_pose:
        return float("inf")
    return float(row["translation"] / _BAD[0] + row["rotation"] / _BAD[1])


def _nees(result: FrameResult) -> float | None:
    if result.state != "LOCALIZED" or result.estimate is None or result.covariance is None:
        return None
    return finite(nees(result.estimate, result.truth, result.covariance))


def _position(pose: Matrix) -> list[float]:
    return [round(float(value), 5) for value in pose[:3, 3]]


def packed_cloud(cloud: Cloud, results: Sequence[FrameResult]) -> dict[str, Any]:
    """The cloud as base64, with what the view needs to know: where to look, and which way is up."""
    positions = np.array([r.truth[:3, 3] for r in results])
    around = np.concatenate([positions, cloud.points]) if len(cloud) else positions
    low, high = np.percentile(around, _VIEW, axis=0)
    low, high = np.minimum(low, positions.min(axis=0)), np.maximum(high, positions.max(axis=0))
    up = upward(results)
    ahead = np.mean([r.truth[:3, 2] for r in results], axis=0)
    if np.linalg.norm(np.cross(ahead, up)) < _AHEAD:  # all around, or straight down
        ahead = sideways(up)
    return {
        "xyz": base64.b64encode(cloud.points.astype("<f4").tobytes()).decode(),
        "rgb": base64.b64encode(cloud.colours.tobytes()).decode(),
        "centre": ((low + high) / 2).tolist(),
        "radius": float(max(np.linalg.norm(high - low) / 2, 1e-6)),
        "up": up.tolist(),
        "ahead": ahead.tolist(),
    }


def _pictures(chosen: Iterable[tuple[int, PosedFrame]], localizer: Localizer) -> list[dict[str, Any]]:
    pictures = []
    for index, frame in chosen:
        with suppress(InputError):
            pictures.append({"index": index, "jpeg": base64.b64encode(picture(localizer, frame)).decode()})
    return pictures


def _trained(localizer: Localizer) -> dict[str, str]:
    header = localizer.scene_map.header
    trained = (f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in header.training.items())
    return {"encoder": header.encoder, "trained": ", ".join(trained)}


def _versions() -> dict[str, str]:
    found = []
    for name in ("ace_ros", "torch", "numpy", "opencv-python-headless", "poselib"):
        with suppress(metadata.PackageNotFoundError):
            found.append(f"{name} {metadata.version(name)}")
    return {"versions": ", ".join([f"python {platform.python_version()}", *found]), "machine": platform.platform()}

"""The report of an evaluation: one HTML file that needs nothing else, and its data beside it."""

from __future__ import annotations

import base64
import csv
import io
import json
import platform
import time
from collections.abc import Sequence
from contextlib import suppress
from importlib import metadata, resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ace_ros.errors import InputError
from ace_ros.evaluation.metrics import FrameResult, errors, nees
from ace_ros.evaluation.trajectory import tum_text
from ace_ros.geometry import Matrix
from ace_ros.recordings.posed_frame import PosedFrame, Recording
from ace_ros.visual import plots
from ace_ros.visual.cloud import Cloud, map_cloud
from ace_ros.visual.gallery import picture

if TYPE_CHECKING:
    from ace_ros.localization.localizer import Localizer

_SHOWN = 10  # worst and best frames
_CLOUD_FRAMES = 60
_CLOUD_POINTS = 25_000


def report_files(
    figures: dict[str, Any],
    results: Sequence[FrameResult],
    localizer: Localizer,
    scene: Recording,
    options: dict[str, Any],
    compared: dict[str, Any] | None = None,
) -> dict[str, bytes]:
    """The report's files by name: report.html and its data, trajectory.png, and both trajectories in TUM format.

    Parameters
    ----------
    figures
        of ``metrics.summarize``, others may be in it.
    options
        what the run was configured with, by name.
    compared
        runs side by side: their names, and lines of a label and a (text, is best) a run.
    """
    frames = {frame.name: frame for frame in scene.frames}
    rows = frame_rows(results, 1.0 if figures["metric"] else figures["median_depth"])
    order = sorted(range(len(results)), key=lambda i: _badness(results[i], rows[i]))
    every = max(1, len(results) // _CLOUD_FRAMES)
    cloud = map_cloud(localizer, [frames[r.name] for r in results[::every]], _CLOUD_POINTS)
    data = {
        "title": f"{Path(figures['map']).name} on {scene.name}",
        "subtitle": f"{figures['frames']} frames of {figures['scene']} ({figures['split']}), {_own(figures)}"
        f"{_how(figures)}{time.strftime('%d %B %Y, %H:%M')}",
        "figures": figures,
        "frames": rows,
        "video": plots.is_path(results),
        "cloud": _packed(cloud, results),
        "gallery": {
            "best": _pictures(order[: min(_SHOWN, len(order) - len(order) // 2)], results, frames, localizer),
            "worst": _pictures(order[::-1][: min(_SHOWN, len(order) // 2)], results, frames, localizer),
        },
        "compared": compared or {"names": [], "lines": []},
        "configuration": {**options, **_configuration(localizer), **_versions()},
    }
    estimated = tum_text((r.stamp, r.estimate) for r in results if r.has_pose and r.estimate is not None)
    return {
        "evaluation.json": (json.dumps(figures, indent=2, allow_nan=False) + "\n").encode(),
        "frames.csv": _csv(rows).encode(),
        "estimated.tum": estimated.encode(),
        "true.tum": tum_text((r.stamp, r.truth) for r in results).encode(),
        "trajectory.png": plots.trajectory_png(results, cloud, figures["metric"]),
        "report.html": render(data).encode(),
    }


def _how(figures: dict[str, Any]) -> str:
    return "played through localization_node, " if figures.get("live") else ""


def _own(figures: dict[str, Any]) -> str:
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
            "translation": float(t) if np.isfinite(t) else None,
            "rotation": float(angle) if np.isfinite(angle) else None,
            "confidence": float(r.confidence),
            "inliers": int(r.inliers),
            "candidates": int(r.candidates),
            "milliseconds": r.seconds * 1e3,
            "age": None if r.age is None else r.age * 1e3,
            "nees": _nees(r),
            "truth": _position(r.truth),
            "estimate": None if r.estimate is None else _position(r.estimate),
        }
        for r, (t, angle) in zip(results, table, strict=True)
    ]


def render(data: dict[str, Any]) -> str:
    """The page with everything that it needs inside it."""
    parts = resources.files("ace_ros.evaluation") / "report_page"
    page = (parts / "report.html").read_text(encoding="utf-8")
    for name in ("report.css", "charts.js", "scene.js", "report.js"):
        page = page.replace(f"{{{{{name}}}}}", (parts / name).read_text(encoding="utf-8"))
    # inside a script element only "<" could end it; in JSON it may be written as an escape anywhere
    embedded = json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    title = data["title"].replace("&", "&amp;").replace("<", "&lt;")
    return page.replace("{{title}}", title).replace("{{data}}", embedded)


def _badness(result: FrameResult, row: dict[str, Any]) -> float:
    """Sorts frames from best to worst: rotation counts as its share of 5 degrees, position of 5 cm."""
    if not result.has_pose:
        return float("inf")
    return float(row["translation"] / 0.05 + row["rotation"] / 5.0)


def _nees(result: FrameResult) -> float | None:
    if result.state != "LOCALIZED" or result.estimate is None or result.covariance is None:
        return None
    value = nees(result.estimate, result.truth, result.covariance)
    return value if np.isfinite(value) else None


def _position(pose: Matrix) -> list[float]:
    return [round(float(value), 5) for value in pose[:3, 3]]


def _packed(cloud: Cloud, results: Sequence[FrameResult]) -> dict[str, Any]:
    """The cloud as base64, with what the view needs to know: where to look, and which way is up."""
    positions = np.array([r.truth[:3, 3] for r in results])
    around = np.concatenate([positions, cloud.points]) if len(cloud) else positions
    low, high = np.percentile(around, (3, 97), axis=0)
    low, high = np.minimum(low, positions.min(axis=0)), np.maximum(high, positions.max(axis=0))
    upward = -np.mean([r.truth[:3, 1] for r in results], axis=0)  # cameras are mostly held upright: y is down
    if np.linalg.norm(upward) < 0.1:
        upward = np.array([0.0, 0.0, 1.0])
    ahead = np.mean([r.truth[:3, 2] for r in results], axis=0)
    if np.linalg.norm(np.cross(ahead, upward)) < 0.1:  # all around, or straight down
        ahead = np.cross(upward, np.eye(3)[np.argmin(np.abs(upward))])
    return {
        "xyz": base64.b64encode(cloud.points.astype("<f4").tobytes()).decode(),
        "rgb": base64.b64encode(cloud.colours.tobytes()).decode(),
        "centre": ((low + high) / 2).tolist(),
        "radius": float(max(np.linalg.norm(high - low) / 2, 1e-6)),
        "up": upward.tolist(),
        "ahead": ahead.tolist(),
    }


def _pictures(
    indices: Sequence[int], results: Sequence[FrameResult], frames: dict[str, PosedFrame], localizer: Localizer
) -> list[dict[str, Any]]:
    pictures = []
    for index in indices:
        with suppress(InputError):
            jpeg = picture(localizer, frames[results[index].name])
            pictures.append({"index": index, "jpeg": base64.b64encode(jpeg).decode()})
    return pictures


def _configuration(localizer: Localizer) -> dict[str, str]:
    header = localizer.scene_map.header
    trained = (f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in header.training.items())
    return {
        "encoder": header.encoder,
        "trained": ", ".join(trained),
    }


def _versions() -> dict[str, str]:
    names = ("ace_ros", "torch", "numpy", "opencv-python-headless", "poselib")
    found = []
    for name in names:
        with suppress(metadata.PackageNotFoundError):
            found.append(f"{name} {metadata.version(name)}")
    return {"versions": ", ".join([f"python {platform.python_version()}", *found]), "machine": platform.platform()}


def _csv(rows: list[dict[str, Any]]) -> str:
    names = [name for name in rows[0] if name not in ("truth", "estimate", "time")]
    text = io.StringIO()
    writer = csv.DictWriter(text, names, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()

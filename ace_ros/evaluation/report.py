"""The report of an evaluation: one HTML file that needs nothing else, and its data beside it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from importlib import resources
from typing import Any

from ace_ros.evaluation.metrics import FrameResult
from ace_ros.evaluation.report_data import look, page_data
from ace_ros.evaluation.trajectory import estimated_tum, true_tum
from ace_ros.localization.localizer import Localizer
from ace_ros.recordings.posed_frame import Recording
from ace_ros.visual.atlas import atlas_png
from ace_ros.visual.plots import trajectory_png

_NOT_IN_CSV = ("truth", "estimate", "time")  # the trajectories hold them


def report_files(
    figures: dict[str, Any],
    results: Sequence[FrameResult],
    localizer: Localizer,
    scene: Recording,
    options: dict[str, Any],
    compared: dict[str, Any] | None = None,
) -> dict[str, bytes]:
    """The report's files by name: report.html and its data, trajectory.png, and both trajectories in TUM format.

    Of a map of several places also places.png.

    Parameters
    ----------
    figures
        of ``metrics.summarize``, others may be in it.
    options
        what the run was configured with, by name.
    compared
        runs side by side: their names, and lines of a label and a (text, is best) a run.
    """
    cloud = look(results, localizer, scene)
    data = page_data(figures, results, localizer, scene, cloud, options, compared)
    return {
        "evaluation.json": (json.dumps(figures, indent=2, allow_nan=False) + "\n").encode(),
        "frames.csv": _csv(data["frames"]).encode(),
        "estimated.tum": estimated_tum(results).encode(),
        "true.tum": true_tum(results).encode(),
        "trajectory.png": trajectory_png(results, cloud, figures["metric"]),
        "report.html": render(data).encode(),
        **({"places.png": atlas_png(localizer.scene_map, results)} if len(localizer.scene_map.headers) > 1 else {}),
    }


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


def _csv(rows: Sequence[dict[str, Any]]) -> str:
    names = [name for name in rows[0] if name not in _NOT_IN_CSV]
    text = io.StringIO()
    writer = csv.DictWriter(text, names, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()

"""What the demo shows: bars while it works, a table and a picture at the end."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from ace_ros.cli.texts import angle_text, distance_text, size_text, threshold_text, time_left
from ace_ros.evaluation.metrics import FrameResult
from ace_ros.localization.localizer import Localizer
from ace_ros.map.scene_map import SceneMap
from ace_ros.recordings.posed_frame import Recording, evenly
from ace_ros.visual.cloud import map_cloud
from ace_ros.visual.plots import trajectory_png

_CLOUD_FRAMES, _CLOUD_POINTS = 30, 20_000  # what the picture can show


@dataclass(frozen=True)
class Outcome:
    """What the demo found out."""

    mapping_frames: int
    taken: int
    build_seconds: float
    map_bytes: int
    figures: dict[str, Any]


class Show:
    """A bar a step, on the terminal; a line a step where the output goes elsewhere."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        self._progress = Progress(
            SpinnerColumn(finished_text="[green]✓"),
            TextColumn("{task.description:<36}"),
            BarColumn(bar_width=28),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[figures]}", style="cyan"),
            console=self._console,
        )

    def __enter__(self) -> Show:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    @contextmanager
    def step(self, text: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
        """A step of the demo; call what it gives with what is done of ``total``."""
        with self._task(text, total or None) as update:
            yield lambda done: update(completed=done)

    @contextmanager
    def build_step(self) -> Iterator[Callable[[Any], None]]:
        """The training; call what it gives with the feedback of the action."""
        with self._task("mapping: the map is trained", 100) as update:

            def feedback(message: Any) -> None:
                parts = [message.stage]
                if not math.isnan(message.loss):
                    parts.append(f"loss {message.loss:.2f}")
                if not math.isnan(message.inlier_fraction):
                    parts.append(f"inliers {message.inlier_fraction:.0%}")
                if not math.isnan(message.seconds_left):
                    parts.append(time_left(message.seconds_left))
                update(completed=100 * message.progress, figures="  ".join(parts))

            yield feedback

    @contextmanager
    def _task(self, text: str, total: int | None) -> Iterator[Callable[..., None]]:
        if not self._console.is_terminal:
            self._console.print(f"... {text}")
        task = self._progress.add_task(text, total=total, figures="")
        yield lambda **fields: self._progress.update(task, **fields)
        self._progress.update(task, total=total or 1, completed=total or 1, figures="")


def picture(scene_map: SceneMap, mapping: Recording, results: list[FrameResult]) -> bytes:
    """PNG: the true and the estimated path over the map's points."""
    cloud = map_cloud(Localizer(scene_map), evenly(mapping.frames, _CLOUD_FRAMES), _CLOUD_POINTS)
    return trajectory_png(results, cloud, mapping.metric)


def table(outcome: Outcome, output: Path) -> str:
    """The result for people."""
    figures = outcome.figures
    metric = figures["metric"]
    rows = Table(title="What came of it", title_justify="left", show_header=False)
    rows.add_column(style="bold")
    rows.add_column(justify="right")
    rows.add_row("frames driven by, taken for the map", f"{outcome.mapping_frames}, {outcome.taken}")
    rows.add_row("mapping time", f"{outcome.build_seconds:.0f} s")
    rows.add_row("map size", size_text(outcome.map_bytes))
    live = figures["live"]
    queries = f"{live['frames_played']}, {figures['frames']}, {figures['localized']}"
    rows.add_row("queries, worked on, localized", queries)
    rows.add_row("median error", f"{distance_text(figures['median_translation'], metric)}, "
                                 f"{angle_text(figures['median_rotation_deg'])}")  # fmt: skip
    for name in ("5cm_5deg", "2cm_2deg"):
        rows.add_row(f"within {threshold_text(name, metric)}", f"{figures['recall'][name]:.1%}")
    if age := live["latency_ms"]:
        rows.add_row("age of a pose at publication", f"median {age['median']:.0f} ms, 95 % {age['p95']:.0f} ms")
    console = Console(highlight=False)
    with console.capture() as captured:
        console.print(rows)
        console.print(f"map: {output / 'demo.safetensors'}\npicture: {output / 'trajectory.png'}", soft_wrap=True)
    return captured.get()

"""Lay evaluations side by side: one column a file that 'ace evaluate --json' wrote, the best of each row in bold.

examples:
  ace evaluate a.safetensors room/ --json a.json
  ace evaluate b.safetensors room/ --json b.json
  ace compare a.json b.json
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Column, Table
from rich.text import Text

from ace_ros.cli.console import note, stdout
from ace_ros.cli.texts import angle_text, distance_text, threshold_text
from ace_ros.errors import InputError
from ace_ros.evaluation.metrics import THRESHOLDS
from ace_ros.options import REQUIRED, Options, option

#: what a row shows: the value of a run, and its text
Value = Callable[[dict[str, Any]], float | None]
Shown = Callable[[float], str]
#: a figure: what it is, and for each run its text and whether it is the best
Line = tuple[str, list[tuple[str, bool]]]


@dataclass(frozen=True)
class Command(Options):
    evaluations: tuple[Path, ...] = option(
        REQUIRED, "Two or more files of 'ace evaluate --json'.", metavar="JSON JSON...", positional=True
    )

    def run(self) -> int:
        if len(self.evaluations) < 2:
            raise InputError("two evaluations at least are needed to compare: ace compare A.json B.json")
        show([(path.stem, read_run(path)) for path in self.evaluations])
        return 0


def show(named: Sequence[tuple[str, dict[str, Any]]]) -> None:
    """Print the figures of runs, each with its name, side by side.

    Raises:
        InputError: they can't be compared.
    """
    runs = [run for _, run in named]
    lines = side_by_side(runs)
    recordings = {(run.get("scene"), run.get("split"), run["frames"]) for run in runs}
    if len(recordings) > 1:
        note("these runs are not of the same frames")
    table = Table("", *(Column(name, justify="right") for name, _ in named))
    for label, cells in lines:
        table.add_row(label, *(Text(text, style="bold" if best else "") for text, best in cells))
    stdout.print(table)


def read_run(path: Path) -> dict[str, Any]:
    """What 'ace evaluate --json' wrote.

    Raises:
        InputError: no such file, or another one.
    """
    try:
        figures: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        figures["recall"]["5cm_5deg"], figures["metric"], figures["query_ms"]["median"], figures["frames"]
    except OSError as error:
        raise InputError(f"{path}: can't be read: {error.strerror}") from error
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: not a file that 'ace evaluate --json' wrote: no JSON ({error})") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not a file that 'ace evaluate --json' wrote") from error
    return figures


def side_by_side(runs: list[dict[str, Any]]) -> list[Line]:
    """A line a figure.

    Raises:
        InputError: some runs are metric, others not.
    """
    if len({run["metric"] for run in runs}) > 1:
        raise InputError("some of these runs are metric and some are relative to the scene's depth: not comparable")
    lines: list[Line] = []

    def row(label: str, value: Value, shown: Shown, best: Callable[..., float] | None) -> None:
        values = [value(run) for run in runs]
        known = [v for v in values if v is not None]
        top = best(known) if best and known and len(set(known)) > 1 else None
        if known:
            lines.append((label, [("-", False) if v is None else (shown(v), v == top) for v in values]))

    def live(name: str, part: str | None = None) -> Value:
        def value(run: dict[str, Any]) -> float | None:
            figure = (run.get("live") or {}).get(name)
            return figure[part] if part and figure else figure

        return value

    metric = runs[0]["metric"]
    row("frames", lambda run: run["frames"], str, None)
    row("median position error", lambda run: run.get("median_translation"), lambda v: distance_text(v, metric), min)
    row("median rotation error", lambda run: run.get("median_rotation_deg"), angle_text, min)
    for name in THRESHOLDS:
        row(
            f"within {threshold_text(name, metric)}",
            lambda run, name=name: run["recall"].get(name),  # type: ignore[misc]
            lambda v: f"{v:.1%}",
            max,
        )
    row("localized", lambda run: run["localized"] / run["frames"], lambda v: f"{v:.1%}", max)
    row("localized, yet far off", lambda run: run.get("false_confident"), str, min)
    row("NEES, median (honest: 5.3)", lambda run: run.get("nees_median"), lambda v: f"{v:.1f}", None)
    row("95 % ellipsoid holds the truth", lambda run: run.get("ellipsoid"), lambda v: f"{v:.0%}", None)
    row("time a query, median", lambda run: run["query_ms"]["median"], lambda v: f"{v:.0f} ms", min)
    row("time a query, 95 %", lambda run: run["query_ms"]["p95"], lambda v: f"{v:.0f} ms", min)
    row("live: poses a second", live("poses_hz"), lambda v: f"{v:.1f}", max)
    row("live: images dropped", live("frames_dropped"), str, min)
    row("live: age of a pose, median", live("latency_ms", "median"), lambda v: f"{v:.0f} ms", min)
    row("live: age of a pose, 95 %", live("latency_ms", "p95"), lambda v: f"{v:.0f} ms", min)
    return lines

"""What is measured, stage by stage: settings of measurements, some of which follow from earlier rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.measure import Row

STAGES = ("ours", "structure", "recipe", "budgets", "ablation", "growth", "trust")
Settings = dict[str, Any]

#: A row a decision; each differs from the defaults in one thing.
ABLATION: list[Settings] = [
    *({"landmarks": count} for count in (0, 5000, 20000)),
    {"supervision": 0.0},
    *({"steps": steps} for steps in (500, 2000)),
    {"keypoints": 500},
    *({"width": width} for width in (128, 512)),
    {"blocks": 1},
    {"samples": 300},
    {"batch": 2048},
    {"landmark_views": 60},
    {"image_size": 320},
]
_BUDGETS = (15, 30, 60, 120, 300)  # seconds of the whole mapping
_GROWTH = (100, 200, 400, 800)  # frames
_RECIPE_RUNGS = 6  # doublings of our time
_UNLIMITED = 10**6  # steps


@dataclass(frozen=True)
class Extent:
    """How much is measured: ``quick`` leaves out most; ``recipe_limit`` bounds the recipe's seconds."""

    quick: bool = False
    recipe_limit: float = 1800.0
    clock: str = "wall"

    @property
    def always(self) -> Settings:
        """Settings of every measurement."""
        return {"queries": 20} if self.quick else {}

    @property
    def mapping(self) -> Settings:
        """Settings of our maps."""
        return {"frames": 100, "steps": 200} if self.quick else {}


def jobs(stage: str, scene: Path, largest: bool, rows: list[Row], extent: Extent) -> Iterator[tuple[str, Settings]]:
    """Method and settings of each measurement of a stage; ``rows`` grows with what was measured before.

    Ablation and growth are measured on the ``largest`` scene alone.
    """
    always = extent.always
    ours = {**always, **extent.mapping}
    if stage == "ours":
        yield "ours", ours
    elif stage == "structure":
        for features in ("sift", "xfeat"):
            yield "structure", {**always, "features": features, **({"keyframes": 50} if extent.quick else {})}
    elif stage == "recipe":
        yield from (("recipe", settings) for settings in _recipe(scene, rows, ours, extent))
    elif stage == "budgets":
        for budget in _BUDGETS[:2] if extent.quick else _BUDGETS:
            yield "ours", {**always, **_budget(budget, default_row(rows, scene.name, ours))}
    elif stage == "ablation" and largest:
        for change in ABLATION[:2] if extent.quick else ABLATION:
            yield "ours", {**ours, **change}
    elif stage == "trust":
        yield "trust", ours
    elif stage == "growth" and largest:
        for frames in _GROWTH[:2] if extent.quick else _GROWTH:
            yield "ours", {**ours, "frames": frames}


def default_row(rows: list[Row], scene: str, settings: Settings) -> Row | None:
    """Our row of a scene with these settings."""
    return _row(rows, "ours", scene, settings)


def _row(rows: list[Row], method: str, scene: str, settings: Settings) -> Row | None:
    found = [r for r in rows if (r["method"], r["scene"], r["settings"]) == (method, scene, settings)]
    return found[-1] if found else None


def _recipe(scene: Path, rows: list[Row], ours: Settings, extent: Extent) -> Iterator[Settings]:
    """Our time, then twice as much again and again, until the recipe is as accurate as our head alone."""
    base = default_row(rows, scene.name, ours)
    if base is None:
        print(f"bench: {scene.name}: the recipe's times follow from ours; measure that first (--stages ours recipe)")
        return
    seconds = float(base["cpu_seconds" if extent.clock == "cpu" else "seconds"])
    goal = median(base["head_errors"])
    for _ in range(2 if extent.quick else _RECIPE_RUNGS):
        if seconds > extent.recipe_limit:
            return
        settings = {**extent.always, "seconds": round(seconds), "clock": extent.clock}
        yield settings
        row = _row(rows, "recipe", scene.name, settings)
        if row is not None and median(row["errors"]) <= goal:
            return
        seconds *= 2


def _budget(budget: float, base: Row | None) -> Settings:
    """All of a budget is spent: what encoding and triangulation leave is trained; with fewer frames where they'd
    take more than half of it."""
    overhead = 0.5 * budget if base is None else base["seconds"] - base["training_seconds"]
    settings: Settings = {"steps": _UNLIMITED, "seconds": round(max(budget - overhead, 0.5 * budget), 1)}
    if base is not None and overhead > 0.5 * budget:
        settings["frames"] = max(20, int(base["frames"] * 0.5 * budget / overhead))
    return settings


def median(errors: list[list[float] | None]) -> float:
    """Median translation error; a query without a pose is infinitely far off."""
    return float(np.median([np.inf if error is None else error[0] for error in errors]))

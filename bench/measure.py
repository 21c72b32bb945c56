"""One measurement in a process of its own, so that time and memory are those of the method alone.

``python -m bench.measure METHOD SETTINGS`` runs it here, SETTINGS being JSON; the last line it prints is the result.
"""

from __future__ import annotations

import importlib
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from ace_ros.camera import Camera
from ace_ros.cli.console import seconds_since_start
from ace_ros.geometry import Matrix, pose_error
from ace_ros.image import Pixels
from ace_ros.recordings import PosedFrame

#: state and pose of an image
Localize = Callable[[Pixels, Camera], tuple[str, Matrix | None]]

ROOT = Path(__file__).resolve().parents[1]
METHODS = ("ours", "recipe", "structure", "trust")
Row = dict[str, Any]


class Failed(Exception):
    """A measurement that ended without a result."""


def in_subprocess(method: str, scene: Path, settings: dict[str, Any], threads: int | None = None) -> Row:
    """Measure and return the row of figures.

    Raises:
        Failed: the process ended without one; the message is the end of what it said.
    """
    environment = dict(os.environ)
    if threads is not None:
        environment["OMP_NUM_THREADS"] = str(threads)
    before = os.getloadavg()[0]
    arguments = [sys.executable, "-m", "bench.measure", method, json.dumps({"scene": str(scene), **settings})]
    done = subprocess.run(arguments, cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"{method} on {scene.name} {settings}: {done.stderr.strip()[-800:]}")
    row: Row = json.loads(done.stdout.splitlines()[-1])
    return {
        "method": method,
        "scene": scene.name,
        "settings": settings,
        **row,
        "threads": threads,
        "load_before": round(before, 2),
        **provenance(),
    }


def provenance() -> Row:
    """Which code, when and where."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    return {
        "commit": commit.stdout.strip() or "unknown",
        "date": datetime.now(timezone.utc).isoformat(timespec="minutes"),
        "machine": f"{_processor()}, {os.cpu_count()} cores",
    }


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


class Stopwatch:
    """Wall and processor seconds since the process was started: interpreter and imports included."""

    def read(self) -> dict[str, float]:
        return {"seconds": round(seconds_since_start(), 2), "cpu_seconds": round(time.process_time(), 2)}


def run_queries(frames: Sequence[PosedFrame], localize: Localize) -> Row:
    """Localize every frame on its own, reading of files not counted.

    Returns:
        ``errors``: (translation in units of the map, rotation in degrees) a query, null where there is no pose;
        ``states``: how many of each; ``query_ms`` and ``query_cpu_ms``: medians.
    """
    errors, states, wall, cpu = [], [], [], []
    for number, frame in enumerate(frames):
        image = frame.read()
        if number == 0:
            localize(image, frame.camera)  # kernels are picked and memory is taken in the first query
        started, worked = time.perf_counter(), time.process_time()
        state, pose = localize(image, frame.camera)
        wall.append(1e3 * (time.perf_counter() - started))
        cpu.append(1e3 * (time.process_time() - worked))
        assert frame.map_from_camera is not None
        given = pose if state != "LOST" else None
        errors.append(None if given is None else [round(e, 6) for e in pose_error(given, frame.map_from_camera)])
        states.append(state)
    return {
        "errors": errors,
        "states": {state: states.count(state) for state in sorted(set(states))},
        "query_ms": round(float(np.median(wall)), 1),
        "query_cpu_ms": round(float(np.median(cpu)), 1),
    }


def main(method: str, settings: str) -> None:
    if method not in METHODS:
        raise SystemExit(f"bench: no method '{method}'; there are: {', '.join(METHODS)}")
    values = json.loads(settings)
    row = importlib.import_module(f"bench.{method}").measure(Path(values.pop("scene")), **values)
    print(json.dumps(row))


if __name__ == "__main__":
    main(*sys.argv[1:])

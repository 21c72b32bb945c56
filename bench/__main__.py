"""Measure ours, the published recipe and plain structure side by side.

Rows go into bench/results/results.json as they come, each with machine, date and commit; a row that is measured again
takes the place of the old one. The tables (results.md) and plots are made of all rows there are.

examples:
  python -m bench                                          everything; hours on two cores
  python -m bench --quick                                  minutes: does it run?
  python -m bench --stages ours structure --scenes room    two methods on one scene
  python -m bench --stages recipe --recipe ace --clock cpu on a busy machine: processor seconds, not wall time
  python -m bench --stages                                 tables and plots alone
  python -m bench trust                                    may what maps say be believed? (bench/trusted.py)
  python -m bench drives                                   as python -m bench.drives; so the others in bench/
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import tyro

from bench import measure, plan, report, scenes, store

Stage = Literal["ours", "structure", "recipe", "budgets", "ablation", "growth", "trust"]


@dataclass
class Command:
    stages: list[Stage] = field(default_factory=lambda: list(plan.STAGES))  # type: ignore[arg-type]
    """ours: the defaults. structure: SIFT and XFeat by pycolmap. recipe: the paper's. budgets: ours by time.
    ablation: one option changed at a time. growth: with 100 to 800 frames.
    trust: what maps make of frames that were not taken there."""
    scenes: list[str] = field(default_factory=list)
    """The folders in ../shared/scenes, and room and courtyard, which are generated; all that there are by default."""
    recipe: Literal["ace"] = "ace"
    """Which published recipe to compare with."""
    clock: Literal["wall", "cpu"] = "wall"
    """What the recipe's budgets are counted in; processor seconds hold on a busy machine too."""
    recipe_limit: float = 1800.0
    """The recipe's longest budget, seconds."""
    threads: int | None = None
    """Of each measurement (OMP_NUM_THREADS); None leaves it to torch."""
    quick: bool = False
    """Few frames, few steps, few queries, little of each stage; kept apart, in build/bench."""
    cache: Path = measure.ROOT / "build" / "bench"
    """Where generated scenes are kept."""


def main(command: Command) -> int:
    results = command.cache / "quick" if command.quick else store.RESULTS
    stages = [stage for stage in plan.STAGES if stage in command.stages]
    if "structure" in stages and not _has_pycolmap():
        stages.remove("structure")
    found = scenes.find(command.scenes, command.cache / "scenes") if stages else {}
    largest = next(iter([name for name in ("redkitchen", "room") if name in found] or found), "")
    extent = plan.Extent(command.quick, command.recipe_limit, command.clock)
    rows, failed = store.load(results), 0
    for stage in stages:
        for name, scene in found.items():
            for method, settings in plan.jobs(stage, scene, name == largest, rows, extent):
                print(f"{stage}: {method} on {name} {settings}", flush=True)
                try:
                    row = measure.in_subprocess(method, scene, settings, command.threads)
                except measure.Failed as failure:
                    failed += 1
                    print(f"bench: {failure}", file=sys.stderr)
                    continue
                rows[:] = store.add(row, results)
                print(f"  {report.one_line(row)}", flush=True)
    if rows:
        report.write(rows, results)
        print(f"tables and plots: {results}")
    return 1 if failed else 0


def _has_pycolmap() -> bool:
    """Whether pycolmap is there, installed now if need be: nothing else uses it."""
    if importlib.util.find_spec("pycolmap"):
        return True
    requirements = Path(__file__).parent / "requirements.txt"
    print(f"bench: installing {requirements}", flush=True)
    done = subprocess.run([sys.executable, "-m", "pip", "install", "-q", "-r", str(requirements)])
    if done.returncode != 0:
        print("bench: pycolmap could not be installed; structure is left out", file=sys.stderr)
    return done.returncode == 0


def _other(name: str) -> str | None:
    """The module of another bench, by its name."""
    name = {"trust": "trusted"}.get(name, name)
    return f"bench.{name}" if name.isidentifier() and (Path(__file__).parent / f"{name}.py").exists() else None


if __name__ == "__main__":
    if sys.argv[1:] and (module := _other(sys.argv[1])):
        # A process of its own: what a bench gives to its workers is looked for in the module that was started.
        os.execv(sys.executable, [sys.executable, "-m", module, *sys.argv[2:]])
    config = (tyro.conf.FlagCreatePairsOff,)
    sys.exit(main(tyro.cli(Command, prog="python -m bench", description=__doc__, config=config)))

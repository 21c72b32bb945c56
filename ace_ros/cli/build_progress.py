"""How far a map is, shown: a bar a stage for one place, one bar for many of them."""

from __future__ import annotations

import math
import time

from ace_ros.cli.progress import Clock, Stages
from ace_ros.mapping.progress import Progress


class BuildProgress:
    """Shows each :class:`Progress` that a build tells."""

    def __init__(self, stages: Stages, metric: bool, clock: Clock = time.monotonic) -> None:
        self._stages, self._metric, self._clock = stages, metric, clock
        self._stage = ""
        self._first: tuple[float, float] | None = None

    def __call__(self, now: Progress) -> None:
        stage = now.stage if now.places == 1 else "places"
        if stage != self._stage:
            self._stage = stage
            self._stages.begin(stage, now.total if now.places == 1 else now.places)
        told = figures(now, self._metric)
        if now.places == 1:
            self._stages.update(now.done, total=now.total, figures=told, seconds_left=now.seconds_left)
        else:
            where = f"place {min(now.place + 1, now.places)} of {now.places}: {now.stage}"
            self._stages.update(now.place, figures=[where, *told], seconds_left=self._left(now))

    def _left(self, now: Progress) -> float | None:
        """Seconds until all places are done, by what was done since the first news."""
        time_now, done = self._clock(), now.overall
        if self._first is None:
            self._first = time_now, done
        since, at = self._first
        return (time_now - since) / (done - at) * (1 - done) if done > at else None


def figures(progress: Progress, metric: bool) -> list[str]:
    """Most telling first."""
    told = []
    if progress.held_back is not None and math.isfinite(progress.held_back):
        miss = f"{progress.held_back * 100:.1f} cm" if metric else f"{progress.held_back:.3g} units"
        told.append(f"held-back views {miss} off")
    if progress.loss is not None:
        told.append(f"loss {progress.loss:.2f}")
    if progress.inliers is not None:
        told.append(f"inliers {progress.inliers:.0%}")
    return told

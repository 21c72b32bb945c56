"""Where a build stands, told while it runs; and the wish to stop it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from ace_ros.errors import Cancelled

# Where each stage begins and ends in the time that a place takes, as seen on rooms with the defaults.
_STAGES = {
    "triangulating": (0.0, 0.22),
    "sharpening": (0.22, 0.25),
    "training": (0.25, 0.95),
    "calibrating": (0.95, 1.0),
}


@dataclass(frozen=True)
class Progress:
    """Where a build stands.

    Attributes:
        stage: triangulating, sharpening, training or calibrating. done, total: of the stage.
        place, places: which place of the map it is, from 0, and of how many; those before it are done.
        loss: mean training loss, pixels. inliers: fraction of samples within 10 px. seconds_left: of the stage.
        held_back: median distance by which the head alone, as far as it is trained, misses a few views that were
            held back; units of the map, infinite where it finds no pose.
    """

    stage: str
    done: int
    total: int
    loss: float | None = None
    inliers: float | None = None
    seconds_left: float | None = None
    held_back: float | None = None
    place: int = 0
    places: int = 1

    @property
    def overall(self) -> float:
        """Fraction of the build that is done, all places together."""
        start, end = _STAGES.get(self.stage, (0.0, 1.0))
        return (self.place + start + (end - start) * min(1.0, self.done / max(self.total, 1))) / self.places


class Reporter:
    """Turns counts into :class:`Progress`, and a wish to stop into :class:`Cancelled`."""

    def __init__(
        self, progress: Callable[[Progress], None], cancelled: Callable[[], bool], place: int = 0, places: int = 1
    ) -> None:
        self._progress, self._cancelled = progress, cancelled
        self._place, self._places = place, places
        self._stage, self._start = "", 0.0
        self.seconds: dict[str, float] = {}
        self.held_back: float | None = None

    def __call__(
        self, stage: str, done: int, total: int, loss: float | None = None, inliers: float | None = None
    ) -> None:
        if self._cancelled():
            raise Cancelled("mapping was cancelled; nothing was written")
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._start = stage, now
        self.seconds[stage] = now - self._start
        left = (now - self._start) * (total - done) / done if done else None
        held_back = self.held_back if stage == "training" else None
        self._progress(Progress(stage, done, total, loss, inliers, left, held_back, self._place, self._places))

    def figures(self) -> dict[str, float]:
        """Seconds a stage, for the map's header."""
        return {f"{stage}_seconds": round(seconds, 1) for stage, seconds in self.seconds.items()}

"""A map that is there soon, and good later: a first one, made in haste, stands until the better one replaces it."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ace_ros.mapping.mapper import Mapper
from ace_ros.mapping.options import MapOptions
from ace_ros.mapping.progress import Progress
from ace_ros.online.building import Outcome, build_map
from ace_ros.online.drive_check import Check


class StepwiseBuild:
    """A build at whose end there is a map at ``path``, or what was there before it.

    Args:
        path, override, check, progress: as of :func:`.build_map`. tell: gets each map that a better one will replace.

    Attributes:
        first: the path, once a first map is there.
    """

    def __init__(
        self,
        path: Path,
        override: Callable[[MapOptions], MapOptions],
        check: Check,
        progress: Callable[[Progress], None],
        tell: Callable[[Outcome], None],
    ) -> None:
        self._path, self._override, self._check, self._progress, self._tell = path, override, check, progress, tell
        self._before = MapBefore(path)
        self.first: Path | None = None

    def in_haste(self, mapper: Mapper, cancelled: Callable[[], bool]) -> None:
        """A map of the place where the camera is and of those that are built, then of all. Where there is none, what
        speaks against it speaks against the better one, which tells."""
        self._before.keep()
        more = True
        while more:
            outcome = build_map(mapper, self._path, self._override, cancelled=cancelled, hasty=True, check=self._check)
            if outcome.path is not None:
                self.first = outcome.path
                self._tell(outcome)
            more = outcome.places_left > 0

    def as_asked(self, mapper: Mapper, cancelled: Callable[[], bool]) -> Outcome:
        """The map as it was asked for; where it does not get done the one that was there before comes back."""
        outcome = build_map(mapper, self._path, self._override, self._progress, cancelled, check=self._check)
        if outcome.path is not None:
            self._before.drop()
        elif self._before.restore():
            outcome = _with(outcome, f"{self._path} is the map that was there before")
        elif self.first is not None:
            outcome = _with(outcome, f"{self._path} is still the first map")
        return outcome


class MapBefore:
    """The map that stands at a path before another is written there that will not stay: kept beside it, to come back.

    A process that is killed meanwhile leaves it there, under the same name with .before behind.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._kept = path, path.with_name(f"{path.name}.before")
        self._has = False

    def keep(self) -> None:
        """Keep the map, if there is one; where that can't be done, writing the next one tells why."""
        with contextlib.suppress(OSError):
            self._kept.unlink(missing_ok=True)
            try:
                os.link(self._path, self._kept)
            except FileNotFoundError:
                return
            except OSError:  # file systems of USB sticks know no links
                shutil.copy2(self._path, self._kept)
            self._has = True

    def drop(self) -> None:
        """It is needed no more."""
        if self._has:
            self._kept.unlink(missing_ok=True)
            self._has = False

    def restore(self) -> bool:
        """Put it back; tells whether there was one."""
        had, self._has = self._has, False
        if had:
            self._kept.replace(self._path)
            self._kept.unlink(missing_ok=True)  # of two names of one file both stay
        return had


def _with(outcome: Outcome, words: str) -> Outcome:
    """The outcome with a sentence more."""
    return replace(outcome, message=f"{outcome.message.rstrip('.')}. {words}.")

"""A mapping drive as a whole: frames are taken, maps are built when asked for or when there is enough for one."""

from __future__ import annotations

import enum
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ace_ros.errors import InputError, MappingError
from ace_ros.map.header import HeldBack
from ace_ros.map.scene_map import SceneMap
from ace_ros.mapping.options import MIN_FRAMES, MapOptions
from ace_ros.mapping.progress import Progress
from ace_ros.online.building import Outcome, Result
from ace_ros.online.collecting import Candidate, Collector, Counters
from ace_ros.online.mapping_advice import Intake, advice
from ace_ros.online.maps_dir import map_path, maps_dir_option, prepare_folder
from ace_ros.options import Options, option


class MappingState(enum.Enum):
    """What is going on."""

    COLLECTING = enum.auto()  # or waiting to be told to
    TRAINING = enum.auto()
    READY = enum.auto()  # the last build gave a map, and nothing came since
    FAILED = enum.auto()  # the last build gave none; the frames are kept


@dataclass(frozen=True)
class SessionOptions(Options):
    """Where maps go, and when one is built without being asked for.

    Raises:
        InputError: ``map_name`` can't be one: better told now than after the drive.
    """

    map_name: str = option("map", "Name of the map to build, below maps_dir, with or without .safetensors.")
    maps_dir: Path = maps_dir_option()
    auto_build_frames: int = option(0, "Build the map by itself after so many frames.", low=0, without="never")
    auto_build_idle: float = option(
        0.0, "Build the map by itself when no frame was taken for so long.", unit="s", low=0.0, without="never"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        map_path(self.maps_dir, self.map_name)


class MappingSession:
    """Takes the frames of a drive, builds maps of them and knows how things stand. Close it: it has a thread."""

    def __init__(
        self,
        collector: Collector,
        options: SessionOptions,
        built: Callable[[Outcome], None] = lambda outcome: None,
        collecting: bool = True,
    ) -> None:
        """``built`` gets the end of every build, from the collector's thread, after whoever asked for it."""
        self._collector, self._options, self._built = collector, options, built
        self.collecting = collecting
        self.progress: Progress | None = None
        self.last_map: SceneMap | None = None
        self.map_name = ""  # of the build under way, or of the last one
        self._outcome: Outcome | None = None
        self._began_with = 0  # frames taken when the last build began
        self._start = time.monotonic()

    @property
    def counters(self) -> Counters:
        """What became of the frames."""
        return self._collector.counters

    @property
    def building(self) -> bool:
        """Whether a build is under way."""
        return self._collector.building

    @property
    def forsaken(self) -> int:
        """Frames that no build was made of."""
        return self.counters.taken if self._outcome is None else 0

    def offer(self, candidate: Candidate) -> bool:
        """Take the frame, if frames are taken and it brings something."""
        return self.collecting and self._collector.offer(candidate)

    def reset(self) -> int:
        """Forget all frames; returns how many there were.

        Raises:
            InputError: a build is under way.
        """
        self._must_be_idle()
        count = self.counters.taken
        self._collector.reset()
        self._began_with = 0
        return count

    def close(self) -> None:
        """Stop; what is being built is given up."""
        self._collector.close()

    # --- builds ---

    def build(
        self,
        name: str = "",
        steps: int = 0,
        seconds: float = 0.0,
        on_progress: Callable[[Progress], None] = lambda step: None,
        on_done: Callable[[Outcome], None] = lambda outcome: None,
    ) -> None:
        """Start a build; both callbacks come from the collector's thread.

        Args:
            name: of the map, below the folder of the maps. steps, seconds: limits on the training. All: empty or 0
                for the usual.

        Raises:
            InputError: the name can't be used, or a build is under way.
        """
        self._must_be_idle()
        path = map_path(self._options.maps_dir, name or self._options.map_name)

        def override(usual: MapOptions) -> MapOptions:
            return replace(usual, steps=steps or usual.steps, seconds=seconds or usual.seconds)

        def progress(step: Progress) -> None:
            self.progress = step
            on_progress(step)

        def done(outcome: Outcome) -> None:
            self.progress, self._outcome = None, outcome
            self.last_map = outcome.scene_map or self.last_map
            on_done(outcome)
            self._built(outcome)

        self.map_name = path.stem
        self._began_with = self.counters.taken
        self._collector.build(path, done, progress, override)

    def cancel(self) -> None:
        """Ask the build under way to stop."""
        self._collector.cancel()

    def build_when_due(self) -> str:
        """Start a build if it is time for one; call it now and then. Returns why it was started, or nothing."""
        options, taken = self._options, self.counters.taken
        if self.building or taken < MIN_FRAMES or taken == self._began_with:
            return ""
        idle = time.monotonic() - self._collector.last_taken
        enough = 0 < options.auto_build_frames <= taken - self._began_with
        if not enough and not 0 < options.auto_build_idle <= idle:
            return ""
        self.build()
        return f"building the map by itself: {taken} frames, {idle:.0f} s since the last one"

    def save(self, name: str) -> tuple[Path, int]:
        """Write the last map once more under another name; returns its file, and the size of that in bytes.

        Raises:
            MappingError: there is none. InputError: the name can't be used. MapFileError: it can't be written.
        """
        if self.last_map is None:
            raise MappingError("no map was built yet: build one first")
        path = map_path(self._options.maps_dir, name)
        prepare_folder(path)
        return path, self.last_map.save(path)

    def _must_be_idle(self) -> None:
        if self.building:
            raise InputError("a build is under way: wait for it, or cancel it")

    # --- how things stand ---

    def state(self) -> tuple[MappingState, str]:
        """What is going on, and a sentence about it."""
        outcome, taken = self._outcome, self.counters.taken
        if self.building:
            return MappingState.TRAINING, f"building the map of {taken} frames"
        if outcome is not None and taken == self._began_with:
            success = outcome.result is Result.SUCCESS
            return MappingState.READY if success else MappingState.FAILED, outcome.message
        if not self.collecting:
            return MappingState.COLLECTING, "not taking frames until it is told to collect"
        ahead = self._collector.places_ahead
        finished = f"; {ahead} {'place is' if ahead == 1 else 'places are'} finished" if ahead else ""
        return MappingState.COLLECTING, f"taking frames, {taken} so far{finished}"

    def advice(self, intake: Intake | None = None) -> list[str]:
        """A sentence for each thing that would make the map better; ``intake``: of what never came here."""
        intake = intake or Intake()
        fault = intake.pose_fault or self._collector.last_fault
        intake = replace(intake, pose_fault=fault, seconds=time.monotonic() - self._start)
        held_back = self.last_map.header.held_back if self.last_map else HeldBack()
        return advice(intake, self.counters, self._collector.watch, held_back)

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
from ace_ros.mapping.mapper import Mapper
from ace_ros.mapping.options import MIN_FRAMES, MapOptions
from ace_ros.mapping.progress import Progress
from ace_ros.online.building import Outcome, Result
from ace_ros.online.collecting import Candidate, Collector, Counters
from ace_ros.online.drive_check import Check
from ace_ros.online.growing_map import Growth, Scale, align_drive, extend_drive
from ace_ros.online.mapping_advice import Intake, advice
from ace_ros.online.maps_dir import map_path, maps_dir_option, prepare_folder
from ace_ros.online.stepwise_build import StepwiseBuild
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
    keep_collecting: bool = option(
        True,
        "Go on taking frames while a map is built and after. false: wait for ~/collect, where the robot then localizes "
        "in that map, so that no map is made of its answers.",
    )
    check_poses: bool = option(
        True, "Build nothing of poses that the images contradict (inverted, of other axes); false: say so, and build."
    )
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
        ended: Callable[[Outcome], None] = lambda outcome: None,
        collecting: bool = True,
    ) -> None:
        """``ended`` gets every map, the first one of a build too, and the end of all that gives none: from the
        collector's thread, after whoever asked for it."""
        self._collector, self._options, self._ended = collector, options, ended
        self.collecting = collecting
        self.progress: Progress | None = None
        self.last_map: SceneMap | None = None
        self.map_name = ""  # of the build under way, or of the last one
        self._build: StepwiseBuild | None = None  # under way
        self._known: set[Path] = set()  # maps that this drive has got
        self._doing = ""  # of the build under way, a sentence
        self._outcome: Outcome | None = None
        self._resting = False  # since a build began, until it fails
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
    def first_map(self) -> Path | None:
        """Of the build under way: it is to be replaced."""
        return self._build.first if self._build is not None else None

    @property
    def forsaken(self) -> int:
        """Frames that no map was made of."""
        return self.counters.taken if self._outcome is None and self.first_map is None else 0

    def use(self, options: SessionOptions) -> None:
        """Go on with these options."""
        self._options = options

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
        self._known.clear()
        return count

    def close(self) -> str:
        """Stop; what is being built is given up. Returns where frames are that no map was made of, if they are kept."""
        return self._collector.close()

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

        Where the drive has no map of that name yet, a first one is made in haste, of the place where the camera is and
        of those that are built, then of all, and stands there until the better one replaces it; an older map that was
        there comes back if that one does not get done.

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

        def tell(outcome: Outcome) -> None:
            self.last_map = outcome.scene_map
            self._ended(outcome)

        def done(outcome: Outcome) -> None:
            self._finish(outcome)
            on_done(outcome)
            self._ended(outcome)

        self._begin(path, f"building the map of {self.counters.taken} frames")
        if self.collecting and not self._options.keep_collecting:
            self.collecting, self._resting = False, True
        self._build = build = StepwiseBuild(path, override, self._check(), self._shown(on_progress), tell)
        self._collector.work(build.as_asked, done, None if path in self._known else build.in_haste)

    def align(
        self,
        name: str,
        scale: Scale,
        on_progress: Callable[[Progress], None] = lambda step: None,
        on_done: Callable[[Growth], None] = lambda growth: None,
    ) -> None:
        """Find how the frames taken so far lie in a map; both callbacks come from the collector's thread.

        Args:
            name: of the map, below the folder of the maps. scale: whether one is to be found too.

        Raises:
            InputError: the name can't be used, or a build is under way.
        """
        self._must_be_idle()
        path = map_path(self._options.maps_dir, name)
        progress, check = self._shown(on_progress), self._check()
        self._doing = f"finding how the frames lie in {path}"

        def done(growth: Growth) -> None:
            self.progress = None
            on_done(growth)
            self._ended(growth.outcome)

        self._collector.work(
            lambda mapper, cancelled: align_drive(mapper, path, scale, check, progress, cancelled), done
        )

    def extend(
        self,
        name: str,
        output: str = "",
        aligned: bool = True,
        drive: str = "drive",
        on_progress: Callable[[Progress], None] = lambda step: None,
        on_done: Callable[[Growth], None] = lambda growth: None,
    ) -> None:
        """Let a map learn the frames taken so far; both callbacks come from the collector's thread.

        Args:
            name: of the map. output: of the one to write, empty: the same; both below the folder of the maps.
            aligned: the frames are in the map's frame. drive: what the map's header calls them.

        Raises:
            InputError: a name can't be used, or a build is under way.
        """
        self._must_be_idle()
        path = map_path(self._options.maps_dir, name)
        written = map_path(self._options.maps_dir, output or name)
        progress, check = self._shown(on_progress), self._check()

        def task(mapper: Mapper, cancelled: Callable[[], bool]) -> Growth:
            return extend_drive(mapper, path, written, aligned, drive, check, progress, cancelled)

        def done(growth: Growth) -> None:
            self._finish(growth.outcome)
            on_done(growth)
            self._ended(growth.outcome)

        self._begin(written, f"letting {path} learn {self.counters.taken} frames")
        self._collector.work(task, done)

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

    def _check(self) -> Check:
        return self._collector.check.hold if self._options.check_poses else lambda mapper: None

    def _begin(self, path: Path, doing: str) -> None:
        """A build begins."""
        self.map_name, self._began_with, self._doing = path.stem, self.counters.taken, doing

    def _shown(self, on_progress: Callable[[Progress], None]) -> Callable[[Progress], None]:
        """Keeps where a build stands, and passes it on."""

        def show(step: Progress) -> None:
            self.progress = step
            on_progress(step)

        return show

    def _finish(self, outcome: Outcome) -> None:
        """A build has ended."""
        if self._resting and outcome.path is None and self.first_map is None:
            self.collecting = True
        self._resting = False
        self.progress, self._build, self._outcome = None, None, outcome
        if outcome.scene_map is not None and outcome.path is not None:
            self.last_map = outcome.scene_map
            self._known.add(outcome.path)
            self._collector.built(outcome.frames)

    def _must_be_idle(self) -> None:
        if self.building:
            raise InputError("a build is under way: wait for it, or cancel it")

    # --- how things stand ---

    def state(self) -> tuple[MappingState, str]:
        """What is going on, and a sentence about it."""
        outcome, taken = self._outcome, self.counters.taken
        if self.building and self.first_map is not None:
            return MappingState.TRAINING, f"{self.first_map} is a first map, a better one is being built"
        if self.building:
            return MappingState.TRAINING, self._doing
        if outcome is not None and taken == self._began_with:
            success = outcome.result is Result.SUCCESS
            return MappingState.READY if success else MappingState.FAILED, outcome.message
        if not self.collecting:
            return MappingState.COLLECTING, "not taking frames until it is told to collect"
        ahead = self._collector.places_ahead
        finished = f"; {ahead} {'place is' if ahead == 1 else 'places are'} finished" if ahead else ""
        if self.counters.full:
            return MappingState.COLLECTING, f"taking no more frames than {taken}{finished}"
        return MappingState.COLLECTING, f"taking frames, {taken} so far{finished}"

    def advice(self, intake: Intake | None = None) -> list[str]:
        """A sentence for each thing that would make the map better; ``intake``: of what never came here."""
        intake = intake or Intake()
        fault = intake.pose_fault or self._collector.last_fault
        intake = replace(intake, pose_fault=fault, seconds=time.monotonic() - self._start)
        held_back = self.last_map.header.held_back if self.last_map else HeldBack()
        return advice(intake, self.counters, self._collector.watch, held_back, self._collector.check.finding)

"""Frames on their way into the mapper: taken, queued, encoded; and the builds. No ROS in here.

One worker thread does all the heavy work in order of arrival. A frame is taken only when there is
room for it in the queue; a frame that was taken gets into the map, or is counted as rejected with a reason.
"""

from __future__ import annotations

import enum
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ace_ros.camera import Camera
from ace_ros.errors import AceError, Cancelled, InputError, MapFileError, MappingError
from ace_ros.geometry import Matrix, check_pose
from ace_ros.map.scene_map import SceneMap
from ace_ros.mapping.mapper import Mapper, Progress
from ace_ros.mapping.options import MapOptions
from ace_ros.online.album import Album
from ace_ros.online.drive_watch import DriveWatch
from ace_ros.online.keyframes import KeyframePicker
from ace_ros.online.maps_dir import prepare_folder
from ace_ros.recordings.posed_frame import Image

_DARK = 6.0  # standard deviation of grey values: a covered lens, or a wall


@dataclass(frozen=True)
class Candidate:
    """A frame with its pose; ``decode`` returns the pixels or raises InputError."""

    name: str
    stamp: int  # ns
    camera: Camera
    map_from_camera: Matrix
    decode: Callable[[], Image]


@dataclass
class Counters:
    """What became of the frames; ``taken`` are in the map or on their way into it."""

    taken: int = 0
    encoded: int = 0
    similar_view: int = 0
    bad_image: int = 0
    blurred: int = 0
    bad_pose: int = 0
    overload: int = 0
    full: int = 0


class Result(enum.Enum):
    """How a build ended."""

    SUCCESS = enum.auto()
    TOO_FEW_FRAMES = enum.auto()
    DIVERGED = enum.auto()
    WRITE_FAILED = enum.auto()
    CANCELED = enum.auto()
    UNDEFINED_FAILURE = enum.auto()


@dataclass(frozen=True)
class Outcome:
    """The end of a build: a sentence, and on success the map and its file."""

    result: Result
    message: str
    frames: int
    seconds: float
    scene_map: SceneMap | None = None
    path: Path | None = None
    size: int = 0


class Collector:
    """Takes frames and builds maps. All methods return at once; the work is done by one thread."""

    def __init__(
        self,
        new_mapper: Callable[[], Mapper],
        picker: KeyframePicker,
        queue_size: int,
        max_frames: int,
        report: Callable[[str], None],
        metric: bool = True,
    ) -> None:
        """``report`` gets a sentence for each frame that was taken but could not be used; ``metric``: of the poses."""
        self._new_mapper, self._picker, self._report = new_mapper, picker, report
        self._queue_size, self._max_frames = queue_size, max_frames or None
        self._mapper = new_mapper()
        self._jobs: deque[Callable[[], None]] = deque()
        self._queued_frames = 0
        self._wake = threading.Condition()
        self._closing = threading.Event()
        self._cancel = threading.Event()
        self.building = False
        self.counters = Counters()
        self._metric = metric
        self.watch = DriveWatch(metric)
        self.album = Album()
        self.last_taken = time.monotonic()
        self.last_fault = ""
        self._thread = threading.Thread(target=self._work, name="mapper", daemon=True)
        self._thread.start()

    def offer(self, candidate: Candidate) -> bool:
        """Take the frame if it brings something and there is room; the counters say what became of it."""
        counters = self.counters
        try:
            check_pose(candidate.map_from_camera, candidate.name)
        except InputError as error:
            counters.bad_pose += 1
            self.last_fault = str(error)
            return False
        self.watch.saw(candidate.map_from_camera, candidate.stamp)
        if not self._picker.wants(candidate.map_from_camera, candidate.stamp):
            counters.similar_view += 1
        elif self._max_frames is not None and counters.taken >= self._max_frames:
            counters.full += 1
        elif self._queued_frames >= self._queue_size:
            counters.overload += 1
        else:
            self._picker.took(candidate.map_from_camera, candidate.stamp)
            self.watch.took(candidate.map_from_camera, candidate.camera)
            self.last_taken = time.monotonic()
            with self._wake:
                counters.taken += 1
                self._queued_frames += 1
                self._jobs.append(lambda: self._encode(candidate))
                self._wake.notify()
            return True
        return False

    def build(
        self,
        path: Path,
        override: Callable[[MapOptions], MapOptions],
        progress: Callable[[Progress], None],
        done: Callable[[Outcome], None],
    ) -> None:
        """Build a map from the frames taken so far and save it; both callbacks come from the worker thread."""
        with self._wake:
            self.building = True
            self._cancel.clear()
            self._jobs.append(lambda: done(self._build(path, override, progress)))
            self._wake.notify()

    def cancel(self) -> None:
        """Ask the build under way to stop."""
        self._cancel.set()

    def reset(self) -> None:
        """Forget all frames, queued ones too; counting starts over. Not while a map is built."""
        with self._wake:
            self._jobs.clear()
            self._queued_frames = 0
            self._picker.forget()
            self.counters, self.watch, self.album = Counters(), DriveWatch(self._metric), Album()
            self._jobs.append(self._renew)
            self._wake.notify()

    @property
    def closing(self) -> bool:
        """Whether the worker is about to stop."""
        return self._closing.is_set()

    def close(self) -> None:
        """Stop the worker; what it is at is given up."""
        self._closing.set()
        self._cancel.set()
        with self._wake:
            self._wake.notify()
        self._thread.join()

    def _work(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._jobs or self._closing.is_set())
                if self._closing.is_set():
                    return
                job = self._jobs.popleft()
            try:
                job()
            except Exception as error:
                self._report(self._told(error))

    def _renew(self) -> None:
        self._mapper = self._new_mapper()

    def _encode(self, candidate: Candidate) -> None:
        counters = self.counters
        try:
            image = candidate.decode()
            if image[::4, ::4].std() < _DARK:
                counters.blurred += 1
                counters.taken -= 1
            else:
                self._mapper.add(image, candidate.camera, candidate.map_from_camera, candidate.name, candidate.stamp)
                counters.encoded += 1
                self.watch.looked_at(image)
                self.album.show(image, candidate.camera, candidate.map_from_camera, candidate.name)
        except Exception as error:
            counters.bad_image += 1
            counters.taken -= 1
            self.last_fault = str(error)
            self._report(f"{candidate.name}: {self._told(error)}")
        finally:
            with self._wake:
                self._queued_frames = max(0, self._queued_frames - 1)

    @staticmethod
    def _told(error: Exception) -> str:
        """What is the user's to put right is a sentence; a defect of ours shows where it is, and the node lives on."""
        return str(error) if isinstance(error, AceError) else "".join(traceback.format_exception(error))

    def _build(
        self, path: Path, override: Callable[[MapOptions], MapOptions], progress: Callable[[Progress], None]
    ) -> Outcome:
        start, frames = time.monotonic(), len(self._mapper)

        def outcome(result: Result, message: str) -> Outcome:
            return Outcome(result, message, frames, time.monotonic() - start)

        usual = self._mapper.options
        try:
            self._mapper.options = override(usual)
            prepare_folder(path)  # better now than after the training
            scene_map = self._mapper.build(progress, self._cancel.is_set)
            if self._cancel.is_set():
                raise Cancelled("cancelled")
            size = scene_map.save(path)
        except Cancelled:
            return outcome(Result.CANCELED, "The build was cancelled; the frames are kept, and no map was written.")
        except MapFileError as error:
            return outcome(Result.WRITE_FAILED, str(error))
        except MappingError as error:
            return outcome(Result.TOO_FEW_FRAMES if frames < 10 else Result.DIVERGED, str(error))
        except Exception as error:
            return outcome(Result.UNDEFINED_FAILURE, self._told(error))
        finally:
            self._mapper.options = usual
            self.building = False
        message = f"The map of {frames} frames is at {path} ({size / 1e6:.2f} MB). {expectation(scene_map)}"
        return replace(outcome(Result.SUCCESS, message), scene_map=scene_map, path=path, size=size)


def expectation(scene_map: SceneMap) -> str:
    """What accuracy the map promises, a sentence."""
    held_back, metric = scene_map.header.held_back, scene_map.header.metric
    if not held_back.frames:
        return "Its accuracy was not measured."
    told = f"{held_back.localized} of {held_back.frames} mapping views that were held back are localized in it"
    if held_back.median_translation is None or held_back.median_rotation_deg is None:
        return f"{told}."
    length = held_back.median_translation
    distance = f"{100 * length:.1f} cm" if metric else f"{length:.3g} units"
    return f"{told}, half of them within {distance} and {held_back.median_rotation_deg:.2f} degrees."

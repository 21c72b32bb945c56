"""Frames on their way into the mapper: taken, queued, encoded; and the builds.

One worker thread does all the heavy work in order of arrival. A frame is taken only when there is
room for it in the queue; a frame that was taken gets into the map, or is counted as rejected with a reason.
While nothing waits, the thread builds places that the camera has left, so that little is left to do in the end.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from ace_ros.camera import Camera
from ace_ros.errors import InputError, MappingError
from ace_ros.geometry import Matrix, check_pose
from ace_ros.image import Pixels
from ace_ros.localization.verdict import DARK
from ace_ros.mapping.mapper import Mapper
from ace_ros.mapping.options import FEW_FRAMES
from ace_ros.online.album import Album
from ace_ros.online.building import told
from ace_ros.online.drive_check import DriveCheck
from ace_ros.online.drive_store import DriveStore
from ace_ros.online.drive_watch import DriveWatch
from ace_ros.online.keyframes import KeyframePicker
from ace_ros.online.supervision import Supervisor

_LOOK_EVERY = 10  # frames between two looks for a place to build ahead; a look takes some 10 ms; set by hand
_STANDING = 10.0  # s without a frame, after which the camera is taken to stand; set by hand
_QUEUE_BYTES = 200e6  # of frames that wait: 60 of 1280 x 720 in colour; set by hand
_IDLE = 1.0  # s between two looks at the clock while nothing comes
T = TypeVar("T")
Task = Callable[[Mapper, Callable[[], bool]], T]  # done with the mapper; polls often whether it is cancelled


@dataclass(frozen=True)
class Candidate:
    """A frame with its pose; ``decode`` returns the pixels or raises InputError."""

    name: str
    stamp: int  # ns
    camera: Camera
    map_from_camera: Matrix
    decode: Callable[[], Pixels]
    size: int = 0  # bytes that it takes while it waits


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


@dataclass(frozen=True)
class _Job:
    """Work for the thread. ``brief``: to be done even in the middle of a place that is built ahead."""

    work: Callable[[], None]
    brief: bool = False


class Collector:
    """Takes frames, and does with them what makes a map. All methods return at once; the work is done by one thread."""

    def __init__(
        self,
        new_mapper: Callable[[], Mapper],
        picker: KeyframePicker,
        queue_size: int,
        max_frames: int,
        report: Callable[[str], None],
        metric: bool = True,
        supervisor: Supervisor | None = None,
        store: DriveStore | None = None,
    ) -> None:
        """``report`` gets a sentence for each frame that was taken but could not be used; ``metric``: of the poses.

        ``supervisor``: of the thread. ``store``: keeps frames on disk, and may have some; its mappers are those of
        ``new_mapper``.
        """
        self._new_mapper, self._picker, self._report = new_mapper, picker, report
        self._queue_size, self._max_frames = queue_size, max_frames or None
        self._supervisor = supervisor or Supervisor(report)
        self._store = store
        self._mapper = new_mapper() if store is None else store.taken_up()
        self._others = len(self._mapper) > 0 and store is not None and not store.goes_on  # of another drive, it may be
        self._jobs: deque[Candidate | _Job] = deque()
        self._queued_frames = self._queued_bytes = 0
        self._wake = threading.Condition()
        self._closing = threading.Event()
        self._cancel = threading.Event()
        self._renewal: Callable[[], None] | None = None  # the mapper is to be another one
        self._looked = (0, False)  # when there was no place to build ahead
        self.building = False
        self.counters = Counters(taken=len(self._mapper), encoded=len(self._mapper))
        self._metric = metric
        self.watch, self.check = DriveWatch(metric), DriveCheck()
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
            return False
        self._part_with_others()
        counters = self.counters
        if self._max_frames is not None and counters.taken >= self._max_frames:
            counters.full += 1
            return False
        if self._queued_frames >= self._queue_size or self._queued_bytes > _QUEUE_BYTES:
            counters.overload += 1
            return False
        self._picker.took(candidate.map_from_camera, candidate.stamp)
        self.watch.took(candidate.map_from_camera, candidate.camera)
        self.last_taken = time.monotonic()
        with self._wake:
            counters.taken += 1
            self._queued_frames += 1
            self._queued_bytes += candidate.size
            self._jobs.append(candidate)
            self._wake.notify()
        return True

    def work(self, task: Task[T], done: Callable[[T], None], first: Task[None] | None = None) -> None:
        """Do a task with the frames taken so far; ``done`` gets its result, from the worker thread.

        ``first``, which is brief, is done before it, and does not wait for a place that is built ahead: the task may
        be helped by that. Until the task is done, ``building`` is True.
        """

        def work() -> None:
            try:
                result = task(self._mapper, self._cancel.is_set)
            finally:
                self.building = False
            done(result)

        with self._wake:
            self.building = True
            self._cancel.clear()
            if first is not None:
                self._jobs.append(_Job(lambda: first(self._mapper, self._cancel.is_set), brief=True))
            self._jobs.append(_Job(work))
            self._wake.notify()

    def cancel(self) -> None:
        """Ask the task under way to stop."""
        self._cancel.set()

    def reset(self) -> None:
        """Forget all frames, queued ones too; counting starts over. Not while a map is built."""
        with self._wake:
            self._jobs.clear()
            self._queued_frames = self._queued_bytes = 0
            self._picker.forget()
            self.counters, self.watch, self.album = Counters(), DriveWatch(self._metric), Album()
            self._begin_anew(aside=False)

    def built(self, frames: int) -> None:
        """A map of the first so many frames is written."""
        if self._store is not None:
            self._store.built(frames)

    @property
    def places_ahead(self) -> int:
        """How many places are built already, before the build that is asked for."""
        return self._mapper.places_ahead

    @property
    def closing(self) -> bool:
        """Whether the worker is about to stop."""
        return self._closing.is_set()

    def close(self) -> str:
        """Stop the worker; what it is at is given up. Returns where frames are that no map was made of, if they are."""
        self._closing.set()
        self._cancel.set()
        with self._wake:
            self._wake.notify()
        self._thread.join()
        if self._renewal is not None:
            self._renewal()
        return self._store.close() if self._store is not None else ""

    def _work(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._jobs or self._closing.is_set() or self._look_due(), _IDLE)
                if self._closing.is_set():
                    return
                job = self._jobs.popleft() if self._jobs else _Job(self._build_ahead)
            self._supervisor.run("the mapper", self._do, job)

    def _do(self, job: Candidate | _Job) -> None:
        if isinstance(job, Candidate):
            self._encode(job)
        else:
            job.work()

    def _look(self) -> tuple[int, bool]:
        """What a look for a place to build ahead depends on."""
        return self.counters.encoded // _LOOK_EVERY, time.monotonic() - self.last_taken > _STANDING

    def _look_due(self) -> bool:
        return self._look() != self._looked

    def _build_ahead(self) -> None:
        if self._look_due():
            look = self._look()
            try:
                if self._mapper.build_ahead(look[1], self._meanwhile):
                    look = self._looked  # there may be more
            finally:
                self._looked = look

    def _meanwhile(self) -> bool:
        """Take the frames that wait, and do what is brief; tells whether the place that is built ahead is given up.

        A build that waits for it is helped by it.
        """
        while not self._closing.is_set():
            with self._wake:
                first = self._jobs[0] if self._jobs else None
                if first is None or (isinstance(first, _Job) and not first.brief):
                    break
                self._jobs.popleft()
            self._do(first)
        return self._renewal is not None or self._closing.is_set() or (self.building and self._cancel.is_set())

    def _part_with_others(self) -> None:
        """A frame comes that need not be of the drive that was found here."""
        if self._others:
            with self._wake:
                self.counters = Counters()
                self._begin_anew(aside=True)

    def _begin_anew(self, aside: bool) -> None:
        """Have the mapper replaced before whatever comes next."""

        def renew() -> None:
            self._renewal, self.check = None, DriveCheck()
            self._mapper = self._new_mapper() if self._store is None else self._store.anew(aside)

        self._others, self._renewal = False, renew
        self._jobs.append(_Job(renew))
        self._wake.notify()

    def _encode(self, candidate: Candidate) -> None:
        counters = self.counters
        try:
            image = candidate.decode()
            if image[::4, ::4].std() < DARK:
                counters.blurred += 1
                counters.taken -= 1
            else:
                self._take(candidate, image)
        except MappingError as error:  # the disk is full
            counters.full += 1
            counters.taken -= 1
            self.last_fault = str(error)
        except Exception as error:
            counters.bad_image += 1
            counters.taken -= 1
            self.last_fault = str(error)
            self._report(f"{candidate.name}: {told(error)}")
        finally:
            with self._wake:
                self._queued_frames = max(0, self._queued_frames - 1)
                self._queued_bytes = max(0, self._queued_bytes - candidate.size)

    def _take(self, candidate: Candidate, image: Pixels) -> None:
        if len(self._mapper) > FEW_FRAMES and self._mapper.hardly_moved(candidate.map_from_camera):
            self.counters.similar_view += 1
            self.counters.taken -= 1
            return
        self._mapper.add(image, candidate.camera, candidate.map_from_camera, candidate.name, candidate.stamp)
        self.counters.encoded += 1
        self.check.look(self._mapper)
        self.watch.looked_at(image)
        self.album.show(image, candidate.camera, candidate.map_from_camera, candidate.name)

"""From the images that arrive to the answers that are given: the newest wins, and nothing of before comes after."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ace_ros.online.frame_slot import Arrival, ArrivalCheck, LatestSlots
from ace_ros.online.supervision import Supervisor

Frame = TypeVar("Frame")
Answer = TypeVar("Answer")
#: what the work on frames is called
WORKING, GIVING, SHOWING = "localizing an image", "publishing an answer", "showing an answer"


@dataclass
class FrameCounters:
    """What became of the frames."""

    processed: int = 0
    localized: int = 0
    overtaken: int = 0
    stale: int = 0
    late: int = 0
    too_soon: int = 0
    rejected: int = 0
    kidnapped: int = 0

    @property
    def dropped(self) -> int:
        """Frames that nobody looked at."""
        return self.overtaken + self.stale + self.late + self.too_soon


class FrameStream(Generic[Frame, Answer]):
    """Works on frames in one thread, always on the newest of a camera; older ones are overtaken, and counted.

    Frames belong to an epoch. :meth:`renew` begins another, with another map or after time jumped: what was begun
    before it is counted as overtaken and never given.
    """

    def __init__(
        self,
        arrivals: Sequence[ArrivalCheck],
        counters: FrameCounters,
        lock: AbstractContextManager[Any],
        give: Callable[[Answer], None],
        show: Callable[[Answer], None] = lambda answer: None,
        restarted: Callable[[], None] = lambda: None,
        supervisor: Supervisor | None = None,
        choose: Callable[[Sequence[int]], int | None] = lambda waiting: waiting[0],
    ) -> None:
        """The thread waits for :meth:`renew` and for frames.

        Args:
            arrivals: one for each camera.
            lock: held, from the thread, while an answer is given; hold it around :meth:`renew` as well.
            give, show: get each answer; ``show`` without the lock, for what takes its time.
            restarted: the stamps went back; called by :meth:`offer`, before it takes the frame.
            supervisor: of the thread, which outlives whatever ``work``, ``give`` and ``show`` may raise.
            choose: of the cameras that wait with a frame, the one whose turn it is; None: none of these.
        """
        self.counters = counters
        self.stale_age = [0.0] * len(arrivals)  # s that a camera's last frame was old if that was too old, else 0
        self._arrivals, self._lock = arrivals, lock
        self._give, self._show, self._restarted = give, show, restarted
        self._supervisor = supervisor or Supervisor()
        self._slots: LatestSlots[tuple[Frame, int]] = LatestSlots(len(arrivals), choose)
        self._epoch = 0
        self._work: Callable[[Frame], Answer] | None = None
        self._thread = threading.Thread(target=self._run, name="localizer", daemon=True)
        self._thread.start()

    def renew(self, work: Callable[[Frame], Answer]) -> None:
        """Begin a new epoch, in which ``work`` answers."""
        self._epoch += 1
        self._work = work
        self.counters.overtaken += self._slots.clear()

    def forget(self) -> None:
        """Time jumped: stamps of before don't count."""
        for arrivals in self._arrivals:
            arrivals.forget()

    def offer(self, frame: Frame, stamp: int, now: int, camera: int = 0) -> None:
        """Take a frame that arrives ``now`` (ns, by the clock of its ``stamp``), if it is worth it."""
        arrival = self._arrivals[camera].sort(stamp, now)
        self.stale_age[camera] = (now - stamp) * 1e-9 if arrival is Arrival.STALE else 0.0
        if arrival is Arrival.STALE:
            self.counters.stale += 1
            return
        if arrival is Arrival.LATE:
            self.counters.late += 1
            return
        if arrival is Arrival.RESTARTED:
            self._restarted()
        if self._arrivals[camera].too_soon(stamp):
            self.counters.too_soon += 1
        elif self._slots.put((frame, self._epoch), camera):
            self.counters.overtaken += 1

    def close(self) -> None:
        """Stop; waits for the frame that is worked on."""
        self._slots.close()
        self._thread.join()

    def _run(self) -> None:
        while (item := self._slots.take()) is not None:
            self._supervisor.run(WORKING, self._answer, *item)

    def _answer(self, frame: Frame, epoch: int) -> None:
        with self._lock:
            work = self._work
            if epoch != self._epoch or work is None:
                self.counters.overtaken += 1
                return
        try:
            answer = work(frame)
        except Exception:
            self.counters.processed += 1
            self.counters.rejected += 1
            raise
        with self._lock:
            if epoch != self._epoch:
                self.counters.overtaken += 1
                return
            self._supervisor.run(GIVING, self._give, answer)
        self._supervisor.run(SHOWING, self._show, answer)

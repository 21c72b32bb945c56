"""What nobody expected: an exception in a thread or a callback is told once and counted, and the work goes on."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")
_HOPELESS = 10  # failures of one piece of work in a row: a third of a second of images at 30 Hz; set by hand
_TOLD_AGAIN = 60.0  # s after which the same exception is told again; set by hand
_RECENT = 10.0  # s for which a failure is still a fault of today, where the work goes well again; set by hand


@dataclass
class _Failing:
    sentence: str
    row: int  # failures since it last went well
    last: float


class Supervisor:
    """Runs pieces of work that have names; thread-safe.

    Args:
        report: gets a text with the traceback, once for each exception, and now and then again while it comes back.

    Attributes:
        count: failures since the start.
    """

    def __init__(self, report: Callable[[str], None] = lambda text: None) -> None:
        self._report = report
        self._lock = threading.Lock()
        self._failing: dict[str, _Failing] = {}
        self._told: dict[tuple[str, str], float] = {}
        self.count = 0

    def run(self, what: str, work: Callable[..., T], *args: Any) -> T | None:
        """Do it; None where it raised an exception."""
        try:
            result = work(*args)
        except Exception as error:
            self.failed(what, error)
            return None
        self._went_well(what)
        return result

    async def run_async(self, what: str, work: Callable[..., Awaitable[T]], *args: Any) -> T | None:
        """The same for a coroutine."""
        try:
            result = await work(*args)
        except Exception as error:
            self.failed(what, error)
            return None
        self._went_well(what)
        return result

    def thread(
        self,
        what: str,
        work: Callable[..., None],
        *args: Any,
        otherwise: Callable[[str], None] = lambda sentence: None,
    ) -> threading.Thread:
        """Do it once in a thread of its own, which is returned; ``otherwise`` gets a sentence where it fails."""

        def done() -> bool:
            work(*args)
            return True

        def run() -> None:
            if not self.run(what, done):
                otherwise(self.fault(what))

        thread = threading.Thread(target=run, name=what, daemon=True)
        thread.start()
        return thread

    def failed(self, what: str, error: Exception) -> str:
        """An exception was caught; returns a sentence about it."""
        cause = f"{type(error).__name__}: {error}"
        sentence = f"a defect of this package, see the log: {what} failed by {cause}"
        with self._lock:
            now = time.monotonic()
            self.count += 1
            row = self._failing[what].row if what in self._failing else 0
            self._failing[what] = _Failing(sentence, row + 1, now)
            tell = now - self._told.get((what, cause), -_TOLD_AGAIN) >= _TOLD_AGAIN
            if tell:
                self._told[what, cause] = now
            count = self.count
        if tell:
            trace = "".join(traceback.format_exception(error))
            self._report(f"a defect of this package: {what} failed, the work goes on ({count} so far)\n{trace}")
        return sentence

    def fault(self, *whats: str) -> str:
        """A sentence about the last failure; of these pieces of work only those that failed the last time.

        Without names about all, and a moment longer. Empty where all went well.
        """
        with self._lock:
            now = time.monotonic()
            if whats:
                failing = [one for what, one in self._failing.items() if what in whats and one.row]
            else:
                failing = [one for one in self._failing.values() if one.row or now - one.last < _RECENT]
            return max(failing, key=lambda one: one.last).sentence if failing else ""

    @property
    def hopeless(self) -> str:
        """A sentence about a piece of work that failed so often in a row that going on is no use; empty for none."""
        with self._lock:
            rows = (f"{one.sentence} ({one.row} times)" for one in self._failing.values() if one.row >= _HOPELESS)
            return next(rows, "")

    def start_over(self) -> None:
        """What failed is begun anew: nothing is known of it."""
        with self._lock:
            for one in self._failing.values():
                one.row = 0

    def _went_well(self, what: str) -> None:
        if what in self._failing:
            with self._lock:
                self._failing[what].row = 0

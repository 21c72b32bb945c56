"""What is worth a line in the log: every change of state once, and what comes again and again only now and then."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable

_FLAPPING = 10.0  # s for which a state that was told is not told again: it may change with every image; set by hand
_REMINDER = 60.0  # s after which a condition that stays is told again; set by hand
_NUMBERS = re.compile(r"\d[\d.,]*")


class News:
    """Sentences that differ in numbers alone are the same news. Call it often, with what holds now.

    Args:
        info, warn: write a line.
    """

    def __init__(self, info: Callable[[str], None], warn: Callable[[str], None]) -> None:
        self._info, self._warn = info, warn
        self._state = ""
        self._told: dict[str, float] = {}

    def state(self, sentence: str, good: bool) -> None:
        """Tell a state where it is another one than the last that was told; a bad one while it lasts, too."""
        key, now = f"state {_NUMBERS.sub('#', sentence)}", time.monotonic()
        pause = _FLAPPING if key != self._state else _REMINDER
        if (key == self._state and good) or now - self._told.get(key, -_REMINDER) < pause:
            return
        self._state, self._told[key] = key, now
        (self._info if good else self._warn)(sentence)

    def conditions(self, sentences: Iterable[str]) -> None:
        """Tell each of these that was not told lately."""
        now = time.monotonic()
        for sentence in sentences:
            key = _NUMBERS.sub("#", sentence)
            if now - self._told.get(key, -_REMINDER) >= _REMINDER:
                self._told[key] = now
                self._warn(sentence)

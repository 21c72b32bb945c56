"""Ctrl-C: stop at once, leave nothing half-written, say what was written.

A KeyboardInterrupt that surfaces in the midst of a library may be swallowed or turned into another error, so the
process ends right in the signal's handler. Only what must not be torn apart asks for more: a file being replaced is
finished first (:func:`writing`), and work with cleaning up to do gets its KeyboardInterrupt (:func:`unwinding`).
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

EXIT_CODE = 130  # what shells give a program that SIGINT ended

_requested = False
_held = False
_unwind = False
_written: list[str] = []
_last_words: Callable[[], str] = str  # nothing


def install() -> None:
    signal.signal(signal.SIGINT, _on_sigint)


def requested() -> bool:
    """Whether the user pressed Ctrl-C: then whatever error follows is only its echo."""
    return _requested


def last_words(words: Callable[[], str]) -> None:
    """What else to say when the process is stopped: how its work can go on. Empty: nothing."""
    global _last_words
    _last_words = words


@contextmanager
def writing(path: object) -> Iterator[None]:
    """Hold Ctrl-C back while ``path`` is written, and remember that it was."""
    global _held
    _held = True
    try:
        yield
        _written.append(str(path))
    finally:
        _held = False
        if _requested:
            leave()


@contextmanager
def unwinding() -> Iterator[None]:
    """Let Ctrl-C raise KeyboardInterrupt, for work that cleans up behind itself. A second one ends it on the spot."""
    global _unwind
    _unwind = True
    try:
        yield
    finally:
        _unwind = False
        if _requested:
            leave()


def leave() -> NoReturn:
    """Say how things were left and end the process, without waiting for threads that are still at work."""
    with contextlib.suppress(Exception):  # it may be this very buffer's write that was interrupted
        sys.stdout.flush()
    show_cursor = "\x1b[?25h" if os.isatty(2) else ""  # a progress bar hides it
    said = f"{', '.join(_written)} had been written" if _written else "nothing was written"
    with contextlib.suppress(Exception):
        said = "; ".join(filter(None, (said, _last_words())))
    with contextlib.suppress(OSError):
        os.write(2, f"{show_cursor}\nstopped; {said}\n".encode())
    os._exit(EXIT_CODE)


def _on_sigint(_signal: int, _frame: FrameType | None) -> None:
    global _requested
    again, _requested = _requested, True
    if _held:
        return
    if _unwind and not again:
        raise KeyboardInterrupt
    leave()

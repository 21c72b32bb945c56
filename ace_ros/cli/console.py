"""What the commands share: consoles, figures of the process, files written whole."""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from ace_ros.cli import interrupt
from ace_ros.errors import InputError
from ace_ros.files import write_whole

stdout = Console(highlight=False)
stderr = Console(stderr=True, highlight=False)  # progress and notes: standard output is for results

_imported = time.monotonic()


def note(text: str) -> None:
    """Something that the user should know, but that stops nothing."""
    stderr.print(f"note: {text}", style="yellow", markup=False, soft_wrap=True)


def seconds_since_start() -> float:
    """Since the process was started: the interpreter and all imports included."""
    try:
        started = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])  # field 22, clock ticks
        return time.clock_gettime(time.CLOCK_BOOTTIME) - started / os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError, ValueError, IndexError):  # not Linux
        return time.monotonic() - _imported


def peak_rss_bytes() -> int:
    """Most memory that this process ever held, bytes."""
    try:  # getrusage counts what the process that started us held when it did
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def check_writable(path: Path) -> None:
    """Find out before the work, not after it, that a file can't be written.

    Raises:
        InputError: no such folder, no permission, or a folder in the file's place.
    """
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name a file to write")
    if not path.parent.is_dir():
        raise InputError(f"{path}: there is no folder {path.parent}; make it first")
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise InputError(f"{path}: can't write in {path.parent}: {error.strerror}") from error


def make_folder(path: Path) -> None:
    """A folder to write into, made if need be.

    Raises:
        InputError: it can't be.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path}: can't make this folder: {error.strerror}") from error


def write_json(path: Path, figures: dict[str, Any]) -> None:
    write_file(path, json.dumps(figures, indent=2, allow_nan=False) + "\n")


def write_file(path: Path, content: str | bytes) -> None:
    """Write a file whole or not at all.

    Raises:
        InputError: it can't be written; a file that was there before is kept.
    """
    with interrupt.writing(path):
        try:
            write_whole(path, content.encode(errors="surrogateescape") if isinstance(content, str) else content)
        except OSError as error:
            raise InputError(f"{path}: can't be written: {error.strerror}") from error

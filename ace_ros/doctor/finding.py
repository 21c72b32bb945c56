"""What the doctor says of one thing."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Verdict(Enum):
    """OK: as it should be. WARNING: works, but not as well as it could. BROKEN: something of ace_ros won't run."""

    OK = "ok"
    WARNING = "warning"
    BROKEN = "broken"


class Finding(NamedTuple):
    """What was looked at, how it is, and the command or the step that mends it (empty where nothing is to be done)."""

    verdict: Verdict
    text: str
    remedy: str = ""


def ok(text: str) -> Finding:
    return Finding(Verdict.OK, text)


def warning(text: str, remedy: str) -> Finding:
    return Finding(Verdict.WARNING, text, remedy)


def broken(text: str, remedy: str) -> Finding:
    return Finding(Verdict.BROKEN, text, remedy)

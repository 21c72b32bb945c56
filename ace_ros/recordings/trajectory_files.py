"""Trajectory files of SLAM systems and motion capture, whichever of the usual forms they have.

====== ===============================================================================================================
TUM    ``timestamp tx ty tz qx qy qz qw``; seconds or nanoseconds; ORB-SLAM, rtabmap, Kimera, evo and many others
EuRoC  ``timestamp[ns],px,py,pz,qw,qx,qy,qz,...``; a ground truth of ASL, or what VINS and OpenVINS write
KITTI  twelve numbers a line, the rows of a 3x4 matrix; no times
====== ===============================================================================================================
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path

import numpy as np

from ace_ros.errors import FrameError, InputError
from ace_ros.geometry import Matrix, check_pose, pose_from_quaternion
from ace_ros.recordings.left_out import LeftOut
from ace_ros.recordings.listing import numbers, read_text
from ace_ros.recordings.trajectory import Trajectory

_NANOSECONDS = 10**12  # a larger number of seconds would be 30,000 years; a smaller one of nanoseconds, 17 minutes
_COMMENT = re.compile(r"(?<!\.)#.*")  # -1.#IND is a number of Windows
_LATEST = 2**62  # ns; int64 ends there twice


def rows(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Place and words of each line that holds any; a comma parts words, and what follows # is a comment."""
    for number, line in enumerate(read_text(path).splitlines(), 1):
        words = _COMMENT.sub("", line).replace(",", " ").split()
        if words:
            yield f"{path}, line {number}", words


def parse_stamp(word: str, where: str) -> int:
    """A time in seconds, or in nanoseconds since 1970, as ns.

    Raises:
        FrameError: it is none.
    """
    try:
        value = Decimal(word)
        stamp = int(value if value >= _NANOSECONDS else value * 10**9)
    except (InvalidOperation, ValueError, OverflowError):
        raise FrameError(where, "a time in seconds is expected", f"'{word}' is not a time in seconds") from None
    if not abs(stamp) < _LATEST:
        raise FrameError(where, "a time in seconds is expected", f"'{word}' is not a time in seconds")
    return stamp


def read_trajectory(path: Path, left_out: LeftOut) -> Trajectory:
    """Poses at times, as the file has them: world from whatever it is the trajectory of.

    Raises:
        InputError: it holds no usable pose.
    """
    found = list(rows(path))
    euroc = path.suffix.lower() == ".csv" or _is_euroc(path)
    samples: list[tuple[int, Matrix]] = []
    for where, words in found:
        if not samples and not _is_number(words[0]):
            continue  # the names of columns
        left_out.listed["pose"] += 1
        with left_out.trying(where, "pose"):
            expected = "timestamp tx ty tz qx qy qz qw"
            if len(words) < 8:
                raise FrameError(where, f"expected {expected}", f"expected {expected}, got '{' '.join(words)[:60]}'")
            values = numbers(words[1:8], where, expected + ", numbers only,")
            quaternion = values[[4, 5, 6, 3]] if euroc else values[3:]
            samples.append((parse_stamp(words[0], where), pose_from_quaternion(values[:3], quaternion, where)))
    if not samples:
        raise InputError(f"{path}: it holds no usable pose {left_out.reasons()}".rstrip())
    return Trajectory.of(samples)


def _is_euroc(path: Path) -> bool:
    """By its first line: nanoseconds and commas, or the names that ASL gives to its columns."""
    first = read_text(path).lstrip().split("\n", 1)[0].replace(" ", "")
    head = first.lstrip("#").split(",")
    return len(head) >= 8 and ("q_RS_w" in first or "qw,qx" in first or (head[0].isdigit() and len(head[0]) > 15))


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def read_matrices(path: Path, left_out: LeftOut) -> list[Matrix | None]:
    """The pose of each line of twelve numbers; None where it can't be used."""
    found: list[Matrix | None] = []
    for where, words in rows(path):
        found.append(None)
        left_out.listed["pose"] += 1
        with left_out.trying(where, "pose"):
            found[-1] = check_pose(_matrix(words, where), where)
    return found


def _matrix(words: Sequence[str], where: str) -> Matrix:
    values = numbers(words, where, "a 3x4 matrix, row by row,", 12)
    return np.vstack([values.reshape(3, 4), [0.0, 0.0, 0.0, 1.0]])

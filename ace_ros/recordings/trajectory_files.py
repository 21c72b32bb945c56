"""Trajectory files of SLAM systems and motion capture, whichever of the usual forms they have.

====== ===============================================================================================================
TUM    ``timestamp tx ty tz qx qy qz qw``; seconds or nanoseconds; ORB-SLAM, Kimera, evo and many others; rtabmap adds
       an id, OpenVINS twelve numbers of covariances
EuRoC  ``timestamp[ns],px,py,pz,qw,qx,qy,qz,...``; a ground truth of ASL, or what VINS and OpenVINS write
KITTI  twelve numbers a line, the rows of a 3x4 matrix; no times
4x4    sixteen numbers a line, the rows of a 4x4 matrix; no times
====== ===============================================================================================================

Which one a file has, most of its rows say: one row that is short of a column costs itself alone.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
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
_TIMED = (8, 9, 20)  # numbers a row: TUM's, with rtabmap's id, with OpenVINS' covariances
_MATRICES = {12: "a 3x4 matrix, row by row,", 16: "a 4x4 matrix, row by row,"}
_TUM = "timestamp tx ty tz qx qy qz qw"
_READ = (
    f"{_TUM} (8 numbers a row), or a matrix, row by row: r11 r12 r13 tx r21 r22 r23 ty r31 r32 r33 tz (12), "
    "with 0 0 0 1 behind them (16)"
)


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
    euroc = path.suffix.lower() == ".csv" or _is_euroc(path)
    found = list(rows(path))
    count = _numbers_a_row(found)
    if count and not _has_times(count, euroc):
        raise InputError(f"{path}: expected {_TUM}, 8 numbers a row, got {count} numbers a row")
    samples: list[tuple[int, Matrix]] = []
    for where, words in found:
        if not samples and not _is_number(words[0]):
            continue  # the names of columns
        left_out.listed["pose"] += 1
        with left_out.trying(where, "pose"):
            if len(words) < 8 or (not euroc and _leading_numbers(words) > count):
                raise FrameError(where, f"expected {_TUM}", f"expected {_TUM}, got '{' '.join(words)[:60]}'")
            values = numbers(words[1:8], where, _TUM + ", numbers only,")
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
        return "#" in word  # what Windows prints for NaN
    return True


def _leading_numbers(words: Sequence[str]) -> int:
    """How many numbers a row begins with; what is behind them, an image's name for one, is not read."""
    return next((index for index, word in enumerate(words) if not _is_number(word)), len(words))


def _numbers_a_row(found: Iterable[tuple[str, list[str]]]) -> int:
    """How many numbers most rows begin with; 0 where none does."""
    counts = Counter(count for _, words in found if (count := _leading_numbers(words)))
    return max(counts, key=lambda count: counts[count], default=0)


def _has_times(count: int, euroc: bool) -> bool:
    """Whether rows of so many numbers are poses at times; EuRoC's go on with velocities and biases."""
    return count in _TIMED or (euroc and count > 8)


def holds_matrices(path: Path) -> bool:
    """Whether the rows of a trajectory are matrices, which have no times; else they are poses at times.

    Raises:
        InputError: it holds no poses, or rows of which nothing tells what they are.
    """
    count = _numbers_a_row(rows(path))
    if not count:
        raise InputError(f"{path}: it holds no poses; expected {_READ}")
    if _is_euroc(path):
        return False
    if count not in _MATRICES and not _has_times(count, path.suffix.lower() == ".csv"):
        raise InputError(f"{path}: {count} numbers a row; expected {_READ}")
    return count in _MATRICES


def read_matrices(path: Path, left_out: LeftOut) -> list[Matrix | None]:
    """The pose of each line of twelve or sixteen numbers; None where it can't be used.

    Raises:
        InputError: none can be used.
    """
    found = list(rows(path))
    count = _numbers_a_row(found)
    poses: list[Matrix | None] = []
    for where, words in found:
        poses.append(None)
        left_out.listed["pose"] += 1
        with left_out.trying(where, "pose"):
            poses[-1] = check_pose(_matrix(words, where, count if count in _MATRICES else 12), where)
    if all(pose is None for pose in poses):
        raise InputError(f"{path}: it holds no usable pose ({left_out.reasons() or 'it is empty'}); expected {_READ}")
    return poses


def _matrix(words: Sequence[str], where: str, count: int) -> Matrix:
    values = numbers(words, where, _MATRICES[count], count)
    return np.append(values, [0.0, 0.0, 0.0, 1.0] if count == 12 else []).reshape(4, 4)

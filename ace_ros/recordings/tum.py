"""TUM RGB-D layout: ``rgb.txt`` (time, file) and ``groundtruth.txt`` (time tx ty tz qx qy qz qw), metres.

It has no file for the intrinsics. Taken are, in this order: what the user gives; ``calibration.txt`` or ``camera.txt``
(fx fy cx cy and distortion, as ETH3D writes it, or K); what TUM publishes for its cameras freiburg1, 2 and 3.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path

import numpy as np

from ace_ros.errors import InputError
from ace_ros.geometry import pose_from_quaternion
from ace_ros.recordings.intrinsics import CameraFor, camera_of_numbers
from ace_ros.recordings.listing import Entry, Skips, frames_of, read_text
from ace_ros.recordings.options import SplitOptions
from ace_ros.recordings.posed_frame import Recording
from ace_ros.recordings.splits import Split, choose
from ace_ros.recordings.trajectory import Trajectory

FILES = "rgb.txt and groundtruth.txt (TUM RGB-D)"
_MAX_GAP = 0.25  # s; motion capture gives a pose every 10 ms, its dropouts are longer
# fx, fy, cx, cy, k1, k2, p1, p2, k3 of freiburg1, 2 and 3 (undistorted), as the data set's page gives them
_PUBLISHED = {
    "1": "517.3, 516.5, 318.6, 255.3, 0.2624, -0.9531, -0.0054, 0.0026, 1.1633",
    "2": "520.9, 521.0, 325.1, 249.7, 0.2312, -0.7849, -0.0033, -0.0001, 0.9172",
    "3": "535.4, 539.2, 320.1, 247.6",
}


def matches(path: Path) -> bool:
    return (path / "rgb.txt").is_file()


def read(path: Path, split: Split, options: SplitOptions) -> Recording:
    camera = _camera(path, options)
    images = []
    for where, words in _rows(path / "rgb.txt", 2, "timestamp filename"):
        images.append((_stamp(words[0], where), words[1], where))
    if not images:
        raise InputError(f"{path / 'rgb.txt'}: it lists no images")
    images.sort(key=lambda image: image[0])
    skips = Skips()
    truth = path / "groundtruth.txt"
    if truth.is_file():
        poses = _trajectory(truth, skips).at([stamp for stamp, *_ in images], _MAX_GAP)
    else:
        poses = [None] * len(images)
        skips.remarks.append(f"there is no {truth}: the frames have no true poses")
    entries = []
    for (stamp, name, where), pose in zip(images, poses, strict=True):
        if pose is None and truth.is_file():
            skips.add(f"no pose in groundtruth.txt around them (within {_MAX_GAP:g} s)", name)
        else:
            entries.append(Entry(name, path / name, camera, pose, where, stamp))
    frames, notes = choose(frames_of(entries, skips, str(path)), split, options, path)
    return Recording(path.resolve().name, frames, metric=True, map_frame="world", notes=skips.notes() + notes)


def _camera(path: Path, options: SplitOptions) -> CameraFor:
    text, source = options.intrinsics, "--intrinsics"
    if not text:
        for file in (path / "calibration.txt", path / "camera.txt"):
            if file.is_file():
                text, source = _calibration(file), str(file)
                break
    if not text and (published := re.search(r"(?:freiburg|fr)([123])(?![0-9])", path.resolve().name)):
        text, source = _PUBLISHED[published[1]], f"freiburg{published[1]}"
    if not text:
        raise InputError(
            f"{path}: nothing tells the intrinsics: give --intrinsics fx,fy,cx,cy[,k1,k2,p1,p2[,k3]], or write them "
            "into calibration.txt (TUM's own are known by the folder's name: freiburg1, freiburg2, freiburg3)"
        )
    return camera_of_numbers(text, source)


def _calibration(path: Path) -> str:
    """Numbers of the file as ``fx fy cx cy distortion``."""
    rows = [words for _, words in _rows(path, 1, "fx fy cx cy, or K")]
    try:
        numbers = [float(word) for words in rows for word in words]
    except ValueError:
        raise InputError(f"{path}: fx fy cx cy and distortion, or a 3x3 K, are expected: numbers only") from None
    if len(numbers) >= 9 and numbers[1] == numbers[3] == numbers[6] == numbers[7] == 0 and numbers[8] == 1:
        numbers = [numbers[0], numbers[4], numbers[2], numbers[5], *numbers[9:]]
    if len(numbers) < 4:
        raise InputError(
            f"{path}: fx fy cx cy and distortion, or a 3x3 K, are expected, it holds {len(numbers)} numbers"
        )
    return " ".join(map(repr, numbers))


def _trajectory(path: Path, skips: Skips) -> Trajectory:
    samples = []
    bad = 0
    for where, words in _rows(path, 8, "timestamp tx ty tz qx qy qz qw"):
        try:
            numbers = [float(word) for word in words[1:8]]
        except ValueError:
            raise InputError(f"{where}: timestamp tx ty tz qx qy qz qw are expected, numbers only") from None
        if not np.isfinite(numbers).all():
            bad += 1
            continue
        samples.append((_stamp(words[0], where), pose_from_quaternion(numbers[:3], numbers[3:], where)))
    if bad:
        skips.remarks.append(f"{path.name}: {bad} poses hold NaN or infinity and were left out")
    if not samples:
        raise InputError(f"{path}: it holds no usable pose")
    return Trajectory.of(samples)


def _rows(path: Path, least: int, expected: str) -> Iterator[tuple[str, list[str]]]:
    for number, line in enumerate(read_text(path).splitlines(), 1):
        words = line.split("#")[0].replace(",", " ").split()
        if words:
            if len(words) < least:
                raise InputError(f"{path}, line {number}: expected {expected}, got '{line[:60]}'")
            yield f"{path}, line {number}", words


def _stamp(word: str, where: str) -> int:
    try:
        return int(Decimal(word) * 10**9)
    except (InvalidOperation, ValueError, OverflowError):
        raise InputError(f"{where}: '{word}' is not a time in seconds") from None

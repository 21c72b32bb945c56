"""KITTI odometry: a sequence's ``image_2/`` (or 3, 0, 1), ``calib.txt`` and ``times.txt``, and ``poses/NN.txt``.

Metres. The poses are those of camera 0; the others sit beside it, as P of calib.txt says.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ace_ros.errors import FrameError, InputError
from ace_ros.geometry import Matrix
from ace_ros.recordings.image_files import photographs
from ace_ros.recordings.intrinsics import CameraFor, camera_of_numbers
from ace_ros.recordings.left_out import LeftOut
from ace_ros.recordings.listing import Entry, frames_of, numbers, read_text
from ace_ros.recordings.options import SplitOptions
from ace_ros.recordings.posed_frame import Recording
from ace_ros.recordings.splits import Split, choose
from ace_ros.recordings.trajectory_files import parse_stamp, read_matrices, rows

NAME = "kitti"
FILES = "calib.txt with P0: ..., image_2/ and poses (KITTI odometry)"
_CAMERAS = ("image_2", "image_3", "image_0", "image_1")  # the coloured ones first


def matches(path: Path) -> bool:
    return bool(_sequences(path))


def read(path: Path, split: Split, options: SplitOptions) -> Recording:
    sequences = _sequences(path)
    if len(sequences) > 1:
        names = ", ".join(sequence.name for sequence in sequences)
        raise InputError(f"{path}: several sequences ({names}): give the folder of one, {sequences[0]} for one")
    sequence = sequences[0]
    folder = next(sequence / name for name in _CAMERAS if (sequence / name).is_dir())
    left_out = LeftOut(options.strict)
    images = photographs(folder)
    left_out.listed["frame"] += len(images)
    camera, beside = _camera(sequence / "calib.txt", folder.name[-1])
    notes = [f"{folder.name} is read"]
    file, times = _poses_file(sequence), sequence / "times.txt"
    poses: list[Matrix | None] = []
    if file is None:
        notes.append(f"there is no poses.txt and no ../../poses/{sequence.name}.txt: the frames have no poses")
    else:
        poses = read_matrices(file, left_out)
    stamps = [parse_stamp(words[0], where) for where, words in rows(times)] if times.is_file() else []
    numbered = {int(image.stem): image for image in images if image.stem.isdigit()}
    if missing := sorted(set(range(len(poses))) - set(numbered)):
        left_out.listed["frame"] += len(missing)
    for number in missing:
        left_out.add(FrameError(f"{number:06d}.png", "the image is missing"), f"{number:06d}.png")
    entries = []
    for number, image in sorted(numbered.items()):
        with left_out.trying(image.name):
            pose = poses[number] if number < len(poses) else None
            if pose is None and file is not None:
                raise FrameError(image.name, "its pose is missing or can't be used")
            posed = None if pose is None else pose @ beside
            stamp = stamps[number] if number < len(stamps) else None
            entries.append(Entry(image.name, image, camera, posed, str(file), stamp))
    frames, more = frames_of(entries, left_out, str(folder))
    frames, split_notes = choose(frames, split, options, sequence)
    name = sequence.resolve().name
    notes += [*more, *split_notes]
    return Recording(name, frames, metric=True, map_frame="world", notes=notes, left_out=left_out)


def _sequences(path: Path) -> list[Path]:
    if _is_sequence(path):
        return [path]
    for root in (path / "sequences", path / "dataset" / "sequences"):
        if found := [folder for folder in sorted(root.glob("*")) if _is_sequence(folder)]:
            return found
    return []


def _is_sequence(path: Path) -> bool:
    file = path / "calib.txt"
    if not file.is_file() or not any((path / name).is_dir() for name in _CAMERAS):
        return False
    try:
        return "P0:" in read_text(file)
    except InputError:
        return False


def _poses_file(sequence: Path) -> Path | None:
    name = sequence.resolve().name
    candidates = (
        sequence / "poses.txt",
        sequence / f"{name}.txt",
        sequence.resolve().parents[1] / "poses" / f"{name}.txt",
    )
    return next((file for file in candidates if file.is_file()), None)


def _camera(file: Path, number: str) -> tuple[CameraFor, Matrix]:
    """The camera of an image folder, and where it sits: (4, 4), camera 0 from it."""
    for line in read_text(file).splitlines():
        key, _, rest = line.partition(":")
        if key.strip() == f"P{number}":
            p = numbers(rest.split(), str(file), f"P{number}, a 3x4 matrix,", 12).reshape(3, 4)
            fx, fy, cx, cy = (float(value) for value in (p[0, 0], p[1, 1], p[0, 2], p[1, 2]))
            beside = np.eye(4)
            beside[:3, 3] = -np.linalg.solve(p[:, :3], p[:, 3])
            return camera_of_numbers(f"{fx} {fy} {cx} {cy}", str(file)), beside
    raise InputError(f"{file}: it has no P{number}")

"""What ``rtabmap-export --images --poses`` writes: ``NAME_rgb/``, ``NAME_calib/`` and ``NAME_poses.txt``.

``NAME_camera_poses.txt`` is preferred, which has the poses of the camera; in ``NAME_poses.txt`` they are those of the
robot's base, and the calibration says where the camera sits on it (``local_transform``). Metres.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ace_ros.errors import FrameError, InputError
from ace_ros.geometry import Matrix, check_pose, pose_from_quaternion
from ace_ros.recordings.calibrations import Calibration, calibration_of_file
from ace_ros.recordings.image_files import leave_out_missing, photographs
from ace_ros.recordings.left_out import LeftOut
from ace_ros.recordings.listing import Entry, frames_of, numbers
from ace_ros.recordings.options import SplitOptions
from ace_ros.recordings.posed_frame import Recording
from ace_ros.recordings.splits import Split, choose
from ace_ros.recordings.trajectory_files import parse_stamp, rows

NAME = "rtabmap"
FILES = "*_rgb/, *_calib/ and *_poses.txt (rtabmap-export)"
_NEAR = 10**6  # ns; names and poses are rounded to microseconds


def matches(path: Path) -> bool:
    return _name(path) is not None


def read(path: Path, split: Split, options: SplitOptions) -> Recording:
    name = _name(path)
    assert name is not None
    left_out = LeftOut(options.strict)
    images = photographs(path / f"{name}_rgb")
    left_out.listed["frame"] += len(images)
    calibration_files = sorted((path / f"{name}_calib").glob("*.yaml"))
    if len(calibration_files) > 1:  # one may be for all
        leave_out_missing(images, calibration_files, left_out)
    files = [path / f"{name}_camera_poses.txt", path / f"{name}_poses.txt"]
    file = next((one for one in files if one.is_file()), None)
    if file is None:
        raise InputError(f"{path}: there are no poses, {files[1].name} for one: export with --poses")
    of_camera = file == files[0]
    poses, by_id = _poses(file, left_out)
    order = list(poses.values())
    calibrations: dict[str, Calibration] = {}
    entries = []
    for index, image in enumerate(images):
        with left_out.trying(image.name):
            calibration = _calibration(path / f"{name}_calib", image.stem, calibrations)
            pose = _pose_of(image.stem, poses, by_id)
            if pose is None and not poses and len(order) == len(images):
                pose = order[index]
            if pose is None:
                raise FrameError(image.name, f"there is no pose for it in {file.name}")
            mount = calibration.body_from_camera
            posed = pose if of_camera or mount is None else pose @ mount
            entries.append(Entry(image.name, image, calibration.camera, posed, str(file)))
    found, notes = frames_of(entries, left_out, str(path))
    frames, more = choose(found, split, options, path)
    notes += [f"poses of {'the camera' if of_camera else 'the base'}: {file.name}", *more]
    return Recording(path.resolve().name, frames, metric=True, notes=notes, left_out=left_out)


def _name(path: Path) -> str | None:
    if not path.is_dir():
        return None
    names = (folder.name.removesuffix("_rgb") for folder in sorted(path.glob("*_rgb")) if folder.is_dir())
    return next((name for name in names if (path / f"{name}_calib").is_dir()), None)


def _poses(file: Path, left_out: LeftOut) -> tuple[dict[int, Matrix], dict[str, Matrix]]:
    """Poses by stamp (ns), and by id where the file has ids: ``timestamp x y z qx qy qz qw [id]``."""
    by_stamp: dict[int, Matrix] = {}
    by_id: dict[str, Matrix] = {}
    for where, words in rows(file):
        left_out.listed["pose"] += 1
        with left_out.trying(where, "pose"):
            if len(words) == 12:
                matrix = numbers(words, where, "a 3x4 matrix, row by row,", 12).reshape(3, 4)
                by_id[str(len(by_id) + 1)] = check_pose(np.vstack([matrix, [0, 0, 0, 1]]), where)
                continue
            if len(words) < 8:
                raise FrameError(where, "expected timestamp x y z qx qy qz qw")
            values = numbers(words[1:8], where, "timestamp x y z qx qy qz qw, numbers only,")
            pose = pose_from_quaternion(values[:3], values[3:], where)
            by_stamp[parse_stamp(words[0], where)] = pose
            if len(words) > 8:
                by_id[words[8]] = pose
    if not by_stamp and not by_id:
        raise InputError(f"{file}: it holds no usable pose {left_out.reasons()}".rstrip())
    return by_stamp, by_id


def _pose_of(stem: str, by_stamp: dict[int, Matrix], by_id: dict[str, Matrix]) -> Matrix | None:
    """Images are named by their id or by their time."""
    if stem in by_id:
        return by_id[stem]
    stamp = parse_stamp(stem, stem)
    near = min(by_stamp, key=lambda other: abs(other - stamp), default=None)
    return by_stamp[near] if near is not None and abs(near - stamp) <= _NEAR else None


def _calibration(folder: Path, stem: str, known: dict[str, Calibration]) -> Calibration:
    """Each image has a file of its own; one for all will do."""
    file = folder / f"{stem}.yaml"
    if not file.is_file():
        files = sorted(folder.glob("*.yaml"))
        if len(files) != 1:
            raise FrameError(str(file), "there is no calibration file for it")
        file = files[0]
    if str(file) not in known:
        known[str(file)] = calibration_of_file(file)
    return known[str(file)]

"""TUM RGB-D layout: ``rgb.txt`` (time, file) and ``groundtruth.txt`` (time tx ty tz qx qy qz qw), metres.

It has no file for the intrinsics. Taken are, in this order: what the user gives; ``calibration.txt`` or ``camera.txt``
(fx fy cx cy and distortion, as ETH3D writes it, or K); what TUM publishes for its cameras freiburg1, 2 and 3.
"""

from __future__ import annotations

import re
from pathlib import Path

from ace_ros.errors import FrameError, InputError
from ace_ros.recordings.calibrations import calibration_of_file, calibration_of_text
from ace_ros.recordings.image_search import NamedImages
from ace_ros.recordings.intrinsics import CameraFor
from ace_ros.recordings.left_out import LeftOut
from ace_ros.recordings.listing import Entry, frames_of
from ace_ros.recordings.options import SplitOptions
from ace_ros.recordings.posed_frame import Recording
from ace_ros.recordings.splits import Split, choose
from ace_ros.recordings.trajectory import MAX_GAP
from ace_ros.recordings.trajectory_files import parse_stamp, read_trajectory, rows

NAME = "tum"
FILES = "rgb.txt and groundtruth.txt (TUM RGB-D)"
_TRUTHS = ("groundtruth.txt", "groundtruth.csv", "gt.txt")
_CALIBRATIONS = ("calibration.txt", "camera.txt", "calibration.yaml", "camera.yaml", "sensor.yaml")
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
    left_out = LeftOut(options.strict)
    images = []
    for where, words in rows(path / "rgb.txt"):
        left_out.listed["frame"] += 1
        with left_out.trying(where):
            if len(words) < 2:
                kind = "expected timestamp filename"
                raise FrameError(where, kind, f"{kind}, got '{' '.join(words)}'")
            images.append((parse_stamp(words[0], where), " ".join(words[1:]), where))
    if not images:
        raise InputError(f"{path / 'rgb.txt'}: it lists no images {left_out.reasons()}".rstrip())
    images.sort(key=lambda image: image[0])
    notes = []
    truth = next((file for name in _TRUTHS if (file := path / name).is_file()), path / _TRUTHS[0])
    if truth.is_file():
        stamps = [stamp for stamp, *_ in images]
        trajectory = read_trajectory(truth, left_out)
        poses = trajectory.at(stamps, MAX_GAP)
        if len(stamps) > 1 and all(pose is None for pose in poses):
            raise InputError(f"{truth}: {trajectory.apart(stamps)} {left_out.reasons()}".rstrip())
    else:
        poses = [None] * len(images)
        notes.append(f"there is no {truth}: the frames have no true poses")
    found_images = NamedImages(path, (name for _, name, _ in images))
    notes += found_images.notes
    entries = []
    for (stamp, name, where), pose in zip(images, poses, strict=True):
        with left_out.trying(name):
            if pose is None and truth.is_file():
                kind = f"no pose in {truth.name} around them (within {MAX_GAP:g} s)"
                raise FrameError(name, kind)
            entries.append(Entry(name, found_images.path(name), camera, pose, where, stamp))
    found, more = frames_of(entries, left_out, str(path))
    frames, split_notes = choose(found, split, options, path)
    notes += [*more, *split_notes]
    name = path.resolve().name
    return Recording(name, frames, metric=True, map_frame="world", notes=notes, left_out=left_out)


def _camera(path: Path, options: SplitOptions) -> CameraFor:
    text, source = options.intrinsics, "--intrinsics"
    if not text:
        for file in (path / name for name in _CALIBRATIONS):
            if file.is_file():
                return calibration_of_file(file).for_images(str(file))
    if not text and (published := re.search(r"(?:freiburg|fr)([123])(?![0-9])", path.resolve().name)):
        text, source = _PUBLISHED[published[1]], f"freiburg{published[1]}"
    if not text:
        raise InputError(
            f"{path}: nothing tells the intrinsics: give --intrinsics fx,fy,cx,cy[,k1,k2,p1,p2[,k3]], or write them "
            "into calibration.txt (TUM's own are known by the folder's name: freiburg1, freiburg2, freiburg3)"
        )
    return calibration_of_text(text, source).for_images(source)

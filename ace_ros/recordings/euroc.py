"""EuRoC / ASL layout: ``mav0/cam0`` with ``data.csv`` and ``sensor.yaml``, and a ground truth of the body beside it.

Metres. The camera sits on the body as ``T_BS`` of its sensor.yaml says; a ground truth's own ``T_BS`` is taken off.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ace_ros.errors import FrameError, InputError
from ace_ros.geometry import Matrix, invert
from ace_ros.recordings.calibrations import calibration_of_file, calibration_of_text
from ace_ros.recordings.image_files import found_image, photographs
from ace_ros.recordings.left_out import LeftOut
from ace_ros.recordings.listing import Entry, frames_of, numbers, read_text
from ace_ros.recordings.options import SplitOptions
from ace_ros.recordings.posed_frame import Recording
from ace_ros.recordings.splits import Split, choose
from ace_ros.recordings.trajectory import MAX_GAP
from ace_ros.recordings.trajectory_files import parse_stamp, read_trajectory, rows

NAME = "euroc"
FILES = "mav0/cam0/ (EuRoC, ASL)"
_TRUTHS = ("state_groundtruth_estimate0", "mocap0", "vicon0", "gt", "groundtruth0")
_CAMERA = "cam0"


def matches(path: Path) -> bool:
    return _root(path) is not None


def read(path: Path, split: Split, options: SplitOptions) -> Recording:
    root = _root(path)
    assert root is not None
    camera = root / _CAMERA
    left_out = LeftOut(options.strict)
    notes = []
    if others := sorted(folder.name for folder in root.glob("cam[1-9]*") if folder.is_dir()):
        notes.append(f"{_CAMERA} is read, not {', '.join(others)}")
    sensor = camera / "sensor.yaml"
    mount = np.eye(4)
    if sensor.is_file():
        calibration = calibration_of_file(sensor)
        mount = mount if calibration.body_from_camera is None else calibration.body_from_camera
    elif not options.intrinsics:
        raise InputError(f"{sensor}: is missing, and nothing else tells the intrinsics: give --intrinsics fx,fy,cx,cy")
    if options.intrinsics:
        calibration = calibration_of_text(options.intrinsics, "--intrinsics")
    images = _images(camera, left_out)
    truth = next((root / name / "data.csv" for name in _TRUTHS if (root / name / "data.csv").is_file()), None)
    stamps = [stamp for stamp, _ in images]
    poses: list[Matrix | None] = [None] * len(images)
    if truth is None:
        notes.append(f"there is no ground truth with rotations ({', '.join(_TRUTHS)}): the frames have no true poses")
    else:
        notes.append(f"poses of the body: {truth.parent.name}")
        camera_on_truth = invert(_mount(truth.parent / "sensor.yaml")) @ mount
        found = read_trajectory(truth, left_out).at(stamps, MAX_GAP)
        poses = [None if pose is None else pose @ camera_on_truth for pose in found]
    entries = []
    for (stamp, file), pose in zip(images, poses, strict=True):
        with left_out.trying(file.name):
            if pose is None and truth is not None:
                raise FrameError(file.name, f"no pose around it (within {MAX_GAP:g} s)")
            entries.append(Entry(file.name, file, calibration.camera, pose, str(truth), stamp))
    frames, more = frames_of(entries, left_out, str(camera))
    frames, split_notes = choose(frames, split, options, path)
    name = root.resolve().parent.name if root.name == "mav0" else root.resolve().name
    notes += [*more, *split_notes]
    return Recording(name, frames, metric=True, map_frame="world", notes=notes, left_out=left_out)


def _root(path: Path) -> Path | None:
    return next((root for root in (path / "mav0", path) if (root / _CAMERA / "data").is_dir()), None)


def _images(camera: Path, left_out: LeftOut) -> list[tuple[int, Path]]:
    """Stamps and files, as data.csv lists them, or as they are called."""
    found = []
    listing = camera / "data.csv"
    if listing.is_file():
        for where, words in rows(listing):
            left_out.listed["frame"] += 1
            with left_out.trying(where):
                if len(words) < 2:
                    raise FrameError(where, "expected timestamp [ns],filename")
                found.append((parse_stamp(words[0], where), found_image(camera / "data", words[1])))
    else:
        for file in photographs(camera / "data"):
            left_out.listed["frame"] += 1
            with left_out.trying(file.name):
                found.append((parse_stamp(file.stem, file.name), file))
    if not found:
        raise InputError(f"{camera}: it has no images {left_out.reasons()}".rstrip())
    return sorted(found)


def _mount(sensor: Path) -> Matrix:
    """T_BS of a ground truth's sensor.yaml; the body itself where there is none."""
    if not sensor.is_file():
        return np.eye(4)
    text = read_text(sensor)
    start = text.find("data:", text.find("T_BS"))
    if "T_BS" not in text or start < 0:
        return np.eye(4)
    inside = text[text.index("[", start) + 1 : text.index("]", start)]
    return numbers(inside.replace(",", " ").split(), str(sensor), "T_BS, a 4x4 matrix,", 16).reshape(4, 4)

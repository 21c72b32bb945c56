"""ScanNet as its reader exports it: ``color/0.jpg``, ``pose/0.txt``, ``intrinsic/intrinsic_color.txt``.

A pose file holds camera-to-world, 4x4, metres, OpenCV axes; minus infinity throughout where the camera was lost (Dai et
al., *ScanNet*, 2017).
"""

from __future__ import annotations

from pathlib import Path

from ace_ros.errors import FrameError, InputError
from ace_ros.recordings.ace import partners, pose_of_file
from ace_ros.recordings.calibrations import calibration_of_file, given_camera
from ace_ros.recordings.image_files import photographs
from ace_ros.recordings.intrinsics import CameraFor
from ace_ros.recordings.left_out import LeftOut
from ace_ros.recordings.listing import Entry, frames_of, natural
from ace_ros.recordings.options import SplitOptions
from ace_ros.recordings.posed_frame import Recording
from ace_ros.recordings.splits import Split, choose

NAME = "scannet"
FILES = "color/ pose/ intrinsic/ (ScanNet)"
_INTRINSICS = "intrinsic_color.txt", "intrinsic_rgb.txt", "intrinsics_color.txt"


def matches(path: Path) -> bool:
    return all((path / folder).is_dir() for folder in ("color", "pose", "intrinsic"))


def read(path: Path, split: Split, options: SplitOptions) -> Recording:
    images = photographs(path / "color")
    if not images:
        raise InputError(f"{path / 'color'}: there are no images")
    camera = _camera(path / "intrinsic", options)
    files = sorted((path / "pose").glob("*.txt"), key=lambda file: natural(file.name))
    poses = partners(images, files)
    left_out = LeftOut(options.strict)
    left_out.listed["frame"] += len(images)
    entries = []
    for image in images:
        with left_out.trying(image.name):
            if image not in poses:
                raise FrameError(image.name, "there is no pose file for it")
            file = poses[image]
            entries.append(Entry(image.name, image, camera, pose_of_file(file), str(file)))
    found, notes = frames_of(entries, left_out, str(path))
    frames, more = choose(found, split, options, path)
    return Recording(path.resolve().name, frames, metric=True, notes=[*notes, *more], left_out=left_out)


def _camera(folder: Path, options: SplitOptions) -> CameraFor:
    if given := given_camera(options):
        return given
    for name in _INTRINSICS:
        if (folder / name).is_file():
            return calibration_of_file(folder / name).for_images(str(folder / name))
    raise InputError(f"{folder}: there is no {_INTRINSICS[0]}, the camera of the images: give --intrinsics fx,fy,cx,cy")

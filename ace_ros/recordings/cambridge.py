"""Cambridge Landmarks: ``dataset_train.txt`` and ``dataset_test.txt``, a line an image with its pose.

``seq1/frame00001.png X Y Z W P Q R``: the camera's centre in the world and the quaternion of camera from world, its
real part first; metres, OpenCV axes (Kendall et al., *PoseNet*, 2015). The focal length of each image, in pixels, is in
``reconstruction.nvm`` of VisualSFM. As those who benchmark have it, its distortion is not used, and the middle is the
principal point.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from ace_ros.camera import Camera
from ace_ros.errors import FrameError, InputError
from ace_ros.geometry import Matrix, pose_from_quaternion
from ace_ros.recordings.calibrations import given_camera
from ace_ros.recordings.image_search import NamedImages
from ace_ros.recordings.intrinsics import CameraFor
from ace_ros.recordings.left_out import LeftOut
from ace_ros.recordings.listing import Entry, frames_of, natural, numbers, read_text
from ace_ros.recordings.options import SplitOptions
from ace_ros.recordings.posed_frame import Recording
from ace_ros.recordings.splits import Split, choose, is_explicit

NAME = "cambridge"
FILES = "dataset_train.txt and dataset_test.txt (Cambridge Landmarks)"
_LISTS = {"dataset_train.txt": False, "dataset_test.txt": True}  # whether its images are queries
_MODEL = "reconstruction.nvm"
_POSE = "X Y Z W P Q R, numbers only,"


def matches(path: Path) -> bool:
    return any((path / name).is_file() and any(True for _ in _rows(path / name)) for name in _LISTS)


def read(path: Path, split: Split, options: SplitOptions) -> Recording:
    listed = [(*row, query) for name, query in _LISTS.items() if (path / name).is_file()
              for row in _rows(path / name)]  # fmt: skip
    cameras = _cameras(path, options)
    images = NamedImages(path, (name for name, _, _, _ in listed))
    left_out = LeftOut(options.strict)
    left_out.listed["frame"] += len(listed)
    entries = []
    for called, words, where, query in listed:
        with left_out.trying(called):
            image = images.path(called)
            name = images.name(image)
            with left_out.trying(name):
                entries.append(Entry(name, image, cameras(called), _pose(words, where), where, query=query))
    entries.sort(key=lambda entry: natural(entry.name))
    found, notes = frames_of(entries, left_out, str(path))
    both = all((path / name).is_file() for name in _LISTS)
    frames, more = choose(found, split, options, None if both and not is_explicit(options) else path)
    notes = [*images.notes, *notes, *more]
    return Recording(path.resolve().name, frames, metric=True, notes=notes, left_out=left_out)


def _rows(file: Path) -> Iterator[tuple[str, list[str], str]]:
    """Name, words of the pose and place of each line behind the head; nothing of a file that can't be read."""
    try:
        lines = read_text(file).splitlines()
    except InputError:
        return
    for number, line in enumerate(lines, 1):
        words = line.split()
        if len(words) >= 2 and "/" in words[0] and not line.startswith("ImageFile"):
            yield words[0], words[1:], f"{file}, line {number}"


def _pose(words: list[str], where: str) -> Matrix:
    values = numbers(words, where, _POSE, 7)
    camera_from_map = pose_from_quaternion(np.zeros(3), values[[4, 5, 6, 3]], where)
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = camera_from_map[:3, :3].T, values[:3]
    return pose


def _cameras(path: Path, options: SplitOptions) -> Callable[[str], CameraFor]:
    """The camera of each image by its name: the user's, or by the focal length of the model.

    Raises:
        InputError: nothing tells the intrinsics.
    """
    if given := given_camera(options):
        return lambda name: given
    file = path / _MODEL
    if not file.is_file():
        raise InputError(f"{path}: nothing tells the intrinsics: give --intrinsics fx,fy,cx,cy, or put {_MODEL} there")
    focals = _focals(file)

    def camera(name: str) -> CameraFor:
        if _stem(name) not in focals:
            raise FrameError(name, f"{_MODEL} has no camera for it")
        focal = focals[_stem(name)]
        return lambda width, height: Camera(width, height, focal, focal, width / 2 - 0.5, height / 2 - 0.5)

    return camera


def _focals(file: Path) -> dict[str, float]:
    """Focal lengths by the images' names without a suffix. Behind the number of the cameras stands a line for each:
    name, focal length, quaternion, centre, distortion, 0."""
    lines = [line.split() for line in read_text(file, "the model").splitlines()]
    counts = (index for index, words in enumerate(lines) if len(words) == 1 and words[0].isdigit())
    start = next(counts, len(lines))
    count = int(lines[start][0]) if start < len(lines) else 0
    cameras = [words for words in lines[start + 1 : start + 1 + count] if len(words) >= 9]
    if not cameras:
        raise InputError(f"{file}: it has no cameras that can be read: give --intrinsics fx,fy,cx,cy")
    return {
        _stem(name): float(numbers([focal], f"{file}: {name}", "a focal length", 1)[0]) for name, focal, *_ in cameras
    }


def _stem(name: str) -> str:
    return name.replace("\\", "/").rsplit(".", 1)[0]

"""7-Scenes as it is downloaded: ``seq-01/frame-000000.color.png`` with ``.pose.txt`` and depth beside; and 12-Scenes,
whose frames lie in ``data/``.

Metres. A scene's TrainSplit.txt and TestSplit.txt say which sequences are queries. 7-Scenes has no file for the
intrinsics; 12-Scenes has ``info.txt``, and others put one with K beside.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ace_ros.camera import Camera
from ace_ros.errors import FrameError, InputError
from ace_ros.recordings.ace import pose_of_file
from ace_ros.recordings.calibrations import calibration_of_file, given_camera
from ace_ros.recordings.image_files import is_image, photographs
from ace_ros.recordings.intrinsics import CameraFor
from ace_ros.recordings.left_out import LeftOut
from ace_ros.recordings.listing import Entry, frames_of, natural, read_text
from ace_ros.recordings.options import SplitOptions
from ace_ros.recordings.posed_frame import Recording
from ace_ros.recordings.splits import Split, choose, is_explicit

NAME = "7scenes"
FILES = "seq-*/frame-*.color.png and .pose.txt (7-Scenes), or data/ of 12-Scenes"
_FOCAL = 525.0  # pixels, of the Kinect's colour camera at 640x480, as those who benchmark on 7-Scenes take it
_CALIBRATIONS = "info.txt", "camera-intrinsics.txt", "intrinsics.txt", "K.txt"
_COLOUR = re.compile(r"[._]color$", re.I)


def matches(path: Path) -> bool:
    return bool(_sequences(path))


def read(path: Path, split: Split, options: SplitOptions) -> Recording:
    sequences = _sequences(path)
    queries = _listed(path / "TestSplit.txt")
    left_out = LeftOut(options.strict)
    notes = []
    camera: CameraFor = _usual
    if given := given_camera(options):
        camera = given
    elif stated := _calibration(path):
        camera = calibration_of_file(stated).for_images(str(stated))
        notes.append(f"intrinsics of {stated.name}")
    else:
        notes.append(
            "nothing states the intrinsics: a focal length of 525 pixels at a width of 640 is taken, as is usual; "
            "--intrinsics gives others"
        )
    entries = []
    for sequence in sequences:
        number = int(re.sub(r"\D", "", sequence.name) or 0)
        for image in photographs(sequence):
            name = image.name if sequence == path else f"{sequence.name}/{image.name}"
            if not _COLOUR.search(image.stem):
                continue
            left_out.listed["frame"] += 1
            with left_out.trying(name):
                file = image.with_name(_COLOUR.sub("", image.stem) + ".pose.txt")
                if not file.is_file():
                    raise FrameError(name, "there is no pose file for it")
                query = number in queries if queries else None
                entries.append(Entry(name, image, camera, pose_of_file(file), str(file), query=query))
    entries.sort(key=lambda entry: natural(entry.name))
    found, more = frames_of(entries, left_out, str(path))
    frames, split_notes = choose(found, split, options, None if queries and not is_explicit(options) else path)
    notes += [*more, *split_notes]
    return Recording(path.resolve().name, frames, metric=True, notes=notes, left_out=left_out)


def _sequences(path: Path) -> list[Path]:
    """The folder itself, or its sequences."""
    if not path.is_dir():
        return []
    folders = [path, path / "data", *sorted(folder for folder in path.glob("seq*") if folder.is_dir())]
    return [folder for folder in folders if any(folder.glob("*.pose.txt")) and any(_pictures(folder))]


def _pictures(folder: Path) -> Iterator[Path]:
    return (file for file in folder.glob("*color*") if is_image(file) and _COLOUR.search(file.stem))


def _calibration(path: Path) -> Path | None:
    """The file that states the intrinsics, in the folder or, of ``data/``, beside it."""
    folders = (path, path.resolve().parent) if path.resolve().name == "data" else (path,)
    return next((file for folder in folders for name in _CALIBRATIONS if (file := folder / name).is_file()), None)


def _usual(width: int, height: int) -> Camera:
    focal = _FOCAL * width / 640
    return Camera(width, height, focal, focal, width / 2, height / 2)


def _listed(file: Path) -> set[int]:
    """Numbers of the sequences that a split's file names, ``sequence1`` for one."""
    try:
        return {int(number) for number in re.findall(r"\d+", read_text(file))}
    except InputError:
        return set()

"""ACE / DSAC* layout: ``rgb/``, ``poses/``, ``calibration/``, in the folder itself or in its ``train/`` and ``test/``.

A pose file holds camera-to-world, 4x4, metres, OpenCV axes; a calibration file one focal length or K.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from ace_ros.camera import Camera
from ace_ros.errors import FrameError, InputError
from ace_ros.geometry import Matrix
from ace_ros.recordings.image_files import SUFFIXES, photographs
from ace_ros.recordings.intrinsics import CameraFor
from ace_ros.recordings.left_out import LeftOut
from ace_ros.recordings.listing import Entry, frames_of, natural, numbers, read_text
from ace_ros.recordings.options import SplitOptions
from ace_ros.recordings.posed_frame import PosedFrame, Recording
from ace_ros.recordings.splits import Split, choose, is_explicit

NAME = "ace"
FILES = "rgb/ poses/ calibration/, or train/ and test/ with these (ACE)"
# What image, pose and calibration share of their names: a.png and a.txt; 12.5.color.png and 12.5.pose.txt; the rest.
_KEYS: tuple[Callable[[str], str], ...] = (
    lambda name: name.rsplit(".", 1)[0],
    lambda name: name.rsplit(".", 2)[0],
    lambda name: name.split(".")[0],
)


def matches(path: Path) -> bool:
    return ((path / "rgb").is_dir() and (path / "poses").is_dir()) or _has_splits(path)


def read(path: Path, split: Split, options: SplitOptions) -> Recording:
    """Frames of the split; a split's folder given directly is read whole, unless the options say what queries are."""
    left_out = LeftOut(options.strict)
    if not _has_splits(path):
        frames, notes = _folder(path, left_out, query={"train": False, "test": True}.get(path.resolve().name))
        if not is_explicit(options):
            return Recording(path.resolve().name, frames, metric=True, notes=notes, left_out=left_out)
        folders: list[str] = []
    elif is_explicit(options) or split == "all":
        folders = [name for name in ("train", "test") if (path / name / "rgb").is_dir()]
    else:
        folders = [split]
        if not (path / split / "rgb").is_dir():
            raise InputError(f"{path / split}: there is no {split}/rgb in this scene")
    if folders:
        frames, notes = [], []
        for name in folders:
            first = len(photographs(path / "train" / "rgb")) if name == "test" else 0
            found, more = _folder(path / name, left_out, name + "/", first, query=name == "test")
            frames, notes = frames + found, notes + more
    if is_explicit(options):
        frames, more = choose(frames, split, options, None)
        notes = notes + more
    return Recording(path.resolve().name, frames, metric=True, notes=notes, left_out=left_out)


def _has_splits(path: Path) -> bool:
    return (path / "train" / "rgb").is_dir() or (path / "test" / "rgb").is_dir()


def _folder(
    path: Path, left_out: LeftOut, prefix: str = "", first_index: int = 0, query: bool | None = None
) -> tuple[list[PosedFrame], list[str]]:
    images = photographs(path / "rgb")
    if not images:
        raise InputError(f"{path / 'rgb'}: there are no images ({', '.join(SUFFIXES)})")
    poses = partners(images, _texts(path / "poses"))
    calibrations = partners(images, _texts(path / "calibration"), shared=True)
    if not calibrations:
        raise InputError(f"{path / 'calibration'}: there is no calibration: a focal length or K for each image")
    entries = []
    cameras: dict[str, CameraFor] = {}
    alone = [file for file in _texts(path / "poses") if file not in set(poses.values())] if poses else []
    left_out.listed["frame"] += len(images) + len(alone)
    for file in alone:
        left_out.add(FrameError(str(file), "there is no image for its pose"), file.name)
    for image in images:
        name = prefix + image.name
        with left_out.trying(name):
            for found, what in ((poses, "pose"), (calibrations, "calibration")):
                if image not in found:
                    raise FrameError(name, f"there is no {what} file for it")
            text = read_text(calibrations[image], "the calibration")
            if text not in cameras:
                cameras[text] = focal_or_matrix(text, calibrations[image])
            file = poses[image]
            entries.append(Entry(name, image, cameras[text], pose_of_file(file), str(file), query=query))
    return frames_of(entries, left_out, str(path), first_index)


def _texts(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    found = [file for file in folder.iterdir() if file.suffix.lower() == ".txt" and not file.name.startswith(".")]
    return sorted(found, key=lambda file: natural(file.name))


def partners(images: list[Path], files: Iterable[Path], shared: bool = False) -> dict[Path, Path]:
    """File of each image: by its name without suffixes, else by order when there are as many."""
    files = list(files)
    if shared and len(files) == 1:
        return dict.fromkeys(images, files[0])
    for key in _KEYS:
        by_key = {key(file.name): file for file in files}
        found = {image: by_key[key(image.name)] for image in images if key(image.name) in by_key}
        if found and len(by_key) == len(files):  # else several files have this key: times with a fraction, say
            return found
    return dict(zip(images, files, strict=True)) if len(files) == len(images) else {}


def pose_of_file(path: Path) -> Matrix:
    """A file with a 4x4 matrix, camera to world, unchecked."""
    expected = "a 4x4 matrix (camera to world)"
    return numbers(read_text(path, "the pose").split(), str(path), expected, 16).reshape(4, 4)


def focal_or_matrix(text: str, path: Path) -> CameraFor:
    """Camera of one focal length, with the principal point in the middle, or of K.

    Raises:
        FrameError: neither.
    """
    expected = "a focal length or a 3x3 K"
    values = numbers(text.split(), str(path), expected)
    if values.size not in (1, 9):
        raise FrameError(
            str(path), f"{expected} is expected", f"{expected} is expected, it holds {values.size} numbers"
        )
    try:
        if values.size == 1:
            focal = float(values[0])
            Camera(1, 1, focal, focal, 0.0, 0.0)
            return lambda width, height: Camera(width, height, focal, focal, width / 2, height / 2)
        fx, _, cx, _, fy, cy = (float(value) for value in values[:6])
        Camera(1, 1, fx, fy, cx, cy)
    except InputError as error:
        raise FrameError(str(path), "the calibration is none", str(error)) from None
    return lambda width, height: Camera(width, height, fx, fy, cx, cy)

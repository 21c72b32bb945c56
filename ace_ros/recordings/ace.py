"""ACE / DSAC* layout: ``rgb/``, ``poses/``, ``calibration/``, in the folder itself or in its ``train/`` and ``test/``.

A pose file holds camera-to-world, 4x4, metres, OpenCV axes; a calibration file one focal length or K.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ace_ros.camera import Camera
from ace_ros.errors import InputError
from ace_ros.geometry import Matrix
from ace_ros.recordings.images import SUFFIXES
from ace_ros.recordings.intrinsics import CameraFor
from ace_ros.recordings.listing import Entry, Skips, frames_of, natural, read_text
from ace_ros.recordings.options import SplitOptions
from ace_ros.recordings.posed_frame import PosedFrame, Recording
from ace_ros.recordings.splits import Split, choose, is_explicit

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
    skips = Skips()
    if not _has_splits(path):
        frames = _folder(path, skips, query={"train": False, "test": True}.get(path.resolve().name))
        if not is_explicit(options):
            return Recording(path.resolve().name, frames, metric=True, notes=skips.notes())
        folders: list[str] = []
    elif is_explicit(options) or split == "all":
        folders = [name for name in ("train", "test") if (path / name / "rgb").is_dir()]
    else:
        folders = [split]
        if not (path / split / "rgb").is_dir():
            raise InputError(f"{path / split}: there is no {split}/rgb in this scene")
    notes: list[str] = []
    if folders:
        frames = []
        for name in folders:
            first = _count(path / "train") if name == "test" else 0
            frames += _folder(path / name, skips, name + "/", first, query=name == "test")
    if is_explicit(options):
        frames, notes = choose(frames, split, options, None)
    return Recording(path.resolve().name, frames, metric=True, notes=skips.notes() + notes)


def _has_splits(path: Path) -> bool:
    return (path / "train" / "rgb").is_dir() or (path / "test" / "rgb").is_dir()


def _count(path: Path) -> int:
    return len(_files(path / "rgb", SUFFIXES))


def _folder(
    path: Path, skips: Skips, prefix: str = "", first_index: int = 0, query: bool | None = None
) -> list[PosedFrame]:
    images = _files(path / "rgb", SUFFIXES)
    if not images:
        raise InputError(f"{path / 'rgb'}: there are no images")
    poses = _partners(images, _files(path / "poses", (".txt",)))
    calibrations = _partners(images, _files(path / "calibration", (".txt",)), shared=True)
    if not calibrations:
        raise InputError(f"{path / 'calibration'}: there is no calibration: a focal length or K for each image")
    entries = []
    cameras: dict[str, CameraFor] = {}
    for image in images:
        name = prefix + image.name
        if image not in poses:
            skips.add("without a pose file", name)
        elif image not in calibrations:
            skips.add("without a calibration file", name)
        else:
            file = calibrations[image]
            text = read_text(file)
            if text not in cameras:
                cameras[text] = _camera(text, file)
            where = str(poses[image])
            entries.append(Entry(name, image, cameras[text], _pose(poses[image]), where, query=query))
    return frames_of(entries, skips, str(path), first_index)


def _files(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    if not folder.is_dir():
        return []
    found = [file for file in folder.iterdir() if file.suffix.lower() in suffixes and not file.name.startswith(".")]
    return sorted(found, key=lambda file: natural(file.name))


def _partners(images: list[Path], files: list[Path], shared: bool = False) -> dict[Path, Path]:
    """File of each image: by its name without suffixes, else by order when there are as many."""
    if shared and len(files) == 1:
        return dict.fromkeys(images, files[0])
    for key in _KEYS:
        by_key = {key(file.name): file for file in files}
        found = {image: by_key[key(image.name)] for image in images if key(image.name) in by_key}
        if found and len(by_key) == len(files):  # else several files have this key: times with a fraction, say
            return found
    return dict(zip(images, files, strict=True)) if len(files) == len(images) else {}


def _numbers(text: str, path: Path, expected: str) -> Matrix:
    try:
        return np.array([float(word) for word in text.split()], dtype=np.float64)
    except ValueError:
        raise InputError(f"{path}: {expected} is expected, it holds '{text[:40].strip()}'") from None


def _pose(path: Path) -> Matrix:
    numbers = _numbers(read_text(path), path, "a 4x4 matrix (camera to world)")
    if numbers.size != 16:
        raise InputError(f"{path}: a 4x4 matrix (camera to world) is expected, it holds {numbers.size} numbers")
    return numbers.reshape(4, 4)


def _camera(text: str, path: Path) -> CameraFor:
    numbers = _numbers(text, path, "a focal length or a 3x3 K")
    try:
        if numbers.size == 1:
            focal = float(numbers[0])
            Camera(1, 1, focal, focal, 0.0, 0.0)
            return lambda width, height: Camera(width, height, focal, focal, width / 2, height / 2)
        if numbers.size == 9:
            fx, _, cx, _, fy, cy = (float(value) for value in numbers[:6])
            Camera(1, 1, fx, fy, cx, cy)
            return lambda width, height: Camera(width, height, fx, fy, cx, cy)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    raise InputError(f"{path}: a focal length or a 3x3 K is expected, it holds {numbers.size} numbers")

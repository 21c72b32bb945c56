"""What the readers of image folders share: from a list of images, cameras and poses to frames."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from ace_ros.camera import Camera
from ace_ros.errors import InputError
from ace_ros.geometry import Matrix, check_pose
from ace_ros.recordings.images import image_size, read_encoded, read_image
from ace_ros.recordings.intrinsics import CameraFor, fitted
from ace_ros.recordings.posed_frame import PosedFrame

_MADE_UP_START = 10**18  # ns; never zero, which means "the latest" to TF
_EXAMPLES = 3  # names in a note; set by hand


@dataclass
class Skips:
    """Counts what was left out, by reason; a sentence each in the end."""

    names: dict[str, list[str]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    def add(self, reason: str, name: str) -> None:
        self.names.setdefault(reason, []).append(name)

    def notes(self) -> list[str]:
        """For example ``17 images skipped, missing: a.jpg, b.jpg, c.jpg, ...``."""
        return [*self.remarks] + [
            f"{len(names)} image{'s' * (len(names) > 1)} skipped, {reason}: "
            f"{', '.join(names[:_EXAMPLES])}{', ...' * (len(names) > _EXAMPLES)}"
            for reason, names in self.names.items()
        ]


@dataclass(frozen=True)
class Entry:
    """A frame as a layout lists it.

    Attributes:
        camera: gives the camera from the size of the image, for layouts that don't state one.
        map_from_camera: (4, 4) unchecked.
        stamp: ns; None where the layout has no times.
        query: as of the frame.
    """

    name: str
    path: Path
    camera: Camera | CameraFor
    map_from_camera: ArrayLike | None
    where: str
    stamp: int | None = None
    query: bool | None = None


def read_text(path: Path, what: str = "the file") -> str:
    """A text file; ``what`` it is for the message.

    Raises:
        InputError: it can't be read.
    """
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {what} can't be read ({error})") from None


def natural(name: str) -> list[tuple[int, int, str]]:
    """Key to sort names such that ``a10`` comes after ``a9``."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"([0-9]+)", name) if part]


def made_up_stamp(index: int) -> int:
    """Time of a frame at 30 Hz, ns."""
    return _MADE_UP_START + index * 10**9 // 30


def frames_of(entries: Sequence[Entry], skips: Skips, where: str, first_index: int = 0) -> list[PosedFrame]:
    """Frames of the entries that can be used, in their order; the others are counted in ``skips``.

    A camera for another size of the same shape is resized with a note. An image that is there but can't be read stays:
    reading it says why.

    Raises:
        InputError: a pose is not rigid; no entry is left; no image is of its camera's size.
    """
    there = []
    for entry in entries:
        pose = _finite(entry.map_from_camera)
        if not entry.path.is_file():
            skips.add("missing", entry.name)
        elif entry.map_from_camera is not None and pose is None:
            skips.add("their poses hold NaN or infinity", entry.name)
        else:
            there.append((entry, None if pose is None else check_pose(pose, entry.where)))
    if not there:
        reasons = "; ".join(skips.notes()) or "it lists none"
        raise InputError(f"{where}: no frame can be used ({reasons})")
    sizes = [image_size(entry.path) for entry, _ in there]
    known = next((size for size in sizes if size is not None), None)
    if known is None:
        raise InputError(f"{where}: not one of {len(there)} images can be read; the first is {there[0][0].path}")
    frames = []
    resized: list[str] = []
    mismatched: list[str] = []
    for index, ((entry, checked), size) in enumerate(zip(there, sizes, strict=True)):
        stated = entry.camera if isinstance(entry.camera, Camera) else entry.camera(*(size or known))
        camera = fitted(stated, size or (stated.width, stated.height))
        if camera is None:
            mismatched.append(f"{entry.path} is {size}, its camera {(stated.width, stated.height)}")
        elif camera is not stated:
            resized.append(f"from {stated.width} x {stated.height} to {camera.width} x {camera.height}")
        camera = camera or stated
        stamp = made_up_stamp(first_index + index) if entry.stamp is None else entry.stamp
        load, stored = partial(read_image, entry.path), partial(read_encoded, entry.path)
        frames.append(PosedFrame(entry.name, stamp, camera, checked, load, entry.query, stored))
    if len(mismatched) == len(frames):
        raise InputError(
            f"{where}: the images don't have the size of their cameras ({mismatched[0]}): "
            "take the calibration that belongs to these images"
        )
    skips.remarks += [f"the camera was scaled to the images, {text}" for text in dict.fromkeys(resized)]
    return frames


def _finite(pose: ArrayLike | None) -> Matrix | None:
    if pose is None:
        return None
    matrix = np.asarray(pose, dtype=np.float64)
    return matrix if np.isfinite(matrix).all() else None

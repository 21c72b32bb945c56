"""What the readers of image folders share: from a list of images, cameras and poses to frames."""

from __future__ import annotations

import codecs
import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ace_ros.camera import Camera
from ace_ros.errors import FrameError, InputError
from ace_ros.geometry import Matrix, check_pose
from ace_ros.recordings.images import image_size, orientation, read_encoded, read_image, read_turned
from ace_ros.recordings.intrinsics import CameraFor, fitted
from ace_ros.recordings.left_out import LeftOut
from ace_ros.recordings.posed_frame import PosedFrame

_MADE_UP_START = 10**18  # ns; never zero, which means "the latest" to TF
_TOLD = 3  # sizes that are told one by one
_ODD = 0.1  # of the images: sizes of fewer are not what the calibration is for; set by hand
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True)
class Entry:
    """A frame as a layout lists it.

    Attributes:
        camera: or what gives it from the size of the image, for layouts that don't state one.
        map_from_camera: (4, 4) unchecked; None where there is none.
        where: the place of the pose, for messages.
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
    """A text file, UTF-8 or UTF-16 with a byte-order mark; ``what`` it is for the message.

    Raises:
        FrameError: it can't be read.
    """
    try:
        content = path.read_bytes()
        return content.decode("utf-16" if content.startswith(_UTF16) else "utf-8-sig")
    except FileNotFoundError:
        raise FrameError(str(path), f"{what} is missing", f"{what} can't be read (it is not there)") from None
    except (OSError, UnicodeDecodeError) as error:
        raise FrameError(str(path), f"{what} can't be read", f"{what} can't be read ({error})") from None


def read_json(path: Path, what: str = "the file") -> Any:
    """What a JSON file holds.

    Raises:
        FrameError: it can't be read, or is no JSON.
    """
    try:
        return json.loads(read_text(path, what))
    except json.JSONDecodeError as error:
        kind = f"{what} is not JSON, or truncated"
        raise FrameError(str(path), kind, f"{kind} (line {error.lineno}, column {error.colno}: {error.msg})") from None


def numbers(words: Sequence[str], where: str, expected: str, count: int | None = None) -> Matrix:
    """The words as numbers, float64; what Windows prints for NaN and infinity (``-1.#IND``) is NaN.

    Raises:
        FrameError: a word that is no number, or another ``count`` of them than ``expected``.
    """
    try:
        found = [np.nan if "#" in word else float(word) for word in words]
    except ValueError:
        raise FrameError(
            where, f"{expected} is expected", f"{expected} is expected, it holds '{_start(words)}'"
        ) from None
    if count is not None and len(found) != count:
        text = f"{expected} is expected, it holds {len(found)} numbers"
        raise FrameError(where, f"{expected} is expected", text)
    return np.array(found, dtype=np.float64)


def _start(words: Sequence[str]) -> str:
    return " ".join(words)[:40].strip()


def natural(name: str) -> list[tuple[int, int, str]]:
    """Key to sort names such that ``a10`` comes after ``a9``."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"([0-9]+)", name) if part]


def made_up_stamp(index: int) -> int:
    """Time of a frame at 30 Hz, ns."""
    return _MADE_UP_START + index * 10**9 // 30


def frames_of(
    entries: Sequence[Entry], left_out: LeftOut, where: str, first_index: int = 0
) -> tuple[list[PosedFrame], list[str]]:
    """Frames of the entries that can be used, in their order, and notes; the others are in ``left_out``.

    A camera for another size of the same shape is resized with a note; images are turned as EXIF says where their
    camera is for the turned ones.

    Raises:
        InputError: no entry is left; no image is of its camera's size.
    """
    frames: list[PosedFrame] = []
    resized: dict[str, None] = {}
    swapped = turned = 0
    usual = _usual_sizes(entries)
    for entry in entries:
        with left_out.trying(entry.name):
            size = _size(entry.path)
            if usual and tuple(sorted(size)) not in usual:
                kind = "the image is of another size than nearly all others, and the camera states none"
                raise FrameError(str(entry.path), kind)
            pose = None if entry.map_from_camera is None else check_pose(entry.map_from_camera, entry.where)
            stated = entry.camera if isinstance(entry.camera, Camera) else entry.camera(*size)
            load = partial(read_image, entry.path)
            stored: Callable[[], bytes | None] = partial(read_encoded, entry.path)
            if fitted(stated, size) is None and fitted(stated, size[::-1]) is not None:
                if orientation(entry.path) < 5:
                    swapped += 1
                else:
                    turned, size, load, stored = turned + 1, size[::-1], partial(read_turned, entry.path), _nothing
            camera = fitted(stated, size)
            if camera is None:
                raise FrameError(
                    str(entry.path),
                    "the image is of another size than its camera",
                    f"the image is {size[0]} x {size[1]}, its camera {stated.width} x {stated.height}",
                )
            if camera is not stated:
                resized[f"from {stated.width} x {stated.height} to {camera.width} x {camera.height}"] = None
            stamp = made_up_stamp(first_index + len(frames)) if entry.stamp is None else entry.stamp
            frames.append(PosedFrame(entry.name, stamp, camera, pose, load, entry.query, stored))
    if not frames:
        raise InputError(_nothing_left(where, left_out, swapped))
    notes = [f"the camera was scaled to the images, {text}" for text in resized]
    if len(notes) > _TOLD:
        notes = [f"cameras were scaled to images of {len(notes)} sizes, {next(iter(resized))} for one"]
    if turned:
        notes.append(f"{turned} images are turned as their EXIF says: their camera is for the turned ones")
    return frames, notes


def _nothing() -> None:
    """What is stored is not what is read."""


def _usual_sizes(entries: Sequence[Entry]) -> set[tuple[int, ...]]:
    """Sizes, upright or lying, that many images have of those whose one camera states none; empty where it does."""
    if not entries or isinstance(entries[0].camera, Camera) or len({id(entry.camera) for entry in entries}) > 1:
        return set()
    sizes = Counter(tuple(sorted(size)) for entry in entries if (size := image_size(entry.path)))
    return {size for size, count in sizes.items() if count > _ODD * len(entries)}


def _size(path: Path) -> tuple[int, int]:
    """Width and height of an image, from its header where that tells."""
    if (size := image_size(path)) is None:
        height, width = read_image(path).shape[:2]  # says why, where it can't be read
        size = width, height
    return size


def _nothing_left(where: str, left_out: LeftOut, swapped: int) -> str:
    text = f"{where}: no frame can be used ({left_out.reasons() or 'it lists none'})"
    if swapped:
        return f"{text}: width and height of the camera are swapped, or the images were turned"
    return text

"""What every reader hands out: frames with a camera, a pose, and an image read on demand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from ace_ros.camera import Camera
from ace_ros.geometry import Matrix
from ace_ros.image import Image, Pixels
from ace_ros.recordings.left_out import LeftOut

Item = TypeVar("Item")


@dataclass(frozen=True)
class PosedFrame:
    """One image of a recording.

    Attributes:
        name: what messages call it (a file's name, or a topic and a stamp).
        stamp: time of exposure, nanoseconds; made up at 30 Hz where the layout has none.
        camera: intrinsics for the image as stored.
        map_from_camera: (4, 4) float64, OpenCV camera axes; None where the recording has no pose.
        load: gives the pixels as they are stored; raises FrameError with the reason when they can't be read.
        query: whether it is kept for queries, never to be mapped; None where nothing says so.
        stored: gives the encoded image as it was recorded; None where it was recorded raw.
    """

    name: str
    stamp: int
    camera: Camera
    map_from_camera: Matrix | None
    load: Callable[[], Pixels]
    query: bool | None = None
    stored: Callable[[], bytes | None] = lambda: None

    def image(self) -> Image:
        """Read the image.

        Raises:
            FrameError: it is missing, truncated, or of another size than its camera's.
        """
        return Image(self.load(), self.camera, self.name)

    def read(self) -> Pixels:
        """The pixels of :meth:`image`: uint8, (H, W) grey or (H, W, 3) RGB; raises the same."""
        return self.image().pixels


@dataclass(frozen=True)
class Recording:
    """A recording, or the part of it that was asked for.

    Attributes:
        name: for titles and messages.
        frames: in order of time.
        metric: whether a unit of the poses is a metre.
        map_frame: name of the frame that the poses are given in.
        notes: what was left out and why, and what else a user should know, a sentence each.
        left_out: the frames and poses that could not be used.
        layout: name of the layout. split: the part that was asked for.
    """

    name: str
    frames: list[PosedFrame]
    metric: bool
    map_frame: str = "map"
    notes: list[str] = field(default_factory=list)
    left_out: LeftOut = field(default_factory=LeftOut)
    layout: str = ""
    split: str = "all"

    @property
    def summary(self) -> str:
        """What was recognised, in one line."""
        posed = sum(frame.map_from_camera is not None for frame in self.frames)
        lost = len(self.left_out.names())
        whole = max(len(self.frames), self.left_out.listed["frame"] - lost)
        part = f"{len(self.frames):,}" if self.split == "all" else f"{self.split} {len(self.frames):,} of {whole:,}"
        reasons = "; ".join(kind for thing, kind in self.left_out.found if thing == "frame")
        out = f"{lost:,} left out ({reasons})" if lost else "none left out"
        kinds = list(dict.fromkeys(frame.camera for frame in self.frames))
        many = f" and {len(kinds) - 1} others" if len(kinds) > 1 else ""
        return f"{self.layout}: {part} frames, {posed:,} with poses, {out}; {_camera(kinds[0])}{many}"


def _camera(camera: Camera) -> str:
    focal = f"{camera.fx:.5g}" if camera.fx == camera.fy else f"{camera.fx:.5g}, {camera.fy:.5g}"
    coefficients = "" if camera.model == "pinhole" else "lens "
    lens = f", {len(camera.distortion)} {coefficients or 'distortion '}coefficients" if camera.distortion else ""
    return f"{camera.model} {camera.width} x {camera.height}, f = {focal}{lens}"


def evenly(items: Sequence[Item], most: int) -> list[Item]:
    """At most so many of them (frames, say), evenly spaced from the first to the last."""
    if len(items) <= most:
        return list(items)
    return [items[i] for i in np.linspace(0, len(items) - 1, most).round().astype(int)]


def stamp_text(stamp: int) -> str:
    """Seconds of a stamp in nanoseconds, all digits of them: a double can't hold nanoseconds since 1970."""
    return f"{stamp // 10**9}.{stamp % 10**9:09d}"

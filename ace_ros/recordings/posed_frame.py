"""What every reader hands out: frames with a camera, a pose, and an image read on demand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ace_ros.camera import Camera
from ace_ros.geometry import Matrix

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class PosedFrame:
    """One image of a recording.

    Attributes:
        name: what messages call it (a file's name, or a topic and a stamp).
        stamp: time of exposure, nanoseconds; made up at 30 Hz where the layout has none.
        camera: intrinsics for the image as stored.
        map_from_camera: (4, 4) float64, OpenCV camera axes; None where the recording has no pose.
        read: returns the image, uint8, (H, W) grey or (H, W, 3) RGB; raises InputError with the
            reason when it is missing, truncated, or of another size than the camera says.
        query: whether it is kept for queries, never to be mapped; None where nothing says so.
    """

    name: str
    stamp: int
    camera: Camera
    map_from_camera: Matrix | None
    read: Callable[[], Image]
    query: bool | None = None


@dataclass(frozen=True)
class Recording:
    """A recording, or the part of it that was asked for.

    Attributes:
        name: for titles and messages.
        frames: in order of time.
        metric: whether a unit of the poses is a metre.
        map_frame: name of the frame that the poses are given in.
        notes: what was skipped and why, a sentence each, to be shown to the user.
    """

    name: str
    frames: list[PosedFrame]
    metric: bool
    map_frame: str = "map"
    notes: list[str] = field(default_factory=list)

"""Distortion coefficients that no lens has: the image would fold over itself."""

from __future__ import annotations

from collections.abc import Sequence

from ace_ros.camera import Camera
from ace_ros.errors import FrameError
from ace_ros.recordings.left_out import LeftOut
from ace_ros.recordings.posed_frame import PosedFrame


def without_folds(frames: Sequence[PosedFrame], left_out: LeftOut) -> list[PosedFrame]:
    """The frames whose camera images at least the largest circle about its principal point; others are left out."""
    kept = []
    faults: dict[Camera, str] = {}
    for frame in frames:
        camera = frame.camera
        if camera not in faults:
            faults[camera] = fault_of(camera)
        if faults[camera]:
            left_out.add(FrameError(frame.name, faults[camera]), frame.name)
        else:
            kept.append(frame)
    return kept


def fault_of(camera: Camera) -> str:
    """What is wrong with the coefficients of a camera that folds its image; empty where nothing is."""
    radius = camera.fold
    return "" if radius is None else f"distortion that no lens has: the image folds {radius:.0f} px from its middle"

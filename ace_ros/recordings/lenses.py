"""Distortion coefficients that no lens has: the image would fold over itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ace_ros.camera import Camera
from ace_ros.errors import FrameError
from ace_ros.recordings.left_out import LeftOut
from ace_ros.recordings.posed_frame import PosedFrame

_WIDEST = 4.0  # tangent of the angle from the axis up to which is looked: 76 degrees, more than a pinhole image has
_STEPS = 800


def fold_radius(camera: Camera) -> float | None:
    """Pixels from the principal point beyond which nothing is imaged, as the image folds there; None where it doesn't.

    Of the radial part, r (1 + k1 r^2 + k2 r^4 + k3 r^6) / (1 + k4 r^2 + k5 r^4 + k6 r^6) (OpenCV's model).
    """
    if not any(camera.distortion):
        return None
    k1, k2, _, _, k3, k4, k5, k6 = (*camera.distortion[:8], *(0.0,) * (8 - len(camera.distortion[:8])))
    r = np.linspace(0.0, _WIDEST, _STEPS)
    s = r * r
    below = 1 + s * (k4 + s * (k5 + s * k6))
    with np.errstate(divide="ignore", invalid="ignore"):
        imaged = r * (1 + s * (k1 + s * (k2 + s * k3))) / below
    falling = np.flatnonzero((np.diff(imaged) <= 0) | (below[1:] <= 0))
    return float(imaged[falling[0]]) * camera.focal if len(falling) else None


def without_folds(frames: Sequence[PosedFrame], left_out: LeftOut) -> list[PosedFrame]:
    """The frames whose camera images at least the largest circle about its principal point; others are left out."""
    kept = []
    faults: dict[Camera, str] = {}
    for frame in frames:
        camera = frame.camera
        if camera not in faults:
            radius = fold_radius(camera)
            inside = radius is not None and radius < min(camera.width, camera.height) / 2
            faults[camera] = (
                f"distortion that no lens has: the image folds {radius:.0f} px from its middle" if inside else ""
            )
        if faults[camera]:
            left_out.add(FrameError(frame.name, faults[camera]), frame.name)
        else:
            kept.append(frame)
    return kept

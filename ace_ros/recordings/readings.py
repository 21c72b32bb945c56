"""Ways in which poses and intrinsics may have been meant, other than as they were read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from ace_ros.camera import Camera
from ace_ros.geometry import OPENGL_FROM_OPENCV, Matrix, invert

_FORWARD_FROM_OPTICAL = np.array([[0.0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]])  # REP 103

Turn = Callable[[Matrix], Matrix]


@dataclass(frozen=True)
class Reading:
    """One way to read a recording.

    Attributes:
        name: of the option that reads it so; empty for as it is given.
        words: how it is read then. look: how the poses look, where that takes other words.
        pose: from the pose as read, (4, 4) map from camera, to what it means.
        swapped: whether x and y of the intrinsics change places. focal: factor of the focal lengths.
    """

    name: str
    words: str
    pose: Turn = lambda pose: pose
    swapped: bool = False
    focal: float = 1.0
    look: str = ""


def _reordered(order: list[int]) -> Turn:
    def turn(pose: Matrix) -> Matrix:
        quaternion = np.asarray(Rotation.from_matrix(pose[:3, :3]).as_quat())
        turned = pose.copy()
        turned[:3, :3] = Rotation.from_quat(quaternion[order]).as_matrix()
        return np.asarray(turned)

    return turn


def scaled(factor: float) -> Reading:
    """The focal lengths times a factor."""
    return Reading("", f"with the focal length times {factor:.3g}", focal=factor)


def swapped(camera: Camera) -> Camera:
    """The camera with x and y of its intrinsics in each other's place."""
    return replace(camera, fx=camera.fy, fy=camera.fx, cx=camera.cy, cy=camera.cx)


AS_GIVEN = Reading("as-given", "as given")
_W_FIRST, _W_LAST = _reordered([1, 2, 3, 0]), _reordered([3, 0, 1, 2])

#: what poses may be, by the names of ``--poses``; how they look when they were read as camera-to-world, OpenCV, x y z w
POSES: dict[str, Reading] = {
    reading.name: reading
    for reading in (
        Reading("world-to-camera", "inverted", invert),
        Reading(
            "opengl",
            "with OpenGL's camera axes",
            lambda pose: pose @ OPENGL_FROM_OPENCV,
            look="to have OpenGL's camera axes",
        ),
        Reading(
            "robot-axes",
            "with a robot's axes (x forward)",
            lambda pose: pose @ _FORWARD_FROM_OPTICAL,
            look="to have a robot's axes (x forward)",
        ),
        Reading("quaternion-w-first", "with w first", _W_FIRST, look="to have the quaternion's w first"),
        Reading("quaternion-w-last", "with w last", _W_LAST, look="to have the quaternion's w last"),
        Reading(
            "world-to-camera-opengl",
            "inverted and with OpenGL's camera axes",
            lambda pose: invert(OPENGL_FROM_OPENCV @ pose),
        ),
        Reading(
            "world-to-camera-w-first",
            "inverted and with w first",
            lambda pose: invert(_W_FIRST(pose)),
            look="inverted, and to have the quaternion's w first",
        ),
    )
}
AS_NAMED = (AS_GIVEN.name, *POSES)
SWAPPED = Reading("", "with x and y of the intrinsics swapped", swapped=True)

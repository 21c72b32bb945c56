"""Layouts of recordings. Adding one is a file with NAME, FILES, ``matches`` and ``read``, and a line here."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from ace_ros.errors import InputError
from ace_ros.recordings import (
    ace,
    cambridge,
    colmap,
    euroc,
    gaussian_splatting,
    images_and_trajectory,
    kitti,
    llff,
    nerfstudio,
    polycam,
    record3d,
    rosbag,
    rtabmap,
    scannet,
    seven_scenes,
    tum,
    video,
)
from ace_ros.recordings.options import SplitOptions
from ace_ros.recordings.posed_frame import Recording
from ace_ros.recordings.splits import Split


class Layout(Protocol):
    """A module that reads a layout.

    Attributes:
        NAME: for ``--layout``. FILES: what it is known by, in words.
    """

    NAME: str
    FILES: str

    def matches(self, path: Path) -> bool:
        """Whether what lies there looks like one; never raises for what it finds."""

    def read(self, path: Path, split: Split, options: SplitOptions) -> Recording:
        """Its frames; raises InputError when it can't be used."""


#: of several that fit, the first is read
LAYOUTS: tuple[Layout, ...] = (
    rosbag,
    nerfstudio,
    llff,
    colmap,
    gaussian_splatting,
    tum,
    ace,
    euroc,
    kitti,
    seven_scenes,
    scannet,
    cambridge,
    polycam,
    record3d,
    rtabmap,
    video,
    images_and_trajectory,
)


def layout_of(path: Path, named: str = "", with_poses: bool = False) -> tuple[Layout, list[str]]:
    """The layout of a recording, and a note where it could be another one.

    Args:
        named: by the user. with_poses: the user gave a file of poses, for images or a video alone.

    Raises:
        InputError: none fits, or there is none of that name.
    """
    if named:
        for layout in LAYOUTS:
            if named == layout.NAME:
                return layout, []
        raise InputError(f"--layout: '{named}' is none; there are {', '.join(layout.NAME for layout in LAYOUTS)}")
    if with_poses:
        return (video if video.matches(path) else images_and_trajectory), []
    fitting = [layout for layout in LAYOUTS if _matches(layout, path)]
    if not fitting:
        known = "; ".join(layout.FILES for layout in LAYOUTS)
        raise InputError(f"{path}: not a recording of a known layout. Looked for: {known}")
    if len(fitting) == 1 or fitting[1] is images_and_trajectory:  # which fits much that others know better
        return fitting[0], []
    others = ", ".join(f"{layout.NAME} ({layout.FILES})" for layout in fitting[1:])
    return fitting[0], [f"read as {fitting[0].NAME}; it could be {others}, which --layout chooses"]


def _matches(layout: Layout, path: Path) -> bool:
    try:
        return layout.matches(path)
    except OSError:  # a folder that may not be looked into
        return False

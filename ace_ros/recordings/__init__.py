"""Recordings: posed frames from the layouts that are in use, one file each."""

from __future__ import annotations

from pathlib import Path

from ace_ros.errors import InputError
from ace_ros.recordings import ace, colmap, nerfstudio, rosbag, tum
from ace_ros.recordings.bag_writer import write_bag
from ace_ros.recordings.images import decode_image, read_image
from ace_ros.recordings.options import BagOptions, SplitOptions
from ace_ros.recordings.posed_frame import PosedFrame, Recording
from ace_ros.recordings.splits import Split

__all__ = [
    "BagOptions",
    "PosedFrame",
    "Recording",
    "Split",
    "SplitOptions",
    "decode_image",
    "open_recording",
    "read_image",
    "write_bag",
]

_LAYOUTS = (rosbag, nerfstudio, colmap, tum, ace)


def open_recording(path: Path | str, split: Split = "train", options: SplitOptions | None = None) -> Recording:
    """Open a recording; images are read when they are asked for.

    Parameters
    ----------
    path
        its folder or file; the layout is told by what is in there.
    split
        ``test``: queries only; ``train``: the others; ``all``.

    Raises:
        InputError: nothing is there, no known layout, or a layout's file that can't be used.
    """
    path = Path(path).expanduser()
    if split not in ("train", "test", "all"):
        raise InputError(f"split '{split}': train, test or all")
    if not path.exists():
        raise InputError(f"{path}: there is no such recording")
    try:
        if path.is_dir() and not any(path.iterdir()):
            raise InputError(f"{path}: the folder is empty")
        layout = next((layout for layout in _LAYOUTS if layout.matches(path)), None)
        if layout is None:
            known = "; ".join(layout.FILES for layout in _LAYOUTS)
            raise InputError(f"{path}: not a recording of a known layout. Looked for: {known}")
        scene: Recording = layout.read(path, split, options or SplitOptions())
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror or error})") from error
    if not scene.frames:
        raise InputError(
            f"{path}: no frames are left in its part '{split}': --test-every N or --test-list FILE choose other "
            "queries, --split all takes every frame"
        )
    return scene

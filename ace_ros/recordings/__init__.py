"""Recordings: posed frames from the layouts that are in use, one file each."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ace_ros.errors import InputError
from ace_ros.recordings.bag_writer import write_bag
from ace_ros.recordings.images import decode_image, read_image
from ace_ros.recordings.layouts import layout_of
from ace_ros.recordings.lenses import without_folds
from ace_ros.recordings.options import BagOptions, SplitOptions, poses_as, poses_file
from ace_ros.recordings.posed_frame import PosedFrame, Recording
from ace_ros.recordings.readings import POSES
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
    path, options = Path(path).expanduser(), options or SplitOptions()
    if split not in ("train", "test", "all"):
        raise InputError(f"split '{split}': train, test or all")
    if not path.exists():
        raise InputError(f"{path}: there is no such recording")
    try:
        if path.is_dir() and not any(path.iterdir()):
            raise InputError(f"{path}: the folder is empty")
        layout, notes = layout_of(path, options.layout, poses_file(options) is not None)
        scene = layout.read(path, split, options)
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror or error})") from error
    if not scene.frames:
        raise InputError(
            f"{path}: no frames are left in its part '{split}': --test-every N or --test-list FILE choose other "
            "queries, --split all takes every frame"
        )
    frames, read_so = _read_so(without_folds(scene.frames, scene.left_out), options)
    if not frames:
        raise InputError(f"{path}: no frame can be used ({scene.left_out.reasons()})")
    notes = [*notes, *read_so, *scene.left_out.lines(), *scene.notes]
    return replace(scene, frames=frames, layout=layout.NAME, split=split, notes=notes)


def _read_so(frames: list[PosedFrame], options: SplitOptions) -> tuple[list[PosedFrame], list[str]]:
    """The frames with poses and focal lengths as the user says that they are meant."""
    notes = []
    if (reading := POSES.get(poses_as(options))) is not None:
        notes.append(f"the poses are taken {reading.words}")
        frames = [
            frame if (pose := frame.map_from_camera) is None else replace(frame, map_from_camera=reading.pose(pose))
            for frame in frames
        ]
    if options.focal_scale is not None and options.focal_scale != 1.0:
        factor = options.focal_scale
        notes.append(f"focal lengths are taken {factor:g} times what they are given as")
        frames = [
            replace(frame, camera=replace(frame.camera, fx=frame.camera.fx * factor, fy=frame.camera.fy * factor))
            for frame in frames
        ]
    return frames, notes

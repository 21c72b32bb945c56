"""The frames of a recording into a mapper: which are worth it, and which it has already."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ace_ros.cli.console import note
from ace_ros.cli.progress import Stages
from ace_ros.errors import FrameError, InputError, MappingError
from ace_ros.geometry import Matrix, check_pose
from ace_ros.image import Pixels
from ace_ros.mapping.mapper import Mapper
from ace_ros.mapping.options import FEW_FRAMES
from ace_ros.mapping.views import View, spread_poses
from ace_ros.recordings import PosedFrame, Recording
from ace_ros.recordings.prefetch import prefetched

_MOST = 10_000  # frames: a building; ten minutes of encoding on two cores


def thinned(scene: Recording) -> Recording:
    """At most 10,000 of the frames with poses, spread over all of them."""
    posed = [frame for frame in scene.frames if frame.map_from_camera is not None]
    if len(posed) <= _MOST:
        return scene
    poses = np.stack([frame.map_from_camera for frame in posed if frame.map_from_camera is not None])
    note(f"{_MOST} of {len(posed)} frames are used, spread over all poses")
    return replace(scene, frames=[posed[i] for i in spread_poses(poses, _MOST)])


def add_frames(mapper: Mapper, scene: Recording, stamped: bool, stages: Stages) -> dict[str, int]:
    """Read and encode what the mapper has not yet; returns how many were ``skipped``, and left out as ``redundant``.

    Of more than 1,000 frames those from which the camera hardly moved are left out: a slow video of a room takes
    little longer than a short one, and a building keeps what it needs.

    Args:
        stamped: the frames' stamps are their own.

    Raises:
        MappingError: not one frame can be used; or the mapper has frames that are not these.
    """
    before = _taken(mapper.views, scene)
    dense = len(scene.frames) > FEW_FRAMES
    counts = {"skipped": 0, "redundant": 0}
    counts["redundant" if dense else "skipped"] = before - len(mapper)
    stages.begin("reading", len(scene.frames))
    if before:
        stages.update(before)

    def take(frame: PosedFrame, image: Pixels, pose: Matrix) -> None:
        if dense and mapper.hardly_moved(pose):
            counts["redundant"] += 1
        else:
            mapper.add(image, frame.camera, pose, frame.name, frame.stamp if stamped else None)

    take_each(scene, scene.frames[before:], take, counts, stages)
    if not len(mapper):
        raise MappingError(f"{scene.name}: not one of {len(scene.frames)} frames can be used")
    return counts


def take_each(
    scene: Recording,
    frames: Sequence[PosedFrame],
    take: Callable[[PosedFrame, Pixels, Matrix], None],
    counts: dict[str, int],
    stages: Stages,
) -> None:
    """Read these frames of the scene and have each taken; those that can't be used are told and counted as ``skipped``.

    Raises:
        InputError: nothing may be left out, and a frame can't be used.
    """
    left_out = scene.left_out.later()
    left_out.listed["frame"] = max(left_out.listed["frame"], len(scene.frames))
    before = counts["skipped"]
    for frame, image in prefetched(frames):
        with left_out.trying(frame.name):
            if isinstance(image, InputError):
                raise image
            if frame.map_from_camera is None:
                raise FrameError(frame.name, "it has no pose")
            take(frame, image, frame.map_from_camera)
        counts["skipped"] = before + len(left_out.names())
        stages.advance([f"{count} {name}" for name, count in counts.items() if count])
    for line in left_out.lines():
        note(line)


def _taken(views: Sequence[View], scene: Recording) -> int:
    """How many frames, from the first, are done: taken as these views, or found to be of no use."""
    done = 0
    for view in views:
        while done < len(scene.frames) and not _shows(view, scene.frames[done]):
            done += 1
        if done == len(scene.frames):
            raise MappingError(
                f"{scene.name}: is not what was read before: there is no frame {view.name} with its pose and camera; "
                "begin anew without --resume"
            )
        done += 1
    return done


def _shows(view: View, frame: PosedFrame) -> bool:
    if view.name != frame.name or frame.map_from_camera is None or view.encoded.camera != frame.camera:
        return False
    return bool(np.array_equal(view.map_from_camera, check_pose(frame.map_from_camera, frame.name)))

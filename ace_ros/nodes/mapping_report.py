"""What mapping_node tells about itself on ~/status."""

from __future__ import annotations

import math

from ace_ros.action import BuildMap
from ace_ros.map.header import HeldBack
from ace_ros.map.scene_map import SceneMap
from ace_ros.mapping.progress import Progress
from ace_ros.msg import MappingStatus
from ace_ros.nodes.image_input import ImageInput
from ace_ros.nodes.pose_input import PoseInput
from ace_ros.online.building import overall
from ace_ros.online.collecting import Counters
from ace_ros.online.mapping_session import MappingState

STATES = {
    MappingState.COLLECTING: MappingStatus.STATE_COLLECTING,
    MappingState.TRAINING: MappingStatus.STATE_TRAINING,
    MappingState.READY: MappingStatus.STATE_READY,
    MappingState.FAILED: MappingStatus.STATE_FAILED,
}


def arrivals(images: ImageInput, poses: PoseInput) -> dict[str, int]:
    """Counts of images, and of those that never got to the collector, by the names of MappingStatus."""
    return {
        "frames_received": images.images,
        "rejected_no_pose": poses.no_pose,
        "rejected_no_camera_info": images.unmatched + images.rejected_camera,
        "rejected_bad_image": images.rejected_image,
        "rejected_bad_pose": poses.bad_pose,
    }


def fill_counts(message: MappingStatus, counters: Counters, arrived: dict[str, int]) -> None:
    """What became of the frames."""
    for name, value in arrived.items():
        setattr(message, name, max(0, value))
    message.frames_taken = counters.taken
    message.rejected_similar_view = counters.similar_view
    message.rejected_blurred = counters.blurred
    message.rejected_bad_image += counters.bad_image
    message.rejected_bad_pose += counters.bad_pose
    message.rejected_overload = counters.overload
    message.rejected_full = counters.full


def fill_progress(message: MappingStatus | BuildMap.Feedback, progress: Progress | None) -> None:
    """How far a build is."""
    message.stage = progress.stage if progress else ""
    message.progress = overall(progress)
    message.loss = or_nan(progress.loss if progress else None)
    message.inlier_fraction = or_nan(progress.inliers if progress else None)
    message.held_back_miss = or_nan(progress.held_back if progress else None)
    message.seconds_left = or_nan(progress.seconds_left if progress else None)


def fill_places(message: MappingStatus, progress: Progress | None, ahead: int) -> None:
    """Of the build under way, or so many that are built ahead of it."""
    message.places = progress.places if progress else 0
    message.places_done = progress.place if progress else ahead


def fill_held_back(message: BuildMap.Result | MappingStatus, scene_map: SceneMap | None) -> None:
    """Expected accuracy, where it was measured."""
    held_back = scene_map.header.held_back if scene_map else HeldBack()
    message.held_back_frames = held_back.frames
    message.held_back_localized = held_back.localized / held_back.frames if held_back.frames else math.nan
    message.held_back_translation = or_nan(held_back.median_translation)
    message.held_back_rotation = math.radians(or_nan(held_back.median_rotation_deg))


def or_nan(value: float | None) -> float:
    """NaN for what is not known."""
    return math.nan if value is None else float(value)

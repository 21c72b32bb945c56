"""What to play to whom: a recording by replay_node into localization_node, while evaluation_node writes down what
comes out. No ROS here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ace_ros.geometry import Matrix
from ace_ros.map.header import MapHeader
from ace_ros.recordings import Recording, SplitOptions, write_bag
from ace_ros.recordings.bag_streams import Streams, streams
from ace_ros.recordings.options import BagOptions
from ace_ros.recordings.rosbag import matches as is_bag

_SETTLING = 0.5  # s: one subscriber is heard of before the next; set by hand
RECORDER, LOCALIZER, PLAYER = "evaluation_node", "localization_node", "replay_node"


@dataclass(frozen=True)
class Run:
    """Three nodes with what they are started with: parameters and remappings by name of the node.

    The player is to be started when the recorder is ready, and the recorder ends by itself. ``pose_from_camera`` leads
    from the camera to the frame whose pose is published.
    """

    streams: Streams
    pose_from_camera: Matrix
    parameters: dict[str, dict[str, Any]]
    remappings: dict[str, dict[str, str]]


def as_bag(path: Path, scene: Recording, options: SplitOptions, folder: Path) -> tuple[Path, SplitOptions]:
    """The recording as a bag that can be played, and how to read it: itself, or written into ``folder``.

    Written are the frames of ``scene``; bags are written anew only where images have no stamps, or where the camera is
    not the one in the bag.
    """
    if (
        is_bag(path)
        and path.suffix != ".bag"
        and not options.intrinsics
        and streams(path, options, scene.map_frame).stamped
    ):
        return path, options
    bag = folder / "bag"
    write_bag(scene, bag)
    return bag, replace(options, bag=BagOptions(), intrinsics="")


def plan(
    bag: Path,
    options: SplitOptions,
    map_path: Path,
    header: MapHeader,
    record: Path,
    rate: float = 1.0,
    localizer: dict[str, Any] | None = None,
) -> Run:
    """What to start for a bag and a map.

    Parameters
    ----------
    rate
        of the replay; 2 is twice as fast as recorded.
    localizer
        more parameters of localization_node, or others than would be chosen.
    """
    heard = streams(bag, options, header.map_frame)
    robot = header.metric and bool(heard.base_frame)
    mode = "map_to_odom" if robot and heard.odom_frame else "map_to_base" if robot else "map_to_camera"
    topics = [heard.image_topic, heard.camera_info, *(heard.tf if robot else ())]
    parameters: dict[str, dict[str, Any]] = {
        LOCALIZER: {
            "map": str(map_path.resolve()),
            "use_sim_time": True,
            "image_transport": "compressed" if heard.compressed else "raw",
            "image_reliability": "reliable" if heard.reliable else "best_effort",
            "rectified": "rect" in heard.images.rsplit("/", 1)[-1],
            "tf_mode": mode,
            "base_frame": heard.base_frame if robot else "",
            "odom_frame": heard.odom_frame if robot else "",
            **(localizer or {}),
        },
        RECORDER: {"record": str(record.resolve()), "camera_frame": heard.camera_frame},
        PLAYER: {
            "bag": str(bag.resolve()),
            "rate": float(rate),
            "topics": ",".join(topics),
            "wait_for_subscribers": ",".join(_listened(topics, heard)),
            "start_delay": _SETTLING,
        },
    }
    if parameters[LOCALIZER]["use_sim_time"]:
        parameters[PLAYER]["wait_for_subscribers"] += ",/clock"
    camera = {"image": heard.images, "camera_info": heard.camera_info}
    mount = heard.tree.at(heard.base_frame, heard.camera_frame, [0], 0.0)[0] if robot else None
    remappings = {LOCALIZER: camera, RECORDER: camera, PLAYER: {}}
    return Run(heard, np.eye(4) if mount is None else mount, parameters, remappings)


def _listened(topics: Sequence[str], heard: Streams) -> list[str]:
    """Each topic as often as localizer and recorder listen to it: who comes late misses the start, of TF as well."""
    both = [topic for topic in (heard.camera_info, "/tf", "/tf_static") if topic in topics]
    return [heard.image_topic, *both, *both]

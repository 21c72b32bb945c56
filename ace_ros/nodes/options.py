"""Options of the nodes: those of the library, and what only a node needs. Names and defaults are the ROS parameters'.

``parameters.py`` declares them, ``config.py`` writes them into ``config/``, a group for each base class.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ace_ros.mapping.options import MapOptions
from ace_ros.online.keyframes import KeyframeOptions
from ace_ros.online.localizing import OnlineOptions
from ace_ros.online.mapping_session import SessionOptions
from ace_ros.online.maps_dir import maps_dir_option
from ace_ros.options import Options, declared, device_option, option, weights_option


def _threads() -> Any:
    return option(0, "CPU threads of PyTorch and OpenCV.", low=0, high=256, without="the libraries' default")


@dataclass(frozen=True)
class ImageOptions(Options):
    """Images"""

    image_transport: Literal["raw", "compressed"] = option(
        "raw",
        "raw: sensor_msgs/Image on the topic image; compressed: sensor_msgs/CompressedImage on image/compressed.",
    )
    image_reliability: Literal["auto", "reliable", "best_effort"] = option(
        "auto", "QoS of the image subscription. auto: reliable where every publisher is, else best_effort."
    )
    rectified: bool = option(
        False,
        "The images are rectified: take the intrinsics from P of camera_info, without distortion. Of a topic that is "
        "called image_rect... this is known.",
    )
    camera_frame: str = option(
        "", "Optical frame of the camera (z forward, x right, y down).", without="frame_id of the images"
    )


@dataclass(frozen=True)
class TargetOptions(Options):
    """Its frame and scale"""

    map_frame: str = option("map", "Frame that the poses must be given in; the map carries its name.")
    metric: bool = option(True, "The poses are in metres; false where their scale is arbitrary (monocular SLAM).")


@dataclass(frozen=True)
class PoseOptions(Options):
    """Poses"""

    pose_source: Literal["tf", "pose_stamped", "odometry"] = option(
        "tf",
        "Where the poses come from. tf: the transform map_frame <- camera at the stamp of the image; pose_stamped: "
        "geometry_msgs/PoseStamped on the topic pose; odometry: nav_msgs/Odometry on the topic odom.",
    )
    body_frame: str = option(
        "",
        "Frame whose pose the topic pose gives, carried over to the camera by TF.",
        without="the camera's optical frame, for odometry child_frame_id",
    )
    sync_slop: float = option(
        0.01,
        "Poses on a topic are interpolated at the time of the image; where there are no two around it, one that is so "
        "near in time is taken as it is.",
        unit="s",
        low=0.0,
        high=1.0,
    )
    tf_timeout: float = option(1.0, "How long an image waits for its transforms.", unit="s", low=0.0, high=30.0)


@dataclass(frozen=True)
class IntakeOptions(Options):
    """Taking frames"""

    autostart: bool = option(True, "Take frames from the start; false: wait for ~/collect (std_srvs/SetBool).")
    max_frames: int = option(
        10_000,
        "Frames are no longer taken beyond this number; 10,000 need 2.4 GB beside the map to be, and as much memory.",
        low=0,
        without="no limit",
    )
    resume: bool = option(
        False,
        "Add to the frames that an earlier start left, of which no map was made. They can be built in any case; the "
        "first new frame puts them aside, but for this.",
    )
    queue_size: int = option(
        60, "Frames taken that may wait for the encoder; beyond it frames are not taken, and counted.", low=1, high=1000
    )
    threads: int = _threads()


@dataclass(frozen=True)
class MappingNodeOptions(
    SessionOptions, TargetOptions, ImageOptions, PoseOptions, KeyframeOptions, IntakeOptions, MapOptions
):
    """Options of mapping_node."""


@dataclass(frozen=True)
class PlaceOptions(Options):
    """The map to localize in"""

    map: str = option("", "The map: a path, or a name below maps_dir.")
    maps_dir: Path = maps_dir_option()
    map_frame: str = option("", "Frame of the poses.", without="the frame that the map was built in")
    wait_for_map: bool = option(
        False, "Where the map is not there yet, wait until it is built, and then localize in it; with autostart."
    )
    follow_map: bool = option(
        True, "When the map's file changes (the map grew, or was repaired), go on in the new one, without a gap."
    )


@dataclass(frozen=True)
class LifeOptions(Options):
    """Starting and computing"""

    autostart: bool = option(True, "Configure and activate by itself; false: a lifecycle manager does it.")
    bond_heartbeat_period: float = option(
        0.1,
        "So often an active node tells nav2's lifecycle manager that it lives, where bondpy is installed.",
        unit="s",
        low=0.0,
        high=2.0,
        without="there is no bond",
    )
    encoder_weights: Path | None = weights_option()
    device: str = device_option()
    threads: int = _threads()


@dataclass(frozen=True)
class CameraOptions(Options):
    """Cameras"""

    cameras: int = option(
        1,
        "How many cameras the robot has. Of one: topics image and camera_info; of N: image_0 and camera_info_0 to "
        "image_N-1 and camera_info_N-1, each with an optical frame of its own in TF. The one that sees more is heard.",
        low=1,
        high=8,
    )


@dataclass(frozen=True)
class ArrivalOptions(Options):
    """Which images are worked on"""

    max_age: float = option(
        1.0,
        "Images older than this when they arrive are dropped.",
        unit="s",
        low=0.0,
        without="images of any age are used",
    )
    max_rate: float = option(
        0.0, "At most so many images a second of a camera are worked on.", unit="Hz", low=0.0, without="all that it can"
    )


@dataclass(frozen=True)
class OutputOptions(Options):
    """Frames and TF"""

    base_frame: str = option(
        "base_link",
        "Frame whose pose is published: there is none before TF knows where the camera is on it.",
        without="the pose is that of the camera's optical frame, as with map_to_camera",
    )
    odom_frame: str = option("odom", "Frame of the odometry in TF.", without="there is none, and no gate")
    tf_mode: Literal["map_to_odom", "map_to_base", "map_to_camera", "none"] = option(
        "map_to_odom",
        "The transform to publish. map_to_odom: for robots with odometry in TF (REP 105); map_to_base: for robots "
        "without; map_to_camera: for a camera alone; none.",
    )
    tf_rate: float = option(
        20.0, "map_to_odom: rate at which the transform is sent again.", unit="Hz", low=1.0, high=200.0
    )
    transform_tolerance: float = option(
        0.1, "map_to_odom: how far the transform is dated into the future.", unit="s", low=0.0, high=5.0
    )
    max_correction_rate: float = option(
        0.0,
        "map_to_odom: the robot moves in TF by at most this much faster than it drives.",
        unit="m/s",
        low=0.0,
        without="no limit",
    )
    max_correction_rotation_rate: float = option(
        0.0, "map_to_odom: the same for rotation.", unit="degrees/s", low=0.0, without="no limit"
    )


@dataclass(frozen=True)
class HintOptions(Options):
    """A hint for AMCL or slam_toolbox"""

    publish_initialpose: Literal["once", "when_lost", "never"] = option(
        "never",
        "Send the pose to initialpose for AMCL or slam_toolbox. once: the first one; when_lost: the first one after "
        "each time it was lost; never.",
    )
    lost_after: float = option(
        2.0, "when_lost: lost means no reliable pose for so long.", unit="s", low=0.0, high=3600.0
    )


@dataclass(frozen=True)
class LocalizationNodeOptions(
    PlaceOptions, LifeOptions, CameraOptions, ImageOptions, ArrivalOptions, OutputOptions, OnlineOptions, HintOptions
):
    """Options of localization_node."""


#: parameters of localization_node that take effect while it runs; the others do when it is configured
LIVE = {name for cls in (ArrivalOptions, OutputOptions, OnlineOptions, HintOptions) for name in declared(cls)} - {
    "base_frame",
    "odom_frame",
} | {"follow_map"}
#: the same of mapping_node, which takes the others at its start
MAPPING_LIVE = {*declared(KeyframeOptions), "auto_build_frames", "auto_build_idle"}

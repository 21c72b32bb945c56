"""Options of the nodes. These dataclasses are the one source of truth: ROS parameters are declared
from them (``parameters.py``), and the files in ``config/`` are checked against them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, TypeVar

from ace_ros.errors import InputError

Options = TypeVar("Options")
DEFAULT_MAPS_DIR = "~/.ros/ace_maps"
_TYPES = {"bool": bool, "int": int, "float": float, "str": str}


def option(
    default: bool | int | float | str,
    text: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: Sequence[str] = (),
) -> Any:
    """A dataclass field with what a parameter descriptor needs. ``low`` and ``high`` are allowed values."""
    return field(default=default, metadata={"text": text, "low": low, "high": high, "choices": tuple(choices)})


def check(entry: Field[Any], value: Any) -> Any:
    """Return ``value`` in the type of the option, or say what is wrong with it.

    Raises:
        InputError: another type (an int for a float is fine), out of range, or not among the choices.
    """
    wanted = _TYPES[str(entry.type)]
    if wanted is float and type(value) is int:
        value = float(value)
    if type(value) is not wanted:
        raise InputError(
            f"parameter {entry.name}: takes {_article(wanted)}, got {value!r}. Meaning: {entry.metadata['text']}"
        )
    low, high, choices = entry.metadata["low"], entry.metadata["high"], entry.metadata["choices"]
    if choices and value not in choices:
        raise InputError(f"parameter {entry.name}: takes one of {', '.join(choices)}; got '{value}'")
    if (low is not None and not value >= low) or (high is not None and not value <= high):
        upper = "or more" if high is None else f"to {high:g}"
        raise InputError(f"parameter {entry.name}: takes {low:g} {upper}, got {value!r}")
    return value


def from_values(cls: type[Options], values: Mapping[str, object]) -> Options:
    """Build the options ``cls`` from ``values``, each checked; what is not given keeps its default.

    Raises:
        InputError: see :func:`check`; or a name that is no option.
    """
    known = {entry.name: entry for entry in fields(cls)}  # type: ignore[arg-type]
    for name in values:
        if name not in known:
            raise InputError(f"parameter {name}: there is no such parameter; there are {', '.join(known)}")
    return cls(**{name: check(known[name], value) for name, value in values.items()})


def defaults(cls: type[Any]) -> dict[str, Any]:
    """Names and default values of the options ``cls``."""
    return {entry.name: entry.default for entry in fields(cls) if entry.default is not MISSING}


def _article(wanted: type) -> str:
    return {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}[wanted]


@dataclass(frozen=True)
class ImageOptions:
    """How a node receives images; both nodes have these."""

    image_transport: str = option(
        "raw",
        "raw: sensor_msgs/Image on the topic image; compressed: sensor_msgs/CompressedImage on image/compressed.",
        choices=("raw", "compressed"),
    )
    image_reliability: str = option(
        "auto",
        "QoS of the image subscription. auto: reliable where every publisher is, else best_effort.",
        choices=("auto", "reliable", "best_effort"),
    )
    rectified: bool = option(
        False, "The images are rectified: take the intrinsics from P of camera_info, without distortion."
    )
    camera_frame: str = option(
        "", "Optical frame of the camera (z forward, x right, y down); empty: frame_id of the images."
    )


@dataclass(frozen=True)
class MappingNodeOptions(ImageOptions):
    """Options of mapping_node."""

    map_name: str = option("map", "Name of the map to build, below maps_dir, with or without .safetensors.")
    maps_dir: str = option(DEFAULT_MAPS_DIR, "Folder of the maps; names given over services stay inside it.")
    autostart: bool = option(True, "Take frames from the start; false: wait for ~/collect (std_srvs/SetBool).")
    pose_source: str = option(
        "tf",
        "Where the poses come from. tf: the transform map_frame <- camera at the stamp of the image; pose_stamped: "
        "geometry_msgs/PoseStamped on the topic pose; odometry: nav_msgs/Odometry on the topic odom.",
        choices=("tf", "pose_stamped", "odometry"),
    )
    map_frame: str = option("map", "Frame that the poses must be given in; the map carries its name.")
    metric: bool = option(True, "The poses are in metres; false where their scale is arbitrary (monocular SLAM).")
    body_frame: str = option(
        "",
        "Frame whose pose the topic pose gives, carried over to the camera by TF; empty: the camera's optical frame. "
        "For odometry empty means child_frame_id.",
    )
    sync_slop: float = option(
        0.01, "Largest distance in time between an image and its pose on a topic, s.", low=0.0, high=1.0
    )
    tf_timeout: float = option(1.0, "How long an image waits for its transforms, s.", low=0.0, high=30.0)
    min_translation: float = option(
        0.02, "A keyframe is taken after so much motion since the last one, m; or after min_rotation.", low=0.0
    )
    min_rotation: float = option(2.0, "A keyframe is taken after so much rotation, degrees.", low=0.0, high=180.0)
    min_interval: float = option(0.0, "Least time between two keyframes, s.", low=0.0)
    max_interval: float = option(
        0.0, "A keyframe is taken after so much time even without motion, s; 0: never without motion.", low=0.0
    )
    max_frames: int = option(2000, "Frames are no longer taken beyond this number; 0: no limit.", low=0)
    queue_size: int = option(
        60, "Frames taken that may wait for the encoder; beyond it frames are not taken, and counted.", low=1, high=1000
    )
    auto_build_frames: int = option(0, "Build the map by itself after so many frames; 0: never.", low=0)
    auto_build_idle: float = option(
        0.0, "Build the map by itself when no frame was taken for so long, s; 0: never.", low=0.0
    )
    steps: int = option(0, "Training steps; 0: the library's default.", low=0)
    seconds: float = option(0.0, "Limit on the time for training, s; 0: none.", low=0.0)
    encoder: str = option("xfeat", "Backbone: xfeat, or ace:PATH with the official encoder's weights.")
    encoder_weights: str = option("", "File of the backbone's weights; empty: those installed with the package.")
    landmarks: int = option(-1, "Landmarks kept in the map; -1: the library's default, 0: none.", low=-1)
    seed: int = option(0, "Seed of everything random in the mapping.", low=0)
    device: str = option("auto", "Where the mapping runs: auto, cpu, cuda or cuda:N.")
    threads: int = option(0, "CPU threads of the mapping; 0: the library's default.", low=0, high=256)


@dataclass(frozen=True)
class LocalizationNodeOptions(ImageOptions):
    """Options of localization_node."""

    map: str = option("", "The map: a path, or a name below maps_dir.")
    maps_dir: str = option(DEFAULT_MAPS_DIR, "Folder of the maps; names given to ~/load_map stay inside it.")
    autostart: bool = option(True, "Configure and activate by itself; false: a lifecycle manager does it.")
    map_frame: str = option("", "Frame of the poses; empty: the frame that the map was built in.")
    odom_frame: str = option("odom", "Frame of the odometry in TF; empty: there is none, and no gate.")
    base_frame: str = option(
        "base_link",
        "Frame whose pose is published. Where TF does not know it, and where this is empty, the pose is that of the "
        "camera's optical frame.",
    )
    tf_mode: str = option(
        "map_to_odom",
        "The transform to publish. map_to_odom: for robots with odometry in TF (REP 105); map_to_base: for robots "
        "without; map_to_camera: for a camera alone; none.",
        choices=("map_to_odom", "map_to_base", "map_to_camera", "none"),
    )
    tf_rate: float = option(20.0, "map_to_odom: rate at which the transform is sent again, Hz.", low=1.0, high=200.0)
    transform_tolerance: float = option(
        0.1, "map_to_odom: how far the transform is dated into the future, s.", low=0.0, high=5.0
    )
    max_correction_rate: float = option(
        0.0, "map_to_odom: the robot moves in TF by at most this much faster than it drives, m/s; 0: no limit.", low=0.0
    )
    max_correction_rotation_rate: float = option(
        0.0, "map_to_odom: the same for rotation, degrees/s; 0: no limit.", low=0.0
    )
    planar: bool = option(False, "Wheeled robot on a level floor: poses and TF with z, roll and pitch zero.")
    tf_timeout: float = option(
        0.05, "How long a pose waits for the odometry and the camera's place on the robot, s.", low=0.0, high=2.0
    )
    max_age: float = option(
        1.0, "Images older than this when they arrive are dropped, s; 0: images of any age are used.", low=0.0
    )
    max_rate: float = option(0.0, "At most so many images are worked on a second, Hz; 0: all that it can.", low=0.0)
    gate_probability: float = option(
        0.999,
        "Odometry gate: a pose is refused where a true one would lie nearer with this probability; 0: no gate.",
        low=0.0,
        high=0.999999,
    )
    kidnap_frames: int = option(
        5, "So many poses in a row that agree with each other but not with the odometry are believed.", low=2, high=1000
    )
    odom_translation_drift: float = option(0.05, "Drift of the odometry, 1 sigma, m per m.", low=0.0, high=1.0)
    odom_rotation_drift: float = option(0.05, "Drift of the odometry, 1 sigma, degrees per degree.", low=0.0, high=1.0)
    odom_heading_drift: float = option(1.0, "Drift of the odometry, 1 sigma, degrees per m.", low=0.0, high=45.0)
    gate_translation_floor: float = option(0.03, "The gate allows at least this, 1 sigma, m.", low=1e-4)
    gate_rotation_floor: float = option(1.0, "The gate allows at least this, 1 sigma, degrees.", low=1e-2, high=45.0)
    prior_max_age: float = option(
        0.5, "Without odometry, the last pose is a first guess for so long, s; 0: never.", low=0.0, high=60.0
    )
    publish_initialpose: str = option(
        "never",
        "Send the pose to initialpose for AMCL or slam_toolbox. once: the first one; when_lost: the first one after "
        "each time it was lost; never.",
        choices=("once", "when_lost", "never"),
    )
    lost_after: float = option(2.0, "when_lost: lost means no reliable pose for so long, s.", low=0.0, high=3600.0)
    encoder_weights: str = option("", "File of the backbone's weights, for maps that were made with weights of a file.")
    device: str = option("auto", "Where the localizer runs: auto, cpu, cuda or cuda:N.")
    threads: int = option(0, "CPU threads of the localizer; 0: the library's default.", low=0, high=256)


@dataclass(frozen=True)
class ReplayNodeOptions:
    """Options of replay_node."""

    bag: str = option("", "The recording: a rosbag2 folder, or an .mcap or .db3 file.")
    rate: float = option(1.0, "Speed: 2 is twice as fast as recorded.", low=0.01, high=100.0)
    loop: bool = option(False, "Start over at the end, for ever; time jumps back.")
    clock: bool = option(True, "Publish /clock, for nodes with use_sim_time.")
    clock_rate: float = option(100.0, "Rate of /clock between messages, Hz of real time.", low=1.0, high=1000.0)
    start_delay: float = option(0.0, "Wait before the first message, s.", low=0.0)
    start_offset: float = option(0.0, "Skip this much of the recording, s.", low=0.0)
    duration: float = option(0.0, "Stop after this much of the recording, s; 0: play to its end.", low=0.0)
    wait_for_subscribers: str = option(
        "", "Start when each of these topics has a subscriber: names with commas between them; all: every topic."
    )
    wait_timeout: float = option(60.0, "Give up waiting for subscribers after this, s; 0: never.", low=0.0)
    topics: str = option("", "Play these topics only: names with commas between them; empty: all.")

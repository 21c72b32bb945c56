"""What the launch files share: arguments that go before params_file, and the nodes that they describe.

An argument that is not given says nothing: what stands in params_file, or the node's own default, holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ament_index_python.packages import get_package_share_directory
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.launch_description_entity import LaunchDescriptionEntity
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from ace_ros.errors import InputError
from ace_ros.nodes.camera_topics import camera_remaps
from launch import LaunchContext, LaunchDescription

_BOOLEANS = ["", "true", "false"]
#: choices of tf_mode; empty: as params_file says
TF_MODES = ["", "map_to_odom", "map_to_base", "map_to_camera", "none"]
_LEVELS = ["", "debug", "info", "warn", "error", "fatal"]


class Argument(NamedTuple):
    """A launch argument. ``parameter``: of the node, set where the argument is not empty; ``kind``: its type, but for
    booleans, which their choices tell."""

    text: str
    default: str = ""
    choices: Sequence[str] | None = None
    parameter: str = ""
    kind: type = str


CAMERA = {
    "image": Argument("Topic of the images (without /compressed).", "camera/image_raw"),
    "camera_info": Argument("Topic of the camera_info; empty: camera_info beside the topic of the images."),
    "image_transport": Argument("raw or compressed.", "", ["", "raw", "compressed"], "image_transport"),
    "camera_frame": Argument(
        "Optical frame of the camera, where frame_id of the images is wrong.", parameter="camera_frame"
    ),
}
#: what every launch file takes, beside params_file
COMMON = {
    "namespace": Argument("Namespace of the nodes; topics that are given without a slash, and TF, are below it."),
    "tf": Argument("Topic of TF, the static one ends in _static; /tf where nodes in other namespaces share it.", "tf"),
    "use_sim_time": Argument("Take the time from /clock.", "", _BOOLEANS, "use_sim_time"),
    "log_level": Argument("debug, info, warn, error or fatal; empty: info.", "", _LEVELS),
}


def description(
    executable: str,
    config: str,
    arguments: Mapping[str, Argument],
    remaps: Mapping[str, tuple[str, str]],
    camera: Mapping[str, Argument] = CAMERA,
) -> LaunchDescription:
    """A launch description of one node.

    Args:
        config: file in config/ with its parameters.
        arguments: those beside the camera's and the usual ones.
        remaps: topic -> (argument that names it, what it is where the argument is empty).
        camera: what a node takes that works on a camera's images; empty: it does not.
    """
    known = {**camera, **arguments, "params_file": params_file(config), **COMMON}

    def start(context: LaunchContext) -> list[LaunchDescriptionEntity]:
        return [node(executable, performed(context, known), known, remaps)]

    return LaunchDescription([*declarations(known), OpaqueFunction(function=start)])


def params_file(config: str) -> Argument:
    """The argument for a node's parameters; what it is by itself lies in config/."""
    return Argument(
        "Parameters of the node, for /** or for /**/NODE, which holds in every namespace; what is given as an argument "
        "here goes first.",
        str(Path(get_package_share_directory("ace_ros")) / "config" / config),
    )


def performed(context: LaunchContext, arguments: Iterable[str]) -> dict[str, str]:
    """What was given, by name; empty where nothing was and there is no default."""
    return {name: LaunchConfiguration(name).perform(context) for name in arguments}


def declarations(arguments: Mapping[str, Argument]) -> list[DeclareLaunchArgument]:
    """What ``ros2 launch --show-args`` shows."""
    return [_declared(name, argument) for name, argument in arguments.items()]


def _declared(name: str, argument: Argument) -> DeclareLaunchArgument:
    text = argument.text
    if argument.parameter and not argument.default:
        text += " Empty: as params_file says."
    return DeclareLaunchArgument(name, default_value=argument.default, description=text, choices=argument.choices)


def node(
    executable: str,
    given: Mapping[str, str],
    known: Mapping[str, Argument],
    remaps: Mapping[str, tuple[str, str]],
    fixed: Mapping[str, bool] | None = None,
) -> Node:
    """A node that takes cameras.

    Args:
        given, known: arguments, and what they mean. remaps: see :func:`description`. fixed: parameters that it has
            whatever is given.
    """
    overrides: dict[str, bool | int | ParameterValue] = dict(fixed or {})
    for name, argument in known.items():
        if argument.parameter and given[name]:
            boolean = argument.choices is not None and "true" in argument.choices
            value = ParameterValue(_typed(name, given[name], argument.kind), value_type=argument.kind)
            overrides[argument.parameter] = given[name] == "true" if boolean else value
    cameras = _cameras(given)
    if len(cameras) > 2:
        overrides["cameras"] = len(cameras) // 2
    topics = cameras | {topic: given[argument] or usual for topic, (argument, usual) in remaps.items()}
    return Node(
        package="ace_ros",
        executable=executable,
        name=executable,
        namespace=given["namespace"],
        output="screen",
        parameters=[given["params_file"], *([overrides] if overrides else [])],
        remappings=[*topics.items(), *tf_remappings(given["tf"])],
        arguments=log_arguments(given["log_level"]),
    )


def _typed(name: str, text: str, kind: type) -> Any:
    """What stands for a value of that type; a text always does: a map may be called 7."""
    try:
        return kind(text)
    except ValueError:
        raise InputError(f"{name}:={text} is no {kind.__name__}: give a number, or leave it out") from None


def _cameras(given: Mapping[str, str]) -> dict[str, str]:
    if "camera_info" not in given:
        return {}
    return camera_remaps(given["image"], given["camera_info"], given.get("images", ""))


def tf_remappings(topic: str) -> list[tuple[str, str]]:
    """A robot in a namespace has a TF of its own, as nav2 has it; without one ``tf`` is /tf."""
    return [("/tf", topic), ("/tf_static", f"{topic}_static")]


def log_arguments(level: str) -> list[str]:
    """What tells a node its log level; empty: nothing."""
    return ["--ros-args", "--log-level", level] if level else []

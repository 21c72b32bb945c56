"""Find the robot in a map by its camera: starts localization_node."""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.launch_description_entity import LaunchDescriptionEntity
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchContext, LaunchDescription

CONFIG = Path(get_package_share_directory("ace_ros")) / "config" / "localization.yaml"
BOOLEANS = ["true", "false"]
MEANINGFUL_WHEN_EMPTY = ("camera_info", "namespace")  # the others are then taken from params_file
TF_MODES = ["", "map_to_odom", "map_to_base", "map_to_camera", "none"]

# name: default, description, choices.
ARGUMENTS = {
    "map": ("", "The map: a path, or a name below maps_dir.", None),
    "maps_dir": ("", "Folder of the maps.", None),
    "image": ("/camera/image_raw", "Topic of the images (without /compressed).", None),
    "camera_info": ("", "Topic of the camera_info; empty: camera_info beside the topic of the images.", None),
    "image_transport": ("", "raw or compressed.", ["", "raw", "compressed"]),
    "tf_mode": ("", "The transform to publish: map_to_odom, map_to_base, map_to_camera or none.", TF_MODES),
    "map_frame": ("", "Frame of the poses; the one that the map was built in where this is not given.", None),
    "odom_frame": ("", "Frame of the odometry in TF.", None),
    "base_frame": ("", "Frame whose pose is published.", None),
    "camera_frame": ("", "Optical frame of the camera, where frame_id of the images is wrong.", None),
    "publish_initialpose": (
        "",
        "Send the pose to initialpose, for AMCL or slam_toolbox: once, when_lost or never.",
        ["", "once", "when_lost", "never"],
    ),
    "params_file": (str(CONFIG), "Parameters of the node; what is given as an argument here goes first.", None),
    "namespace": ("", "Namespace of the node.", None),
    "use_sim_time": ("false", "Take the time from /clock.", BOOLEANS),
    "log_level": ("info", "debug, info, warn, error or fatal.", ["debug", "info", "warn", "error", "fatal"]),
    "autostart": ("", "Configure and activate at once; false: a lifecycle manager does it.", ["", *BOOLEANS]),
}
PARAMETERS = (
    "map",
    "maps_dir",
    "image_transport",
    "tf_mode",
    "map_frame",
    "odom_frame",
    "base_frame",
    "camera_frame",
    "publish_initialpose",
)


def nodes(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """The node, with the arguments as they were given."""
    given = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    overrides = {name: given[name] for name in PARAMETERS if given[name]}
    if given["autostart"]:
        overrides["autostart"] = given["autostart"] == "true"
    parent, slash, _ = given["image"].rpartition("/")
    return [
        Node(
            package="ace_ros",
            executable="localization_node",
            name="localization_node",
            namespace=given["namespace"],
            output="screen",
            parameters=[given["params_file"], {**overrides, "use_sim_time": given["use_sim_time"] == "true"}],
            remappings=[
                ("image", given["image"]),
                ("camera_info", given["camera_info"] or f"{parent}{slash}camera_info"),
            ],
            arguments=["--ros-args", "--log-level", given["log_level"]],
        )
    ]


def generate_launch_description() -> LaunchDescription:
    """What ``ros2 launch ace_ros localize.launch.py`` runs."""
    arguments = []
    for name, (default, text, choices) in ARGUMENTS.items():
        if not default and name not in MEANINGFUL_WHEN_EMPTY:
            text += " Empty: as params_file says."
        arguments.append(DeclareLaunchArgument(name, default_value=default, description=text, choices=choices))
    return LaunchDescription([*arguments, OpaqueFunction(function=nodes)])

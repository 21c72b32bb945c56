"""Build a map from camera images with poses: starts mapping_node."""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.launch_description_entity import LaunchDescriptionEntity
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchContext, LaunchDescription

CONFIG = Path(get_package_share_directory("ace_ros")) / "config" / "mapping.yaml"
BOOLEANS = ["true", "false"]
MEANINGFUL_WHEN_EMPTY = ("camera_info", "pose", "namespace")  # the others are then taken from params_file

# name: default, description, choices.
ARGUMENTS = {
    "image": ("/camera/image_raw", "Topic of the images (without /compressed).", None),
    "camera_info": ("", "Topic of the camera_info; empty: camera_info beside the topic of the images.", None),
    "image_transport": ("", "raw or compressed.", ["", "raw", "compressed"]),
    "pose_source": ("", "Where poses come from: tf, pose_stamped or odometry.", ["", "tf", "pose_stamped", "odometry"]),
    "pose": ("", "Topic of the poses for pose_source pose_stamped or odometry; empty: /pose, /odom.", None),
    "map_frame": ("", "Frame that the poses are given in.", None),
    "camera_frame": ("", "Optical frame of the camera, where frame_id of the images is wrong.", None),
    "body_frame": ("", "Frame whose pose the topic of the poses gives, where it is not the camera's.", None),
    "map": ("", "Name of the map to build, below maps_dir.", None),
    "maps_dir": ("", "Folder of the maps.", None),
    "params_file": (str(CONFIG), "Parameters of the node; what is given as an argument here goes first.", None),
    "namespace": ("", "Namespace of the node.", None),
    "use_sim_time": ("false", "Take the time from /clock.", BOOLEANS),
    "log_level": ("info", "debug, info, warn, error or fatal.", ["debug", "info", "warn", "error", "fatal"]),
    "autostart": ("", "Take frames from the start; false: wait for ~/collect.", ["", *BOOLEANS]),
}
PARAMETERS = {
    "image_transport": "image_transport",
    "pose_source": "pose_source",
    "map_frame": "map_frame",
    "camera_frame": "camera_frame",
    "body_frame": "body_frame",
    "map": "map_name",
    "maps_dir": "maps_dir",
}


def nodes(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """The node, with the arguments as they were given."""
    given = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    overrides = {parameter: given[name] for name, parameter in PARAMETERS.items() if given[name]}
    if given["autostart"]:
        overrides["autostart"] = given["autostart"] == "true"
    parent, slash, _ = given["image"].rpartition("/")
    return [
        Node(
            package="ace_ros",
            executable="mapping_node",
            name="mapping_node",
            namespace=given["namespace"],
            output="screen",
            parameters=[given["params_file"], {**overrides, "use_sim_time": given["use_sim_time"] == "true"}],
            remappings=[
                ("image", given["image"]),
                ("camera_info", given["camera_info"] or f"{parent}{slash}camera_info"),
                ("pose", given["pose"] or "/pose"),
                ("odom", given["pose"] or "/odom"),
            ],
            arguments=["--ros-args", "--log-level", given["log_level"]],
        )
    ]


def generate_launch_description() -> LaunchDescription:
    """What ``ros2 launch ace_ros map.launch.py`` runs."""
    arguments = []
    for name, (default, text, choices) in ARGUMENTS.items():
        if not default and name not in MEANINGFUL_WHEN_EMPTY:
            text += " Empty: as params_file says."
        arguments.append(DeclareLaunchArgument(name, default_value=default, description=text, choices=choices))
    return LaunchDescription([*arguments, OpaqueFunction(function=nodes)])

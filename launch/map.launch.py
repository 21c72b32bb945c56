"""Build a map from camera images with poses: starts mapping_node."""

from ace_ros.nodes.launching import Argument, description
from launch import LaunchDescription

SOURCES = ["", "tf", "pose_stamped", "odometry"]
ARGUMENTS = {
    "pose_source": Argument("Where poses come from: tf, pose_stamped or odometry.", "", SOURCES, "pose_source"),
    "pose": Argument("Topic of the poses for pose_source pose_stamped or odometry; empty: pose, odom."),
    "map_frame": Argument("Frame that the poses are given in.", parameter="map_frame"),
    "body_frame": Argument(
        "Frame whose pose the topic of the poses gives, where it is not the camera's.", parameter="body_frame"
    ),
    "map": Argument("Name of the map to build, below maps_dir.", parameter="map_name"),
    "maps_dir": Argument("Folder of the maps.", parameter="maps_dir"),
    "autostart": Argument(
        "Take frames from the start; false: wait for ~/collect.", "", ["", "true", "false"], "autostart"
    ),
}


def generate_launch_description() -> LaunchDescription:
    """What ``ros2 launch ace_ros map.launch.py`` runs."""
    remaps = {"pose": ("pose", "pose"), "odom": ("pose", "odom")}
    return description("mapping_node", "mapping.yaml", ARGUMENTS, remaps)

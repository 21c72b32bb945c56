"""Find the robot in a map by its camera: starts localization_node."""

from ace_ros.nodes.launching import TF_MODES, Argument, description
from launch import LaunchDescription

ARGUMENTS = {
    "images": Argument(
        "Topics of the images of several cameras, with commas between them: front/image_raw,rear/image_raw, each with "
        "camera_info beside it. They go before image."
    ),
    "map": Argument("The map: a path, or a name below maps_dir.", parameter="map"),
    "maps_dir": Argument("Folder of the maps.", parameter="maps_dir"),
    "tf_mode": Argument(
        "The transform to publish: map_to_odom, map_to_base, map_to_camera or none.", "", TF_MODES, "tf_mode"
    ),
    "map_frame": Argument(
        "Frame of the poses; the one that the map was built in where this is not given.", parameter="map_frame"
    ),
    "odom_frame": Argument("Frame of the odometry in TF.", parameter="odom_frame"),
    "base_frame": Argument("Frame whose pose is published.", parameter="base_frame"),
    "publish_initialpose": Argument(
        "Send the pose to initialpose, for AMCL or slam_toolbox: once, when_lost or never.",
        "",
        ["", "once", "when_lost", "never"],
        "publish_initialpose",
    ),
    "autostart": Argument(
        "Configure and activate at once; false: a lifecycle manager does it.", "", ["", "true", "false"], "autostart"
    ),
}


def generate_launch_description() -> LaunchDescription:
    """What ``ros2 launch ace_ros localize.launch.py`` runs."""
    return description("localization_node", "localization.yaml", ARGUMENTS, {})

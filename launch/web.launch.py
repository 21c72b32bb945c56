"""A page for the browser with what mapping_node and localization_node are at, and buttons: starts web_node."""

from ace_ros.nodes.launching import Argument, description
from launch import LaunchDescription

ARGUMENTS = {
    "host": Argument(
        "Address to listen on: 127.0.0.1 is this machine alone, 0.0.0.0 every network; there is no password.",
        parameter="host",
    ),
    "port": Argument("Port to listen on.", parameter="port", kind=int),
    "image": Argument(
        "Topic of the images (without /compressed), shown where localization_node draws none.", "camera/image_raw"
    ),
    "mapper": Argument("Name of the node that maps.", parameter="mapper"),
    "localizer": Argument("Name of the node that localizes.", parameter="localizer"),
}


def generate_launch_description() -> LaunchDescription:
    """What ``ros2 launch ace_ros web.launch.py`` runs."""
    return description("web_node", "web.yaml", ARGUMENTS, {"image": ("image", "camera/image_raw")}, camera={})

"""Map a place, and be localized in that map as soon as it is built: mapping_node and localization_node together."""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch.actions import IncludeLaunchDescription, OpaqueFunction
from launch.launch_description_entity import LaunchDescriptionEntity
from launch.launch_description_sources import PythonLaunchDescriptionSource

from ace_ros.errors import AceError
from ace_ros.nodes.bringup import file_of, frames, mapping_wanted
from ace_ros.nodes.launching import CAMERA, COMMON, TF_MODES, Argument, declarations, node, params_file, performed
from launch import LaunchContext, LaunchDescription

BOTH = {
    "map": Argument("Name of the map, below maps_dir: it is built where it is not there yet.", "map", None, "map"),
    "maps_dir": Argument("Folder of the maps.", parameter="maps_dir"),
    "map_frame": Argument("Frame of the map.", parameter="map_frame"),
}
MAPPING = {
    **BOTH,
    "map": BOTH["map"]._replace(parameter="map_name"),
    "pose_source": Argument(
        "Where poses come from while mapping: tf, pose_stamped or odometry.",
        "",
        ["", "tf", "pose_stamped", "odometry"],
        "pose_source",
    ),
    "pose": Argument("Topic of the poses for pose_source pose_stamped or odometry; empty: pose, odom."),
    "body_frame": Argument(
        "Frame whose pose the topic of the poses gives, where it is not the camera's.", parameter="body_frame"
    ),
    "mapping_params_file": params_file("mapping.yaml"),
}
LOCALIZATION = {
    **BOTH,
    "images": Argument(
        "Topics of the images of several cameras, with commas between them, each with camera_info beside it. They go "
        "before image; the first one maps."
    ),
    "tf_mode": Argument(
        "The transform to publish: map_to_odom, map_to_base, map_to_camera or none.",
        "",
        TF_MODES,
        "tf_mode",
    ),
    "odom_frame": Argument("Frame of the odometry in TF.", parameter="odom_frame"),
    "base_frame": Argument("Frame whose pose is published.", parameter="base_frame"),
    "localization_params_file": params_file("localization.yaml"),
}
OWN = {
    "poses_frame": Argument(
        "Frame that the poses are given in while mapping, where it is not the map's: odom, on a robot without SLAM."
    ),
    "mapping": Argument(
        "Start mapping_node: auto where the map is not there yet, true, false.", "auto", ["auto", "true", "false"]
    ),
    "web": Argument("true: serve the web page, see web.launch.py.", "false", ["true", "false"]),
}
KNOWN = {**CAMERA, **MAPPING, **LOCALIZATION, **OWN, **COMMON}


def start(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """The nodes, and the web page if it is wanted."""
    given = performed(context, KNOWN)
    poses, published = frames(given["map_frame"], given["poses_frame"])
    started: list[LaunchDescriptionEntity] = []
    if given["web"] == "true":
        file = Path(get_package_share_directory("ace_ros")) / "launch" / "web.launch.py"
        started.append(IncludeLaunchDescription(PythonLaunchDescriptionSource(str(file))))
    try:
        wanted = mapping_wanted(given["mapping"], file_of(given))
    except AceError as error:
        raise RuntimeError(str(error)) from None
    if wanted:
        first = given["images"].split(",")[0].strip() or given["image"]
        told = {"image": first, "images": "", "map_frame": poses, "params_file": given["mapping_params_file"]}
        remaps = {"pose": ("pose", "pose"), "odom": ("pose", "odom")}
        known = {**CAMERA, **MAPPING, **COMMON}
        started.append(node("mapping_node", given | told, known, remaps, {"keep_collecting": False}))
    told = {"map_frame": published, "params_file": given["localization_params_file"]}
    started.append(
        node("localization_node", given | told, {**CAMERA, **LOCALIZATION, **COMMON}, {}, {"wait_for_map": True})
    )
    return started


def generate_launch_description() -> LaunchDescription:
    """What ``ros2 launch ace_ros bringup.launch.py`` runs."""
    return LaunchDescription([*declarations(KNOWN), OpaqueFunction(function=start)])

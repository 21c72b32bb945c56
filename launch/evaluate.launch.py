"""How good would a robot's poses have been: plays a recording through localization_node and judges what came out."""

import tempfile
from pathlib import Path

from ament_index_python.packages import get_package_prefix
from launch.actions import DeclareLaunchArgument, ExecuteProcess, OpaqueFunction, RegisterEventHandler, Shutdown
from launch.event_handlers import OnProcessExit, OnProcessIO, OnShutdown
from launch.events.process import ProcessExited, ProcessIO
from launch.launch_description_entity import LaunchDescriptionEntity
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from ace_ros.errors import AceError
from ace_ros.live.plan import LOCALIZER, PLAYER, RECORDER, Run, as_bag, plan
from ace_ros.map.scene_map import SceneMap
from ace_ros.nodes.launching import COMMON, TF_MODES, declarations, log_arguments, tf_remappings
from ace_ros.online.maps_dir import DEFAULT, map_path
from ace_ros.recordings import BagOptions, SplitOptions, open_recording
from launch import LaunchContext, LaunchDescription

# name: default, description, choices.
ARGUMENTS = {
    "bag": (None, "The recording: a rosbag2, or any folder that 'ace map' reads. With true poses.", None),
    "map": (None, "The map: a file, or a name below ~/.ros/ace_maps.", None),
    "report": ("", "Folder for the report, one HTML file and its data; empty: none.", None),
    "json": ("", "File for the figures; empty: none.", None),
    "record": ("", "File for what was recorded; empty: it is thrown away.", None),
    "split": ("", "Which frames are judged: test, train or all; empty: as 'ace evaluate' does.", None),
    "rate": ("1.0", "Speed of the replay.", None),
    "image": ("", "Topic of the images, where the bag holds several.", None),
    "camera_info": ("", "Topic of their camera_info, where that is not clear.", None),
    "pose": ("", "Topic of the true poses, or /tf, where the bag holds several.", None),
    "tf_mode": ("", "The transform that localization_node publishes; empty: what the bag's TF allows.", TF_MODES),
    "params_file": ("", "Parameters of localization_node; what is chosen for the bag goes first.", None),
}
USUAL = {name: COMMON[name] for name in ("namespace", "tf", "use_sim_time", "log_level")}


def evaluation(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """The nodes, each when it is due, and the judgement at the end."""
    given = {name: LaunchConfiguration(name).perform(context) for name in (*ARGUMENTS, *USUAL)}
    folder = tempfile.TemporaryDirectory(prefix="ace_live_")
    try:
        if not Path(given["map"]).expanduser().is_file():
            given["map"] = str(map_path(DEFAULT, given["map"]))
        record = Path(given["record"] or Path(folder.name) / "record.jsonl").expanduser().absolute()
        run = prepared(given, record, Path(folder.name))
    except AceError as error:
        folder.cleanup()
        raise RuntimeError(str(error)) from None
    recorder, localizer, player = (node(name, run, given) for name in (RECORDER, LOCALIZER, PLAYER))
    judgement = ExecuteProcess(cmd=judging(given, record), output="screen")
    played = []

    def on_output(event: ProcessIO) -> list[LaunchDescriptionEntity]:
        if b"ready" not in event.text or played:
            return []
        played.append(player)
        return [player]

    def on_recorded(event: ProcessExited, _: LaunchContext) -> list[LaunchDescriptionEntity]:
        return [judgement] if event.returncode == 0 else [Shutdown(reason="nothing was recorded")]

    def on_played(event: ProcessExited, _: LaunchContext) -> list[LaunchDescriptionEntity]:
        return [Shutdown(reason="the replay failed")] if event.returncode else []

    return [
        RegisterEventHandler(OnProcessIO(target_action=recorder, on_stdout=on_output, on_stderr=on_output)),
        RegisterEventHandler(OnProcessExit(target_action=player, on_exit=on_played)),
        RegisterEventHandler(OnProcessExit(target_action=recorder, on_exit=on_recorded)),
        RegisterEventHandler(OnProcessExit(target_action=judgement, on_exit=[Shutdown(reason="done")])),
        RegisterEventHandler(OnShutdown(on_shutdown=lambda *_: folder.cleanup())),
        recorder,
        localizer,
    ]


def prepared(given: dict[str, str], record: Path, folder: Path) -> Run:
    """What to start; recordings that are no bags are written into ``folder`` as one."""
    path, map_file = Path(given["bag"]).expanduser(), Path(given["map"]).expanduser()
    options = SplitOptions(bag=BagOptions(given["image"], given["camera_info"], given["pose"]))
    header = SceneMap.load(map_file).header
    scene = open_recording(path, given["split"] or "test", options)
    bag, options = as_bag(path, scene, options, folder)
    mode: dict[str, str | bool] = {"tf_mode": given["tf_mode"]} if given["tf_mode"] else {}
    if given["use_sim_time"]:
        mode["use_sim_time"] = given["use_sim_time"] == "true"
    return plan(bag, options, map_file, header, record, float(given["rate"]), mode)


def node(name: str, run: Run, given: dict[str, str]) -> Node:
    """A node with what the run gives it."""
    own = [given["params_file"]] if name == LOCALIZER and given["params_file"] else []
    return Node(
        package="ace_ros",
        executable=name,
        name=name,
        namespace=given["namespace"],
        output="screen",
        parameters=[*own, run.parameters[name]],
        remappings=[*run.remappings[name].items(), *tf_remappings(given["tf"])],
        arguments=log_arguments(given["log_level"]),
    )


def judging(given: dict[str, str], record: Path) -> list[str]:
    """The command that makes figures and report of the record."""
    ace = str(Path(get_package_prefix("ace_ros")) / "bin" / "ace")
    command = [ace, "evaluate", given["map"], given["bag"], "--recorded", str(record), "--replay-rate", given["rate"]]
    flags = {
        "report": "--report",
        "json": "--json",
        "split": "--split",
        "image": "--image-topic",
        "camera_info": "--camera-info-topic",
        "pose": "--pose-topic",
    }
    for name, flag in flags.items():
        command += [flag, given[name]] if given[name] else []
    return command


def generate_launch_description() -> LaunchDescription:
    """What ``ros2 launch ace_ros evaluate.launch.py`` runs."""
    arguments = [
        DeclareLaunchArgument(name, default_value=default, description=text, choices=choices)
        for name, (default, text, choices) in ARGUMENTS.items()
    ]
    return LaunchDescription([*arguments, *declarations(USUAL), OpaqueFunction(function=evaluation)])

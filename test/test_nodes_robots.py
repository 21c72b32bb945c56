"""Several robots in one ROS graph, each in its namespace; launch files and layouts that know of it."""

import importlib.util
import json
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
import yaml
from ament_index_python.packages import get_package_share_directory
from localizing import Localizing, near
from map_making import with_header
from ros_harness import own_domain

from ace_ros.errors import InputError
from ace_ros.map.scene_map import SceneMap
from ace_ros.msg import LocalizationStatus as Status

SHARE = Path(get_package_share_directory("ace_ros"))
SHIFT = np.array([10.0, 0.0, 0.0])


@pytest.fixture
def domain():
    with own_domain() as number:
        yield number


def test_two_robots_with_maps_and_tf_of_their_own(mapped_room, domain, tmp_path):
    """The same names of frames and nodes, other maps: each drives in its own, and neither is the other's rival."""
    whole = SceneMap.load(mapped_room.map)
    moved = tmp_path / "moved.safetensors"
    with_header(whole, origin=tuple(whole.header.origin + SHIFT)).save(moved)
    first = Localizing(mapped_room, domain, tmp_path, namespace="/robot1", topic="/robot1/camera", own_tf=True)
    second = Localizing(
        mapped_room, domain, tmp_path, namespace="/robot2", topic="/robot2/camera", own_tf=True, map=str(moved)
    )
    with first as one, second as two:
        for index in range(1, 5):
            stamps = one.send(index), two.send(index + 2)
            for node, stamp, at, shift in ((one, stamps[0], index, 0 * SHIFT), (two, stamps[1], index + 2, SHIFT)):
                status = node.answer(stamp)
                assert status.state == Status.STATE_LOCALIZED and status.reason_code == Status.REASON_NONE, (
                    status.reason
                )
                truth = node.truth(at)
                truth[:3, 3] += shift
                assert near(node.pose_of(stamp), truth)
                assert near(node.lookup("map", "base_link", stamp), truth)
        topics = dict(one.probe.get_topic_names_and_types())
        assert {"/robot1/tf", "/robot2/tf_static"} <= set(topics)
        both = {"/robot1/localization_node", "/robot2/localization_node"}
        one.probe.until(lambda: both <= {s.hardware_id for m in one.diagnostics for s in m.status}, "/diagnostics")


def launch_file(name):
    pytest.importorskip("launch_ros")
    spec = importlib.util.spec_from_file_location(name, SHARE / "launch" / f"{name}.launch.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.generate_launch_description()


def started(description, given, monkeypatch):
    """The command lines that launch would run for the nodes of the description, by executable."""
    from launch.actions import ExecuteProcess, OpaqueFunction

    from launch import LaunchContext

    commands = []

    def execute(action, context):
        commands.append(["".join(s.perform(context) for s in words) for words in action.cmd])

    monkeypatch.setattr(ExecuteProcess, "execute", execute)
    context = LaunchContext()
    context.launch_configurations.update(given)
    for entity in description.entities:
        for node in entity.execute(context) or ():
            assert isinstance(entity, OpaqueFunction)
            node.execute(context)
    return {Path(command[0]).name: command for command in commands}


def only(commands):
    (command,) = commands.values()
    return command


def overrides(command):
    """The parameters that launch sets beside params_file."""
    files = [command[i + 1] for i, word in enumerate(command) if word == "--params-file"]
    values = [one["ros__parameters"] for file in files[1:] for one in yaml.safe_load(Path(file).read_text()).values()]
    return {name: value for one in values for name, value in one.items()}


def test_a_number_that_is_none_is_told_by_its_argument(monkeypatch):
    with pytest.raises(InputError, match="port:=x is no int"):
        started(launch_file("web"), {"port": "x"}, monkeypatch)


def remapped(command):
    return {command[i + 1] for i, word in enumerate(command) if word == "-r"}


@pytest.mark.parametrize("name", ["map", "localize", "evaluate", "bringup", "web"])
def test_every_launch_file_takes_the_usual_arguments(name):
    names = {argument.name for argument in launch_file(name).get_launch_arguments()}
    assert {"namespace", "use_sim_time", "log_level", "tf"} <= names
    own = {"mapping_params_file", "localization_params_file"} if name == "bringup" else {"params_file"}
    assert own <= names


@pytest.mark.parametrize("name", ["map", "localize", "web"])
def test_what_is_not_given_overrides_nothing(name, tmp_path, monkeypatch):
    """params_file says use_sim_time and more; launch adds only what was asked for."""
    params = tmp_path / "mine.yaml"
    params.write_text("/**:\n  ros__parameters:\n    use_sim_time: true\n    device: cpu\n")
    command = only(started(launch_file(name), {"params_file": str(params)}, monkeypatch))
    files = [command[i + 1] for i, word in enumerate(command) if word == "--params-file"]
    assert files == [str(params)] and not {"-p", "--log-level"} & set(command), command
    remaps = [command[i + 1] for i, word in enumerate(command) if word == "-r"]
    assert {"/tf:=tf", "/tf_static:=tf_static", "image:=camera/image_raw"} <= set(remaps)
    assert not any(re.search(r":=/", remap) for remap in remaps if not remap.startswith("__"))

    given = {"params_file": str(params), "use_sim_time": "false", "log_level": "warn", "namespace": "robot1"}
    command = only(started(launch_file(name), given | {"tf": "/tf"}, monkeypatch))
    assert "__ns:=/robot1" in command
    files = [command[i + 1] for i, word in enumerate(command) if word == "--params-file"]
    values = yaml.safe_load(Path(files[-1]).read_text())
    assert [v["ros__parameters"] for v in values.values()] == [{"use_sim_time": False}]
    assert command[command.index("--log-level") + 1] == "warn" and "/tf:=/tf" in command


def test_several_cameras_are_a_list(monkeypatch):
    command = only(started(launch_file("localize"), {"images": "front/image_raw,/rear/image_raw"}, monkeypatch))
    wanted = {"image_0:=front/image_raw", "camera_info_0:=front/camera_info", "image_1:=/rear/image_raw"}
    assert wanted <= remapped(command) and overrides(command) == {"cameras": 2}


def test_bringup_maps_where_there_is_no_map(tmp_path, monkeypatch):
    """Both nodes mean one map; once it is there, only one of them is started. What is not given says nothing."""
    given = {"map": "office", "maps_dir": str(tmp_path), "image": "/cam/image", "namespace": "robot1"}
    commands = started(launch_file("bringup"), given, monkeypatch)
    assert set(commands) == {"mapping_node", "localization_node"}
    shared = {"maps_dir": str(tmp_path)}
    assert overrides(commands["mapping_node"]) == shared | {"map_name": "office", "keep_collecting": False}
    assert overrides(commands["localization_node"]) == shared | {"map": "office", "wait_for_map": True}
    assert all({"image:=/cam/image", "/tf:=tf"} <= remapped(command) for command in commands.values())

    two = given | {
        "images": "front/image,rear/image",
        "poses_frame": "odom",
        "pose_source": "odometry",
        "pose": "/wheels",
    }
    commands = started(launch_file("bringup"), two, monkeypatch)
    assert {"image:=front/image", "odom:=/wheels"} <= remapped(commands["mapping_node"])
    assert overrides(commands["mapping_node"])["map_frame"] == "odom"
    told = overrides(commands["localization_node"])
    assert (told["map_frame"], told["cameras"]) == ("map", 2) and "pose_source" not in told

    (tmp_path / "office.safetensors").touch()
    assert set(started(launch_file("bringup"), given, monkeypatch)) == {"localization_node"}
    assert len(started(launch_file("bringup"), given | {"mapping": "true"}, monkeypatch)) == 2
    params = tmp_path / "mine.yaml"
    params.write_text(f"/**/localization_node:\n  ros__parameters:\n    maps_dir: {tmp_path}\n")
    said = {"map": "office", "localization_params_file": str(params)}
    assert set(started(launch_file("bringup"), said, monkeypatch)) == {"localization_node"}


def test_the_port_of_the_page_is_a_number_and_a_name_is_a_text(monkeypatch):
    command = only(started(launch_file("web"), {"port": "8123", "mapper": "7"}, monkeypatch))
    assert overrides(command) == {"port": 8123, "mapper": "7"}


def test_layouts_serve_in_a_namespace(tmp_path):
    """RViz's topics are relative; Foxglove knows no such thing, and its layout is written anew by one command."""
    rviz = (SHARE / "config" / "ace_ros.rviz").read_text()
    topics = re.findall(r"Topic:\n\s+Value: (\S+)", rviz)
    assert "localization_node/map_cloud" in topics and not any(topic.startswith("/") for topic in topics)
    guide = (Path(__file__).parents[1] / "docs" / "nav2.md").read_text()
    command = re.search(r"sed (.*?) ace_ros\.foxglove\.json > robot1\.json", guide).group(1)
    done = subprocess.run(
        f"sed {command} {SHARE / 'config' / 'ace_ros.foxglove.json'}",
        shell=True,
        capture_output=True,
        text=True,
        check=True,
    )
    text = json.dumps(json.loads(done.stdout))
    named = set(re.findall(r'"(/[a-z]\w*(?:/\w+)*)', text))
    assert named and all(topic.startswith("/robot1/") or topic == "/diagnostics" for topic in named), named

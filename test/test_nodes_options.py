"""Parameters: the dataclasses are the truth, the files in config/ agree with them, and bad values are refused."""

import json
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
import rclpy
import yaml
from ament_index_python.packages import get_package_share_directory
from rclpy.context import Context
from rclpy.node import Node
from rclpy.parameter import Parameter

from ace_ros.errors import InputError
from ace_ros.nodes import config, parameters
from ace_ros.nodes.camera_topics import camera_remaps
from ace_ros.nodes.evaluation_options import ReplayNodeOptions
from ace_ros.nodes.options import LocalizationNodeOptions, MappingNodeOptions
from ace_ros.options import declared
from ace_ros.options import from_plain as from_values
from ace_ros.options import plain_defaults as defaults
from ace_ros.web.options import WebOptions

CONFIG = Path(get_package_share_directory("ace_ros")) / "config"


@pytest.mark.parametrize(
    ("name", "cls"),
    [("mapping.yaml", MappingNodeOptions), ("localization.yaml", LocalizationNodeOptions), ("web.yaml", WebOptions)],
)
def test_config_files_hold_every_parameter_with_its_default(name, cls):
    values = yaml.safe_load((CONFIG / name).read_text())["/**"]["ros__parameters"]
    assert values == defaults(cls)
    assert {key: type(value) for key, value in values.items()} == {
        key: type(value) for key, value in defaults(cls).items()
    }
    assert from_values(cls, values) == cls()


_FOR_PICTURES = {"matplotlib", "scipy.stats"}


@pytest.mark.parametrize(
    ("node", "spared"),
    [
        ("localization_node", _FOR_PICTURES),
        ("mapping_node", _FOR_PICTURES),
        ("replay_node", _FOR_PICTURES | {"torch", "poselib"}),
        ("evaluation_node", _FOR_PICTURES | {"torch", "poselib"}),
        ("web_node", _FOR_PICTURES | {"torch", "poselib", "aiohttp"}),
    ],
)
def test_a_node_loads_no_more_than_it_needs(node, spared, tmp_path):
    """PyTorch takes two seconds of a robot and 200 MB, matplotlib and scipy.stats 0.8 seconds each."""
    program = f"import sys, ace_ros.nodes.{node}; print(*sorted({spared!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=100, cwd=tmp_path)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


@pytest.mark.parametrize("name", config.FILES)
def test_config_files_are_what_the_command_writes(name, tmp_path):
    config.main(tmp_path)
    assert (CONFIG / name).read_text() == (tmp_path / name).read_text(), "run: make config"
    text = config.text(name)
    for one in declared(config.FILES[name][0]).values():
        comment = " ".join(re.search(rf"((?:    # .*\n)+)    {one.name}: ", text).group(1).replace("#", "").split())
        assert comment.endswith(f"{one.plain_text} {one.hint}".rstrip()), comment


@pytest.fixture
def node():
    """A node that was started with a parameter file of an earlier version."""
    context = Context()
    rclpy.init(context=context)
    earlier = [Parameter("steps", value=0), Parameter("landmarks", value=-1), Parameter("seconds", value=0.0)]
    made = Node("options", context=context, parameter_overrides=earlier)
    yield made
    made.destroy_node()
    rclpy.try_shutdown(context=context)


def test_parameters_are_described_and_files_of_earlier_versions_are_taken(node):
    parameters.declare(node, MappingNodeOptions)
    assert parameters.read(node, MappingNodeOptions) == MappingNodeOptions()
    seconds, steps, source = (node.describe_parameter(name) for name in ("seconds", "steps", "pose_source"))
    assert seconds.description == "Train the head no longer than this; 0: no limit. [s]"
    assert (seconds.floating_point_range[0].from_value, steps.integer_range[0].from_value) == (0.0, 0)
    assert source.additional_constraints == "one of tf, pose_stamped, odometry"
    assert node.describe_parameter("min_rotation").floating_point_range[0].to_value == 180.0


def test_values_are_checked_while_the_node_runs(node):
    parameters.declare(node, MappingNodeOptions)
    parameters.guard(node, MappingNodeOptions, lambda name: "" if name == "pose_source" else "not now")
    wrong = node.set_parameters([Parameter("pose_source", value="gps")])[0]
    assert not wrong.successful and wrong.reason.startswith("parameter pose_source: takes one of tf, pose_stamped")
    assert node.set_parameters([Parameter("pose_source", value="odometry")])[0].successful
    assert node.set_parameters([Parameter("steps", value=5)])[0].reason == "not now"


@pytest.mark.parametrize("cls", [MappingNodeOptions, LocalizationNodeOptions, ReplayNodeOptions, WebOptions])
def test_every_option_has_a_text_and_a_default_that_it_allows(cls):
    for entry in fields(cls):
        assert entry.metadata["text"].endswith(".")
    assert from_values(cls, defaults(cls)) == cls()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"tf_rate": 1000.0}, "tf_rate: takes 1 to 200, got 1000"),
        ({"tf_rate": float("nan")}, "tf_rate: takes 1 to 200"),
        ({"tf_rate": "fast"}, "tf_rate: takes a number, got 'fast'"),
        ({"planar": 1}, "planar: takes true or false"),
        ({"kidnap_frames": 2.5}, "kidnap_frames: takes a whole number"),
        ({"max_age": -1.0}, "max_age: takes 0 or more"),
        ({"tf_mode": "odom"}, "tf_mode: takes one of map_to_odom, map_to_base"),
        ({"tf_mod": "none"}, "tf_mod: there is no such parameter"),
    ],
)
def test_bad_values_are_refused_with_a_reason(values, message):
    with pytest.raises(InputError, match=message):
        from_values(LocalizationNodeOptions, values)


def test_a_whole_number_will_do_for_a_float():
    assert from_values(LocalizationNodeOptions, {"tf_rate": 10}).tf_rate == 10.0


def test_layouts_and_the_filter_name_topics_that_there_are():
    """RViz, Foxglove and robot_localization read these files; here it is seen that they are whole."""
    rviz = yaml.safe_load((CONFIG / "ace_ros.rviz").read_text())["Visualization Manager"]
    shown = {f"/{display['Topic']['Value']}" for display in rviz["Displays"] if "Topic" in display}
    foxglove = json.loads((CONFIG / "ace_ros.foxglove.json").read_text())
    panels = foxglove["configById"]
    assert {"/localization_node/map_cloud", "/mapping_node/map_cloud"} <= shown & set(panels["3D!map"]["topics"])
    assert "/localization_node/alternatives" in shown & set(panels["3D!map"]["topics"])
    assert "/localization_node/debug_image" in shown
    assert panels["Image!debug"]["imageMode"]["imageTopic"] == "/localization_node/debug_image"
    fused = yaml.safe_load((CONFIG / "robot_localization.yaml").read_text())["ekf_map"]["ros__parameters"]
    assert fused["pose0"] == "/localization_node/image_pose" and fused["world_frame"] == "map"
    assert len(fused["pose0_config"]) == len(fused["odom0_config"]) == 15


def test_topics_of_cameras_as_launch_files_take_them():
    assert camera_remaps("camera/image_raw") == {"image": "camera/image_raw", "camera_info": "camera/camera_info"}
    assert camera_remaps("image", "info") == {"image": "image", "camera_info": "info"}
    assert camera_remaps("image")["camera_info"] == "camera_info"
    assert camera_remaps("x", "", "front/image_raw, /rear/color/image_raw,") == {
        "image_0": "front/image_raw", "image_1": "/rear/color/image_raw",
        "camera_info_0": "front/camera_info", "camera_info_1": "/rear/color/camera_info",
    }  # fmt: skip
    assert camera_remaps("x", "", "front/image_raw")["image"] == "front/image_raw"

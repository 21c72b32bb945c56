"""The library and the `ace` command work where there is no ROS at all."""

import subprocess
import sys
from pathlib import Path

import pytest

import ace_ros

pytestmark = pytest.mark.slow  # a process each

# Importing any of these fails, as it does where they are not installed.
ROS = (
    "rclpy", "rosidl_runtime_py", "ament_index_python", "launch", "launch_ros", "cv_bridge", "message_filters",
    "tf2_ros", "tf2_msgs", "tf_transformations", "diagnostic_updater", "sensor_msgs", "geometry_msgs", "std_msgs",
    "bondpy",
    "std_srvs", "nav_msgs", "diagnostic_msgs", "visualization_msgs", "builtin_interfaces", "rosgraph_msgs",
    "ace_ros.msg", "ace_ros.srv", "ace_ros.action", "ace_ros.nodes",
)  # fmt: skip

BLOCK = f"""
import sys
from importlib.abc import MetaPathFinder

class NoRos(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if any(name == ros or name.startswith(ros + ".") for ros in {ROS!r}):
            raise ModuleNotFoundError(f"{{name}} is ROS", name=name)

sys.meta_path.insert(0, NoRos())
"""


def run(code, *arguments):
    return subprocess.run([sys.executable, "-c", BLOCK + code, *arguments], capture_output=True, text=True, timeout=300)


def modules():
    root = Path(ace_ros.__path__[0])
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if not name.startswith(("ace_ros.nodes", "ace_ros.msg", "ace_ros.srv", "ace_ros.action")):
            yield name


def test_the_hook_does_stop_ros():
    assert "is ROS" in run("import rclpy").stderr


def test_every_module_but_the_nodes_imports_without_ros():
    names = list(modules())
    some = {"ace_ros.cli", "ace_ros.mapping.mapper", "ace_ros.localization.localizer", "ace_ros.recordings"}
    some |= {"ace_ros.online.localizing", "ace_ros.online.mapping_session", "ace_ros.live.processes"}
    assert some <= set(names)
    done = run("import importlib\nfor name in sys.argv[1:]: importlib.import_module(name)\nprint('all')", *names)
    assert done.returncode == 0 and done.stdout.strip() == "all", done.stderr


def test_ace_runs_without_ros():
    done = run("from ace_ros.cli import main\nsys.exit(main(['map', '--help']))")
    assert done.returncode == 0 and "examples:" in done.stdout, done.stderr


def test_live_evaluation_says_what_is_missing(tmp_path):
    program = "from ace_ros.cli import main\nsys.exit(main(sys.argv[1:]))"
    done = run(program, "evaluate", str(tmp_path / "m"), str(tmp_path), "--live")
    assert done.returncode == 1 and not done.stdout
    assert "this needs ROS 2, and this Python has no rclpy" in done.stderr and "Traceback" not in done.stderr


def test_help_and_usage_errors_never_wait_for_torch():
    done = run("from ace_ros.cli import main\ncode = main(['--help'])\nsys.exit(3 if 'torch' in sys.modules else code)")
    assert done.returncode == 0, done.stderr

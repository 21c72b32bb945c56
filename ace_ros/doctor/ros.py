"""ROS 2: sourced, for this Python, complete, and this package's interfaces built for it."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from ace_ros.doctor.finding import Finding, broken, ok, warning
from ace_ros.doctor.libraries import other_numpy, version_of
from ace_ros.doctor.machine import distro, numpy_requirement, pip, places_of, probe

#: what the nodes import, and the package of it where its name is another
_PACKAGES = {
    "rclpy": "", "cv_bridge": "", "tf2_ros": "tf2_ros_py", "tf_transformations": "", "message_filters": "",
    "diagnostic_updater": "", "sensor_msgs": "", "geometry_msgs": "", "nav_msgs": "", "std_srvs": "", "tf2_msgs": "",
    "diagnostic_msgs": "", "visualization_msgs": "", "lifecycle_msgs": "", "rosgraph_msgs": "",
}  # fmt: skip
# cv_bridge loads its compiled half when it first needs it; where it is all Python there is none.
_CV_BRIDGE = """
import importlib.util, cv_bridge
if importlib.util.find_spec("cv_bridge.boost"):
    import cv_bridge.boost.cv_bridge_boost
"""
_PYTHON = "{}.{}".format(*sys.version_info[:2])


def ros(root: Path = Path("/")) -> Iterator[Finding]:
    """Findings about ROS; a single one where there is none, which is no fault: the library needs none."""
    if importlib.util.find_spec("rclpy") is None:
        yield _absent(root)
        return
    rclpy = probe("import rclpy; print(rclpy.__path__[0])")
    if rclpy.failed:
        yield _unusable(rclpy.reason)
        return
    yield ok(f"ROS 2 {distro() or '(no ROS_DISTRO)'}, rclpy {version_of('rclpy')}  {rclpy.printed}")
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        yield broken(f"ROS packages are missing: {', '.join(missing)}", _install(missing))
    for name in ("cv_bridge", "tf_transformations"):
        if name not in missing:
            yield _built(name)
    if importlib.util.find_spec("launch_ros") is None:
        yield warning(
            "launch_ros is missing: nodes run, `ros2 launch` does not", _install(["launch_ros", "ros2launch"])
        )
    yield _interfaces()


def _absent(root: Path) -> Finding:
    other = [python for prefix in _prefixes() for python in _pythons_of(prefix) if python != _PYTHON]
    if other:
        return broken(
            f"the ROS that is sourced is for Python {other[0]}, this is Python {_PYTHON} ({sys.executable})",
            f"make the venv with that Python: python{other[0]} -m venv --system-site-packages .venv",
        )
    here = sorted(path.name for path in (root / "opt" / "ros").glob("*") if (path / "setup.bash").is_file())
    if here:
        return warning(f"ROS 2 {here[-1]} is installed and not sourced", f"source /opt/ros/{here[-1]}/setup.bash")
    return ok("no ROS 2 in this Python: the library and the ace command run, the nodes do not")


def _unusable(reason: str) -> Finding:
    place = str(places_of("rclpy")[0]) if places_of("rclpy") else ""
    python = re.search(r"python(3\.\d+)", place)
    if python and python[1] != _PYTHON:
        return broken(
            f"rclpy in {place} is for Python {python[1]}, this is Python {_PYTHON} ({sys.executable})",
            f"make the venv with that Python: python{python[1]} -m venv --system-site-packages .venv",
        )
    return broken(f"rclpy can't be imported: {reason}", f"source /opt/ros/{distro() or 'DISTRO'}/setup.bash")


def _prefixes() -> list[Path]:
    return [Path(entry) for entry in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if entry]


def _pythons_of(prefix: Path) -> list[str]:
    """Pythons that rclpy under this prefix is for."""
    return [path.parents[1].name[6:] for path in prefix.glob("**/lib/python3.*/*-packages/rclpy")]


def _install(modules: list[str]) -> str:
    names = [_PACKAGES.get(module) or module for module in modules]
    if not distro():
        return "source a ROS 2 distribution, which has it: source /opt/ros/DISTRO/setup.bash"
    return "sudo apt install " + " ".join(f"ros-{distro()}-{name.replace('_', '-')}" for name in names)


def _built(name: str) -> Finding:
    seen = probe(_CV_BRIDGE if name == "cv_bridge" else f"import {name}")
    if other_numpy(seen):
        text = f"{name} is built for another NumPy than {version_of('numpy')}"
        return broken(text, pip("install", numpy_requirement()))
    if missing := re.search(r"No module named '(cv2|numpy)'", seen.reason):
        return broken(f"{name} can't be imported without {missing[1]}", "as for that, below")
    if seen.failed and name == "tf_transformations" and "transforms3d" in seen.complaint:
        text = f"tf_transformations can't be imported, as transforms3d does not fit this NumPy: {seen.reason}"
        return broken(text, pip("install", "transforms3d>=0.4"))
    return broken(f"{name} can't be imported: {seen.reason}", _install([name])) if seen.failed else ok(name)


def _interfaces() -> Finding:
    seen = probe("import ace_ros.msg, ace_ros.srv, ace_ros.action; ace_ros.msg.LocalizationStatus()")
    if not seen.failed:
        return ok("messages of ace_ros")
    remedy = "colcon build --packages-select ace_ros && source install/setup.bash   (in the workspace)"
    return broken(f"the messages of ace_ros are not to be had in this Python: {seen.reason}", remedy)

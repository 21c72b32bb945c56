"""What is imported, package.xml, CMakeLists.txt, setup.py and requirements/ name the same packages and versions."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from ace_ros.dependencies import DEPENDENCIES, WEB, WEIGHTS

ROOT = Path(__file__).resolve().parents[1]
REQUIREMENTS = ROOT / "requirements"
DISTROS = ("humble", "jazzy", "kilted", "lyrical", "rolling")
# What only some commands need, each with a sentence of its own where it is missing: extras of setup.py.
EXTRAS = {"distributed", "dask", "psutil", "skimage"}
# Declared and never imported: what runs launch files, what messages and lifecycle nodes load, what install.sh calls.
NEVER_IMPORTED = {"ros2launch", "rosidl_default_runtime", "action_msgs", "python3-venv"}

WIDTHS = (("max-line-length", ".flake8"), ("line-length", "pyproject.toml"))


def imported(folder):
    """Top names of all modules that the Python files of a folder import, but for Python's own and ours."""
    names = set()
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add(node.module)
    return {name.split(".")[0] for name in names} - set(sys.stdlib_module_names) - {"ace_ros"}


def declared(*kinds):
    """Packages that package.xml names in elements of those kinds."""
    root = ElementTree.parse(ROOT / "package.xml").getroot()
    return {element.text for element in root if element.tag in kinds}


def requirements(name):
    """Name -> the rest of the line, of a file in requirements/; the first line of a name, the oldest Python's."""
    found = {}
    for line in (REQUIREMENTS / name).read_text().splitlines():
        if match := re.match(r"([A-Za-z0-9._-]+)([<>=].*)", line.split(" #")[0].strip()):
            found.setdefault(match[1], match[2].split(";")[0].strip())
    return found


def test_package_xml_names_what_is_imported():
    ours = {one.module.split(".")[0]: one.rosdep for one in (*DEPENDENCIES, WEB)}
    needed = imported("ace_ros") | imported("launch")
    assert {"rclpy", "cv_bridge", "tf_transformations", "launch_ros", "numpy"} <= needed
    ros = {{"tf2_ros": "tf2_ros_py"}.get(name, name) for name in needed - set(ours) - EXTRAS}
    known = declared("depend", "exec_depend")
    needed = ros | set(filter(None, ours.values()))
    assert needed <= known and known - needed <= NEVER_IMPORTED


def test_package_xml_names_what_cmake_looks_for():
    found = set(re.findall(r"find_package\((\w+)", (ROOT / "CMakeLists.txt").read_text()))
    assert {"ament_cmake", "ament_cmake_pytest"} < found
    assert found <= declared("depend", "buildtool_depend", "build_depend", "test_depend")


def test_colcon_test_runs_aments_linters_as_ruff_has_it():
    assert "ament_lint_auto_find_test_dependencies()" in (ROOT / "CMakeLists.txt").read_text()
    assert {"ament_lint_auto", "ament_cmake_flake8", "ament_cmake_lint_cmake"} <= declared("test_depend")
    columns = [re.search(rf"^{key} = (\d+)$", (ROOT / name).read_text(), re.MULTILINE)[1] for key, name in WIDTHS]
    assert len(set(columns)) == 1


def test_setup_py_takes_them_from_the_one_declaration():
    said = "print(*k['install_requires'], *k['extras_require']['web'])"
    program = f"import setuptools, runpy; setuptools.setup = lambda **k: {said}; "
    done = subprocess.run(
        [sys.executable, "-c", program + "runpy.run_path('setup.py')"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.stdout.split() == [*(one.requirement for one in DEPENDENCIES), WEIGHTS, WEB.requirement], done.stderr


def test_floors_are_the_versions_that_are_tested():
    pinned = requirements("floor.txt")
    for one in (*DEPENDENCIES, WEB):
        if one.name == "torch":
            floor = re.search(r"^FLOOR_TORCH \?= torch(\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]
        else:
            floor = pinned[one.name]
        assert re.fullmatch(rf"=={re.escape(one.floor)}(\.\d+)*", floor), (one.name, floor)


def test_what_a_distribution_lacks_has_the_same_floors():
    lacking = requirements("distribution.txt")
    assert "opencv-python-headless" not in lacking
    for one in DEPENDENCIES:
        if one.module != "cv2":
            assert f"{one.name}{lacking.pop(one.name)}" == one.requirement
    assert set(lacking) == {"transforms3d"}
    assert WEIGHTS in (REQUIREMENTS / "weights.txt").read_text().splitlines()


@pytest.mark.parametrize("distro", DISTROS)
def test_every_distribution_keeps_its_numpy_and_its_opencv(distro):
    bounds = requirements(f"{distro}.txt")
    assert bounds["numpy"].endswith("<3" if distro in ("lyrical", "rolling") else "<2")
    assert bounds["setuptools"] == "<80" and bounds["opencv-python"] == bounds["opencv-python-headless"] == "<0"
    assert distro in (ROOT / "docs" / "installing.md").read_text().lower()


@pytest.mark.parametrize(
    ("distro", "said"),
    [
        ("", "no ROS 2 is sourced: source /opt/ros/DISTRO/setup.bash first"),
        ("iron", "ROS 2 iron is not supported; these are: humble, jazzy, kilted, lyrical, rolling"),
        ("jazzy", "there is no src/ here: run it in the colcon workspace that ace_ros is in"),
    ],
)
def test_the_installer_says_what_it_misses_and_makes_nothing(distro, said, tmp_path):
    environment = os.environ | {"ROS_DISTRO": distro}
    command = ["bash", str(REQUIREMENTS / "install.sh")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert done.returncode == 1 and done.stderr == f"install.sh: {said}\n"
    assert not list(tmp_path.iterdir())

"""The arrows between the rooms of the package: the contracts of pyproject.toml hold, and find what breaks them."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

api = pytest.importorskip("importlinter.api", reason="import-linter is not installed: requirements/test.txt")
pytestmark = pytest.mark.slow  # a process each
ROOT = Path(__file__).resolve().parents[1]


def lint(folder):
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    command = [sys.executable, "-c", program, "--no-cache", "--no-logo"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100)


@pytest.fixture
def copy(tmp_path):
    """Sources to be spoilt."""
    shutil.copytree(ROOT / "ace_ros", tmp_path / "ace_ros", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_contracts_are_kept():
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 broken" in done.stdout


def test_the_contract_knows_every_ros_package_that_is_used():
    contracts = api.read_configuration(str(ROOT / "pyproject.toml"))["contracts_options"]
    forbidden = next(contract["forbidden_modules"] for contract in contracts if contract["id"] == "ros")
    named = re.findall(r"<(?:exec_)?depend>(\w+)<", (ROOT / "package.xml").read_text())
    packages = {name.removesuffix("_py") for name in named} - {"ros2launch", "rosidl_default_runtime"}
    assert "rclpy" in packages and packages <= set(forbidden)


@pytest.mark.parametrize(
    ("module", "line", "found"),
    [
        ("map/head.py", "from ace_ros.mapping.mapper import Mapper", "ace_ros.map is not allowed to import"),
        ("geometry.py", "import ace_ros.camera, ace_ros.features.encoder", "ace_ros.geometry is not allowed to import"),
        ("mapping/mapper.py", "from ace_ros.recordings import open_recording", "ace_ros.mapping is not allowed to"),
        ("online/motion.py", "from rclpy.node import Node", "ace_ros.online is not allowed to import rclpy"),
        ("cli/texts.py", "from ace_ros.nodes import runtime", "ace_ros.cli is not allowed to import ace_ros.nodes"),
        ("attic.py", "import math", "- ace_ros.attic"),  # a room without a place
    ],
)
def test_a_broken_contract_is_found(copy, module, line, found):
    with open(copy / "ace_ros" / module, "a") as file:
        file.write(f"\n{line}\n")
    done = lint(copy)
    assert done.returncode == 1, done.stdout + done.stderr
    assert found in done.stdout

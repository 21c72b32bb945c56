"""What `from ace_ros import ...` gives, and what `import ace_ros` costs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import ace_ros
from ace_ros.errors import AceError


def test_the_names_of_the_readme_are_there():
    wanted = {"open_recording", "Mapper", "SceneMap", "Localizer", "Camera", "Image"}
    assert wanted <= set(ace_ros.__all__) <= set(dir(ace_ros))


@pytest.mark.parametrize("name", ace_ros.__all__)
def test_every_public_name_is_found_and_documented(name):
    value = getattr(ace_ros, name)
    assert value.__module__.startswith("ace_ros.") and value.__doc__
    assert value is getattr(ace_ros, name)


def test_the_errors_have_one_base():
    errors = [getattr(ace_ros, name) for name in ace_ros.__all__ if name.endswith("Error") or name == "Cancelled"]
    assert len(errors) == 6 and all(issubclass(error, AceError) for error in errors)


def test_type_checkers_are_told_of_the_same_names():
    tree = ast.parse(Path(ace_ros.__file__).read_text())
    told = {
        alias.asname: node.module.removeprefix("ace_ros.")
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ace_ros.")
        for alias in node.names
    }
    assert told == ace_ros._MODULES


def test_a_name_that_is_not_there_is_no_attribute():
    with pytest.raises(AttributeError, match="'ace_ros' has no attribute 'Lokalizer'"):
        ace_ros.Lokalizer  # noqa: B018


def test_importing_the_package_is_light():
    program = "import sys, ace_ros; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "ace_ros" in loaded
    assert not loaded & {"torch", "cv2", "scipy", "numpy", "matplotlib", "rosbags", "poselib", "rclpy", "tyro", "rich"}


def test_type_information_is_installed():
    assert Path(ace_ros.__file__).with_name("py.typed").exists()

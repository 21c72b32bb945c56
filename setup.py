"""The library and the `ace` command for a Python without ROS: `pip install .`

In a ROS workspace CMakeLists.txt builds the package, and nothing here is used.
"""

import re
import runpy
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+)"', (HERE / "ace_ros" / "__init__.py").read_text())
NEEDS = runpy.run_path(str(HERE / "ace_ros" / "dependencies.py"))
README = HERE / "README.md"

setup(
    name="ace_ros",
    version=VERSION.group(1) if VERSION else "0",
    description="Visual relocalization from one camera image, in a place that was mapped minutes ago",
    long_description=README.read_text() if README.exists() else "",
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    packages=find_packages(include=["ace_ros", "ace_ros.*"], exclude=["ace_ros.nodes", "ace_ros.nodes.*"]),
    package_data={"ace_ros": ["py.typed", *(f"**/*.{kind}" for kind in ("css", "html", "js", "json", "svg", "yaml"))]},
    python_requires=">=3.10",
    install_requires=[*(one.requirement for one in NEEDS["DEPENDENCIES"]), NEEDS["WEIGHTS"]],
    extras_require={
        "demo": ["scikit-image>=0.22"],  # its photographs, for the generated scenes
        "cluster": ["distributed>=2026.8,<2027", "psutil>=5.9"],  # places of a map built by many processes or machines
        "web": [NEEDS["WEB"].requirement],  # what serves the page of ace_ros.web
    },
    entry_points={"console_scripts": ["ace = ace_ros.cli:main"]},
)

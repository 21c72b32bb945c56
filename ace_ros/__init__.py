"""ace_ros: visual relocalization from one camera image, in a place mapped minutes ago.

The names of ``__all__`` are the public ones. Each is loaded when it is first asked for: ``import ace_ros`` alone
loads neither torch nor OpenCV. Nothing here but ``ace_ros.nodes`` knows of ROS.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # for type checkers and editors; _MODULES says the same to Python
    from ace_ros.camera import Camera as Camera
    from ace_ros.errors import AceError as AceError
    from ace_ros.errors import Cancelled as Cancelled
    from ace_ros.errors import InputError as InputError
    from ace_ros.errors import MapFileError as MapFileError
    from ace_ros.errors import MappingError as MappingError
    from ace_ros.errors import MapVersionError as MapVersionError
    from ace_ros.geometry import pose_error as pose_error
    from ace_ros.image import Image as Image
    from ace_ros.localization.answer import Localization as Localization
    from ace_ros.localization.localizer import Localizer as Localizer
    from ace_ros.localization.options import LocalizeOptions as LocalizeOptions
    from ace_ros.localization.sight import RigView as RigView
    from ace_ros.localization.state import Reason as Reason
    from ace_ros.localization.state import State as State
    from ace_ros.map.scene_map import SceneMap as SceneMap
    from ace_ros.mapping.mapper import Mapper as Mapper
    from ace_ros.mapping.options import MapOptions as MapOptions
    from ace_ros.recordings import open_recording as open_recording
    from ace_ros.recordings.posed_frame import PosedFrame as PosedFrame
    from ace_ros.recordings.posed_frame import Recording as Recording

__version__ = "0.1.0"

# A robot's cores are shared. Threads of OpenMP that spin while they wait for each other turn a busy
# neighbour into a tenfold slowdown; sleeping, after some microseconds of hope where the runtime is GCC's, costs
# nearly nothing. Read once, when torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

_MODULES = {
    "AceError": "errors",
    "Camera": "camera",
    "Cancelled": "errors",
    "Image": "image",
    "InputError": "errors",
    "Localization": "localization.answer",
    "LocalizeOptions": "localization.options",
    "Localizer": "localization.localizer",
    "MapFileError": "errors",
    "MapOptions": "mapping.options",
    "MapVersionError": "errors",
    "Mapper": "mapping.mapper",
    "MappingError": "errors",
    "PosedFrame": "recordings.posed_frame",
    "Reason": "localization.state",
    "Recording": "recordings.posed_frame",
    "RigView": "localization.sight",
    "SceneMap": "map.scene_map",
    "State": "localization.state",
    "open_recording": "recordings",
    "pose_error": "geometry",
}
__all__ = list(_MODULES)


def __getattr__(name: str) -> object:
    """A public name, from the module that defines it (PEP 562)."""
    if name not in _MODULES:
        raise AttributeError(f"module 'ace_ros' has no attribute '{name}'")
    value: object = getattr(importlib.import_module(f"ace_ros.{_MODULES[name]}"), name)
    globals()[name] = value  # found at once the next time
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

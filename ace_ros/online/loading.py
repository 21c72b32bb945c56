"""From the file of a map to a localizer that is ready for its first image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ace_ros.camera import Camera
from ace_ros.errors import InputError, MapFileError
from ace_ros.files import fingerprint
from ace_ros.image import Image
from ace_ros.localization.localizer import Localizer
from ace_ros.localization.options import LocalizeOptions
from ace_ros.map.scene_map import SceneMap
from ace_ros.online.map_watch import FileVersion
from ace_ros.online.maps_dir import SUFFIX

_TRIES = 3  # to read a file that is replaced meanwhile; set by hand


@dataclass(frozen=True)
class LoadedMap:
    """A map in memory with its localizer.

    Attributes:
        identity: tells maps of one name apart. path, version: the file that it is from, as it was then.
    """

    name: str
    identity: str
    localizer: Localizer
    path: Path
    version: FileVersion | None

    @property
    def scene_map(self) -> SceneMap:
        """The map itself."""
        return self.localizer.scene_map


def load_map(path: Path, options: LocalizeOptions | None = None, device: str = "auto") -> LoadedMap:
    """Load a map and make the localizer for it; takes a second.

    Raises:
        MapFileError: see :meth:`SceneMap.load`. InputError: the device, or no weights for the map's encoder.
    """
    for _ in range(_TRIES):
        version = FileVersion.of(path)  # before it is read: what is written meanwhile is news
        scene_map = SceneMap.load(path)
        try:
            identity = fingerprint(path)
        except InputError as error:
            raise MapFileError(str(error)) from None
        if FileVersion.of(path) == version:  # map and fingerprint are of one file
            break
    else:
        raise MapFileError(f"{path}: it was written anew again and again while it was read: try it once it is at rest")
    localizer = Localizer(scene_map, options, device)
    _warm_up(localizer)
    return LoadedMap(path.name.removesuffix(SUFFIX), identity, localizer, path, version)


def _warm_up(localizer: Localizer) -> None:
    """The first query costs several times the usual; better now than with a camera waiting."""
    noise = np.random.default_rng(0).integers(0, 255, (480, 640), dtype=np.uint8)
    # One look: noise is lost, and would be looked at from all sides.
    localizer.answer(localizer.encode(Image(noise, Camera(640, 480, 500.0, 500.0, 319.5, 239.5))))

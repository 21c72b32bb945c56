"""Maps for localization_node: from a name or a path to a localizer that is ready for its first frame."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ace_ros.camera import Camera
from ace_ros.errors import InputError, MapFileError
from ace_ros.files import fingerprint
from ace_ros.localization.localizer import Localizer
from ace_ros.localization.options import LocalizeOptions
from ace_ros.map.scene_map import SceneMap
from ace_ros.nodes.options import LocalizationNodeOptions
from ace_ros.online.maps_dir import SUFFIX, map_path


@dataclass(frozen=True)
class LoadedMap:
    """A map in memory with its localizer. ``identity`` tells maps of one name apart."""

    name: str
    identity: str
    localizer: Localizer
    map_frame: str
    metric: bool


def parameter_path(options: LocalizationNodeOptions) -> Path:
    """File that the parameter ``map`` names: an absolute path, or a name below maps_dir.

    Raises:
        InputError: it is empty, or names nothing that can be a file.
    """
    if not options.map:
        raise InputError("parameter map: give the map to localize in, a path or a name below maps_dir")
    path = Path(options.map).expanduser()
    if not path.is_absolute():
        return map_path(options.maps_dir, options.map)
    return path if path.exists() or path.suffix == SUFFIX else path.with_name(path.name + SUFFIX)


def _warm_up(localizer: Localizer) -> None:
    """The first query costs several times the usual; better now than with a camera waiting."""
    noise = np.random.default_rng(0).integers(0, 255, (480, 640), dtype=np.uint8)
    localizer.localize(noise, Camera(640, 480, 500.0, 500.0, 319.5, 239.5))


def load_map(path: Path, options: LocalizationNodeOptions) -> LoadedMap:
    """Load a map and make the localizer for it; takes a second.

    Raises:
        MapFileError: see :meth:`SceneMap.load`.
        InputError: the device, or a map without metric scale where TF needs metres.
    """
    scene_map = SceneMap.load(path)
    header = scene_map.header
    if not header.metric and options.tf_mode in ("map_to_odom", "map_to_base"):
        raise InputError(
            f"{path}: the map has no metric scale, and the robot's TF is in metres: "
            "set tf_mode to map_to_camera or none, or map with metric poses"
        )
    try:
        identity = fingerprint(path)
    except InputError as error:
        raise MapFileError(str(error)) from None
    weights = Path(options.encoder_weights).expanduser() if options.encoder_weights else None
    localizer = Localizer(scene_map, LocalizeOptions(encoder_weights=weights), options.device)
    _warm_up(localizer)
    map_frame = options.map_frame or header.map_frame
    return LoadedMap(path.name.removesuffix(SUFFIX), identity, localizer, map_frame, header.metric)

"""The folder of the maps: names that come from elsewhere stay inside it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ace_ros.errors import InputError, MapFileError
from ace_ros.options import option

SUFFIX = ".safetensors"
DEFAULT = Path("~/.ros/ace_maps")  # ROS keeps its own files in ~/.ros
_LONGEST = 200  # bytes; file systems take 255, and a temporary name beside it is longer


def maps_dir_option() -> Any:
    """Declares the folder of the maps."""
    return option(DEFAULT, "Folder of the maps; names given over services stay inside it.", metavar="FOLDER")


def map_path(maps_dir: str | Path, name: str) -> Path:
    """File of the map ``name`` below ``maps_dir``, symbolic links resolved.

    Raises:
        InputError: the name is empty, is no file name, or leads out of ``maps_dir``.
    """
    root = Path(maps_dir).expanduser().resolve()
    last = name.rpartition("/")[2]
    if last in ("", ".", "..") or name != name.strip() or "\0" in name or len(last.encode()) > _LONGEST:
        raise InputError(f"map name '{name[:100]}': give the name of a file below {root}")
    path = root / (name if name.endswith(SUFFIX) else name + SUFFIX)
    try:
        resolved = path.resolve()
    except (OSError, RuntimeError) as error:  # a loop of links
        raise InputError(f"map name '{name}': {error}") from None
    if not resolved.is_relative_to(root) or resolved == root:
        raise InputError(f"map name '{name}': leads out of {root}, the folder of the maps (parameter maps_dir)")
    if resolved.is_dir():
        raise InputError(f"map name '{name}': {resolved} is a folder")
    return resolved


def find_map(maps_dir: str | Path, name: str) -> Path:
    """File that the robot's owner means by ``name``, who may name any: an absolute path, or a map below ``maps_dir``.

    Raises:
        InputError: see :func:`map_path`.
    """
    path = Path(name).expanduser()
    if not path.is_absolute():
        return map_path(maps_dir, name)
    return path if path.exists() or path.suffix == SUFFIX else path.with_name(path.name + SUFFIX)


def prepare_folder(path: Path) -> None:
    """Make the folder that the map ``path`` is to be written to.

    Raises:
        MapFileError: it can't be made, or not be written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MapFileError(f"{path.parent}: the folder of the map can't be made ({error.strerror})") from None
    if not os.access(path.parent, os.W_OK):
        raise MapFileError(f"{path.parent}: maps can't be written there, permission is missing")

"""What bringup.launch.py decides: whether to map, and in which frames."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from ace_ros.online.maps_dir import DEFAULT, find_map

_MAP_FRAME = "map"  # REP 105


def file_of(given: Mapping[str, str]) -> Path:
    """File of the map that is meant: by the argument maps_dir, else by what localization_node's params_file says.

    Raises:
        InputError: the name can't be used.
    """
    said = parameter_in(Path(given["localization_params_file"]), "localization_node", "maps_dir")
    return find_map(given["maps_dir"] or said or DEFAULT, given["map"])


def mapping_wanted(mapping: str, file: Path) -> bool:
    """Whether mapping_node is to be started, where ``mapping`` is true, false or auto."""
    return mapping == "true" or (mapping == "auto" and not file.exists())


def frames(map_frame: str, poses_frame: str) -> tuple[str, str]:
    """The frames that mapping_node takes poses in and that localization_node publishes them in; empty: as usual."""
    return poses_frame or map_frame, map_frame or (_MAP_FRAME if poses_frame else "")


def parameter_in(file: Path, node: str, name: str) -> Any:
    """What a file of parameters says for a node in whatever namespace; None where it says nothing or can't be read."""
    try:
        content = YAML(typ="safe").load(file.read_text())
    except (OSError, ValueError, YAMLError):
        return None  # the node will tell
    found = None
    for key, values in content.items() if isinstance(content, dict) else ():
        if isinstance(values, dict) and (key == "/**" or key.rpartition("/")[2] == node):
            found = values.get("ros__parameters", {}).get(name, found)
    return found

"""Show what is in a map file: format, encoder, head, extent, training, expected accuracy, calibration.

examples:
  ace info room.safetensors
  ace info room.safetensors --json
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import tyro

from ace_ros.map.scene_map import SceneMap


@dataclass
class Command:
    map: tyro.conf.Positional[Path]
    """Map file."""
    json: bool = False
    """Print the file's header as JSON instead, and in known_frames how many mapping frames it knows again."""

    def run(self) -> int:
        scene_map = SceneMap.load(self.map)
        if self.json:
            values = {**asdict(scene_map.header), "known_frames": len(scene_map.mapped)}
            print(json.dumps(values, indent=2))
        else:
            print(scene_map.describe())
        return 0

"""Show what is in a map file: format, encoder, head, extent, training, expected accuracy, calibration.

examples:
  ace info room.safetensors
  ace info room.safetensors --json
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from ace_ros.cli.flags import map_argument
from ace_ros.map.scene_map import SceneMap
from ace_ros.options import Options, option


@dataclass(frozen=True)
class Command(Options):
    map: Path = map_argument()
    json: bool = option(
        False, "Print the header as JSON instead; known_frames: how many mapping frames the map knows again."
    )

    def run(self) -> int:
        scene_map = SceneMap.load(self.map)
        if self.json:
            values = {**asdict(scene_map.header), "known_frames": len(scene_map.mapped)}
            print(json.dumps(values, indent=2))
        else:
            print(scene_map.describe())
        return 0

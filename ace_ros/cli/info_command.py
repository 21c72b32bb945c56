"""Show what is in a map file: format, encoder, head, extent, training, expected accuracy, calibration.

examples:
  ace info room.safetensors
  ace info room.safetensors --json
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ace_ros.cli.flags import map_argument
from ace_ros.map.scene_map import SceneMap
from ace_ros.options import Options, option


@dataclass(frozen=True)
class Command(Options):
    map: Path = map_argument()
    json: bool = option(False, "Print the file's header as JSON instead.")

    def run(self) -> int:
        scene_map = SceneMap.load(self.map)
        if self.json:
            print(json.dumps(asdict(scene_map.header), indent=2, default=_plain))
        else:
            print(scene_map.describe())
        return 0


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)

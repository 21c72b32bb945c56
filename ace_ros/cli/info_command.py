"""Show what is in a map file: places, frames, area, size, ages and recordings, encoder, training, expected accuracy.

examples:
  ace info room.safetensors
  ace info room.safetensors --json
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from ace_ros.cli.flags import map_argument
from ace_ros.cli.texts import size_text
from ace_ros.map.describing import age_days, area
from ace_ros.map.scene_map import SceneMap
from ace_ros.options import Options, option


@dataclass(frozen=True)
class Command(Options):
    map: Path = map_argument()
    json: bool = option(
        False,
        "Print the header as JSON instead; known_frames: how many mapping frames the map knows again; places: the "
        "headers of all.",
    )

    def run(self) -> int:
        scene_map = SceneMap.load(self.map)
        if self.json:
            headers = scene_map.headers
            more = {
                "known_frames": len(scene_map.mapped),
                "bytes": self.map.stat().st_size,
                "area": area(headers),
                "age_days": [age_days(header.created) for header in headers],
                "places": [asdict(header) for header in headers],
            }
            print(json.dumps({**asdict(scene_map.header), **more}, indent=2))
        else:
            count = len(scene_map.headers)
            places = "1 place" if count == 1 else f"{count} places"
            print(f"{'file':<12} {size_text(self.map.stat().st_size)}, {places}\n{scene_map.describe()}")
        return 0

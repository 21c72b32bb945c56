"""Let a map learn a recording: what it does not know becomes new places, and places that are touched learn.

The recording's poses are in the map's frame; where they have an origin of their own, 'ace align' finds how that lies
and --alignment gives it. Frames that the map knows already change nothing, and places that nothing new is seen of stay
bit for bit as they were. MAP itself stays too, unless -o names it.

examples:
  ace extend house.safetensors kitchen/ -o house2.safetensors
  ace extend house.safetensors drive.mcap -o house.safetensors
  ace align house.safetensors drive/ -o alignment.json
  ace extend house.safetensors drive/ -o house2.safetensors \\
      --alignment alignment.json
"""

from __future__ import annotations

from dataclasses import dataclass

from ace_ros.cli.console import note, stdout
from ace_ros.cli.growing import Change, told
from ace_ros.growing.extending import Grown, extend


@dataclass(frozen=True)
class Command(Change):
    def run(self) -> int:
        newcomers, scene = self.prepared()
        with told() as show:
            grown = extend(newcomers, scene.name, show)
        if grown.few:
            note(f"{grown.few} frames are too few where they were taken to learn a place from, and were left out")
        for text in _said(grown, len(newcomers)):
            stdout.print(text, soft_wrap=True)
        self.finish(grown, newcomers)
        return 0


def _said(grown: Grown, frames: int) -> list[str]:
    said = [f"{grown.known} of {frames} frames show what the map knows"] if grown.known else []
    for number, added in grown.touched.items():
        said.append(f"place {number} learnt {added} landmarks")
    for number in grown.new_places:
        header = grown.scene_map.headers[number]
        said.append(f"place {number} is new, from {header.frames} frames")
    return said if grown.touched or grown.new_places else [*said, "there was nothing new to learn"]

"""Lay maps of one frame side by side in one file: their places become those of one map, each as it was.

They must be of one encoder, one frame and one unit. Where a recording has an origin of its own, 'ace align' finds how
that lies in a map, and 'ace extend --alignment' adds it.

examples:
  ace merge ground.safetensors upstairs.safetensors -o house.safetensors
  ace merge a.safetensors b.safetensors c.safetensors -o all.safetensors
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ace_ros.cli.console import check_writable, note, seconds_since_start, stdout, write_json
from ace_ros.cli.flags import map_output_option
from ace_ros.cli.growing import save
from ace_ros.cli.texts import size_text
from ace_ros.errors import InputError
from ace_ros.growing.merging import merge
from ace_ros.map.scene_map import SceneMap
from ace_ros.options import REQUIRED, Options, option


@dataclass(frozen=True)
class Command(Options):
    maps: tuple[Path, ...] = option(REQUIRED, "Map files, two or more.", metavar="MAP...", positional=True)
    output: Path = map_output_option()
    json: Path | None = option(
        None, "Also write the figures of this run: places, frames, frames_twice, map_bytes.", metavar="FILE"
    )

    def run(self) -> int:
        if len(self.maps) < 2:
            raise InputError("there is nothing to merge: give two maps or more, ace merge A B -o MAP")
        check_writable(self.output)
        if self.json:
            check_writable(self.json)
        merged, twice = merge([SceneMap.load(path) for path in self.maps], [str(path) for path in self.maps])
        if twice:
            note(f"{twice} frames are in more than one of these maps: places that are there twice make queries dearer, "
                 "and no better")  # fmt: skip
        size = save(merged, self.output)
        header = merged.header
        if self.json:
            figures = {"places": len(merged.headers), "frames": header.frames, "frames_twice": twice}
            write_json(self.json, {**figures, "seconds": seconds_since_start(), "map_bytes": size})
        places = f"{len(merged.headers)} places from {header.frames} frames"
        stdout.print(f"{self.output}: {size_text(size)}, {places}", soft_wrap=True)
        return 0

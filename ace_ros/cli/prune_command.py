"""Make a map smaller: drop places, by their number in 'ace info' or by their age, and thin landmarks.

The landmarks that were seen most often are kept. MAP itself stays, unless -o names it.

examples:
  ace prune house.safetensors --drop 3,5 -o house2.safetensors
  ace prune house.safetensors --older-than 90 -o house2.safetensors
  ace prune house.safetensors --landmarks 3000 -o small.safetensors
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ace_ros.cli.console import check_writable, stdout, write_json
from ace_ros.cli.flags import map_argument, map_output_option
from ace_ros.cli.growing import plural, save
from ace_ros.cli.texts import size_text
from ace_ros.errors import InputError
from ace_ros.growing.pruning import prune
from ace_ros.map.describing import age_days
from ace_ros.map.scene_map import SceneMap
from ace_ros.options import OptionError, Options, option


@dataclass(frozen=True)
class Command(Options):
    map: Path = map_argument()
    output: Path = map_output_option()
    drop: str = option("", "Numbers of places to drop, 3,5,8-11 say.", metavar="NUMBERS", without="none")
    older_than: float | None = option(
        None, "Drop places that nothing was learnt of for so many days.", metavar="DAYS", low=0.0, without="none"
    )
    landmarks: int | None = option(None, "Keep at most so many landmarks in a place.", low=0, without="all")
    json: Path | None = option(None, "Also write the figures of this run: dropped, places, map_bytes.", metavar="FILE")

    def run(self) -> int:
        drop = _numbers(self.drop)
        if not drop and self.older_than is None and self.landmarks is None:
            raise InputError("say what to prune: --drop NUMBERS, --older-than DAYS or --landmarks N")
        check_writable(self.output)
        if self.json:
            check_writable(self.json)
        scene_map = SceneMap.load(self.map)
        if self.older_than is not None:
            ages = [age_days(header.created) for header in scene_map.headers]
            drop |= {number for number, age in enumerate(ages) if age is not None and age > self.older_than}
        pruned = prune(scene_map, drop, self.landmarks)
        before, size = self.map.stat().st_size, save(pruned, self.output)
        if self.json:
            write_json(self.json, {"dropped": sorted(drop), "places": len(pruned.headers), "map_bytes": size})
        left = len(pruned.headers)
        stdout.print(
            f"{self.output}: {size_text(size)} (before: {size_text(before)}), {left} {plural('place', left)}, "
            f"{len(drop)} dropped",
            soft_wrap=True,
        )
        return 0


def _numbers(text: str) -> set[int]:
    """``3,5,8-11`` as numbers."""
    numbers: set[int] = set()
    for part in filter(None, text.replace(" ", "").split(",")):
        first, dash, last = part.partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise OptionError("drop", f"takes numbers of places, 3,5,8-11 say, got '{text}'")
        numbers |= set(range(int(first), int(last or first) + 1))
    return numbers

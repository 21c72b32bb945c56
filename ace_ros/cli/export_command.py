"""Write a map as a coloured point cloud: the points that frames of a recording are localized by.

A map holds no colours, so it takes a recording of the place to paint it with, best the one that it was made from.
Only points that the localizer relied on are written.

examples:
  ace export room.safetensors room/ --ply room.ply
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import tyro

from ace_ros.cli.console import check_writable, note, progress_bar, stdout, write_file
from ace_ros.errors import InputError
from ace_ros.evaluation.cloud import map_cloud, ply_bytes
from ace_ros.frames import SplitOptions, open_scene
from ace_ros.localizer import Localizer
from ace_ros.scene_map import SceneMap


@dataclass
class Command:
    map: tyro.conf.Positional[Path]
    """Map file."""
    scene: tyro.conf.Positional[Path]
    """Recording of the place."""
    ply: Path
    """PLY file to write."""
    split: Literal["train", "test", "all"] = "train"
    """Which frames of the recording."""
    frames: int = 200
    """At most so many of them, evenly spread."""
    points: int = 200_000
    """At most so many points."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N."""
    options: SplitOptions = field(default_factory=SplitOptions)

    def run(self) -> int:
        check_writable(self.ply)
        if self.frames < 1 or self.points < 1:
            raise InputError("--frames and --points must be at least 1")
        localizer = Localizer(SceneMap.load(self.map), device=self.device)
        scene = open_scene(self.scene, split=self.split, options=self.options)
        for text in scene.notes:
            note(text)
        chosen = scene.frames[:: -(-len(scene.frames) // self.frames) or 1]
        with progress_bar() as bar:
            task = bar.add_task("looking", total=len(chosen), figures="", left="")
            cloud = map_cloud(localizer, chosen, self.points, on_frame=lambda: bar.advance(task))
        if not len(cloud):
            raise InputError(f"{self.scene}: not one of {len(chosen)} frames was localized: is it the map's place?")
        write_file(self.ply, ply_bytes(cloud))
        stdout.print(f"{self.ply}: {len(cloud)} points", soft_wrap=True)
        return 0

"""Write a map as a point cloud: the points that frames of a recording are localized by, in the colours seen there.

A map holds no images, so it takes a recording of the place to paint it with, best the one that it was made from.
Only points that the localizer relied on are written. Without a recording: the map's landmarks, in grey.

examples:
  ace export room.safetensors --ply landmarks.ply
  ace export room.safetensors room/ --ply room.ply
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import tyro

from ace_ros.cli.console import check_writable, note, progress_bar, stdout, write_file
from ace_ros.errors import InputError
from ace_ros.evaluation.cloud import Cloud, map_cloud, ply_bytes
from ace_ros.frames import SplitOptions, open_scene
from ace_ros.localizer import Localizer
from ace_ros.scene_map import SceneMap

_GREY = 160


@dataclass
class Command:
    map: tyro.conf.Positional[Path]
    """Map file."""
    ply: Path
    """PLY file to write."""
    scene: tyro.conf.Positional[Path | None] = None
    """Recording of the place."""
    split: Literal["train", "test", "all"] = "train"
    """Which frames of the recording."""
    frames: int = 200
    """At most so many of them, evenly spread."""
    points: int = 200_000
    """At most so many points."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N."""
    recording: SplitOptions = field(default_factory=SplitOptions)

    def run(self) -> int:
        check_writable(self.ply)
        if self.frames < 1 or self.points < 1:
            raise InputError("--frames and --points must be at least 1")
        scene_map = SceneMap.load(self.map)
        cloud = self._painted(scene_map, self.scene) if self.scene else _landmarks(scene_map)
        write_file(self.ply, ply_bytes(cloud))
        stdout.print(f"{self.ply}: {len(cloud)} points", soft_wrap=True)
        return 0

    def _painted(self, scene_map: SceneMap, path: Path) -> Cloud:
        localizer = Localizer(scene_map, device=self.device)
        scene = open_scene(path, split=self.split, options=self.recording)
        for text in scene.notes:
            note(text)
        chosen = scene.frames[:: -(-len(scene.frames) // self.frames) or 1]
        with progress_bar() as bar:
            task = bar.add_task("looking", total=len(chosen), figures="", left="")
            cloud = map_cloud(localizer, chosen, self.points, on_frame=lambda: bar.advance(task))
        if not len(cloud):
            raise InputError(f"{path}: not one of {len(chosen)} frames was localized: is it the map's place?")
        return cloud


def _landmarks(scene_map: SceneMap) -> Cloud:
    if not len(scene_map.points):
        raise InputError("this map has no landmarks: give a recording of the place to see it")
    points = scene_map.points + np.asarray(scene_map.header.origin)
    return Cloud(points, np.full(points.shape, _GREY, np.uint8))

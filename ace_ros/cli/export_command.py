"""Write a map as a point cloud, or as a head in the format that ACE publishes.

A point cloud holds the points that frames of a recording are localized by, in the colours seen there. A map holds no
images, so it takes a recording of the place to paint it with, best the one that it was made from.
Only points that the localizer relied on are written. Without a recording: the map's landmarks, in grey or, of a map
of several places, in a colour for each.

Heads for ACE are written from maps that were made with ACE's own encoder (--encoder ace:PATH). That format is in half
precision, the scene's mean included: far from the origin of its frame the head is off by up to 25 cm a kilometre along
each axis, where the map itself, whose origin is exact, is not.

examples:
  ace export room.safetensors --ply landmarks.ply
  ace export room.safetensors room/ --ply room.ply
  ace export room.safetensors --ace room.pt
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ace_ros.cli.console import check_writable, note, stdout, write_file
from ace_ros.cli.flags import map_argument, recording_argument
from ace_ros.cli.progress import progress
from ace_ros.errors import InputError
from ace_ros.localization.localizer import Localizer
from ace_ros.localization.options import LocalizeOptions
from ace_ros.map.official import export_head, head_bytes
from ace_ros.map.scene_map import SceneMap
from ace_ros.options import Options, device_option, option, weights_option
from ace_ros.recordings import SplitOptions, open_recording
from ace_ros.visual.cloud import Cloud, landmark_cloud, map_cloud, ply_bytes

USAGE = "MAP [RECORDING] --ply FILE [OPTIONS]\nMAP --ace FILE"


@dataclass(frozen=True)
class Command(Options):
    map: Path = map_argument()
    recording: Path | None = recording_argument("Recording of the place, to paint a point cloud with.", None)
    ply: Path | None = option(None, "Point cloud to write.", metavar="FILE")
    ace: Path | None = option(None, "Head to write, in ACE's format.", metavar="FILE")
    split: Literal["train", "test", "all"] = option("train", "Which frames of the recording.")
    frames: int = option(200, "At most so many of them are used, evenly spread.", low=1)
    points: int = option(200_000, "At most so many points are written.", low=1)
    encoder_weights: Path | None = weights_option()
    device: str = device_option()
    reading: SplitOptions = field(default_factory=SplitOptions)

    def run(self) -> int:
        if self.ply is None and self.ace is None:
            raise InputError("nothing to write: give --ply FILE, --ace FILE or both")
        for path in filter(None, (self.ply, self.ace)):
            check_writable(path)
        scene_map = SceneMap.load(self.map)
        if self.ace:
            _write_head(self.ace, scene_map)
        if self.ply:
            cloud = self._painted(scene_map, self.recording) if self.recording else _landmarks(scene_map)
            write_file(self.ply, ply_bytes(cloud))
            stdout.print(f"{self.ply}: {len(cloud)} points", soft_wrap=True)
        return 0

    def _painted(self, scene_map: SceneMap, path: Path) -> Cloud:
        localizer = Localizer(scene_map, LocalizeOptions(encoder_weights=self.encoder_weights), self.device)
        scene = open_recording(path, split=self.split, options=self.reading)
        for text in scene.notes:
            note(text)
        chosen = scene.frames[:: -(-len(scene.frames) // self.frames) or 1]
        with progress() as stages:
            stages.begin("looking", len(chosen))
            cloud = map_cloud(localizer, chosen, self.points, on_frame=stages.advance)
        if not len(cloud):
            raise InputError(f"{path}: not one of {len(chosen)} frames was localized: is it the map's place?")
        return cloud


def _write_head(path: Path, scene_map: SceneMap) -> None:
    state, rounding = export_head(scene_map)
    write_file(path, head_bytes(state))
    stdout.print(f"{path}: a head of {scene_map.header.head.blocks} residual blocks", soft_wrap=True)
    if rounding:
        unit = "m" if scene_map.header.metric else "units"
        note(f"ACE's format rounds the scene's mean: with {path.name} every position is off by {rounding:.2g} {unit}")


def _landmarks(scene_map: SceneMap) -> Cloud:
    cloud = landmark_cloud(scene_map)
    if not len(cloud):
        raise InputError("this map has no landmarks: give a recording of the place to see it")
    return cloud

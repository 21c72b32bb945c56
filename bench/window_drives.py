"""What ``bench.window`` drives through: a courtyard, a flight, stretches of recordings; and the maps of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path

import numpy as np

from ace_ros.generated import courtyard_camera
from ace_ros.generated.courtyard import Sky, courtyard_surfaces
from ace_ros.generated.renderer import Renderer
from ace_ros.generated.scenes import UNIT, courtyard_similarity
from ace_ros.generated.sensor import exposed, fresh, write_frame
from ace_ros.generated.trajectory import looking
from ace_ros.geometry import Matrix
from ace_ros.map.scene_map import SceneMap
from ace_ros.recordings import PosedFrame, open_recording
from bench import scenes
from bench.building import mapped

DRIVEN = ("courtyard", "tello_moved")
_RATE, _SECONDS, _DRIVES = 4.0, 8.0, 4  # of the generated drives; stretches are taken as driven at that rate
_HISTORY = 3.0  # s: what is asked has so much before it


@dataclass(frozen=True)
class Shot:
    """An image of a drive: when it was taken (s), by which camera, and whether it is asked or stands before others."""

    stamp: float
    camera: str
    frame: PosedFrame
    asked: bool


Drive = Sequence[Sequence[Shot]]


def map_of(name: str, out: Path) -> SceneMap:
    """Made by the defaults, and kept."""
    (scene,) = scenes.find([name], out).values()
    return _kept(out / f"{name}.safetensors", scenes.mapping_frames(scene).frames)


def stretches(path: Path, name: str, out: Path) -> tuple[SceneMap, Drive, bool]:
    """A map of most of a recording; the stretches that it leaves out; and whether their poses are in metres."""
    recording = scenes.mapping_frames(path)
    mapping, asked = scenes.block_split(recording.frames, scenes.BLOCKS)
    left_out = {id(frame) for frame in asked}
    parts = [list(part) for kept, part in groupby(recording.frames, lambda one: id(one) not in left_out) if not kept]
    drive = [[Shot(k / _RATE, "ahead", frame, True) for k, frame in enumerate(part)] for part in parts]
    return _kept(out / "stretches" / f"{name}.safetensors", mapping), drive, recording.metric


def _kept(path: Path, frames: Sequence[PosedFrame]) -> SceneMap:
    if not path.exists():
        print(f"mapping {path.stem}", flush=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        mapped(frames)[0].save(path)
    return SceneMap.load(path)


def drives_of(name: str, out: Path) -> Drive:
    """Those of a place of its own that were made for this."""
    return _flight() if name == "tello_moved" else _courtyard(out)


def _flight() -> list[list[Shot]]:
    """The second flight; its images are called by the time. Those are asked whose poses are known well enough."""
    path = scenes.RECORDINGS / "tello_moved"
    confirmed = {frame.name for frame in scenes.query_frames(path)}
    shots = []
    for frame in open_recording(path, "test").frames:
        taken = datetime.strptime(Path(frame.name).stem.removeprefix("image_"), "%Y%m%d_%H%M%S_%f").timestamp()
        shots.append(Shot(taken, "ahead", frame, frame.name in confirmed))
    return [shots]


def _courtyard(out: Path) -> list[list[Shot]]:
    folder = scenes.made(out / "courtyard_drives", _render)
    drives: list[list[Shot]] = [[] for _ in range(_DRIVES)]
    for frame in open_recording(folder, "test").frames:
        drive, moment, camera = Path(frame.name).name.split(".")[0].split("-")
        stamp = int(moment) / _RATE
        drives[int(drive)].append(Shot(stamp, camera, frame, camera == "ahead" and stamp >= _HISTORY))
    return drives


def _render(folder: Path) -> None:
    split = fresh(folder) / "test"
    for kind in ("rgb", "poses", "calibration"):
        (split / kind).mkdir(parents=True)
    camera, sky, renderer = courtyard_camera(), Sky(0), Renderer(courtyard_surfaces(0), tile=1.5)
    units = courtyard_similarity()
    for drive in range(_DRIVES):
        rng = np.random.default_rng((0, drive))
        for moment in range(round(_SECONDS * _RATE)):
            for name, pose in zip(("ahead", "aside"), _driven(drive, moment / _RATE), strict=True):
                image, _ = renderer.render(camera, pose, sky.seen(camera, pose))
                placed = np.eye(4)
                placed[:3, :3] = units[:3, :3] / UNIT @ pose[:3, :3]
                placed[:3, 3] = units[:3, :3] @ pose[:3, 3] + units[:3, 3]
                write_frame(split, f"{drive}-{moment:03d}-{name}", exposed(image, rng), camera, placed)


def _driven(drive: int, seconds: float) -> tuple[Matrix, Matrix]:
    """A part of a round at 0.7 m/s, looking where it goes and now and then elsewhere; the other camera looks left."""
    radius = (5.0, 5.8, 6.6, 7.2)[drive]
    around = (1.57 * drive + 0.4) + 0.7 * seconds / radius
    eye = (radius * np.cos(around), radius * np.sin(around), 1.5)
    yaw = around + np.pi / 2 + 0.6 * np.sin(0.8 * seconds + drive)
    return looking(eye, yaw, 0.03), looking(eye, yaw + np.pi / 2, 0.03)

"""The generated room through a pinhole, a fisheye of 120 and one of 180 degrees: mapped, and asked the same queries.

Figures of each lens: queries localized, median errors, seconds a query on one thread; and by the angle from the axis,
how many keypoints a query has there, and what share of them lies within 2 px of a landmark that looks like it.

examples:
  python -m bench.lenses
  python -m bench.lenses --train 40 --test 10          does it run?
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro

from ace_ros.camera import Camera
from ace_ros.features.registry import profile_of
from ace_ros.files import write_whole
from ace_ros.generated import make_wide_room, room_camera
from ace_ros.generated.wide import FISHEYES
from ace_ros.geometry import pose_error
from ace_ros.localization.localizer import Localizer
from ace_ros.localization.state import State
from ace_ros.map.landmarks import Landmarks
from ace_ros.recordings import PosedFrame
from bench import measure, scenes
from bench.building import mapped

_RINGS = (0, 30, 45, 60, 75, 90, 115)  # degrees from the axis
_NEAR = 2.0  # pixels at the size of encoding: as sharp as an inlier is


@dataclass
class Command:
    train: int = 100
    """Frames of the mapping drive."""
    test: int = 30
    """Queries."""
    lenses: tuple[str, ...] = ("pinhole", "fisheye120", "fisheye180")
    """Those to measure."""
    out: Path = measure.ROOT / "build" / "bench" / "lenses"
    """Folder for the rendered rooms and figures.json."""


def main(command: Command) -> int:
    cameras = {"pinhole": room_camera(), **{f"fisheye{degrees}": camera for degrees, camera in FISHEYES.items()}}
    figures = {}
    for name in command.lenses:
        figures[name] = measured(command, name, cameras[name])
        print(name, json.dumps(figures[name], indent=2), flush=True)
        write_whole(command.out / "figures.json", json.dumps(figures, indent=2).encode())
    return 0


def measured(command: Command, name: str, camera: Camera) -> dict[str, Any]:
    """Figures of one lens."""
    folder = scenes.made(
        command.out / f"{name}-{command.train}-{command.test}",
        lambda path: make_wide_room(path, camera, command.train, command.test),
    )
    started = time.process_time()
    scene_map, _ = mapped(scenes.mapping_frames(folder).frames)
    seconds = time.process_time() - started
    localizer, queries = Localizer(scene_map, device="cpu"), scenes.query_frames(folder)
    errors, took, localized = [], [], 0
    rings: list[list[tuple[int, int]]] = []
    for frame in queries:
        assert frame.map_from_camera is not None
        image = frame.read()
        before = time.process_time()
        answer = localizer.localize(image, frame.camera)
        took.append(time.process_time() - before)
        localized += answer.state is State.LOCALIZED
        if answer.state is State.LOCALIZED and answer.map_from_camera is not None:
            errors.append(pose_error(answer.map_from_camera, frame.map_from_camera))
        rings.append(_rings(localizer, frame))
    counted = np.array(rings).sum(0)
    return {
        "queries": len(queries),
        "localized": localized,
        "median_mm": 1e3 * float(np.median([error[0] for error in errors] or [np.nan])),
        "median_deg": float(np.median([error[1] for error in errors] or [np.nan])),
        "worst_mm": 1e3 * float(np.max([error[0] for error in errors] or [np.nan])),
        "mapping_cpu_seconds": seconds,
        "query_cpu_seconds": float(np.median(took)),
        "landmarks": sum(len(place.points) for place in scene_map.places),
        "rings": {
            f"{low} to {high}": {"keypoints": float(all_ / len(queries)), "matched": float(near / max(all_, 1))}
            for (low, high), (all_, near) in zip(pairwise(_RINGS), counted, strict=True)
        },
    }


def _rings(localizer: Localizer, frame: PosedFrame) -> list[tuple[int, int]]:
    """Keypoints of each ring, and those that lie beside a landmark that looks like them, under the true pose."""
    assert frame.map_from_camera is not None
    encoded = localizer.encode(frame.image())
    matched = np.zeros(len(encoded), bool)
    angle = np.degrees(np.arccos(np.clip(encoded.rays[:, 2], -1, 1)))
    for place in localizer.scene_map.places:
        likeness = profile_of(place.header.encoder).likeness
        landmarks = Landmarks(place.points, place.codes, torch.device("cpu"), likeness)
        local = frame.map_from_camera.copy()
        local[:3, 3] -= place.header.origin
        near = landmarks.around(encoded.descriptors, encoded.rays, local, encoded.focals, _NEAR).best()
        matched[near.keypoint] = True
    return [
        (int(((angle >= low) & (angle < high)).sum()), int((matched & (angle >= low) & (angle < high)).sum()))
        for low, high in pairwise(_RINGS)
    ]


if __name__ == "__main__":
    raise SystemExit(main(tyro.cli(Command, description=__doc__)))

"""What images of few pixels gain by being enlarged before they are encoded, in mapping and in queries.

Recordings are reduced, mapped and asked at each enlargement, by the defaults.

examples:
  python -m bench.small_images                                  those of the table in docs/benchmarks.md
  python -m bench.small_images --scenes room --scale 0.5 --enlarge 1 2
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tyro

from ace_ros.camera import Camera
from ace_ros.errors import InputError
from ace_ros.files import write_whole
from ace_ros.image import Pixels
from ace_ros.localization.localizer import Localizer
from ace_ros.localization.trust import State
from ace_ros.mapping.mapper import Mapper
from ace_ros.mapping.options import MapOptions
from ace_ros.recordings.prefetch import prefetched
from bench import measure, scenes
from bench.honesty import asked

_SCALES = {"kitti00_small": 1.0, "bonsai": 0.25, "tello_moved": 0.5, "room": 0.5}


@dataclass
class Command:
    scenes: tuple[str, ...] = tuple(_SCALES)
    """Folders in ../shared/scenes, and room and courtyard, which are generated."""
    scale: float | None = None
    """Of the images of all of them; by default those of the table, some 130 to 240 pixels high."""
    enlarge: tuple[float, ...] = (1.0, 2.0, 3.0)
    """Enlargements, see the option of that name of 'ace map'."""
    out: Path = measure.ROOT / "build" / "bench" / "small_images"
    """Folder for the generated scenes and figures.json."""


def main(command: Command) -> int:
    figures: dict[str, Any] = {}
    for name, path in scenes.find(list(command.scenes), command.out).items():
        scale = command.scale or _SCALES.get(name, 0.5)
        for enlarge in command.enlarge:
            figures[f"{name} x{enlarge:g}"] = row = measured(path, scale, enlarge)
            print(f"{name}, enlarged {enlarge:g} times: {json.dumps(row)}", flush=True)
            write_whole(command.out / "figures.json", json.dumps(figures, indent=2).encode())
    return 0


def measured(path: Path, scale: float, enlarge: float) -> dict[str, Any]:
    """A map of a reduced recording, and what becomes of its queries; errors in metres, or in depths without a scale."""
    recording, started = scenes.mapping_frames(path), time.process_time()
    mapper = Mapper(MapOptions(device="cpu", enlarge=enlarge), metric=recording.metric)
    for frame, image in prefetched(recording.frames):
        if not isinstance(image, InputError) and frame.map_from_camera is not None:
            mapper.add(*_reduced(image, frame.camera, scale), frame.map_from_camera, frame.name)
    localizer = Localizer(mapper.build(), device="cpu")
    mapping, started = time.process_time() - started, time.process_time()
    found, queries, size = [], 0, (0, 0)
    for frame, image in prefetched(scenes.query_frames(path)):
        if isinstance(image, InputError):
            continue
        queries += 1
        pixels, camera = _reduced(image, frame.camera, scale)
        size = camera.width, camera.height
        answer = localizer.localize(pixels, camera)
        if answer.state is State.LOCALIZED:
            found.append(asked(localizer, frame, answer, recording.metric))
    errors = np.array([(one.translation / (1 if one.metric else one.depth), one.rotation_deg) for one in found])
    errors = errors.reshape(-1, 2)
    return {
        "pixels": size,
        "queries": queries,
        "localized": len(found),
        "wrong": sum(one.wrong for one in found),
        **{f"{n} and {n}": int(((errors[:, 0] < n / 100) & (errors[:, 1] < n)).sum()) for n in (5, 1)},
        "median": np.median(errors, axis=0).round(5).tolist() if len(errors) else None,
        "mapping_cpu_seconds": round(mapping),
        "query_cpu_ms": round(1e3 * (time.process_time() - started) / max(1, queries)),
    }


def _reduced(image: Pixels, camera: Camera, scale: float) -> tuple[Pixels, Camera]:
    size = round(camera.width * scale), round(camera.height * scale)
    if size == (camera.width, camera.height):
        return image, camera
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8), camera.resized(*size)


if __name__ == "__main__":
    raise SystemExit(main(tyro.cli(Command, description=__doc__)))

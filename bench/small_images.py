"""What images of few pixels gain by being enlarged before they are encoded, in mapping and in queries.

Recordings are reduced, mapped and asked at each enlargement, by the defaults.

examples:
  python -m bench.small_images                                  those of the table in docs/benchmarks.md
  python -m bench.small_images --scenes room --scale 0.5 --enlarge 1 2
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import tyro

from ace_ros.files import write_whole
from ace_ros.mapping.mapper import Mapper
from ace_ros.mapping.options import MapOptions
from ace_ros.recordings import PosedFrame
from bench import honesty, measure, scenes
from bench.building import add_all
from bench.honesty import Row

_SCALES = {"kitti00_small": 1.0, "bonsai": 0.25, "tello_moved": 0.5, "room": 0.5}


@dataclass
class Command:
    scenes: tuple[str, ...] = tuple(_SCALES)
    """Folders in ../shared/scenes, room and courtyard, which are generated, or any recording's."""
    scale: float | None = None
    """Of the images of all of them; by default those of the table, some 130 to 240 pixels high."""
    enlarge: tuple[float, ...] = (1.0, 2.0, 3.0)
    """Enlargements, see the option of that name of 'ace map'."""
    out: Path = measure.ROOT / "build" / "bench" / "small_images"
    """Folder for the generated scenes and figures.json."""


def main(command: Command) -> int:
    figures: Row = {}
    for name, path in scenes.find(list(command.scenes), command.out).items():
        scale = command.scale or _SCALES.get(name, 0.5)
        for enlarge in command.enlarge:
            figures[f"{name} x{enlarge:g}"] = row = measured(path, scale, enlarge)
            print(f"{name}, enlarged {enlarge:g} times: {json.dumps(row)}", flush=True)
            write_whole(command.out / "figures.json", json.dumps(figures, indent=2).encode())
    return 0


def measured(path: Path, scale: float, enlarge: float) -> Row:
    """A map of a reduced recording, and what becomes of its queries; errors in metres, or in depths without a scale."""
    recording, started = scenes.mapping_frames(path), time.process_time()
    mapper = Mapper(MapOptions(device="cpu", enlarge=enlarge), metric=recording.metric)
    add_all(mapper, [_reduced(frame, scale) for frame in recording.frames])
    scene_map, mapped = mapper.build(), time.process_time()
    queries = [_reduced(frame, scale) for frame in scenes.query_frames(path)]
    row = honesty.measured(scene_map, queries)
    camera, asking = queries[0].camera, time.process_time() - mapped
    return {
        "pixels": (camera.width, camera.height),
        **row,
        "mapping_cpu_seconds": round(mapped - started),
        "query_cpu_ms": round(1e3 * asking / row["queries"]),
    }


def _reduced(frame: PosedFrame, scale: float) -> PosedFrame:
    if scale == 1.0:
        return frame
    size = round(frame.camera.width * scale), round(frame.camera.height * scale)
    return replace(
        frame,
        camera=frame.camera.resized(*size),
        load=lambda: np.asarray(cv2.resize(frame.read(), size, interpolation=cv2.INTER_AREA), np.uint8),
    )


if __name__ == "__main__":
    raise SystemExit(main(tyro.cli(Command, description=__doc__)))

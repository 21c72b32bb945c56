"""Memory and seconds of mapping very many frames; prints one JSON.

    python -m bench.scale --frames 10000 --rooms 40

Frames are views of the generated room, encoded once and repeated with poses moved a little, in as many rooms as asked
for, side by side; they go through the store on disk as those of ``ace map`` do. What is measured: writing them, taking
them up again (reading, covisibility), cutting them into places, building the places. Fewer steps make it shorter and
change nothing about memory.
"""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import tyro

from ace_ros.cli.console import peak_rss_bytes
from ace_ros.errors import Cancelled
from ace_ros.generated import room_camera
from ace_ros.generated.renderer import Renderer
from ace_ros.generated.room import room_surfaces
from ace_ros.generated.trajectory import mapping_drive
from ace_ros.mapping.mapper import Mapper
from ace_ros.mapping.options import MapOptions
from ace_ros.mapping.progress import Progress
from ace_ros.mapping.views import View
from ace_ros.mapping.workspace import Workspace
from bench.measure import provenance

_RENDERED = 100
_APART = 10.0  # metres between rooms, which are 6 m wide
_MOVED = 0.01  # metres, standard deviation


@dataclass
class Command:
    frames: int = 10_000
    rooms: int = 40
    """Side by side; 1: all frames in one."""
    steps: int = 100
    """Of training, a place."""
    places: int | None = None
    """Stop after so many places; each takes as much as the others."""
    folder: Path | None = None
    """Where the views go, 1.4 GB for 10,000 frames; a temporary one by default."""


def main(command: Command) -> None:
    options = MapOptions(steps=command.steps, device="cpu")
    seconds: Counter[str] = Counter()
    rss = {}
    with tempfile.TemporaryDirectory(dir=command.folder) as folder:
        views = _encoded(options)
        rss["encoding"] = peak_rss_bytes()
        workspace = Workspace(Path(folder) / "map")
        Mapper(options, workspace=workspace)  # which says what the views are made with
        start = time.monotonic()
        for view in _repeated(views, command.frames, command.rooms):
            workspace.views.append(view)
        seconds["writing"] = time.monotonic() - start
        bytes_a_frame = sum(path.stat().st_size for path in workspace.folder.iterdir()) / command.frames
        workspace.close()
        rss["writing"] = peak_rss_bytes()
        start = time.monotonic()
        workspace = Workspace(Path(folder) / "map", resume=True)
        mapper = Mapper(options, workspace=workspace)
        seconds["taking up"] = time.monotonic() - start
        rss["taking up"] = peak_rss_bytes()
        last = ("cutting", time.monotonic())
        begun: list[int] = []
        size = 0

        def told(now: Progress) -> None:
            nonlocal last
            seconds[last[0]] += time.monotonic() - last[1]
            last = (now.stage, time.monotonic())
            rss[now.stage] = peak_rss_bytes()
            if now.place >= len(begun):
                begun.append(now.places)
                print(f"place {now.place + 1} of {now.places}, {peak_rss_bytes() / 1e6:.0f} MB", file=sys.stderr)

        with contextlib.suppress(Cancelled):
            scene_map = mapper.build(told, lambda: len(begun) > (command.places or command.frames))
            size = scene_map.save(workspace.folder / "map")
    figures = {
        "frames": command.frames,
        "rooms": command.rooms,
        "places": begun[0],
        "places_begun": len(begun),
        "seconds": {stage: round(taken, 1) for stage, taken in seconds.items()},
        "peak_rss_mb_until": {stage: round(peak / 1e6) for stage, peak in rss.items()},
        "peak_rss_mb": round(peak_rss_bytes() / 1e6),
        "kb_a_frame_on_disk": round(bytes_a_frame / 1e3),
        "map_mb": round(size / 1e6, 2),
        **provenance(),
    }
    print(json.dumps(figures, indent=2))


def _encoded(options: MapOptions) -> list[View]:
    mapper, renderer, camera = Mapper(options), Renderer(room_surfaces()), room_camera((640, 480))
    for index, pose in enumerate(mapping_drive(_RENDERED)):
        mapper.add(renderer.render(camera, pose)[0], camera, pose, f"{index}")
    return list(mapper.views)


def _repeated(views: list[View], frames: int, rooms: int) -> Iterator[View]:
    rng = np.random.default_rng(0)
    for index in range(frames):
        view = views[index % len(views)]
        pose = view.map_from_camera.copy()
        pose[:3, 3] += rng.normal(0, _MOVED, 3)
        pose[0, 3] += _APART * (index * rooms // frames)
        yield replace(view, name=f"frame {index}", map_from_camera=pose, digest=index)


if __name__ == "__main__":
    main(tyro.cli(Command, prog="python -m bench.scale", description=__doc__))

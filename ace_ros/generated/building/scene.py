"""A generated building as a recording on disk."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from ace_ros.camera import Camera
from ace_ros.errors import InputError
from ace_ros.generated.building.drive import mapping_drive, query_drive
from ace_ros.generated.building.layout import STOREY
from ace_ros.generated.building.plan import BuildingPlan
from ace_ros.generated.building.seen import Building
from ace_ros.generated.sensor import exposed, fresh, room_camera, write_frame
from ace_ros.geometry import Matrix


@dataclass(frozen=True)
class _Shot:
    """A frame to be rendered: its place on disk and in the building, and what its noise grows from."""

    split: Path
    name: str
    room: str
    pose: Matrix
    seed: tuple[int, int, int]


def make_building(
    folder: Path | str,
    rooms: int = 24,
    frames_per_room: int = 40,
    queries_per_room: int = 20,
    size: tuple[int, int] = (480, 360),
    seed: int = 0,
    workers: int = 1,
) -> Path:
    """Render a building of two floors in metres: a mapping drive in ``train/``, a query drive in ``test/``.

    Its rooms lie along a corridor on each floor, which stairs join. From 4 rooms on some are twins (a pair; two from 8,
    three from 16), and from 8 on there are four equal open bays besides. ``building.json`` tells which: see
    ``BuildingPlan``.

    Args:
        folder: new; it gets ACE's layout: per split ``rgb/``, ``poses/`` (camera to world), ``calibration/`` (K).
        rooms: at least 2, without bays, corridors and stairs.
        frames_per_room, queries_per_room: frames of each visit of the two drives; a room's piece of corridor gets a
            quarter of it.
        size: of the images, (width, height).
        seed: of the rooms and the noise; the files are the same on any number of workers.
        workers: processes that render. With more than one, a script needs ``if __name__ == "__main__":``.

    Raises:
        InputError: fewer than 2 rooms, 8 frames or 4 queries; the folder is not empty or can't be written; the
            photographs for the posters are missing.
    """
    for what, value, least in (("rooms", rooms, 2), ("frames_per_room", frames_per_room, 8),
                               ("queries_per_room", queries_per_room, 4), ("workers", workers, 1)):  # fmt: skip
        if value < least:
            raise InputError(f"a building needs {what} of at least {least}, not {value}")
    path = fresh(folder)
    building = Building(rooms, seed)
    drives = {"train": mapping_drive(building.layout, frames_per_room)}
    drives["test"] = query_drive(building.layout, queries_per_room)
    plan = BuildingPlan(building.layout.rooms, {})
    shots = [
        _Shot(path / split, f"frame-{index:06d}", _room(plan, pose), pose, (seed, part, index))
        for part, (split, poses) in enumerate(drives.items())
        for index, pose in enumerate(poses)
    ]
    for split in drives:
        for kind in ("rgb", "poses", "calibration"):
            (path / split / kind).mkdir(parents=True)
    _render(rooms, seed, shots, room_camera(size), workers)
    frames = {f"{shot.split.name}/{shot.name}.color.jpg": shot.room for shot in shots}
    BuildingPlan(building.layout.rooms, frames).save(path)
    return path


def _room(plan: BuildingPlan, pose: Matrix) -> str:
    name = plan.room_of(pose[:3, 3])
    if name is None:
        raise AssertionError(f"the drive leaves the building at {pose[:3, 3]}")
    return name


def _render(rooms: int, seed: int, shots: Sequence[_Shot], camera: Camera, workers: int) -> None:
    """Write all frames; each worker takes neighbours, so that it makes few rooms twice."""
    if workers == 1:
        _work(rooms, seed, camera, shots)
        return
    order = sorted(shots, key=lambda shot: (shot.pose[2, 3] > STOREY, shot.pose[0, 3]))
    bounds = np.linspace(0, len(order), workers + 1).round().astype(int)
    shares = [order[a:b] for a, b in pairwise(bounds)]
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), cv2.setNumThreads, (1,)) as pool:
        list(pool.map(partial(_work, rooms, seed, camera), shares))


def _work(rooms: int, seed: int, camera: Camera, shots: Sequence[_Shot]) -> None:
    building = Building(rooms, seed)
    for shot in shots:
        image, _ = building.render(shot.room, camera, shot.pose)
        write_frame(shot.split, shot.name, exposed(image, np.random.default_rng(shot.seed)), camera, shot.pose)

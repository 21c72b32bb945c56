"""Maps of many places: a generated building with twin rooms, recordings joined as rooms of a building, and a street.

Each room is mapped by itself as well, and asked the same queries: what an atlas loses is told as a share of what rooms
find. Times are ratios of one run.

examples:
  python -m bench.building                       the generated building, 24 rooms; half an hour on two cores
  python -m bench.building --rooms 6 --own 3     a small one, and maps of three of its rooms
  python -m bench.building --what joined street  with the recordings in ../shared/scenes
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tyro

from ace_ros.errors import InputError
from ace_ros.files import write_whole
from ace_ros.generated import BuildingPlan, make_building
from ace_ros.geometry import pose_error
from ace_ros.growing.newcomers import Newcomers
from ace_ros.localization.localizer import Localizer
from ace_ros.localization.state import State
from ace_ros.map.scene_map import SceneMap
from ace_ros.mapping.mapper import Mapper
from ace_ros.recordings import PosedFrame
from ace_ros.recordings.prefetch import prefetched
from bench import measure, scenes

_APART = 40.0  # units between the rooms that recordings are joined to
_JOINED = ("redkitchen", "bonsai", "fox", "tello_moved", "euroc_v101")
_OFF = 1.0  # m, or depths of the scene: a pose that is believed and farther off is of a wrong place
Row = dict[str, Any]


@dataclass
class Command:
    what: tuple[Literal["building", "joined", "street"], ...] = ("building",)
    """What is mapped."""
    rooms: int = 24
    """Of the generated building."""
    queries: int = 70
    """Of each of its rooms."""
    own: int = 1000
    """So many rooms are mapped by themselves as well, those without a twin first."""
    out: Path = measure.ROOT / "build" / "bench" / "building"
    """Folder for the building, its map and figures.json."""


@dataclass(frozen=True)
class Room:
    """Frames of one room; ``unit`` is what errors are counted in: a metre, or the room's depth if it is 0.

    A hall is part of the building, but no room that would be mapped by itself.
    """

    name: str
    mapping: list[PosedFrame]
    queries: list[PosedFrame]
    unit: float = 1.0
    twins: tuple[str, ...] = ()
    hall: bool = False


@dataclass(frozen=True)
class Answer:
    """What became of a query. ``error`` in units of the room, and degrees; ``among``: an alternative is right."""

    state: str
    error: tuple[float, float]
    ambiguous: bool
    among: bool
    seconds: float


def main(command: Command) -> int:
    command.out.mkdir(parents=True, exist_ok=True)
    figures: Row = {}
    for what in command.what:
        rooms = {"building": _building, "joined": _joined, "street": _street}[what](command)
        figures[what] = measured(what, rooms, command)
        write_whole(command.out / "figures.json", json.dumps(figures, indent=2).encode())
        _print(what, figures[what])
    return 0


def measured(what: str, rooms: Sequence[Room], command: Command) -> Row:
    """Map all rooms in one, some by themselves, and ask both."""
    scene_map, seconds = mapped(frame for room in rooms for frame in room.mapping)
    size = scene_map.save(command.out / f"{what}.safetensors")
    started = time.perf_counter()
    atlas = Localizer(SceneMap.load(command.out / f"{what}.safetensors"), device="cpu")
    opened = time.perf_counter() - started
    told: Row = {
        "places": len(scene_map.places),
        "rooms": sum(not room.hall for room in rooms),
        "frames": scene_map.header.frames,
        "map_bytes": size,
        "mapping_seconds": seconds,
        "opening_seconds": opened,
        "rows": {},
    }
    for number, room in enumerate(rooms):
        alone = None
        if len(rooms) > 1 and number < command.own and not room.hall:
            own_map, own_seconds = mapped(room.mapping)
            alone = Localizer(own_map, device="cpu")
        found = asked(room, atlas, alone)
        row = {name: summary(answers) for name, answers in found.items() if answers}
        if alone is not None:
            row["own"]["mapping_seconds"] = own_seconds
        told["rows"][room.name] = {"twins": list(room.twins), **row}
        print(f"{room.name}: {json.dumps(row)}", flush=True)
    return told


def mapped(frames: Iterable[PosedFrame], metric: bool = True) -> tuple[SceneMap, float]:
    """A map with the defaults, and the seconds that it took from the first image."""
    started, mapper = time.perf_counter(), Mapper(metric=metric)
    add_all(mapper, frames)
    return mapper.build(), time.perf_counter() - started


def add_all(taker: Mapper | Newcomers, frames: Iterable[PosedFrame]) -> None:
    """All frames that can be used."""
    for frame, image in prefetched(list(frames)):
        if not isinstance(image, InputError) and frame.map_from_camera is not None:
            taker.add(image, frame.camera, frame.map_from_camera, frame.name)


def asked(room: Room, atlas: Localizer, alone: Localizer | None) -> dict[str, list[Answer]]:
    """Answers of both maps, by turns, so that they share the machine's moods."""
    found: dict[str, list[Answer]] = defaultdict(list)
    for frame in room.queries:
        image = frame.image()
        for name, localizer in (("atlas", atlas), ("own", alone)):
            if localizer is not None:
                found[name].append(_answer(localizer, image, frame, room.unit))
    return found


def _answer(localizer: Localizer, image: Any, frame: PosedFrame, unit: float) -> Answer:
    assert frame.map_from_camera is not None
    answer = localizer.localize(image.pixels, image.camera)
    error = among = (np.inf, 180.0)
    if answer.map_from_camera is not None and answer.place is not None:
        unit = unit or localizer.scene_map.headers[answer.place].median_depth
        error = pose_error(answer.map_from_camera, frame.map_from_camera)
        errors = [pose_error(one.map_from_camera, frame.map_from_camera) for one in answer.alternatives]
        among = min(errors, default=error)
    right = among[0] / unit < 0.05 and among[1] < 5
    scaled = (error[0] / unit, error[1])
    return Answer(answer.state.name, scaled, bool(answer.alternatives), right, answer.timings["total"])


def summary(answers: Sequence[Answer]) -> Row:
    """Counts and medians."""
    sure = [answer for answer in answers if answer.state == State.LOCALIZED.name]
    errors = np.array([answer.error for answer in sure]).reshape(-1, 2)

    def within(centimetres: float, degrees: float) -> int:
        return int(((errors[:, 0] < centimetres / 100) & (errors[:, 1] < degrees)).sum())

    return {
        "queries": len(answers),
        "localized": len(sure),
        "ambiguous": sum(answer.ambiguous for answer in answers),
        "right_among": sum(answer.ambiguous and answer.among for answer in answers),
        "5": within(5, 5),
        "1": within(1, 1),
        "within_30": within(30, 180),
        "wrong": int((errors[:, 0] > _OFF).sum()),
        "worst": float(errors[:, 0].max(initial=0.0)),
        "median": np.median(errors, axis=0).tolist() if len(errors) else None,
        "query_ms": float(np.median([answer.seconds for answer in answers])) * 1e3,
    }


def _building(command: Command) -> list[Room]:
    folder = scenes.made(
        command.out / f"rooms{command.rooms}x{command.queries}",
        lambda path: make_building(path, rooms=command.rooms, queries_per_room=command.queries, workers=2),
    )
    plan = BuildingPlan.load(folder)
    mapping, queries = defaultdict(list), defaultdict(list)
    for frame in scenes.mapping_frames(folder).frames:
        mapping[plan.frames[frame.name]].append(frame)
    for frame in scenes.query_frames(folder):
        queries[plan.frames[frame.name]].append(frame)
    rooms = [
        Room(name, mapping[name], queries[name], 1.0, plan.twins_of(name), name.startswith(("corridor", "stairs")))
        for name in mapping
    ]
    return sorted(rooms, key=lambda room: (room.hall, bool(room.twins), room.name))


def _joined(command: Command) -> list[Room]:
    found = scenes.find(list(_JOINED), command.out)
    rooms = []
    for number, (name, path) in enumerate(found.items()):
        shift = np.array([_APART * (number % 4), _APART * (number // 4), 0.0])
        scene = scenes.mapping_frames(path)
        every = 4 if name == "redkitchen" else 1
        mapping = [_moved(frame, shift) for frame in scene.frames[::every]]
        queries = [_moved(frame, shift) for frame in scenes.query_frames(path)]
        rooms.append(Room(name, mapping, queries, 1.0 if scene.metric else 0.0))
    return rooms


def _street(command: Command) -> list[Room]:
    path = scenes.find(["kitti00_small"], command.out)["kitti00_small"]
    return [Room("street", scenes.mapping_frames(path).frames, scenes.query_frames(path))]


def _moved(frame: PosedFrame, shift: np.ndarray) -> PosedFrame:
    assert frame.map_from_camera is not None
    pose = frame.map_from_camera.copy()
    pose[:3, 3] += shift
    return replace(frame, map_from_camera=pose)


def _print(what: str, told: Row) -> None:
    rows = told["rows"]
    print(f"\n{what}: {told['places']} places of {told['rooms']} rooms, {told['map_bytes'] / 1e6:.2f} MB, "
          f"{told['mapping_seconds']:.0f} s of mapping ({told['mapping_seconds'] / told['rooms']:.1f} s a room), "
          f"opened in {told['opening_seconds']:.2f} s")  # fmt: skip
    print(f"{'room':14} {'5/5':>11} {'1/1':>11} {'wrong':>5} {'ambiguous (right among)':>24} {'ms':>6}")
    for name, row in rows.items():
        atlas, own = row["atlas"], row.get("own")
        of = {key: f"{atlas[key]}/{own[key]}" if own else f"{atlas[key]}/{atlas['queries']}" for key in ("5", "1")}
        twin = f" twin of {', '.join(row['twins'])}" if row["twins"] else ""
        doubt = f"{atlas['ambiguous']} ({atlas['right_among']}) of {atlas['queries']}"
        print(f"{name:14} {of['5']:>11} {of['1']:>11} {atlas['wrong']:>5} {doubt:>24} {atlas['query_ms']:>6.1f}{twin}")
    total = {
        key: sum(row["atlas"][key] for row in rows.values()) for key in ("queries", "wrong", "localized", "within_30")
    }
    print(f"{total['wrong']} of {total['queries']} queries believed in a wrong place; {total['localized']} localized, "
          f"{total['within_30']} of these within 30 cm or %")  # fmt: skip
    ratios = [row["atlas"]["query_ms"] / row["own"]["query_ms"] for row in rows.values() if "own" in row]
    if ratios:
        print(f"a query of the atlas takes {np.median(ratios):.2f} times as long as one of a room's own map")


if __name__ == "__main__":
    raise SystemExit(main(tyro.cli(Command, description=__doc__)))

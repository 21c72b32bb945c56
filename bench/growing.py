"""Maps that grow: a room added, a drive with an origin of its own, furniture that moved. All generated, exact poses.

examples:
  python -m bench.growing                     all; a quarter of an hour on two cores
  python -m bench.growing --what align
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tyro
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ace_ros.files import write_whole
from ace_ros.generated import BuildingPlan, make_building, make_room
from ace_ros.geometry import invert, rotation_angle_deg
from ace_ros.growing.aligning import align
from ace_ros.growing.extending import extend
from ace_ros.growing.newcomers import Newcomers
from ace_ros.growing.repairing import repair
from ace_ros.growing.sighting import sighted
from ace_ros.localization.localizer import Localizer
from ace_ros.recordings import PosedFrame
from bench import measure, scenes
from bench.building import Room, add_all, asked, mapped, summary

Row = dict[str, Any]
_SHIFT, _TURN, _SCALE = 3.0, 40.0, 0.37  # m, degrees: of a second drive's origin, and its unit where it is not metric


@dataclass
class Command:
    what: tuple[Literal["extend", "align", "repair"], ...] = ("extend", "align", "repair")
    """What is done to a map."""
    out: Path = measure.ROOT / "build" / "bench" / "growing"
    """Folder for the scenes and figures.json."""


def main(command: Command) -> int:
    command.out.mkdir(parents=True, exist_ok=True)
    told: Row = {}
    for what in command.what:
        told[what] = {"extend": extended, "align": aligned, "repair": repaired}[what](command.out)
        print(f"{what}: {json.dumps(told[what], indent=2)}", flush=True)
    write_whole(command.out / "figures.json", json.dumps(told, indent=2).encode())
    return 0


def extended(out: Path) -> Row:
    """A building that lacks a room, and then has it; against mapping that room alone."""
    folder = scenes.made(out / "building", lambda path: make_building(path, rooms=6, workers=2))
    plan = BuildingPlan.load(folder)
    frames = scenes.mapping_frames(folder).frames
    room = next(one.name for one in plan.rooms if one.name.startswith("room") and not plan.twins_of(one.name))
    old, _ = mapped(frame for frame in frames if plan.frames[frame.name] != room)
    new = [frame for frame in frames if plan.frames[frame.name] == room]
    _, alone_seconds = mapped(new)
    started = time.perf_counter()
    newcomers = Newcomers(old)
    add_all(newcomers, new)
    grown = extend(newcomers, room)
    seconds = time.perf_counter() - started
    queries = scenes.query_frames(folder)
    here = [frame for frame in queries if plan.frames[frame.name] == room]
    there = [frame for frame in queries if plan.frames[frame.name] != room and _far(plan, frame, room)]
    before, after = Localizer(old, device="cpu"), Localizer(grown.scene_map, device="cpu")
    same = sum(_same(before, after, frame) for frame in there)
    found = asked(Room(room, [], here), after, before)  # of both maps
    return {
        "seconds": seconds,
        "room_alone_seconds": alone_seconds,
        "ratio": seconds / alone_seconds,
        "new_places": len(grown.new_places),
        "touched": grown.touched,
        "after": summary(found["atlas"]),
        "before": summary(found["own"]),
        "answers_of_other_rooms": len(there),
        "unchanged": same,
    }


def aligned(out: Path) -> Row:
    """The query drive of the room in a frame of its own: how far off the transform is that is found."""
    folder = scenes.made(out / "room", make_room)
    scene_map, _ = mapped(scenes.mapping_frames(folder).frames)
    localizer = Localizer(scene_map, device="cpu")
    rng = np.random.default_rng(0)
    told = {}
    for name, scale in (("rigid", 1.0), ("with_scale", _SCALE)):
        axis = rng.normal(size=3)
        away = np.eye(4)
        away[:3, :3] = Rotation.from_rotvec(np.radians(_TURN) * axis / np.linalg.norm(axis)).as_matrix()
        shift = rng.normal(size=3)
        away[:3, 3] = _SHIFT * shift / np.linalg.norm(shift)
        seen, middle = [], []
        for frame in scenes.query_frames(folder):
            assert frame.map_from_camera is not None
            pose = away @ frame.map_from_camera
            pose[:3, 3] *= scale
            found = sighted(localizer, frame.read(), frame.camera, pose)
            seen += [] if found is None else [found]
            middle.append(frame.map_from_camera[:3, 3])
        alignment = align(seen, len(middle), scale != 1.0)
        told[name] = {
            # Where it is used: at the middle of the drive.
            "translation_cm": 100 * float(np.linalg.norm(_moved(alignment, away, scale, np.mean(middle, axis=0)))),
            "rotation_deg": rotation_angle_deg(alignment.map_from_recording, invert(away)),
            "scale_percent": 100 * abs(alignment.scale * scale - 1),
            "agreeing": alignment.agreeing,
            "of": alignment.of,
        }
    return told


def repaired(out: Path) -> Row:
    """The room with a third of its furniture moved: asked by the old map, the repaired one, and one made anew."""
    before = scenes.made(out / "room", make_room)
    after = scenes.made(out / "moved", lambda path: make_room(path, moved=True))
    old, _ = mapped(scenes.mapping_frames(before).frames)
    visit = scenes.mapping_frames(after).frames
    fresh, fresh_seconds = mapped(visit)
    started = time.perf_counter()
    newcomers = Newcomers(old)
    add_all(newcomers, visit[::2])
    grown = repair(newcomers, "moved")
    seconds = time.perf_counter() - started
    queries = Room("room", [], scenes.query_frames(after))
    found = {
        name: summary(asked(queries, Localizer(one, device="cpu"), None)["atlas"])
        for name, one in (("old", old), ("repaired", grown.scene_map), ("fresh", fresh))
    }
    counts = {"forgotten": grown.forgotten, "added": grown.touched}
    return {"seconds": seconds, "fresh_seconds": fresh_seconds, **counts, **found}


def _far(plan: BuildingPlan, frame: PosedFrame, room: str) -> bool:
    """Taken in a room of the other storey: nothing of the new room is seen there."""
    storeys = {one.name: one.floor for one in plan.rooms}
    return storeys[plan.frames[frame.name]] != storeys[room]


def _same(before: Localizer, after: Localizer, frame: PosedFrame) -> bool:
    one, two = (localizer.localize(frame.read(), frame.camera) for localizer in (before, after))
    if one.map_from_camera is None or two.map_from_camera is None:
        return one.state is two.state and one.map_from_camera is two.map_from_camera
    return one.state is two.state and bool((one.map_from_camera == two.map_from_camera).all())


def _moved(alignment: Any, away: NDArray[np.float64], scale: float, at: NDArray[np.float64]) -> NDArray[np.float64]:
    """By how much a point of the map is off that goes to the recording's frame, and comes back as was found."""
    recorded = np.eye(4)
    recorded[:3, 3] = scale * (away[:3, :3] @ at + away[:3, 3])
    return np.asarray(alignment.pose(recorded)[:3, 3] - at)


if __name__ == "__main__":
    raise SystemExit(main(tyro.cli(Command, description=__doc__)))

"""Drives through the generated building: cold starts and kidnappings, and what the robot is told meanwhile.

Images are rendered and localized once, along some stretches of one drive at 10 Hz; what is varied is where the robot
starts, where it is carried, its odometry (off by 2 % of the way and of turns and by 1 degree a metre, 1 sigma, alike on
a drive, and as much again from step to step, and trembling) and what happens to images: some are covered, some give the
pose of another place, with as much evidence as a wrong pose was ever seen to have. No image has a first guess.

Map and answers are kept, and made anew once the code that they come from has changed.

examples:
  python -m bench.drives                         24 rooms; half an hour of mapping on two cores at first
  python -m bench.drives --map build/bench/building/building.safetensors    with that of bench.building
  python -m bench.drives --rooms 6 --drives 40   a small one
"""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import tyro

from ace_ros.evaluation.metrics import ELLIPSOID
from ace_ros.files import write_whole
from ace_ros.generated import BuildingPlan, make_building
from ace_ros.generated.building.drive import query_drive
from ace_ros.generated.building.seen import Building
from ace_ros.generated.sensor import exposed
from ace_ros.geometry import Matrix, pose_error, pose_residual
from ace_ros.localization.localizer import Localizer
from ace_ros.localization.state import Reason, State
from ace_ros.map.scene_map import SceneMap
from ace_ros.online.localizing import OnlineOptions
from bench import measure, scenes
from bench.building import mapped
from bench.drives_robot import (
    CAMERA,
    LONGEST,
    PERIOD,
    WRONG,
    Frame,
    Robot,
    Stretch,
    Way,
    befallen,
    drive_from_anywhere,
    undecided_by_itself,
)  # fmt: skip

Row = dict[str, Any]
_PER_ROOM = 200  # frames of a visit: 0.6 m/s and 50 degrees/s
_SETTLED = 150  # images after the first pose until all is steady: 9 m, on which the odometry's drift is learnt


@dataclass
class Command:
    rooms: int = 24
    """Of the generated building."""
    stretches: int = 4
    """Of its drive, spread evenly; each is rendered."""
    length: int = 160
    """Images of a stretch."""
    steady: int = 420
    """Images of the last two stretches, on which errors are measured once all is steady."""
    drives: int = 200
    """Cold starts, and as many kidnappings, in each way."""
    map: Path | None = None
    """Of the building, to take instead of making one."""
    out: Path = measure.ROOT / "build" / "bench"
    """Folder for the building, its map, the answers and figures.json."""


_AT_ONCE = OnlineOptions(confirm_probability=0.0)
WAYS = (
    Way("as they are"),
    Way("10 % covered, 5 % wrong", 0.1, 0.05),
    Way("the same, standing for 3 s", 0.1, 0.05, 30),
    Way("10 % covered, 5 % wrong, believed at once", 0.1, 0.05, options=_AT_ONCE),
)
_SMOOTH = (Way("smoothness"), Way("smoothness, odometry that drifts alike only", slip=0.0))


def main(command: Command) -> int:
    folder = command.out / "drives"
    folder.mkdir(parents=True, exist_ok=True)
    localizer = Localizer(_map(command, folder), device="cpu")
    long = _stretches(command, localizer, folder)
    figures = measured([stretch[: command.length] for stretch in long], long[-2:], localizer, command.drives)
    write_whole(folder / "figures.json", json.dumps(figures, indent=2).encode())
    return 0


def measured(stretches: Sequence[Stretch], steady: Sequence[Stretch], localizer: Localizer, drives: int) -> Row:
    """All figures; ``steady``: stretches long enough to measure errors on."""
    answers = [frame.answer for stretch in stretches for frame in stretch]
    figures: Row = {
        "images": len(answers),
        "localized": sum(answer.state is State.LOCALIZED for answer in answers),
        "ambiguous": sum(answer.reason_code is Reason.AMBIGUOUS for answer in answers),
        **{way.name: smoothness(steady, localizer, way) for way in _SMOOTH},
    }
    print(json.dumps(figures, indent=2), flush=True)
    for way in WAYS:
        for kidnapped in (False, True):
            name = f"{'kidnappings' if kidnapped else 'cold starts'}, {way.name}"
            figures[name] = row = started(stretches, localizer, way, kidnapped, drives)
            print(f"{name}: {json.dumps(row)}", flush=True)
    return figures


def _map(command: Command, folder: Path) -> SceneMap:
    if command.map is not None:
        return SceneMap.load(command.map)
    made_by = _code("features", "map", "mapping", "localization", "generated")
    path = folder / f"{command.rooms}rooms-{made_by}.safetensors"
    if not path.exists():
        rendered = scenes.made(
            folder / f"rooms{command.rooms}-{_code('generated')}",
            lambda new: make_building(new, rooms=command.rooms, queries_per_room=4, workers=2),
        )
        mapped(scenes.mapping_frames(rendered).frames)[0].save(path)
    return SceneMap.load(path)


def _code(*rooms: str) -> str:
    """Stands for all code in these rooms of the library: what was made by other code is not taken."""
    library = measure.ROOT / "ace_ros"
    files = [path for room in rooms for path in sorted((library / room).rglob("*.py"))]
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()[:12]


def _stretches(command: Command, localizer: Localizer, folder: Path) -> list[list[Frame]]:
    """Rendered and localized; kept, as that takes minutes."""
    made = "".join(filter(str.isalnum, localizer.scene_map.header.created))
    code = _code("features", "map", "localization", "generated")
    building = Building(command.rooms, seed=0)
    plan, drive = BuildingPlan(building.layout.rooms, {}), query_drive(building.layout, _PER_ROOM)
    starts = np.linspace(0, len(drive) - command.length, command.stretches + 2).astype(int)[1:-1]
    stretches = []
    for number, start in enumerate(starts.tolist()):
        length = command.steady if number >= command.stretches - 2 else command.length
        kept = folder / f"answers-{command.rooms}-{start}+{length}-{made}-{code}.pickle"
        if not kept.exists():
            print(f"rendering and localizing {length} images from {start} on", flush=True)
            rng = np.random.default_rng(start)
            seen = [_seen(building, plan, localizer, pose, rng) for pose in drive[start : start + length]]
            write_whole(kept, pickle.dumps(seen))
        stretches.append(cast(list[Frame], pickle.loads(kept.read_bytes())))
    return stretches


def _seen(
    building: Building, plan: BuildingPlan, localizer: Localizer, pose: Matrix, rng: np.random.Generator
) -> Frame:
    room = plan.room_of(pose[:3, 3])
    assert room is not None
    image = exposed(building.render(room, CAMERA, pose)[0], rng)
    return Frame(pose, localizer.localize(image, CAMERA))


def smoothness(stretches: Sequence[Stretch], localizer: Localizer, way: Way) -> Row:
    """Errors of what is told and of single images, and steps of map <- odom where the robot is; once all is steady."""
    told, single, steps, nees = [], [], [], []
    for number, stretch in enumerate(stretches):
        robot, before, since = Robot(localizer, np.random.default_rng([1, number]), way), None, 0
        for frame in stretch:
            placed = robot.look(frame, frame.answer).placed
            if placed is None or placed.map_from_odom is None:
                continue
            since = 0 if placed.jump else since + 1
            if since > _SETTLED and before is not None:
                told.append(pose_error(placed.map_from_frame, frame.map_from_base))
                single.append(pose_error(placed.by_image, frame.map_from_base))
                steps.append(pose_error(placed.map_from_frame, before @ robot.odom))
                residual = pose_residual(placed.map_from_frame, frame.map_from_base)
                nees.append(float(residual @ np.linalg.solve(placed.covariance, residual)))
            before = placed.map_from_odom
    rms = [np.sqrt(np.square(errors).mean(0)) for errors in (told, single)]
    return {
        "poses": len(told),
        "rms_told": rms[0].tolist(),
        "rms_single": rms[1].tolist(),
        "ratio": (rms[0] / rms[1]).tolist(),
        "largest_step": np.max(steps, 0).tolist(),
        "nees, median and 95 %": np.percentile(nees, (50, 95)).tolist(),
        "ellipsoid holds the truth": float(np.mean(np.array(nees) < ELLIPSOID)),
    }


def started(stretches: Sequence[Stretch], localizer: Localizer, way: Way, kidnapped: bool, drives: int) -> Row:
    """Of so many drives, how long the first right pose took, and how many poses that were told were wrong."""
    took: list[float] = []
    wrong, poses, undecidable = 0, 0, 0
    for number in range(drives):
        rng = np.random.default_rng([2, number])
        robot = Robot(localizer, rng, way)
        here, there = rng.choice(len(stretches), 2, replace=False)
        if kidnapped:
            for frame in drive_from_anywhere(stretches[here], rng, 0):
                if robot.look(frame, frame.answer).placed is not None and robot.stamp > 10 * PERIOD:
                    break
            robot.carried()
        first, began = None, robot.stamp + PERIOD
        frames = list(drive_from_anywhere(stretches[there], rng, way.standing))
        for frame in frames:
            placed = robot.look(frame, befallen(frame, stretches, rng, way)).placed
            if placed is None:
                continue
            translation, rotation = pose_error(placed.map_from_frame, frame.map_from_base)
            poses += 1
            if translation > WRONG[0] or rotation > WRONG[1]:
                wrong += 1
            elif first is None:
                first = (robot.stamp - began) * 1e-9
        took += [] if first is None else [first]
        undecidable += first is None and undecided_by_itself(frames, way.options.kidnap_frames)
    return {
        "drives": drives,
        "poses told": poses,
        "of these wrong": wrong,
        "seconds to the first, median": float(np.median(took)) if took else None,
        "95 %": float(np.percentile(took, 95)) if took else None,
        f"none within {LONGEST * PERIOD * 1e-9:g} s": drives - len(took),
        "of these undecidable": undecidable,
    }


if __name__ == "__main__":
    raise SystemExit(main(tyro.cli(Command, description=__doc__)))

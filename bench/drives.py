"""Drives through the generated building: cold starts and kidnappings, and what the robot is told meanwhile.

Images are rendered and localized once, along some stretches of one drive at 10 Hz; what is varied is where the robot
starts, where it is carried, its odometry (off by 2 % of the way and of turns and by 1 degree a metre, 1 sigma, alike on
a drive, and as much again from step to step, and trembling) and what happens to images: some are covered, some give the
pose of another place, with as much evidence as a wrong pose was ever seen to have. No image has a first guess.

examples:
  python -m bench.drives                         24 rooms; takes the map of python -m bench.building if that is there
  python -m bench.drives --rooms 6 --drives 40   a small one
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import tyro
from scipy.spatial.transform import Rotation

from ace_ros.files import write_whole
from ace_ros.generated import BuildingPlan, make_building, room_camera
from ace_ros.generated.building.drive import query_drive
from ace_ros.generated.building.seen import Building
from ace_ros.generated.sensor import exposed
from ace_ros.geometry import Matrix, invert, pose_error
from ace_ros.localization.answer import Localization
from ace_ros.localization.localizer import Localizer
from ace_ros.localization.trust import Reason, State
from ace_ros.map.scene_map import SceneMap
from ace_ros.online.localizing import OnlineAnswer, OnlineLocalizer, OnlineOptions
from ace_ros.online.robot import MissingTransform
from bench import measure, scenes
from bench.building import mapped

Row = dict[str, Any]
_PERIOD = 100_000_000  # ns between images
_PER_ROOM = 200  # frames of a visit: 0.4 m/s and 40 degrees/s
_CAMERA = room_camera((480, 360))
_BASE_FROM_CAMERA = np.array([[0.0, 0, 1, 0.2], [-1, 0, 0, 0], [0, -1, 0, 0.4], [0, 0, 0, 1]])
_WRONG = 0.3, 5.0  # m, degrees: what is told and farther off is wrong
_WRONG_CONFIDENCE = 0.91, 0.999  # of what was wrong and sure in the recordings
_LONGEST = 60  # images until a drive is given up
_SETTLED = 50  # images after the first pose until all is steady


@dataclass
class Command:
    rooms: int = 24
    """Of the generated building."""
    stretches: int = 4
    """Of its drive, spread evenly; each is rendered."""
    length: int = 160
    """Images of a stretch."""
    drives: int = 200
    """Cold starts, and as many kidnappings, in each way."""
    out: Path = measure.ROOT / "build" / "bench"
    """Folder for the building, its map, the answers and figures.json."""


@dataclass(frozen=True)
class Frame:
    """A frame of a stretch, and what the map makes of it."""

    map_from_camera: Matrix
    answer: Localization

    @property
    def map_from_base(self) -> Matrix:
        return self.map_from_camera @ invert(_BASE_FROM_CAMERA)


@dataclass(frozen=True)
class Way:
    """How drives are: shares of images that are covered and that are wrong; whether the robot stands at first."""

    name: str
    covered: float = 0.0
    wrong: float = 0.0
    standing: int = 0
    options: OnlineOptions = field(default_factory=OnlineOptions)


_AT_ONCE = OnlineOptions(confirm_probability=0.0)
WAYS = (
    Way("as they are"),
    Way("10 % covered, 5 % wrong", 0.1, 0.05),
    Way("the same, standing for 3 s", 0.1, 0.05, 30),
    Way("10 % covered, 5 % wrong, believed at once", 0.1, 0.05, options=_AT_ONCE),
)


class Replayed:
    """A :class:`Localizer` that has seen all images before; of an image it is given the number."""

    def __init__(self, localizer: Localizer) -> None:
        self.scene_map = localizer.scene_map
        self.answer: Localization | None = None

    def localize(self, *_: Any) -> Localization:
        assert self.answer is not None
        return self.answer


class Robot:
    """A drive: wheels that drift, and what is localized on the way."""

    def __init__(self, replayed: Replayed, rng: np.random.Generator, way: Way) -> None:
        self._replayed, self._rng, self._way = replayed, rng, way
        self._online = OnlineLocalizer(cast(Localizer, replayed), self, options=way.options)
        self._longer, self._turned, self._astray = rng.normal(0, (0.02, 0.02, np.radians(1.0)))
        self._odom, self.odom, self.stamp = np.eye(4), np.eye(4), 0
        self._at: Matrix | None = None

    def base_from_camera(self, camera: str, stamp: int, wait: float) -> Matrix:
        return _BASE_FROM_CAMERA

    def odom_from_base(self, stamp: int, wait: float) -> Matrix:
        if stamp != self.stamp:
            raise MissingTransform("no odometry of that time")
        return self.odom

    def newest_odometry(self) -> tuple[Matrix, int]:
        return self.odom, self.stamp

    def carried(self) -> None:
        """Without a turn of the wheels."""
        self._at = None

    def look(self, frame: Frame, answer: Localization) -> OnlineAnswer:
        """Go to a frame, and be told where that is."""
        if self._at is not None:
            step = invert(self._at) @ frame.map_from_base
            way, turn = float(np.linalg.norm(step[:3, 3])), Rotation.from_matrix(step[:3, :3]).as_rotvec()
            slip = self._rng.normal((self._longer, self._turned), 0.02)
            off = np.eye(4)
            off[:3, 3] = slip[0] * step[:3, 3]
            off[:3, :3] = Rotation.from_rotvec(slip[1] * turn + (0, 0, self._astray * way)).as_matrix()
            self._odom = self._odom @ step @ off
        self._at, self.stamp = frame.map_from_base, self.stamp + _PERIOD
        trembling = np.eye(4)
        trembling[:2, 3] = self._rng.normal(0, 0.001, 2)
        self.odom = self._odom @ trembling
        self._replayed.answer = answer
        return self._online.localize(np.empty((1, 1), np.uint8), _CAMERA, self.stamp)


def main(command: Command) -> int:
    folder = command.out / "drives"
    folder.mkdir(parents=True, exist_ok=True)
    localizer = Localizer(_map(command), device="cpu")
    stretches = _stretches(command, localizer, folder)
    answers = [frame.answer for stretch in stretches for frame in stretch]
    figures: Row = {
        "images": len(answers),
        "localized": sum(answer.state is State.LOCALIZED for answer in answers),
        "ambiguous": sum(answer.reason_code is Reason.AMBIGUOUS for answer in answers),
        "smoothness": smoothness(stretches, Replayed(localizer)),
    }
    for way in WAYS:
        for kidnapped in (False, True):
            name = f"{'kidnappings' if kidnapped else 'cold starts'}, {way.name}"
            figures[name] = row = started(stretches, Replayed(localizer), way, kidnapped, command.drives)
            print(f"{name}: {json.dumps(row)}", flush=True)
    write_whole(folder / "figures.json", json.dumps(figures, indent=2).encode())
    print(json.dumps({key: figures[key] for key in ("images", "localized", "ambiguous", "smoothness")}, indent=2))
    return 0


def _map(command: Command) -> SceneMap:
    """That of ``bench.building``, made here where it is not there yet."""
    path = command.out / "building" / "building.safetensors"
    if command.rooms != 24 or not path.exists():
        path = command.out / "drives" / f"{command.rooms}rooms.safetensors"
    if not path.exists():
        rendered = scenes.made(
            command.out / "drives" / f"rooms{command.rooms}",
            lambda folder: make_building(folder, rooms=command.rooms, queries_per_room=4, workers=2),
        )
        mapped(scenes.mapping_frames(rendered).frames)[0].save(path)
    return SceneMap.load(path)


def _stretches(command: Command, localizer: Localizer, folder: Path) -> list[list[Frame]]:
    """Rendered and localized; kept, as that takes minutes."""
    made = "".join(filter(str.isalnum, localizer.scene_map.header.created))
    kept = folder / f"answers-{command.rooms}-{command.stretches}x{command.length}-{made}.pickle"
    if not kept.exists():
        building = Building(command.rooms, seed=0)
        plan, drive = BuildingPlan(building.layout.rooms, {}), query_drive(building.layout, _PER_ROOM)
        rng = np.random.default_rng(0)
        starts = np.linspace(0, len(drive) - command.length, command.stretches + 2).astype(int)[1:-1]
        found = []
        for start in starts:
            print(f"rendering and localizing {command.length} images from {start} on", flush=True)
            poses = drive[start : start + command.length]
            found.append([_seen(building, plan, localizer, pose, rng) for pose in poses])
        write_whole(kept, pickle.dumps(found))
    return cast(list[list[Frame]], pickle.loads(kept.read_bytes()))


def _seen(
    building: Building, plan: BuildingPlan, localizer: Localizer, pose: Matrix, rng: np.random.Generator
) -> Frame:
    room = plan.room_of(pose[:3, 3])
    assert room is not None
    image = exposed(building.render(room, _CAMERA, pose)[0], rng)
    return Frame(pose, localizer.localize(image, _CAMERA))


def smoothness(stretches: Sequence[Sequence[Frame]], replayed: Replayed) -> Row:
    """Errors of what is told and of single images, and steps of map <- odom where the robot is; once all is steady."""
    told, single, steps = [], [], []
    for number, stretch in enumerate(stretches):
        robot, before, since = Robot(replayed, np.random.default_rng([1, number]), WAYS[0]), None, 0
        for frame in stretch:
            placed = robot.look(frame, frame.answer).placed
            if placed is None or placed.map_from_odom is None:
                continue
            since = 0 if placed.jump else since + 1
            if since > _SETTLED and before is not None:
                told.append(pose_error(placed.map_from_frame, frame.map_from_base))
                single.append(pose_error(placed.by_image, frame.map_from_base))
                steps.append(pose_error(placed.map_from_frame, before @ robot.odom))
            before = placed.map_from_odom
    rms = [np.sqrt(np.square(errors).mean(0)).tolist() for errors in (told, single)]
    return {
        "rms_told": rms[0],
        "rms_single": rms[1],
        "ratio": (np.array(rms[0]) / rms[1]).tolist(),
        "largest_step": np.max(steps, 0).tolist(),
    }


def started(stretches: Sequence[Sequence[Frame]], replayed: Replayed, way: Way, kidnapped: bool, drives: int) -> Row:
    """Of so many drives, how long the first right pose took, and how many poses that were told were wrong."""
    took, wrong, poses, lost = [], 0, 0, 0
    for number in range(drives):
        rng = np.random.default_rng([2, number])
        robot = Robot(replayed, rng, way)
        here, there = rng.choice(len(stretches), 2, replace=False)
        if kidnapped:
            for frame in _from(stretches[here], rng, 0):
                if robot.look(frame, frame.answer).placed is not None and robot.stamp > 10 * _PERIOD:
                    break
            robot.carried()
        first, began = None, robot.stamp + _PERIOD
        for frame in _from(stretches[there], rng, way.standing):
            answer = robot.look(frame, _befallen(frame, stretches, rng, way))
            if answer.placed is not None:
                translation, rotation = pose_error(answer.placed.map_from_frame, frame.map_from_base)
                poses += 1
                if translation > _WRONG[0] or rotation > _WRONG[1]:
                    wrong += 1
                elif first is None:
                    first = (robot.stamp - began) * 1e-9
        took += [] if first is None else [first]
        lost += first is None
    return {
        "drives": drives,
        "poses told": poses,
        "of these wrong": wrong,
        "seconds to the first, median": float(np.median(took)),
        "95 %": float(np.percentile(took, 95)),
        f"none within {_LONGEST * _PERIOD * 1e-9:g} s": lost,
    }


def _from(stretch: Sequence[Frame], rng: np.random.Generator, standing: int) -> Iterator[Frame]:
    """From anywhere in a stretch on, so long as it goes."""
    start = int(rng.integers(len(stretch) - _LONGEST + standing))
    yield from [stretch[start]] * standing
    yield from stretch[start : start + _LONGEST - standing]


def _befallen(frame: Frame, stretches: Sequence[Sequence[Frame]], rng: np.random.Generator, way: Way) -> Localization:
    """What becomes of an image: somebody is in the way, or it gives the pose of another place."""
    chance = rng.random()
    answer = frame.answer
    if chance < way.covered:
        return replace(answer, state=State.LOST, reason_code=Reason.TOO_FEW_INLIERS, reason="covered", alternatives=())
    if chance < way.covered + way.wrong:
        others = [one.answer for stretch in stretches for one in stretch if one.answer.state is State.LOCALIZED]
        return replace(others[rng.integers(len(others))], confidence=float(rng.uniform(*_WRONG_CONFIDENCE)))
    return answer


if __name__ == "__main__":
    raise SystemExit(main(tyro.cli(Command, description=__doc__)))

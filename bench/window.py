"""What images of a drive, or of several cameras, find together where one of them is not enough.

A generated courtyard, in which two cameras drive, one looking ahead and one aside; and a flight through a hall in which
furniture was moved since it was mapped, of which two images that follow each other stand for two cameras. Odometry is
made from the true poses: it is 2 % off in the way and in each turn. Each is asked as it is, and with 50 to 80 % of each
image covered. Wrong and sure as in bench.honesty. Times are processor seconds as ratios of one run, to one image alone.

examples:
  python -m bench.window                       some minutes; maps and drives are kept in build/bench/window
  python -m bench.window --scenes courtyard
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tyro
from scipy.spatial.transform import Rotation

from ace_ros.files import write_whole
from ace_ros.generated import courtyard_camera
from ace_ros.generated.courtyard import Sky, courtyard_surfaces
from ace_ros.generated.renderer import Renderer
from ace_ros.generated.scenes import UNIT, courtyard_similarity
from ace_ros.generated.sensor import exposed, fresh, write_frame
from ace_ros.generated.trajectory import looking
from ace_ros.geometry import Matrix, invert
from ace_ros.localization.answer import Localization
from ace_ros.localization.localizer import Localizer
from ace_ros.localization.trust import State
from ace_ros.map.scene_map import SceneMap
from ace_ros.online.odometry_gate import GateOptions
from ace_ros.online.window import Window
from ace_ros.recordings import PosedFrame, open_recording
from bench import honesty, measure, scenes, trust
from bench.building import mapped

Row = dict[str, Any]
_RATE, _SECONDS, _DRIVES = 4.0, 8.0, 4  # of the generated drives
_HISTORY = 3.0  # s: what is asked has so much before it
_DRIFT, _LIE = 0.02, 0.3  # of the way and of each turn
_WAYS = ("as they are", "half covered")


@dataclass
class Command:
    scenes: tuple[Literal["courtyard", "tello_moved"], ...] = ("courtyard", "tello_moved")
    """What is driven through."""
    out: Path = measure.ROOT / "build" / "bench" / "window"
    """Folder for drives, maps and figures.json."""


@dataclass(frozen=True)
class Shot:
    """An image of a drive: when it was taken (s), by which camera, and whether it is asked or stands before others."""

    stamp: float
    camera: str
    frame: PosedFrame
    asked: bool


@dataclass(frozen=True)
class Alone:
    """An image, what it alone says, and how long that takes."""

    shot: Shot
    found: Localization
    seconds: float


def main(command: Command) -> int:
    command.out.mkdir(parents=True, exist_ok=True)
    drives = {name: _drives(name, command.out) for name in ("courtyard", "tello_moved") if name in command.scenes}
    figures: Row = {}
    for name, drive in drives.items():
        localizer = Localizer(_map(name, command.out), device="cpu")
        for way in _WAYS:
            rows = measured(localizer, drive, way)
            if way == _WAYS[0]:
                elsewhere = [shots for other in drives.values() if other is not drive for shots in other]
                if elsewhere:
                    rows["images of elsewhere, 3 s"] = _foreign(localizer, elsewhere)
            figures[f"{name}, {way}"] = rows
            write_whole(command.out / "figures.json", json.dumps(figures, indent=2).encode())
            print(f"{name}, {way}", *table(rows), sep="\n", flush=True)
    return 0


def measured(localizer: Localizer, drive: Sequence[Sequence[Shot]], way: str) -> Row:
    """What each way of asking finds."""
    alone = [_alone(localizer, part, way) for part in drive]
    one = [_only(part, "ahead") for part in alone]
    return {
        "one image": _row(localizer, [[(a, a.found, 0.0) for a in part] for part in one]),
        "with 1 s of odometry": _row(localizer, [_played(localizer, part, 1.0, _DRIFT) for part in one]),
        "with 3 s of odometry": _row(localizer, [_played(localizer, part, 3.0, _DRIFT) for part in one]),
        "two cameras, each alone": _row(localizer, [_rigs(localizer, part, False) for part in alone]),
        "two cameras together": _row(localizer, [_rigs(localizer, part, True) for part in alone]),
        "odometry 30 % off, 3 s": _row(localizer, [_played(localizer, part, 3.0, _LIE) for part in one]),
    }


def _foreign(localizer: Localizer, elsewhere: Sequence[Sequence[Shot]]) -> Row:
    """What is made of drives through other places, by the camera that looks ahead."""
    alone = [_alone(localizer, [s for s in part if s.camera == "ahead"], _WAYS[0]) for part in elsewhere]
    return _row(localizer, [_played(localizer, part, 3.0, _DRIFT) for part in alone])


def _alone(localizer: Localizer, shots: Sequence[Shot], way: str) -> list[Alone]:
    rng, told = np.random.default_rng(0), []
    for shot in shots:
        image, camera = trust.harder(shot.frame.read(), shot.frame.camera, way, rng)
        start = time.process_time()
        found = localizer.localize(image, camera)
        told.append(Alone(shot, found, time.process_time() - start))
    return told


def _only(part: Sequence[Alone], camera: str) -> list[Alone]:
    return [one for one in part if one.shot.camera == camera]


Asked = tuple[Alone, Localization, float]  # an image, the answer, and the seconds that it took beside the image's own


def _played(localizer: Localizer, part: Sequence[Alone], seconds: float, drift: float) -> list[Asked]:
    """The images one after the other, as a robot has them."""
    window, told = Window(GateOptions(), seconds), []
    for one, odometry in zip(part, _odometry(part, drift), strict=True):
        start = time.process_time()
        found = window.solve(localizer, one.found, round(one.shot.stamp * 1e9), one.shot.camera, odometry, np.eye(4))
        told.append((one, found, time.process_time() - start))
    return told


def _odometry(part: Sequence[Alone], drift: float) -> Iterator[Matrix]:
    odometry, before = np.eye(4), None
    for one in part:
        pose = one.shot.frame.map_from_camera
        if before is not None:
            step = invert(before) @ pose
            turn = Rotation.from_matrix(step[:3, :3]).as_rotvec()
            step[:3, 3] *= 1 + drift
            step[:3, :3] = Rotation.from_rotvec((1 + drift) * turn).as_matrix()
            odometry = odometry @ step
        before = pose
        yield odometry


def _rigs(localizer: Localizer, part: Sequence[Alone], together: bool) -> list[Asked]:
    """Each image with that of another camera of the same moment: the better of what both say, alone or together."""
    told = []
    for one, other in _pairs(part):
        answers, seconds = [one.found, other.found], other.seconds
        if together and all(found.state is not State.LOCALIZED for found in answers):
            start, window = time.process_time(), Window(GateOptions(), 1.0)
            for number, each in enumerate((other, one)):
                mount = invert(one.shot.frame.map_from_camera) @ each.shot.frame.map_from_camera
                found = window.solve(localizer, each.found, 0, str(number), np.eye(4), mount)
            answers, seconds = [found, other.found], seconds + time.process_time() - start
        number = int(answers[0].state is not State.LOCALIZED and answers[1].state is State.LOCALIZED)
        told.append(((one, other)[number], answers[number], seconds))
    return [(replace(a, shot=replace(a.shot, asked=True)), found, s) for a, found, s in told]


def _pairs(part: Sequence[Alone]) -> list[tuple[Alone, Alone]]:
    """Images that are asked, and those of the second camera beside them: of one camera, the image before."""
    ahead, aside = _only(part, "ahead"), _only(part, "aside")
    beside = aside or [ahead[0], *ahead[:-1]]
    return [(one, other) for one, other in zip(ahead, beside, strict=True) if one.shot.asked]


def _row(localizer: Localizer, parts: Sequence[Sequence[Asked]]) -> Row:
    asked = [told for part in parts for told in part if told[0].shot.asked]
    sure = [
        honesty.asked(localizer, one.shot.frame, found, metric=False)  # neither recording has a scale
        for one, found, _ in asked
        if found.state is State.LOCALIZED
    ]
    depth = localizer.scene_map.header.median_depth
    errors = [one.translation / depth for one in sure]
    alone, more = (sum(values) for values in zip(*((one.seconds, seconds) for one, _, seconds in asked), strict=True))
    return {
        "asked": len(asked),
        **honesty.summary(sure),
        "median_percent": 100 * float(np.median(errors)) if errors else None,
        "latency": (alone + more) / alone,
        "slowest": float(np.percentile([1 + seconds / one.seconds for one, _, seconds in asked], 95)),
    }


def table(rows: Row) -> list[str]:
    """Rows in Markdown."""
    lines = ["| | LOCALIZED | right | wrong and sure | median error | 95 % ellipsoid | time |", "|---|" + "---|" * 6]
    for name, row in rows.items():
        median = "-" if row["median_percent"] is None else f"{row['median_percent']:.2f} %"
        holds = "-" if np.isnan(row["ellipsoid"]) or not row["localized"] else f"{row['ellipsoid']:.0%}"
        cells = [f"{row['localized']}/{row['asked']}", row["within_5"], len(row["wrong"]), median, holds,
                 f"{row['latency']:.2f}"]  # fmt: skip
        lines.append(f"| {name} | " + " | ".join(map(str, cells)) + " |")
    return lines


# --- drives and maps


def _map(name: str, out: Path) -> SceneMap:
    path = out / f"{name}.safetensors"
    if not path.exists():
        print(f"mapping {name}", flush=True)
        (scene,) = scenes.find([name], out).values()
        mapped(scenes.mapping_frames(scene).frames)[0].save(path)
    return SceneMap.load(path)


def _drives(name: str, out: Path) -> list[list[Shot]]:
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


if __name__ == "__main__":
    raise SystemExit(main(tyro.cli(Command, description=__doc__)))

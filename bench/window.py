"""What images of a drive, or of several cameras, find together where one of them is not enough.

A generated courtyard, in which two cameras drive, one looking ahead and one aside; and a flight through a hall in which
furniture was moved since it was mapped, of which two images that follow each other stand for two cameras. Odometry is
made from the true poses: it is 2 % off in the way and in each turn. Each is asked as it is, and with 50 to 80 % of each
image covered. Wrong and sure as in bench.honesty. Times are processor seconds as ratios of one run, to one image alone.

With --stretches, along drives that had no part in it: a third of each recording, in stretches that the map leaves out,
as they are, half covered, and smeared; and images of all other places.

examples:
  python -m bench.window                       some minutes; maps and drives are kept in build/bench/window
  python -m bench.window --scenes courtyard
  python -m bench.window --stretches           half an hour of mapping and asking
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from scipy.spatial.transform import Rotation

from ace_ros.files import write_whole
from ace_ros.geometry import Matrix, invert
from ace_ros.localization.answer import Localization
from ace_ros.localization.localizer import Localizer
from ace_ros.localization.state import State
from ace_ros.online.odometry_gate import GateOptions
from ace_ros.online.window import Window
from bench import honesty, measure, scenes, trust
from bench.window_drives import DRIVEN, Drive, Shot, drives_of, map_of, stretches

Row = dict[str, Any]
_DRIFT, _LIE = 0.02, 0.3  # of the way and of each turn
_WAYS = ("as they are", "half covered")
_ODOMETRY = {
    "with 3 s of odometry": (3.0, _DRIFT),
    "10 s, 5 % off": (10.0, 0.05),
    "3 s, 10 % off": (3.0, 0.1),
    "3 s, 30 % off": (3.0, _LIE),
}
_SOME = 20  # images of each other place's stretches


@dataclass
class Command:
    scenes: tuple[str, ...] = ()
    """What is driven through: courtyard and tello_moved. With --stretches, folders in ../shared/scenes, room and
    courtyard, or any recording's."""
    stretches: bool = False
    """Drive along stretches of recordings that were kept out of the map, as bench.honesty --blocks 6 asks them."""
    out: Path = measure.ROOT / "build" / "bench" / "window"
    """Folder for drives, maps and figures.json."""


@dataclass(frozen=True)
class Alone:
    """An image, what it alone says, and how long that takes."""

    shot: Shot
    found: Localization
    seconds: float


def main(command: Command) -> int:
    command.out.mkdir(parents=True, exist_ok=True)
    figures: Row = {}
    for name, rows in _along_stretches(command) if command.stretches else _driven(command):
        figures[name] = rows
        write_whole(command.out / "figures.json", json.dumps(figures, indent=2).encode())
        print(name, *table(rows), sep="\n", flush=True)
    return 0


def _driven(command: Command) -> Iterator[tuple[str, Row]]:
    if unknown := set(command.scenes) - set(DRIVEN):
        raise SystemExit(f"bench: no drive through {', '.join(sorted(unknown))}; --stretches takes any recording")
    drives = {name: drives_of(name, command.out) for name in command.scenes or DRIVEN}
    for name, drive in drives.items():
        localizer = Localizer(map_of(name, command.out), device="cpu")
        elsewhere = [shots for other in drives.values() if other is not drive for shots in other]
        for way in _WAYS:
            rows = measured(localizer, drive, way)
            if way == _WAYS[0] and elsewhere:
                rows["images of elsewhere, 3 s"] = _foreign(localizer, elsewhere)
            yield f"{name}, {way}", rows


def _along_stretches(command: Command) -> Iterator[tuple[str, Row]]:
    paths = scenes.find(list(command.scenes), command.out)
    drives = {name: stretches(path, name, command.out) for name, path in paths.items()}
    for name, (scene_map, drive, metric) in drives.items():
        localizer = Localizer(scene_map, device="cpu")
        for way in (*_WAYS, "blurred"):
            yield f"{name}, {way}", along(localizer, drive, way, metric)
        # Some of each: another place's own images cost most.
        elsewhere = [part[:_SOME] for other, (_, parts, _) in drives.items() if other != name for part in parts[::2]]
        if elsewhere:
            yield f"{name}, images of elsewhere", {"with 3 s of odometry": _foreign(localizer, elsewhere)}


def measured(localizer: Localizer, drive: Drive, way: str) -> Row:
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


def along(localizer: Localizer, drive: Drive, way: str, metric: bool) -> Row:
    """What odometry adds on stretches of a recording, true, or off by more than it says."""
    alone = [_alone(localizer, part, way) for part in drive]
    rows = {"one image": _row(localizer, [[(a, a.found, 0.0) for a in part] for part in alone], metric)}
    for name, (seconds, drift) in _ODOMETRY.items():
        rows[name] = _row(localizer, [_played(localizer, part, seconds, drift) for part in alone], metric)
    return rows


def _foreign(localizer: Localizer, elsewhere: Drive) -> Row:
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


def _row(localizer: Localizer, parts: Sequence[Sequence[Asked]], metric: bool = False) -> Row:
    asked = [told for part in parts for told in part if told[0].shot.asked]
    sure = [
        honesty.asked(localizer, one.shot.frame, found, metric)
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


if __name__ == "__main__":
    raise SystemExit(main(tyro.cli(Command, description=__doc__)))

"""Is a pose as exact as its covariance says, and is what is believed right? Each recording is mapped and asked.

Wrong and sure: LOCALIZED, and off by more than 5 degrees, or by more than 10 cm and 2 % of the median depth, or by 5 %
of it where there is no scale. An honest covariance has a NEES of 5.3 in the median, and its 95 % ellipsoid holds the
truth of 95 % of the poses.

examples:
  python -m bench.honesty                              all recordings in ../shared/scenes, and the generated ones
  python -m bench.honesty --scenes room tello_moved ~/my_recording
  python -m bench.honesty --blocks 6                   the queries are whole stretches of the drive, kept out of the map
  python -m bench.honesty --harder blurred             the queries as a camera gives them that moves too fast
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tyro

from ace_ros.errors import InputError
from ace_ros.evaluation.metrics import CONFIDENCES, ELLIPSOID, far_off, nees, reliability
from ace_ros.files import write_whole
from ace_ros.geometry import pose_error
from ace_ros.localization.answer import Localization
from ace_ros.localization.localizer import Localizer
from ace_ros.localization.state import State
from ace_ros.map.scene_map import SceneMap
from ace_ros.recordings import PosedFrame
from ace_ros.recordings.prefetch import prefetched
from bench import measure, scenes, trust
from bench.building import mapped

Row = dict[str, Any]


@dataclass
class Command:
    scenes: tuple[str, ...] = ()
    """Folders in ../shared/scenes, and room and courtyard, which are generated; all these by default. Any other
    recording's folder; and people, the room again, with people about who walk and stand there, others than the queries
    see them."""
    blocks: int | None = None
    """Queries are so many stretches of the mapping frames, every third one and kept out of the map: what
    they show the map has seen from elsewhere, on another visit, or never."""
    harder: Literal["", "dark", "blurred", "half covered", "small"] = ""
    """What is made of the queries: lit by a tenth, smeared over 15 to 40 pixels, half to four fifths of them covered, a
    third of their size."""
    seed: int = 0
    """Of what makes them harder."""
    out: Path = measure.ROOT / "build" / "bench" / "honesty"
    """Folder for the generated scenes, the maps and figures.json; with ``blocks`` these two are in blocks/ there."""


@dataclass(frozen=True)
class Asked:
    """A query that got a pose: its error in units of the map and degrees, and as its covariance has it."""

    name: str
    sure: bool
    confidence: float
    translation: float
    rotation_deg: float
    nees: float
    depth: float
    metric: bool

    @property
    def wrong(self) -> bool:
        """Off so far that nobody may be sure of it."""
        error = np.array([[self.translation / (1 if self.metric else self.depth), self.rotation_deg]])
        return bool(far_off(error, self.metric, self.depth)[0])


def main(command: Command) -> int:
    folder = command.out / "blocks" if command.blocks else command.out
    folder.mkdir(parents=True, exist_ok=True)
    figures = {}
    for name, path in scenes.find(list(command.scenes), command.out).items():
        recording = scenes.mapping_frames(path)
        if command.blocks:
            mapping, queries = scenes.block_split(recording.frames, command.blocks)
        else:
            mapping, queries = recording.frames, scenes.query_frames(path)
        scene_map, _ = mapped(mapping, recording.metric)
        scene_map.save(folder / f"{name}.safetensors")
        figures[name] = row = measured(scene_map, queries, command.harder, command.seed)
        write_whole(folder / "figures.json", json.dumps(figures, indent=2).encode())
        print(f"{name}: {one_line(row)}", *row["wrong"], sep="\n  ", flush=True)
    print("confidence of a pose, and how many are right, of all recordings:")
    for low, high in pairwise(CONFIDENCES):
        of_class = [c for row in figures.values() for c in row["reliability"] if c["from"] == low]
        frames, right = (sum(int(c[name]) for c in of_class) for name in ("frames", "right"))
        print(f"  {low:g} to {high:g}: {right} of {frames}")
    return 0


def measured(scene_map: SceneMap, frames: list[PosedFrame], way: str = "", seed: int = 0) -> Row:
    """What a map makes of queries, as they are or made harder (:func:`bench.trust.harder`)."""
    localizer, found, queries, rng = Localizer(scene_map, device="cpu"), [], 0, np.random.default_rng(seed)
    for frame, image in prefetched(frames):
        if isinstance(image, InputError):
            continue
        queries += 1
        answer = localizer.localize(*trust.harder(image, frame.camera, way, rng))
        if answer.map_from_camera is not None and answer.state is not State.LOST:
            found.append(asked(localizer, frame, answer, scene_map.header.metric))
    right = np.array([not one.wrong for one in found], bool)
    return {
        "queries": queries,
        **summary([one for one in found if one.sure]),
        "reliability": reliability([one.confidence for one in found], right),
    }


def asked(localizer: Localizer, frame: PosedFrame, answer: Localization, metric: bool) -> Asked:
    """How far off an answer is."""
    pose, covariance, place, truth = answer.map_from_camera, answer.covariance, answer.place, frame.map_from_camera
    assert pose is not None and place is not None and truth is not None
    how = float("nan") if covariance is None else nees(pose, truth, covariance)
    depth = localizer.scene_map.headers[place].median_depth
    sure = answer.state is State.LOCALIZED
    return Asked(frame.name, sure, answer.confidence, *pose_error(pose, truth), how, depth, metric)


def summary(found: list[Asked]) -> Row:
    """Counts, and how the errors lie to the covariances."""
    values = np.array([one.nees for one in found] or [np.nan])
    errors = np.array([[one.translation / (1 if one.metric else one.depth), one.rotation_deg] for one in found])
    errors = errors.reshape(-1, 2)
    return {
        "localized": len(found),
        "within_5": int(((errors[:, 0] < 0.05) & (errors[:, 1] < 5)).sum()),
        "within_1": int(((errors[:, 0] < 0.01) & (errors[:, 1] < 1)).sum()),
        "median": np.median(errors, axis=0).tolist() if found else None,
        "within_30": int((errors[:, 0] < 0.3).sum()),
        "nees_median": float(np.median(values)),
        "nees_p95": float(np.percentile(values, 95)),
        "ellipsoid": float((values < ELLIPSOID).mean()),
        "wrong": [
            f"wrong and sure: {one.name}, {one.translation:.3g} and {one.rotation_deg:.1f} degrees off, confidence "
            f"{one.confidence:.3f}"
            for one in found
            if one.wrong
        ],
    }


def one_line(row: Row) -> str:
    """The essence of a row."""
    return (
        f"{row['localized']} of {row['queries']} localized, {row['within_5']} within 5 cm or % and 5 degrees, "
        f"{len(row['wrong'])} wrong and sure; NEES {row['nees_median']:.1f} in the median, {row['nees_p95']:.0f} "
        "at 95 %; "
        f"the 95 % ellipsoid holds {row['ellipsoid']:.0%}"
    )


if __name__ == "__main__":
    raise SystemExit(main(tyro.cli(Command, description=__doc__)))

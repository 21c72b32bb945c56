"""Does a map know what it has never seen? Frames of every other scene, and frames of nothing, shown to it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ace_ros import trust
from ace_ros.camera import Camera
from ace_ros.errors import InputError
from ace_ros.evaluation.metrics import within
from ace_ros.evaluation.prefetch import prefetched
from ace_ros.frames import PosedFrame, open_scene
from ace_ros.geometry import pose_error
from ace_ros.localizer import Localizer
from ace_ros.mapper import MapOptions, Mapper
from bench import scenes
from bench.measure import ROOT, Row, Stopwatch

THRESHOLD = trust._LOCALIZED  # of the confidence, from which on a pose is LOCALIZED
_EMPTY = 100  # frames of nothing, of each kind
_PLAIN = {"black": 0, "white": 255}


@dataclass(frozen=True)
class Shown:
    """An image that was not taken in the place."""

    name: str
    image: NDArray[np.uint8]
    camera: Camera


def measure(scene: Path, queries: int | None = None, frames: int | None = None, **options: Any) -> Row:
    """Map a scene; what its map makes of its own queries, and of at most ``queries`` frames of each other place.

    Returns:
        ``errors`` and ``confidences`` of the queries, whatever was made of them; ``foreign``: by kind, the states,
        the confidences, and the names of the frames that were believed.
    """
    watch = Stopwatch()
    recording = scenes.mapping_frames(scene, frames)
    mapper = Mapper(MapOptions(**options), recording.map_frame, recording.metric)
    for frame, image in prefetched(recording.frames):
        if not isinstance(image, InputError) and frame.map_from_camera is not None:
            mapper.add(image, frame.camera, frame.map_from_camera, frame.name)
    scene_map = mapper.build()
    localizer = Localizer(scene_map)
    own = scenes.query_frames(scene, queries)
    errors: list[list[float]] = []
    answers = []
    for frame in own:
        found = localizer.localize(frame.read(), frame.camera)
        answers.append(found)
        if found.map_from_camera is None or frame.map_from_camera is None:
            errors.append([1e9, 180.0])
        else:
            errors.append([round(e, 6) for e in pose_error(found.map_from_camera, frame.map_from_camera)])
    foreign = {
        kind: _judged(localizer, shown)
        for kind, shown in {**_places(scene, queries), **_nothing(own[0].camera, queries)}.items()
    }
    return {
        **watch.read(),
        "metric": scene_map.header.metric,
        "median_depth": scene_map.header.median_depth,
        "map_bytes": 0,
        "landmarks": len(scene_map.points),
        "errors": errors,
        "confidences": [round(found.confidence, 6) for found in answers],
        "states": _count([found.state.name for found in answers]),
        "foreign": foreign,
    }


def _judged(localizer: Localizer, shown: Iterator[Shown]) -> Row:
    confidences, states, believed = [], [], []
    for item in shown:
        found = localizer.localize(item.image, item.camera)
        confidences.append(round(found.confidence, 6))
        states.append(found.state.name)
        if states[-1] == "LOCALIZED":
            believed.append(f"{item.name}: confidence {found.confidence:.3f}, {found.evidence}")
    return {"frames": len(states), "states": _count(states), "confidences": confidences, "believed": believed}


def _count(states: Sequence[str]) -> dict[str, int]:
    return {state: states.count(state) for state in ("LOCALIZED", "UNCERTAIN", "LOST")}


def _places(scene: Path, limit: int | None) -> dict[str, Iterator[Shown]]:
    """Every frame of the other scenes."""
    others = scenes.find([], ROOT / "build" / "bench" / "scenes")
    return {name: _of_scene(path, limit) for name, path in others.items() if name != scene.name}


def _of_scene(path: Path, limit: int | None) -> Iterator[Shown]:
    for frame, image in prefetched(_thinned(open_scene(path, "all").frames, limit)):
        if not isinstance(image, InputError):
            yield Shown(f"{path.name}/{frame.name}", image, frame.camera)


def _thinned(frames: list[PosedFrame], limit: int | None) -> list[PosedFrame]:
    return frames if limit is None else frames[:: max(1, -(-len(frames) // limit))]


def _nothing(camera: Camera, limit: int | None) -> dict[str, Iterator[Shown]]:
    """Frames of a camera that sees nothing: black, white, noise, and a lens that something covers."""
    count = min(_EMPTY, limit or _EMPTY)
    kinds = {
        **{name: lambda rng, level=level: _plain(camera, rng, level) for name, level in _PLAIN.items()},
        "noise": lambda rng: _noise(camera, rng),
        "covered lens": lambda rng: _covered(camera, rng),
    }

    def frames(kind: str) -> Iterator[Shown]:
        rng = np.random.default_rng(int(hashlib.sha256(kind.encode()).hexdigest()[:8], 16))
        for index in range(count):
            yield Shown(f"{kind} {index}", kinds[kind](rng), camera)

    return {kind: frames(kind) for kind in kinds}


def _plain(camera: Camera, rng: np.random.Generator, level: int) -> NDArray[np.uint8]:
    """One level, with the noise of a sensor on it."""
    noise = rng.normal(scale=rng.uniform(0, 4), size=(camera.height, camera.width, 3))
    return np.clip(level + noise, 0, 255).astype(np.uint8)


def _noise(camera: Camera, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Noise of a grain of one to 32 pixels, of any contrast."""
    grain = 2 ** rng.integers(0, 6)
    small = rng.normal(size=(camera.height // grain + 1, camera.width // grain + 1, 3)).astype(np.float32)
    noise = cv2.resize(small, (camera.width, camera.height), interpolation=cv2.INTER_CUBIC)
    return np.clip(rng.uniform(60, 190) + rng.uniform(10, 90) * noise, 0, 255).astype(np.uint8)


def _covered(camera: Camera, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Dark blobs without an edge, as of a finger or a cap that lets some light through."""
    y, x = np.mgrid[: camera.height, : camera.width].astype(np.float32)
    image = np.full((camera.height, camera.width, 3), rng.uniform(2, 25), np.float32)
    for _ in range(rng.integers(1, 6)):
        centre, size = rng.uniform(0, (camera.width, camera.height)), rng.uniform(0.1, 0.6) * camera.width
        blob = np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * size**2))
        image += rng.uniform(5, 70) * blob[..., None] * rng.uniform(0.3, 1.0, 3)
    image += rng.normal(scale=rng.uniform(0.5, 6), size=image.shape)
    return np.clip(image, 0, 255).astype(np.uint8)


# --- what the rows say


def good(row: Row) -> NDArray[np.float64]:
    """Confidences of the queries whose pose is within 5 cm / 5 deg, whatever was made of it."""
    return np.array(row["confidences"])[within(_errors(row), "5cm_5deg")]


def false(row: Row) -> NDArray[np.float64]:
    """Confidences of the foreign frames, and of the queries more than 10 cm / 5 deg off."""
    far = np.array(row["confidences"])[~within(_errors(row), "10cm_5deg")]
    return np.concatenate([far, *(np.array(kind["confidences"]) for kind in row["foreign"].values())])


def _errors(row: Row) -> NDArray[np.float64]:
    table = np.array(row["errors"], dtype=np.float64)
    table[:, 0] /= 1.0 if row["metric"] else row["median_depth"]
    return table


def one_line(row: Row) -> str:
    """The essence of a row for the console, with every frame that was wrongly believed."""
    frames = sum(kind["frames"] for kind in row["foreign"].values())
    believed = [text for kind in row["foreign"].values() for text in kind["believed"]]
    known = good(row)
    share = f"{(known >= THRESHOLD).mean():.1%} of {len(known)} good queries localized"
    return "\n    ".join([f"{len(believed)} of {frames} foreign frames believed, {share}", *believed])


def table(rows: Sequence[Row]) -> str:
    """A row a map: what was made of the foreign frames, and of the good queries."""
    lines = [
        "| map | foreign frames | LOCALIZED | UNCERTAIN | LOST | highest confidence | good queries LOCALIZED |",
        "|---|" + "---|" * 6,
    ]
    for row in rows:
        kinds = row["foreign"].values()
        counts = [sum(kind["states"][state] for kind in kinds) for state in ("LOCALIZED", "UNCERTAIN", "LOST")]
        highest = max(max(kind["confidences"], default=0.0) for kind in kinds)
        known = good(row)
        share = f"{100 * (known >= THRESHOLD).mean():.1f} % of {len(known)}"
        cells = [row["scene"], sum(kind["frames"] for kind in kinds), *counts, f"{highest:.2f}", share]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def plot(rows: Sequence[Row], path: Path) -> None:
    """The operating curve: good queries localized against false confident frames as the threshold moves."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.2), dpi=92, layout="constrained")
    by_threshold, curve = figure.subplots(1, 2)
    thresholds = 1 / (1 + np.exp(-np.linspace(-9, 9, 361)))
    for index, row in enumerate(rows):
        colour, known, wrong = f"C{index}", good(row), false(row)
        kept = np.array([(known >= t).mean() for t in thresholds]) * 100
        alarms = np.array([(wrong >= t).mean() for t in thresholds]) * 100
        by_threshold.plot(thresholds, kept, color=colour, linewidth=2, label=row["scene"])
        by_threshold.plot(thresholds, alarms, color=colour, linewidth=1.5, linestyle="--")
        curve.plot(alarms, kept, color=colour, linewidth=1.5)
        shipped = (100 * (wrong >= THRESHOLD).mean(), 100 * (known >= THRESHOLD).mean())
        curve.plot(*shipped, "o", color=colour, markersize=7, label=f"{row['scene']} as shipped")
    by_threshold.axvline(THRESHOLD, color="0.4", linewidth=1, linestyle=":")
    by_threshold.set_xscale("logit")
    by_threshold.set(xlabel="threshold of the confidence", ylabel="% LOCALIZED", ylim=(-2, 102))
    by_threshold.set_title("solid: good queries; dashed: false confident", fontsize=10)
    floor = 100 / max(len(false(row)) for row in rows)
    curve.set_xscale("symlog", linthresh=floor)
    curve.set(xlabel="false confident, % of foreign frames and far-off queries", ylabel="good queries LOCALIZED, %")
    curve.set(xlim=(-0.3 * floor, 100), ylim=(-2, 102))
    for axes in (by_threshold, curve):
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8, loc="center right" if axes is by_threshold else "lower right")
    figure.savefig(path)

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

from ace_ros.camera import Camera
from ace_ros.errors import InputError
from ace_ros.evaluation.metrics import within
from ace_ros.geometry import pose_error
from ace_ros.localization import verdict
from ace_ros.localization.localizer import Localizer
from ace_ros.mapping.mapper import Mapper
from ace_ros.mapping.options import MapOptions
from ace_ros.recordings import PosedFrame, open_recording
from ace_ros.recordings.prefetch import prefetched
from bench import scenes
from bench.measure import ROOT, Row, Stopwatch

_HARDER = ("", "dark", "blurred", "half covered", "small", "wrong prior")  # ways in which queries are shown
_PRIORS = 3  # wrong ones a query
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
        ``errors`` and ``supports`` of the queries, whatever was made of them; ``harder``: the same by the way in which
        they were shown; ``foreign``: by kind, the states, the supports, and the frames that were believed.
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
    known = {way: _asked(localizer, own, way) for way in _HARDER}
    foreign = {
        kind: _judged(localizer, shown)
        for kind, shown in {**_places(scene, queries), **_nothing(own[0].camera, queries)}.items()
    }
    return {
        **watch.read(),
        "metric": scene_map.header.metric,
        "median_depth": scene_map.header.median_depth,
        "map_bytes": 0,
        "landmarks": len(scene_map.landmarks),
        **known.pop(""),
        "harder": known,
        "foreign": foreign,
    }


def _asked(localizer: Localizer, own: Sequence[PosedFrame], way: str) -> Row:
    """The scene's own queries: errors of the poses, whatever was made of them. A wrong prior is another's true pose."""
    rng = np.random.default_rng(0)
    errors, supports, states = [], [], []
    for frame in own if way != "wrong prior" else [frame for frame in own for _ in range(_PRIORS)]:
        image, camera = harder(frame.read(), frame.camera, way, rng)
        prior = own[rng.integers(len(own))].map_from_camera if way == "wrong prior" else None
        found = localizer.localize(image, camera, prior)
        states.append(found.state.name)
        supports.append(support(found.confidence))
        if found.map_from_camera is None or frame.map_from_camera is None:
            errors.append([1e9, 180.0])
        else:
            errors.append([round(e, 6) for e in pose_error(found.map_from_camera, frame.map_from_camera)])
    return {"errors": errors, "supports": supports, "states": _count(states)}


def harder(
    image: NDArray[np.uint8], camera: Camera, way: str, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], Camera]:
    """A query as a worse camera or a worse moment would have given it."""
    if way == "dark":
        dim = image * rng.uniform(0.04, 0.12) + rng.normal(scale=2.0, size=image.shape)
        return np.clip(dim, 0, 255).astype(np.uint8), camera
    if way == "blurred":
        length, angle = int(rng.integers(15, 40)) * camera.width // 640, rng.uniform(0, np.pi)
        return cv2.filter2D(image, -1, smear(length, angle)), camera
    if way == "half covered":
        covered = image.copy()
        share = rng.uniform(0.5, 0.8)
        covered[:, : int(share * camera.width)] = 40
        return covered, camera
    if way == "small":
        size = camera.width // 3, camera.height // 3
        return cv2.resize(image, size, interpolation=cv2.INTER_AREA), camera.resized(*size)
    return image, camera


def smear(length: int, angle: float) -> NDArray[np.float32]:
    """A kernel (odd, odd) of so many pixels in that direction (radians), to both sides alike: what is smeared by it
    stays where it was, or the true pose would be another."""
    half = length // 2 + 1
    along = np.outer(np.linspace(-0.5, 0.5, 8 * length) * length, (np.sin(angle), np.cos(angle)))
    rows, columns = (half + np.rint(along).astype(int)).T
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    np.add.at(kernel, (rows, columns), 1 / len(along))
    return kernel


def _judged(localizer: Localizer, shown: Iterator[Shown]) -> Row:
    supports, states, believed = [], [], []
    for item in shown:
        found = localizer.localize(item.image, item.camera)
        supports.append(support(found.confidence))
        states.append(found.state.name)
        if states[-1] == "LOCALIZED":
            believed.append(f"{item.name}: confidence {found.confidence:.3f}, {found.evidence}")
    return {"frames": len(states), "states": _count(states), "supports": supports, "believed": believed}


def _count(states: Sequence[str]) -> dict[str, int]:
    return {state: states.count(state) for state in ("LOCALIZED", "UNCERTAIN", "LOST")}


def _places(scene: Path, limit: int | None) -> dict[str, Iterator[Shown]]:
    """Every frame of the other scenes."""
    others = scenes.find([], ROOT / "build" / "bench" / "scenes")
    return {name: _of_scene(path, limit) for name, path in others.items() if name != scene.name}


def _of_scene(path: Path, limit: int | None) -> Iterator[Shown]:
    for frame, image in prefetched(_thinned(open_recording(path, "all").frames, limit)):
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


def support(confidence: float) -> float:
    """What a confidence stands for: evidence as a multiple of what chance gives, up to 100."""
    return round(min(verdict.support_of(confidence), 100.0), 4)


SHIPPED = support(verdict.LOCALIZED)


def good(part: Row, row: Row) -> NDArray[np.float64]:
    """Supports of the queries whose pose is within 5 cm / 5 deg, whatever was made of it."""
    return np.array(part["supports"])[within(_errors(part, row), "5cm_5deg")]


def false(row: Row) -> NDArray[np.float64]:
    """Supports of the foreign frames, and of the queries more than 10 cm / 5 deg off."""
    far = [_far(part, row) for _, part in _parts(row)]
    return np.concatenate([*far, *(np.array(kind["supports"]) for kind in row["foreign"].values())])


def _far(part: Row, row: Row) -> NDArray[np.float64]:
    return np.array(part["supports"])[~within(_errors(part, row), "10cm_5deg")]


def _count_of(part: Row) -> int:
    return len(part["errors"])


def _errors(part: Row, row: Row) -> NDArray[np.float64]:
    table = np.array(part["errors"], dtype=np.float64)
    table[:, 0] /= 1.0 if row["metric"] else row["median_depth"]
    return table


def one_line(row: Row) -> str:
    """The essence of a row for the console, with every frame that was wrongly believed."""
    frames = sum(kind["frames"] for kind in row["foreign"].values())
    believed = [text for kind in row["foreign"].values() for text in kind["believed"]]
    shares = ", ".join(f"{way or 'as they are'} {_share(part, row)}" for way, part in _parts(row))
    wrong = sum(int((_far(part, row) >= SHIPPED).sum()) for _, part in _parts(row))
    said = f"{len(believed)} of {frames} foreign frames believed, {wrong} queries far off; good queries: {shares}"
    return "\n    ".join([said, *believed])


def _parts(row: Row) -> list[tuple[str, Row]]:
    return [("", row), *row["harder"].items()]


def _share(part: Row, row: Row) -> str:
    known = good(part, row)
    return f"{100 * (known >= SHIPPED).mean():.1f} % of {len(known)}" if len(known) else "none"


def tables(rows: Sequence[Row]) -> list[str]:
    """What was made of the foreign frames, and of the good queries; a row a map."""
    lines = ["| map | foreign frames | LOCALIZED | UNCERTAIN | LOST | most support |", "|---|" + "---|" * 5]
    for row in rows:
        kinds = row["foreign"].values()
        counts = [sum(kind["states"][state] for kind in kinds) for state in ("LOCALIZED", "UNCERTAIN", "LOST")]
        most = max(max(kind["supports"], default=0.0) for kind in kinds)
        cells = [row["scene"], sum(kind["frames"] for kind in kinds), *counts, f"{most:.2f}"]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    ways = list(dict.fromkeys(way for row in rows for way, _ in _parts(row)))
    shares = [f"| good queries LOCALIZED | {' | '.join(way or 'as they are' for way in ways)} | false confident |"]
    shares.append("|---|" + "---|" * (len(ways) + 1))
    for row in rows:
        parts = dict(_parts(row))
        cells = [_share(parts[way], row) if way in parts else "-" for way in ways]
        wrong = sum(int((_far(part, row) >= SHIPPED).sum()) for part in parts.values())
        shares.append(f"| {row['scene']} | {' | '.join(cells)} | {wrong} of {sum(map(_count_of, parts.values()))} |")
    return ["\n".join(lines), "\n".join(shares)]


def plot(rows: Sequence[Row], path: Path) -> None:
    """The operating curve: good queries localized against false confident frames as the threshold moves."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 5), dpi=92, layout="constrained")
    grid = figure.add_gridspec(2, 2, width_ratios=(1.15, 1))
    kept_axes, wrong_axes = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[1, 0])
    curve = figure.add_subplot(grid[:, 1])
    thresholds = np.geomspace(0.3, 100, 400)
    least = 100 / max(len(false(row)) for row in rows)
    for index, row in enumerate(rows):
        colour, wrong = f"C{index}", false(row)
        known = np.concatenate([good(part, row) for _, part in _parts(row)])
        kept, alarms = (np.array([100 * (values >= t).mean() for t in thresholds]) for values in (known, wrong))
        plain = np.array([100 * (good(row, row) >= t).mean() for t in thresholds])
        kept_axes.plot(thresholds, plain, color=colour, linewidth=2, label=row["scene"])
        kept_axes.plot(thresholds, kept, color=colour, linewidth=1.2, linestyle="--")
        wrong_axes.plot(thresholds, np.where(alarms > 0, alarms, np.nan), color=colour, linewidth=2)
        curve.plot(alarms, kept, color=colour, linewidth=1.6)
        shipped = [100 * (values >= SHIPPED).mean() for values in (wrong, known)]
        curve.plot(*shipped, "o", color=colour, markersize=8, markeredgecolor="white", label=row["scene"])
    for axes in (kept_axes, wrong_axes):
        axes.set_xscale("log")
        axes.axvline(SHIPPED, color="0.4", linewidth=1, linestyle=":")
        axes.set_xlim(thresholds[0], thresholds[-1])
    kept_axes.set(ylabel="good queries LOCALIZED, %", ylim=(0, 104))
    kept_axes.set_title("solid: queries as they are; dashed: with dark, blurred, covered, small ones", fontsize=9)
    wrong_axes.set(yscale="log", ylabel="false confident, %", ylim=(least / 2, 150))
    wrong_axes.set_xlabel("threshold: evidence as a multiple of chance (dotted: as shipped)")
    curve.set_xscale("symlog", linthresh=least)
    curve.set(xlabel="false confident, %", ylabel="good queries LOCALIZED, %, harder ones included")
    curve.set(xlim=(-0.3 * least, 120), ylim=(0, 104))
    curve.set_title("operating curve; dots: as shipped", fontsize=9)
    for axes in (kept_axes, wrong_axes, curve):
        axes.grid(alpha=0.3)
    kept_axes.legend(fontsize=8, loc="lower left")
    figure.savefig(path)

"""A map of places from above, each in its colour, with what became of queries."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Protocol

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ace_ros.map.scene_map import SceneMap
from ace_ros.visual.cloud import place_colours
from ace_ros.visual.plots import LOST, Result, sideways, upward

_STOREY = 0.6  # depths of the scene between the heights of places on two storeys; set by hand
_SHOWN = 40_000  # landmarks: more only take time
_POOR = 0.8  # of the queries, or of the views held back: a place that finds fewer should be driven again
_SURE, _DOUBT = "#1b7f3b", "#e8a013"


class Judged(Result, Protocol):
    """A result that says what was made of it."""

    @property
    def state(self) -> str:
        """LOCALIZED, UNCERTAIN or LOST."""


def atlas_png(scene_map: SceneMap, results: Sequence[Judged]) -> bytes:
    """Each storey from above: places in colours with their numbers, queries that were localized, in doubt, or lost."""
    matplotlib.use("Agg")
    up = upward(results)
    ground = _ground(scene_map, up)
    storeys = _storeys(scene_map, up)
    figure = Figure(figsize=(12, 1 + 4.2 * len(storeys)), dpi=92, layout="constrained")
    nearest = [_nearest(scene_map, result.truth[:3, 3]) for result in results]
    for row, storey in enumerate(reversed(storeys)):
        axes = figure.add_subplot(len(storeys), 1, row + 1)
        here = [result for result, place in zip(results, nearest, strict=True) if place in storey]
        _draw(axes, scene_map, storey, ground, here)
    if poor := thin_places(scene_map, results):
        figure.suptitle(f"few localized: {', '.join(poor)}", fontsize=10)
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    return picture.getvalue()


def thin_places(scene_map: SceneMap, results: Sequence[Judged]) -> list[str]:
    """Places whose queries, or views that were held back, are often not localized, with the counts."""
    nearest = np.array([_nearest(scene_map, result.truth[:3, 3]) for result in results], dtype=np.int64)
    found = np.array([result.state == "LOCALIZED" for result in results], dtype=bool)
    told = []
    for number, header in enumerate(scene_map.headers):
        asked, localized = int((nearest == number).sum()), int(found[nearest == number].sum())
        held = header.held_back
        if asked and localized < _POOR * asked:
            told.append(f"place {number} ({localized} of {asked} queries)")
        elif held.frames and held.localized < _POOR * held.frames:
            told.append(f"place {number} ({held.localized} of {held.frames} views held back)")
    return told


def _ground(scene_map: SceneMap, up: NDArray[np.float64]) -> NDArray[np.float64]:
    """(2, 3) axes of the ground as those of the map lie, the one along which it stretches farther first."""
    across = sideways(up)
    ground = np.stack([across, np.cross(up, across)])
    reach = np.ptp(np.concatenate([header.extent for header in scene_map.headers]) @ ground.T, axis=0)
    return ground if reach[0] >= reach[1] else np.stack([ground[1], -ground[0]])


def _nearest(scene_map: SceneMap, position: NDArray[np.float64]) -> int:
    """The place whose mapping cameras stood nearest, by the box around them."""
    low, high = (np.array([header.extent[end] for header in scene_map.headers]) for end in (0, 1))
    outside = np.maximum(np.maximum(low - position, position - high), 0)
    middle = np.linalg.norm((low + high) / 2 - position, axis=1)
    return int(np.lexsort((middle, np.linalg.norm(outside, axis=1)))[0])


def _storeys(scene_map: SceneMap, up: NDArray[np.float64]) -> list[list[int]]:
    """Numbers of the places on each storey, the lowest first."""
    heights = np.array([header.origin for header in scene_map.headers]) @ up
    order = np.argsort(heights)
    gap = _STOREY * np.median([header.median_depth for header in scene_map.headers])
    cuts = np.nonzero(np.diff(heights[order]) > gap)[0] + 1
    return [part.tolist() for part in np.split(order, cuts)]


def _corners(scene_map: SceneMap, storey: list[int], ground: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 2) where the boxes around the cameras end."""
    corners = np.concatenate([scene_map.headers[number].extent for number in storey])
    return np.asarray(corners @ ground.T)


def _draw(
    axes: Axes, scene_map: SceneMap, storey: list[int], ground: NDArray[np.float64], results: Sequence[Judged]
) -> None:
    colours = place_colours(len(scene_map.headers)) / 255.0
    seen = []
    for number in storey:
        landmarks = scene_map.places[number].landmarks
        landmarks = landmarks[:: max(1, len(landmarks) * len(scene_map.headers) // _SHOWN)]
        flat = landmarks @ ground.T
        seen.append(flat)
        axes.scatter(flat[:, 0], flat[:, 1], color=colours[number], s=1.5, linewidths=0)
    for state, marker, colour, size in (
        ("LOCALIZED", "o", _SURE, 9), ("UNCERTAIN", "^", _DOUBT, 22), ("LOST", "x", LOST, 26),
    ):  # fmt: skip
        at = np.array([result.truth[:3, 3] for result in results if result.state == state])
        if len(at):
            x, y = (at @ ground.T).T
            axes.scatter(x, y, s=size, c=colour, marker=marker, label=f"{state} ({len(at)})", zorder=3)
    for number in storey:
        middle = np.asarray(scene_map.headers[number].origin) @ ground.T
        box = {"boxstyle": "round,pad=0.2", "facecolor": "white", "edgecolor": colours[number], "alpha": 0.85}
        axes.text(middle[0], middle[1], str(number), ha="center", va="center", fontsize=8, bbox=box, zorder=4)
    low, high = np.percentile(np.concatenate([*seen, _corners(scene_map, storey, ground)]), (0.5, 99.5), axis=0)
    margin = 0.04 * np.max(high - low)
    axes.set_xlim(low[0] - margin, high[0] + margin)
    axes.set_ylim(low[1] - margin, high[1] + margin)
    axes.set_aspect("equal", adjustable="box")
    unit = "m" if scene_map.header.metric else "map units"
    axes.set(xlabel=f"seen from above ({unit})", ylabel=unit)
    if results:
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False)

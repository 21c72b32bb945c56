"""Pictures of a run by matplotlib: the path over the map's points, and curves of the errors."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Protocol

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ace_ros.geometry import Matrix, pose_error
from ace_ros.visual.cloud import Cloud

TRUE, ESTIMATED, LOST = "#2563c9", "#d9661f", "#c6303e"  # as in the report's page
_VIDEO = 10, 0.1  # frames at least, and the longest median step, of the extent, of what follows each other; set by hand
_SOMEWHERE = 0.1  # length of a mean direction below which it is none; set by hand


class Result(Protocol):
    """What became of one query: :class:`ace_ros.evaluation.metrics.FrameResult`, or something like it."""

    @property
    def truth(self) -> Matrix:
        """(4, 4) map_from_camera."""

    @property
    def pose(self) -> Matrix | None:
        """(4, 4) map_from_camera as it was found, where that counts."""


def trajectory_png(results: Sequence[Result], cloud: Cloud, metric: bool, title: str = "") -> bytes:
    """Seen from above: true and estimated path over the map's points; beside it the errors' cumulative curves."""
    matplotlib.use("Agg")
    figure = Figure(figsize=(11, 5.2), dpi=92, layout="constrained")
    grid = figure.add_gridspec(2, 2, width_ratios=(1.7, 1))
    draw_path(figure.add_subplot(grid[:, 0]), results, cloud, metric)
    table = np.array([(np.inf, np.inf) if r.pose is None else pose_error(r.pose, r.truth) for r in results])
    _curve(figure.add_subplot(grid[0, 1]), table[:, 0] * (100 if metric else 1), "cm" if metric else "map units")
    _curve(figure.add_subplot(grid[1, 1]), table[:, 1], "degrees")
    if title:
        figure.suptitle(title)
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    return picture.getvalue()


def is_path(results: Sequence[Result]) -> bool:
    """Whether the frames follow each other as those of a video do: then a line joins them."""
    positions = np.array([r.truth[:3, 3] for r in results])
    steps = np.linalg.norm(np.diff(positions, axis=0), axis=1)
    least, longest = _VIDEO
    return len(steps) > least and bool(np.median(steps) < longest * np.linalg.norm(np.ptp(positions, axis=0)))


def draw_path(axes: Axes, results: Sequence[Result], cloud: Cloud, metric: bool) -> None:
    """Seen from above: the map's points, the true path, the estimated one, and where it was lost."""
    across, along = _ground(results)
    true = np.array([r.truth[:3, 3] for r in results])
    nowhere = np.full(3, np.nan)
    found = np.array([nowhere if r.pose is None else r.pose[:3, 3] for r in results])
    lost = true[np.isnan(found[:, 0])]
    if len(cloud):
        axes.scatter(cloud.points @ across, cloud.points @ along, c=cloud.colours / 255.0, s=1.5, linewidths=0)
    if is_path(results):
        axes.plot(true @ across, true @ along, color=TRUE, linewidth=3.5, alpha=0.55, label="true path")
        axes.plot(found @ across, found @ along, ".-", color=ESTIMATED, linewidth=0.8, markersize=3, label="estimated")
    else:
        axes.plot(true @ across, true @ along, "o", color=TRUE, markersize=7, alpha=0.55, label="true")
        axes.plot(found @ across, found @ along, ".", color=ESTIMATED, markersize=4, label="estimated")
    if len(lost):
        axes.plot(lost @ across, lost @ along, "x", color=LOST, label=f"lost ({len(lost)})")
    extent = np.concatenate([true, cloud.points]) if len(cloud) else true
    for limit, axis in ((axes.set_xlim, across), (axes.set_ylim, along)):
        low, high = np.percentile(extent @ axis, (1, 99))
        margin = 0.08 * (high - low) + 1e-6
        limit(min(low, (true @ axis).min()) - margin, max(high, (true @ axis).max()) + margin)
    axes.set_aspect("equal", adjustable="box")
    unit = "m" if metric else "map units"
    axes.set(xlabel=f"seen from above ({unit})", ylabel=unit)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False)


def upward(results: Sequence[Result]) -> NDArray[np.float64]:
    """Which way is up, a unit vector (3,): cameras are mostly held upright, their y is down; z where they are not."""
    mean = -np.mean([r.truth[:3, 1] for r in results], axis=0)
    length = np.linalg.norm(mean)
    return np.asarray(mean / length) if length > _SOMEWHERE else np.array([0.0, 0.0, 1.0])


def sideways(direction: NDArray[np.float64]) -> NDArray[np.float64]:
    """A unit vector (3,) at right angles to a direction."""
    axis = np.cross(np.eye(3)[np.argmin(np.abs(direction))], direction)
    return np.asarray(axis / np.linalg.norm(axis))


def _ground(results: Sequence[Result]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two axes that span the ground."""
    up = upward(results)
    across = sideways(up)
    return across, np.cross(up, across)


def _curve(axes: Axes, values: NDArray[np.float64], unit: str) -> None:
    finite = np.sort(values[np.isfinite(values)])
    axes.plot(finite, (np.arange(len(finite)) + 1) / len(values) * 100, color=TRUE, linewidth=2)
    if len(finite):
        axes.set_xlim(0, max(np.percentile(finite, 98) * 1.15, 1e-6))
    axes.set_ylim(0, 101)
    axes.grid(alpha=0.3)
    axes.set(xlabel=f"error ({unit})", ylabel="% of frames")

"""Figures in words, the same ones wherever they are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ace_ros.map.header import MapHeader


def distance_text(translation: float | None, metric: bool) -> str:
    """A position error: metres, or a fraction of the median depth."""
    if translation is None:
        return "none (mostly lost)"
    return f"{translation * 100:.2f} cm" if metric else f"{translation:.2%} of the depth"


def angle_text(degrees: float | None) -> str:
    return "none" if degrees is None else f"{degrees:.2f} deg"


def threshold_text(name: str, metric: bool) -> str:
    """'5cm_5deg' for people."""
    distance, angle = name.split("_")
    return f"{distance[:-2]} {'cm' if metric else '% of the depth'}, {angle[:-3]} deg"


def size_text(size: int) -> str:
    return f"{size / 1e6:.2f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"


def clock_text(seconds: float) -> str:
    """Minutes and seconds."""
    minutes, rest = divmod(round(max(0.0, seconds)), 60)
    return f"{minutes}:{rest:02d}"


def time_left(seconds: float | None) -> str:
    return "" if seconds is None else f"{clock_text(seconds)} left"


def expected_accuracy(header: MapHeader) -> str:
    """What a user may expect of a map, from the views that were not trained on."""
    held = held_back(header)
    if not header.frames:
        return "expected accuracy: unknown (the head was imported; 'ace evaluate' measures it)"
    if not held["frames"]:
        return "expected accuracy: unknown (too few frames to hold any back)"
    if held["median_translation"] is None or held["median_rotation_deg"] is None:
        return f"expected accuracy: poor (hardly one of {held['frames']} held-back views could be localized)"
    errors = f"{distance_text(held['median_translation'], header.metric)}, {angle_text(held['median_rotation_deg'])}"
    counts = f"{held['localized']} localized of {held['frames']} held-back views"
    return f"expected accuracy: {errors} (median of {counts})"


def held_back(header: MapHeader) -> dict[str, float | None]:
    """The header's figures of held-back views for JSON: of a map that is not metric, relative to the median depth."""
    held = header.held_back
    translation = held.median_translation
    if translation is not None and not header.metric:
        translation /= header.median_depth
    return {
        "frames": held.frames,
        "localized": held.localized,
        "median_translation": translation,
        "median_rotation_deg": held.median_rotation_deg,
        "nees_mean": held.nees_mean,
    }

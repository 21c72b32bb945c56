"""Figures in words, the same ones wherever they are shown."""

from __future__ import annotations


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


def time_left(seconds: float | None) -> str:
    if seconds is None:
        return ""
    minutes, rest = divmod(round(max(0.0, seconds)), 60)
    return f"{minutes}:{rest:02d} left"


def expected_accuracy(held_back: dict, metric: bool) -> str:
    """What a user may expect of a map, from the views that were not trained on."""
    frames = held_back.get("frames")
    translation, rotation = held_back.get("median_translation"), held_back.get("median_rotation_deg")
    if not frames:
        return "expected accuracy: unknown (too few frames to hold any back)"
    if translation is None or rotation is None:
        return f"expected accuracy: poor (most of {frames} held-back views could not be localized)"
    errors = f"{distance_text(translation, metric)}, {angle_text(rotation)}"
    return f"expected accuracy: {errors} (median of {frames} held-back views)"

"""What is known of a map, in words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone

from ace_ros.map.header import MapHeader
from ace_ros.map.whole import whole

_LISTED = 20  # recordings that are told one by one, the latest


def describe(headers: Sequence[MapHeader], landmarks: int, known: int) -> str:
    """Lines for a person.

    Args:
        headers: of all places.
        landmarks: how many the map has. known: how many of the frames that it was made from it knows again.
    """
    header = whole(headers)
    unit = "m" if header.metric else "units"
    low, high = header.extent
    size = " x ".join(f"{b - a:.2f}" for a, b in zip(low, high, strict=True))
    held = header.held_back
    accuracy = "not measured"
    if held.median_translation is not None and held.median_rotation_deg is not None:
        accuracy = (
            f"{held.median_translation:.4g} {unit}, {held.median_rotation_deg:.2f} deg (median of {held.localized} "
            f"localized of {held.frames} held-back views)"
        )
    training = header.training
    cameras = f"{size} {unit}; median depth of the scene {header.median_depth:.3g} {unit}"
    mapped = f"{header.frames} frames ({f'{known}, with those held back, are' if known else 'none is'} known again)"
    several = {} if len(headers) == 1 else {"places": _places(headers, unit)}
    layout = ", as ACE publishes them" if header.head.layout == "ace" else ""
    recordings = {"recordings": _recordings(header)} if header.sources else {}
    size_of_images = f"images {header.encoder_size} px"
    if header.encoder_enlarge > 1:
        size_of_images += f", smaller ones enlarged up to {header.encoder_enlarge:g} times"
    rows = {
        "format": f"version {header.format_version}, created {_dated(header.created)}",
        "encoder": f"{header.encoder}, weights {header.encoder_sha256[:12]}, {size_of_images}",
        "head": f"{header.head.dimensions} -> {header.head.width} wide, {header.head.blocks} residual blocks{layout}",
        "landmarks": str(landmarks),
        "frame": f"{header.map_frame} ({'metres' if header.metric else 'arbitrary scale'})",
        "origin": " ".join(f"{v:.3f}" for v in header.origin),
        "cameras": cameras if header.frames else "unknown",
        "area": f"{area(headers):.3g} {unit}^2 driven through" if header.frames else "unknown",
        "mapped from": mapped if header.frames else "unknown frames: the head was imported",
        "training": ", ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in training.items()),
        "expected": accuracy,
        **_likeness(headers),
        **recordings,
        **several,
    }
    return "\n".join(f"{name:<12} {value}" for name, value in rows.items())


def _likeness(headers: Sequence[MapHeader]) -> dict[str, str]:
    """How much of what a view shows there is elsewhere in the same place, where that is known."""
    most = max(headers, key=lambda header: header.calibration.self_similar).calibration
    if not most.self_similar:
        return {}
    told = f"{most.self_similar:.0f} landmarks at most agree elsewhere in the place"
    if most.self_matched:
        told += f", and {most.self_matched:.0f} matches"
    return {"likeness": f"{told}; {most.self_similar / most.chance_landmarks:.1f} times chance"}


def _places(headers: Sequence[MapHeader], unit: str) -> str:
    """A line each: where it is, how large, from how many frames, how well its own views are found again."""
    lines = [str(len(headers))]
    for number, header in enumerate(headers):
        low, high = header.extent
        size = " x ".join(f"{b - a:.2f}" for a, b in zip(low, high, strict=True))
        held, middle = header.held_back, " ".join(f"{v:.2f}" for v in header.origin)
        lines.append(
            f"  {number:3d}: at {middle}, cameras {size} {unit}, {header.frames} frames, {held.localized} of "
            f"{held.frames} held-back views localized, {_dated(header.created)}"
        )
    return "\n".join(lines)


def _recordings(header: MapHeader) -> str:
    """A line each: what was done with which, when, with how many frames."""
    sources = header.sources
    lines = [str(len(sources))]
    if len(sources) > _LISTED:
        lines.append(f"  ... {len(sources) - _LISTED} before these")
    for source in sources[-_LISTED:]:
        lines.append(
            f"  {source.command} {source.name or '(not noted)'}, {_dated(source.when)}: {source.frames} frames, "
            f"{source.held_back} held back"
        )
    return "\n".join(lines)


def area(headers: Sequence[MapHeader]) -> float:
    """Of the ground that the cameras covered: the two longer sides of each place's box, whichever way is up; units of
    the map squared. Where places overlap it counts twice."""
    total = 0.0
    for header in headers:
        sides = sorted(b - a for a, b in zip(*header.extent, strict=True))
        total += sides[1] * sides[2]
    return total


def age_days(when: str) -> float | None:
    """Days since a time in ISO 8601; None where it is none."""
    try:
        then = datetime.fromisoformat(when)
    except ValueError:
        return None
    if then.tzinfo is None:
        then = then.replace(tzinfo=timezone.utc)
    return (datetime.now(timezone.utc) - then).total_seconds() / 86400


def _dated(when: str) -> str:
    age = age_days(when)
    if age is None:
        return when
    days = int(age)
    return f"{when} ({'today' if days <= 0 else 'yesterday' if days == 1 else f'{days} days ago'})"

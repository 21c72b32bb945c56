"""Many places seen as one map: what their headers come to, and whether they go together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ace_ros.errors import MapFileError
from ace_ros.map.header import HeldBack, MapHeader, Source

_SHARED = ("encoder", "encoder_sha256", "encoder_size", "encoder_enlarge", "map_frame", "metric")


def whole(headers: Sequence[MapHeader]) -> MapHeader:
    """One header for all places: that of the only one, or sums, bounds and medians.

    Raises:
        MapFileError: the places don't go together.
    """
    check_together(headers)
    if len(headers) == 1:
        return headers[0]
    lows, highs = zip(*(header.extent for header in headers), strict=True)
    return replace(
        headers[0],
        origin=tuple(np.mean([header.origin for header in headers], axis=0).tolist()),
        median_depth=float(np.median([header.median_depth for header in headers])),
        extent=(tuple(np.min(lows, axis=0).tolist()), tuple(np.max(highs, axis=0).tolist())),
        created=max(header.created for header in headers),
        frames=sum(header.frames for header in headers),
        training=_training(headers),
        held_back=held_back([header.held_back for header in headers]),
        sources=_sources(headers),
    )


def check_together(headers: Sequence[MapHeader]) -> None:
    """Find out whether places can stand in one map.

    Raises:
        MapFileError: they can't; names the field by which they differ.
    """
    for index, header in enumerate(headers):
        for name in _SHARED:
            first, this = getattr(headers[0], name), getattr(header, name)
            if first != this:
                raise MapFileError(
                    f"header field {name}: must be the same in all places, {first} is not {this} (place {index})"
                )
        if header.head.dimensions != headers[0].head.dimensions:
            raise MapFileError(f"header field head.dimensions: must be the same in all places (place {index})")


def held_back(places: Sequence[HeldBack]) -> HeldBack:
    """Of all places: counts added up, medians as the median over the places' views, as far as that is known."""
    counts = np.array([place.localized for place in places])

    def middle(values: list[float | None]) -> float | None:
        known = np.array([value is not None and count > 0 for value, count in zip(values, counts, strict=True)])
        if not known.any():
            return None
        found, weight = np.array(values, dtype=object)[known].astype(float), counts[known]
        order = np.argsort(found)
        passed = np.cumsum(weight[order]) >= 0.5 * weight.sum()
        return float(found[order][passed.argmax()])

    return HeldBack(
        sum(place.frames for place in places),
        int(counts.sum()),
        middle([place.median_translation for place in places]),
        middle([place.median_rotation_deg for place in places]),
        middle([place.nees_mean for place in places]),
    )


def _sources(headers: Sequence[MapHeader]) -> tuple[Source, ...]:
    """Each recording once for what was done with it, with the frames of all places that it taught; oldest first."""
    found: dict[tuple[str, str, str], Source] = {}
    noted = any(header.sources for header in headers)
    for source in (source for header in headers if noted for source in header.history):
        key = source.name, source.command, source.when if source.name else ""
        before = found.get(key, replace(source, frames=0, held_back=0))
        found[key] = replace(
            before, frames=before.frames + source.frames, held_back=before.held_back + source.held_back
        )
    return tuple(sorted(found.values(), key=lambda source: source.when))


def _training(headers: Sequence[MapHeader]) -> dict[str, int | float]:
    """Sums of what is counted or took time; what is no number, or a mean, stays with the places."""
    names = ("steps", "samples", "tracks", "triangulating_seconds", "training_seconds", "calibrating_seconds")
    told = [header.training for header in headers]
    sums = {name: sum(one[name] for one in told if isinstance(one.get(name), (int, float))) for name in names}
    return {name: round(value, 1) for name, value in sums.items() if value}

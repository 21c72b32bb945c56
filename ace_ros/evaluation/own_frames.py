"""Frames that a map was made from are no test of it: told by their pixels, left out, and counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ace_ros.errors import InputError
from ace_ros.map.mapped_frames import MappedFrames
from ace_ros.recordings.posed_frame import PosedFrame

_LOOKED_AT = 3  # frames of the same stamp; one would do, were all readable


def own_stamps(frames: Iterable[PosedFrame], mapped: MappedFrames) -> set[int]:
    """Stamps of the frames that the map was made from; what can't be read is left for others to tell of."""
    return {frame.stamp for frame in frames if len(mapped) and _is_own(frame, mapped)}


def from_this_drive(frames: Sequence[PosedFrame], mapped: MappedFrames) -> bool:
    """Whether the map was made while this recording was: by their stamps, and by the pixels where stamps are the same.

    Stamps that were made up are the same for every recording.
    """
    stamps = [frame.stamp for frame in frames]
    if not mapped.meets(min(stamps), max(stamps)):
        return False
    known = set(mapped.stamps.tolist()) if len(mapped) else set()
    same = [frame for frame in frames if frame.stamp in known][:_LOOKED_AT]
    return not same or any(_is_own(frame, mapped) for frame in same)


def nothing_left(count: int) -> InputError:
    """The error of an evaluation that would have left out all of its ``count`` frames."""
    return InputError(
        f"the map was made from all {count} frames that were to be scored, so they tell nothing of it: take another "
        "recording or --split, or --include-mapped to score them all the same"
    )


def _is_own(frame: PosedFrame, mapped: MappedFrames) -> bool:
    try:
        return mapped.holds(frame.read())
    except InputError:
        return False

"""Localize every frame of a recording, each on its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ace_ros.errors import InputError
from ace_ros.evaluation.metrics import FrameResult
from ace_ros.evaluation.own_frames import nothing_left
from ace_ros.image import Image
from ace_ros.localization.answer import Localization
from ace_ros.localization.localizer import Localizer
from ace_ros.recordings.left_out import LeftOut
from ace_ros.recordings.posed_frame import PosedFrame


@dataclass(frozen=True)
class Evaluated:
    """What an evaluation came to.

    Attributes:
        results: in the order of the frames. skipped: sentences on frames that could not be used; unusable: how many.
        mapped: how many frames the map was made from; they were left out, unless that was asked for.
    """

    results: list[FrameResult]
    skipped: list[str]
    mapped: int = 0
    unusable: int = 0


def evaluate(
    localizer: Localizer,
    frames: Sequence[PosedFrame],
    on_frame: Callable[[FrameResult | None], None] = lambda result: None,
    include_mapped: bool = False,
    left_out: LeftOut | None = None,
) -> Evaluated:
    """Localize all frames that have a true pose and that the map was not made from, without a prior.

    The clock of a query runs from image in memory to pose; reading files is not in it.

    Parameters
    ----------
    on_frame
        called after each frame, with None for one that was skipped or left out.
    include_mapped
        whether frames that the map was made from are scored all the same.
    left_out
        takes the frames that can't be used.

    Raises:
        InputError: no frame has a true pose, no image can be read, or the map was made from all of them.
    """
    known, notes = with_truth(frames)
    if not known:
        raise InputError("no frame has a true pose to compare with (ground truth is what 'evaluate' needs)")
    results: list[FrameResult] = []
    left_out = left_out or LeftOut()
    left_out.listed["frame"] = max(left_out.listed["frame"], len(frames))
    mapped = 0
    for frame in known:
        try:
            image = frame.image()  # not ahead in a thread, which would take time from the query before
            if localizer.scene_map.mapped.holds(image.pixels):
                mapped += 1
                if not include_mapped:
                    on_frame(None)
                    continue
            if not results:  # kernels are picked and memory is taken in the first query
                _asked(localizer, image)
            found, seconds = _asked(localizer, image)
        except InputError as error:
            left_out.add(error, frame.name)
            on_frame(None)
            continue
        results.append(
            result_of(
                frame,
                state=found.state.name,
                reason=found.reason,
                estimate=found.map_from_camera,
                covariance=found.covariance,
                confidence=found.confidence,
                inliers=found.inliers,
                candidates=found.candidates,
                seconds=seconds,
                place=found.place,
            )
        )
        on_frame(results[-1])
    if not results and mapped:
        raise nothing_left(mapped)
    if not results:
        raise InputError(f"not one of {len(known)} images could be read: {'; '.join(left_out.lines())}")
    return Evaluated(results, notes + left_out.lines(), mapped, len(left_out.names()))


def _asked(localizer: Localizer, image: Image) -> tuple[Localization, float]:
    """What the localizer says of an image, and the seconds that it took."""
    started = time.perf_counter()
    found = localizer.localize(image.pixels, image.camera)
    return found, time.perf_counter() - started


def with_truth(frames: Sequence[PosedFrame]) -> tuple[list[PosedFrame], list[str]]:
    """The frames that have a true pose to compare with, and a note on the others."""
    known = [frame for frame in frames if frame.map_from_camera is not None]
    return known, [f"{len(frames) - len(known)} frames have no true pose"] if len(known) < len(frames) else []


def result_of(frame: PosedFrame, **answer: Any) -> FrameResult:
    """What became of one of the frames :func:`with_truth`; ``answer`` is all that the frame itself does not know."""
    truth = frame.map_from_camera
    assert truth is not None
    return FrameResult(name=frame.name, stamp=frame.stamp, truth=truth, **answer)

"""A build of a map, from the wish to the file: how far it is, and how it ended."""

from __future__ import annotations

import enum
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ace_ros.errors import AceError, Cancelled, MapFileError, MappingError
from ace_ros.map.scene_map import SceneMap
from ace_ros.mapping.mapper import Mapper
from ace_ros.mapping.options import MIN_FRAMES, MapOptions
from ace_ros.mapping.progress import Progress
from ace_ros.online.drive_check import Check, UnfitPosesError
from ace_ros.online.maps_dir import prepare_folder


class Result(enum.Enum):
    """How a build ended."""

    SUCCESS = enum.auto()
    TOO_FEW_FRAMES = enum.auto()
    DIVERGED = enum.auto()
    WRITE_FAILED = enum.auto()
    CANCELED = enum.auto()
    INVALID_MAP = enum.auto()  # one that should grow is none, or can't by these frames
    NOT_ALIGNED = enum.auto()  # it was not found out how the frames lie in it
    POSES_DO_NOT_FIT = enum.auto()  # the images say that the poses are meant otherwise
    UNDEFINED_FAILURE = enum.auto()


@dataclass(frozen=True)
class Outcome:
    """The end of a build: a sentence, and on success the map and its file.

    ``first``: a better one will replace it, and before that one with more places, if there are any ``places_left``.
    """

    result: Result
    message: str
    frames: int
    seconds: float
    scene_map: SceneMap | None = None
    path: Path | None = None
    size: int = 0
    first: bool = False
    places_left: int = 0


def build_map(
    mapper: Mapper,
    path: Path,
    override: Callable[[MapOptions], MapOptions] = lambda usual: usual,
    progress: Callable[[Progress], None] = lambda step: None,
    cancelled: Callable[[], bool] = lambda: False,
    hasty: bool = False,
    check: Check = lambda mapper: None,
) -> Outcome:
    """Build a map of the mapper's frames and save it at ``path``; never raises.

    ``override`` turns the mapper's options into those of this build; ``hasty``: see :meth:`Mapper.build_in_haste`;
    ``check`` may raise what speaks against the frames.
    """
    start, frames, left = time.monotonic(), len(mapper), 0
    usual = mapper.options
    try:
        mapper.options = override(usual)
        check(mapper)
        prepare_folder(path)  # better now than after the training
        if hasty:
            scene_map, left = mapper.build_in_haste(cancelled)
        else:
            scene_map = mapper.build(progress, cancelled)
        if cancelled():
            raise Cancelled("cancelled")
        size = scene_map.save(path)
    except Exception as error:
        return Outcome(*failure(error, frames), frames, time.monotonic() - start)
    finally:
        mapper.options = usual
    what = "A first map" if hasty else "The map"
    message = f"{what} of {frames} frames is at {path} ({size / 1e6:.2f} MB). {expectation(scene_map)}"
    if left:
        message += f" It lacks {left} place{'s' if left > 1 else ''}, which come one by one."
    if hasty:
        message += " A better one is being built."
    return Outcome(Result.SUCCESS, message, frames, time.monotonic() - start, scene_map, path, size, hasty, left)


def failure(error: Exception, frames: int) -> tuple[Result, str]:
    """How a build ends that raised ``error``, and a sentence; it had so many frames."""
    if isinstance(error, Cancelled):
        return Result.CANCELED, "The build was cancelled; the frames are kept."
    if isinstance(error, UnfitPosesError):
        return Result.POSES_DO_NOT_FIT, str(error)
    if isinstance(error, MapFileError):
        return Result.WRITE_FAILED, str(error)
    if isinstance(error, MappingError):
        return Result.TOO_FEW_FRAMES if frames < MIN_FRAMES else Result.DIVERGED, str(error)
    return Result.UNDEFINED_FAILURE, told(error)


def told(error: Exception) -> str:
    """What is the user's to put right is a sentence; a defect of ours shows where it is, and the work goes on."""
    return str(error) if isinstance(error, AceError) else "".join(traceback.format_exception(error))


def expectation(scene_map: SceneMap) -> str:
    """What accuracy the map promises, a sentence."""
    held_back, metric = scene_map.header.held_back, scene_map.header.metric
    if not held_back.frames:
        return "Its accuracy was not measured."
    counted = f"{held_back.localized} of {held_back.frames} mapping views that were held back are localized in it"
    if held_back.median_translation is None or held_back.median_rotation_deg is None:
        return f"{counted}."
    length = held_back.median_translation
    distance = f"{100 * length:.1f} cm" if metric else f"{length:.3g} units"
    return f"{counted}, half of them within {distance} and {held_back.median_rotation_deg:.2f} degrees."


def overall(progress: Progress | None) -> float:
    """Fraction of the whole build that is done, all places together."""
    return progress.overall if progress else 0.0

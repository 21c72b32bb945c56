"""A build of a map, from the wish to the file: how far it is, and how it ended."""

from __future__ import annotations

import enum
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ace_ros.errors import AceError, Cancelled, MapFileError, MappingError
from ace_ros.map.scene_map import SceneMap
from ace_ros.mapping.mapper import Mapper
from ace_ros.mapping.options import MIN_FRAMES, MapOptions
from ace_ros.mapping.progress import Progress
from ace_ros.online.maps_dir import prepare_folder


class Result(enum.Enum):
    """How a build ended."""

    SUCCESS = enum.auto()
    TOO_FEW_FRAMES = enum.auto()
    DIVERGED = enum.auto()
    WRITE_FAILED = enum.auto()
    CANCELED = enum.auto()
    UNDEFINED_FAILURE = enum.auto()


@dataclass(frozen=True)
class Outcome:
    """The end of a build: a sentence, and on success the map and its file."""

    result: Result
    message: str
    frames: int
    seconds: float
    scene_map: SceneMap | None = None
    path: Path | None = None
    size: int = 0


def build_map(
    mapper: Mapper,
    path: Path,
    override: Callable[[MapOptions], MapOptions] = lambda usual: usual,
    progress: Callable[[Progress], None] = lambda step: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Build a map of the mapper's frames and save it at ``path``; never raises.

    ``override`` turns the mapper's options into those of this build.
    """
    start, frames = time.monotonic(), len(mapper)

    def outcome(result: Result, message: str) -> Outcome:
        return Outcome(result, message, frames, time.monotonic() - start)

    usual = mapper.options
    try:
        mapper.options = override(usual)
        prepare_folder(path)  # better now than after the training
        scene_map = mapper.build(progress, cancelled)
        if cancelled():
            raise Cancelled("cancelled")
        size = scene_map.save(path)
    except Cancelled:
        return outcome(Result.CANCELED, "The build was cancelled; the frames are kept, and no map was written.")
    except MapFileError as error:
        return outcome(Result.WRITE_FAILED, str(error))
    except MappingError as error:
        return outcome(Result.TOO_FEW_FRAMES if frames < MIN_FRAMES else Result.DIVERGED, str(error))
    except Exception as error:
        return outcome(Result.UNDEFINED_FAILURE, told(error))
    finally:
        mapper.options = usual
    message = f"The map of {frames} frames is at {path} ({size / 1e6:.2f} MB). {expectation(scene_map)}"
    return replace(outcome(Result.SUCCESS, message), scene_map=scene_map, path=path, size=size)


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

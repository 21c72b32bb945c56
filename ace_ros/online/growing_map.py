"""Frames of a drive laid into a map that is there, and learnt by it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from ace_ros.errors import Cancelled, InputError, MapFileError, MappingError
from ace_ros.growing.aligning import align
from ace_ros.growing.alignment import Alignment
from ace_ros.growing.extending import Grown, extend
from ace_ros.growing.newcomers import Newcomers
from ace_ros.growing.options import GrowOptions
from ace_ros.growing.sighting import ViewFinder
from ace_ros.map.scene_map import SceneMap
from ace_ros.mapping.mapper import Mapper
from ace_ros.mapping.options import MIN_FRAMES
from ace_ros.mapping.progress import Progress, Reporter
from ace_ros.online.building import Outcome, Result, failure
from ace_ros.online.drive_check import Check, UnfitPosesError
from ace_ros.online.maps_dir import prepare_folder
from ace_ros.recordings.posed_frame import evenly

Scale = Literal["found", "one", "as the units are"]
Told = Callable[[Progress], None]
Asked = Callable[[], bool]
_LOCALIZED = 200  # frames at most by which a drive is aligned, as 'ace align' has it


class _UnusableMapError(Exception):
    """The map is not one that these frames go with; the sentence says why."""


@dataclass(frozen=True)
class Growth:
    """The end of an alignment or extension, with what is known on success; ``map_frame``: of the map."""

    outcome: Outcome
    map_frame: str = ""
    alignment: Alignment | None = None
    grown: Grown | None = None


def align_drive(mapper: Mapper, path: Path, scale: Scale, check: Check, progress: Told, cancelled: Asked) -> Growth:
    """Find how the mapper's frames lie in the map at ``path``; never raises."""
    start, frames = time.monotonic(), len(mapper)
    try:
        _check_enough(mapper)
        check(mapper)
        scene_map = _map_for(mapper, path)
        found = _aligned(mapper, scene_map, scale, Reporter(progress, cancelled))
    except Exception as error:
        return Growth(Outcome(*_failure(error, frames), frames, time.monotonic() - start))
    message = (
        f"It is known how the frames lie in {path}: {found.agreeing} of {found.localized} that were localized agree, "
        f"{found.of} were asked."
    )
    return Growth(
        Outcome(Result.SUCCESS, message, frames, time.monotonic() - start, path=path), scene_map.header.map_frame, found
    )


def extend_drive(
    mapper: Mapper, path: Path, output: Path, aligned: bool, name: str, check: Check, progress: Told, cancelled: Asked
) -> Growth:
    """Let the map at ``path`` learn the mapper's frames and write it to ``output``; never raises.

    ``aligned``: the frames are in the map's frame; otherwise how they lie in it is found first. ``name``: of the drive,
    for the map's header.
    """
    start, frames, found = time.monotonic(), len(mapper), None
    try:
        _check_enough(mapper)
        check(mapper)
        prepare_folder(output)
        scene_map, doubt = _map_for(mapper, path), ""
        if aligned:
            _check_frame(mapper, scene_map)
        else:
            found = _aligned(mapper, scene_map, "as the units are", Reporter(progress, cancelled))
        newcomers = Newcomers(scene_map, GrowOptions(seed=mapper.options.seed), mapper.encoder)
        for view in mapper.views:
            placed = view.map_from_camera if found is None else found.pose(view.map_from_camera)
            newcomers.take(replace(view, map_from_camera=placed))
        if aligned and (doubt := _elsewhere(newcomers)) and output == path:
            raise _UnusableMapError(
                f"{doubt} If the drive has an origin of its own, ask for an alignment too; if this is a place that "
                "looks like another, give another output_name"
            )
        grown = extend(newcomers, name, progress, cancelled)
        if cancelled():
            raise Cancelled("cancelled")
        size = grown.scene_map.save(output)
    except Exception as error:
        return Growth(Outcome(*_failure(error, frames), frames, time.monotonic() - start), alignment=found)
    message = f"{doubt + ' ' if doubt else ''}{_told(grown, frames)} The map is at {output} ({size / 1e6:.2f} MB)."
    outcome = Outcome(Result.SUCCESS, message, frames, time.monotonic() - start, grown.scene_map, output, size)
    return Growth(outcome, scene_map.header.map_frame, found, grown)


def _check_enough(mapper: Mapper) -> None:
    """Raises MappingError: there are too few frames."""
    if len(mapper) < MIN_FRAMES:
        raise MappingError(f"at least {MIN_FRAMES} usable frames with poses are needed, there are {len(mapper)}")


def _map_for(mapper: Mapper, path: Path) -> SceneMap:
    """The map, if the mapper's frames are encoded as its own were."""
    try:
        scene_map = SceneMap.load(path)
        scene_map.check_encoder(mapper.encoder)
    except MapFileError as error:
        raise _UnusableMapError(str(error)) from None
    header, options = scene_map.header, mapper.options
    if (header.encoder_size, header.encoder_enlarge) != (options.image_size, options.enlarge):
        raise _UnusableMapError(
            f"{path}: made of images of {header.encoder_size} pixels, enlarged up to {header.encoder_enlarge:g} times, "
            f"the frames were encoded at {options.image_size} and up to {options.enlarge:g} times: start the node with "
            "the map's image_size and enlarge"
        )
    return scene_map


def _aligned(mapper: Mapper, scene_map: SceneMap, scale: Scale, report: Reporter) -> Alignment:
    finder, asked = ViewFinder(scene_map, mapper.encoder), evenly(list(mapper.views), _LOCALIZED)
    seen = []
    for done, view in enumerate(asked):
        report("localizing", done, len(asked))
        sighting = finder.sighted(view)
        seen += [] if sighting is None else [sighting]
    both_metric = scene_map.header.metric and mapper.site.metric
    with_scale = not both_metric if scale == "as the units are" else scale == "found"
    try:
        return align(seen, len(asked), with_scale)
    except MappingError as error:
        raise InputError(str(error)) from None


def _check_frame(mapper: Mapper, scene_map: SceneMap) -> None:
    """Raises _UnusableMapError: the frames' poses are not in the map's frame."""
    header, site = scene_map.header, mapper.site
    if site.map_frame != header.map_frame or site.metric != header.metric:
        raise _UnusableMapError(
            f"the frames' poses are in '{site.map_frame}', {_units(site.metric)}, the map is in '{header.map_frame}', "
            f"{_units(header.metric)}: ask for an alignment too"
        )


def _elsewhere(newcomers: Newcomers) -> str:
    """A sentence, where the map surely has most frames elsewhere than their poses say."""
    asked, elsewhere = ViewFinder(newcomers.scene_map, newcomers.encoder).misplaced(newcomers.views)
    if elsewhere <= asked / 2:
        return ""
    return f"{elsewhere} of {asked} frames that were asked are surely localized elsewhere than their poses say."


def _units(metric: bool) -> str:
    return "in metres" if metric else "of arbitrary scale"


def _told(grown: Grown, frames: int) -> str:
    """What the map has learnt, a sentence or two."""
    said = [f"{grown.known} of {frames} frames show what the map knew."] if grown.known else []
    if grown.touched:
        said.append(f"{len(grown.touched)} places learnt {sum(grown.touched.values())} landmarks.")
    if grown.new_places:
        said.append(f"{len(grown.new_places)} places are new.")
    if grown.few:
        said.append(f"{grown.few} frames were too few where they were taken.")
    return " ".join(said or ["There was nothing new to learn."])


def _failure(error: Exception, frames: int) -> tuple[Result, str]:
    if isinstance(error, _UnusableMapError):
        return Result.INVALID_MAP, str(error)
    if isinstance(error, InputError) and not isinstance(error, UnfitPosesError):
        return Result.NOT_ALIGNED, str(error)
    return failure(error, frames)

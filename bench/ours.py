"""Ours: map a scene, localize its queries with the whole map and with its head alone."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ace_ros.camera import Camera
from ace_ros.cli.console import peak_rss_bytes
from ace_ros.errors import InputError
from ace_ros.geometry import Matrix
from ace_ros.localization.localizer import Localizer
from ace_ros.map.scene_map import SceneMap
from ace_ros.mapping.mapper import Mapper
from ace_ros.mapping.options import MapOptions
from ace_ros.mapping.progress import Progress
from ace_ros.recordings.prefetch import prefetched
from bench import scenes
from bench.measure import Row, Stopwatch, run_queries

if TYPE_CHECKING:
    from bench.measure import Localize


def measure(
    scene: Path,
    frames: int | None = None,
    queries: int | None = None,
    **options: Any,
) -> Row:
    """The row of figures of one map.

    Args:
        frames: map from so many, evenly spaced.
        options: of :class:`MapOptions`.
    """
    watch = Stopwatch()
    stages: dict[str, float] = {}
    scene_map, used = _mapped(scene, frames, MapOptions(**options), watch, stages)
    with tempfile.TemporaryDirectory() as folder:
        size = scene_map.save(Path(folder) / "map.safetensors")
    figures = {**watch.read(), "stages_cpu_seconds": stages, "peak_rss_bytes": peak_rss_bytes()}
    asked = scenes.query_frames(scene, queries)
    alone = without_landmarks(scene_map)
    head = run_queries(asked, localize_with(alone))
    header = scene_map.header
    return {
        **figures,
        "frames": used,
        "metric": header.metric,
        "landmarks": len(scene_map.landmarks),
        "map_bytes": size,
        **{name: header.training[name] for name in ("sample_bytes", "samples", "steps", "training_seconds")},
        "median_depth": header.median_depth,
        "held_back": header.held_back.__dict__,
        **run_queries(asked, localize_with(scene_map)),
        **{f"head_{name}": value for name, value in head.items()},
    }


def _mapped(
    scene: Path, count: int | None, options: MapOptions, watch: Stopwatch, stages: dict[str, float]
) -> tuple[SceneMap, int]:
    """Read, encode, build; ``stages`` gets the processor seconds since the start of the process at each stage's end."""
    recording = scenes.mapping_frames(scene, count)
    mapper = Mapper(options, recording.map_frame, recording.metric)
    for frame, image in prefetched(recording.frames):
        if isinstance(image, InputError):
            raise image
        assert frame.map_from_camera is not None
        mapper.add(image, frame.camera, frame.map_from_camera, frame.name)
    stages["encoding"] = watch.read()["cpu_seconds"]

    def note(progress: Progress) -> None:
        stages[progress.stage] = watch.read()["cpu_seconds"]

    return mapper.build(note), len(mapper)


def without_landmarks(scene_map: SceneMap) -> SceneMap:
    """The heads alone."""
    return replace(scene_map, places=[place.with_landmarks(slice(0)) for place in scene_map.places])


def localize_with(scene_map: SceneMap, device: str = "auto") -> Localize:
    """What :func:`bench.measure.run_queries` asks, answered from a map.

    A head alone is judged by every pose that it finds, as the recipe is: neither says when it is lost.
    """
    alone = not len(scene_map.landmarks)
    localizer = Localizer(scene_map, device=device)

    def localize(image: NDArray[np.uint8], camera: Camera) -> tuple[str, Matrix | None]:
        answer = localizer.localize(image, camera)
        found = answer.map_from_camera is not None
        return "LOCALIZED" if alone and found else answer.state.name, answer.map_from_camera

    return localize

"""Make a map from posed frames: train the head on them, write one file.

SCENE is a recording: a folder (ACE, nerfstudio, COLMAP, TUM RGB-D) or a rosbag2 bag. Frames that the recording's
split keeps for queries are never trained on. At least 10 frames; a few hundred that look at everything from several
sides are better. The last lines tell how accurate the map is on views that were held back.

examples:
  ace map room/ -o room.safetensors
  ace map room/ -o room.safetensors --seconds 60        a quick one
  ace map drive.mcap -o room.safetensors --json room.json
  ace map photos/ -o photos.safetensors --test-every 8  keep every 8th frame for 'ace evaluate'
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from rich.progress import TaskID

from ace_ros.cli import interrupt
from ace_ros.cli.console import (
    check_writable,
    note,
    peak_rss_bytes,
    progress_bar,
    seconds_since_start,
    stdout,
    write_json,
)
from ace_ros.cli.texts import expected_accuracy, held_back, size_text, time_left
from ace_ros.errors import InputError, MappingError
from ace_ros.map.scene_map import SceneMap
from ace_ros.mapping.mapper import Mapper, Progress
from ace_ros.mapping.options import MapOptions
from ace_ros.mapping.views import spread_poses
from ace_ros.recordings import Recording, SplitOptions, open_recording
from ace_ros.recordings.prefetch import prefetched
from ace_ros.recordings.rosbag import matches as is_bag


@dataclass
class Command:
    scene: tyro.conf.Positional[Path]
    """Recording to map."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """Map file to write; one that is there is replaced once the new one is whole."""
    json: Path | None = None
    """Also write the figures of this run: frames, steps, seconds, peak_rss_bytes, map_bytes, held_back."""
    training: MapOptions = field(default_factory=MapOptions)
    recording: SplitOptions = field(default_factory=SplitOptions)

    def run(self) -> int:
        check_writable(self.output)
        if self.json:
            check_writable(self.json)
        scene = open_recording(self.scene, split="train", options=self.recording)
        for text in scene.notes:
            note(text)
        scene = _thinned(scene, self.training.views)
        mapper = Mapper(self.training, map_frame=scene.map_frame, metric=scene.metric)
        scene_map = _train(mapper, scene, stamped=is_bag(self.scene))
        with interrupt.writing(self.output):
            size = scene_map.save(self.output)
        header = scene_map.header
        figures = {
            "frames": len(mapper),
            "skipped": len(scene.frames) - len(mapper),
            "steps": header.training.get("steps"),
            "seconds": seconds_since_start(),
            "peak_rss_bytes": peak_rss_bytes(),
            "map_bytes": size,
            "metric": header.metric,
            "held_back": held_back(header),
        }
        if self.json:
            write_json(self.json, figures)
        seconds = f"{figures['seconds']:.0f} s"
        stdout.print(f"{self.output}: {size_text(size)} from {len(mapper)} frames in {seconds}", soft_wrap=True)
        stdout.print(expected_accuracy(header), soft_wrap=True)
        return 0


def _thinned(scene: Recording, most: int) -> Recording:
    """At most ``most`` of the frames with poses, spread over all of them: more take time and teach little."""
    posed = [frame for frame in scene.frames if frame.map_from_camera is not None]
    if len(posed) <= most:
        return scene
    kept = spread_poses(np.stack([frame.map_from_camera for frame in posed if frame.map_from_camera is not None]), most)
    note(f"{most} of {len(posed)} frames are used, spread over all poses; --views N takes more")
    return replace(scene, frames=[posed[i] for i in kept])


def _train(mapper: Mapper, scene: Recording, stamped: bool) -> SceneMap:
    """Read, encode and train under a progress bar a stage; ``stamped``: the frames' stamps are their own."""
    skipped = 0
    with progress_bar() as bar:
        reading = bar.add_task("reading", total=len(scene.frames), figures="", left="")
        for frame, image in prefetched(scene.frames):
            try:
                if isinstance(image, InputError):
                    raise image
                if frame.map_from_camera is None:
                    raise InputError("has no pose")
                stamp = frame.stamp if stamped else None
                mapper.add(image, frame.camera, frame.map_from_camera, frame.name, stamp)
            except InputError as error:
                skipped += 1
                if skipped <= 5:
                    note(f"skipped {frame.name}: {error}")
            bar.update(reading, advance=1, figures=f"{skipped} skipped" if skipped else "")
        if not len(mapper):
            raise MappingError(f"{scene.name}: not one of {len(scene.frames)} frames can be used")

        tasks: dict[str, TaskID] = {}

        def finish() -> None:
            for task in tasks.values():
                bar.update(task, completed=bar.tasks[task].total, left="")

        def show(progress: Progress) -> None:
            if progress.stage not in tasks:
                finish()
                tasks[progress.stage] = bar.add_task(progress.stage, total=progress.total, figures="", left="")
            bar.update(
                tasks[progress.stage],
                completed=progress.done,
                total=progress.total,
                figures=_figures(progress, scene.metric),
                left=time_left(progress.seconds_left) if progress.done < progress.total else "",
            )

        scene_map = mapper.build(progress=show)
        finish()
        return scene_map


def _figures(progress: Progress, metric: bool) -> str:
    loss = f"loss {progress.loss:.2f}" if progress.loss is not None else ""
    inliers = f"inliers {progress.inliers:.0%}" if progress.inliers is not None else ""
    held_back = ""
    if progress.held_back is not None and math.isfinite(progress.held_back):
        miss = f"{progress.held_back * 100:.1f} cm" if metric else f"{progress.held_back:.3g} units"
        held_back = f"held-back views {miss} off"
    return "  ".join(filter(None, (loss, inliers, held_back)))

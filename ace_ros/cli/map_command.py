"""Make a map from posed frames: train the head on them, write one file.

RECORDING is a folder (ACE, nerfstudio, COLMAP, TUM RGB-D) or a rosbag2 bag. Frames that are queries are never trained
on. At least 10 frames; a few hundred that look at everything from several sides are better. The last lines tell how
accurate the map is on views that were held back.

examples:
  ace map room/ -o room.safetensors
  ace map room/ -o room.safetensors --seconds 60          a quick one
  ace map drive.mcap -o room.safetensors --json room.json
  ace map photos/ -o photos.safetensors --test-every 8    keeps every 8th frame
                                                          for 'ace evaluate'
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ace_ros.cli import interrupt
from ace_ros.cli.console import (
    check_writable,
    note,
    peak_rss_bytes,
    seconds_since_start,
    stdout,
    write_json,
)
from ace_ros.cli.flags import map_output_option, recording_argument
from ace_ros.cli.progress import progress
from ace_ros.cli.texts import expected_accuracy, held_back, size_text
from ace_ros.errors import InputError, MappingError
from ace_ros.map.scene_map import SceneMap
from ace_ros.mapping.mapper import Mapper
from ace_ros.mapping.options import MapOptions
from ace_ros.mapping.progress import Progress
from ace_ros.mapping.views import spread_poses
from ace_ros.options import Options, option
from ace_ros.recordings import Recording, SplitOptions, open_recording
from ace_ros.recordings.prefetch import prefetched
from ace_ros.recordings.rosbag import matches as is_bag


@dataclass(frozen=True)
class Command(Options):
    recording: Path = recording_argument("Recording to map.")
    output: Path = map_output_option()
    json: Path | None = option(
        None,
        "Also write the figures of this run: frames, steps, seconds, peak_rss_bytes, map_bytes, held_back.",
        metavar="FILE",
    )
    training: MapOptions = field(default_factory=MapOptions)
    reading: SplitOptions = field(default_factory=SplitOptions)

    def run(self) -> int:
        check_writable(self.output)
        if self.json:
            check_writable(self.json)
        scene = open_recording(self.recording, split="train", options=self.reading)
        for text in scene.notes:
            note(text)
        scene = _thinned(scene, self.training.views)
        mapper = Mapper(self.training, map_frame=scene.map_frame, metric=scene.metric)
        scene_map = _train(mapper, scene, stamped=is_bag(self.recording))
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
    with progress() as stages:
        stages.begin("reading", len(scene.frames))
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
            stages.advance([f"{skipped} skipped"] if skipped else [])
        if not len(mapper):
            raise MappingError(f"{scene.name}: not one of {len(scene.frames)} frames can be used")
        stage = ""

        def show(now: Progress) -> None:
            nonlocal stage
            if now.stage != stage:
                stage = now.stage
                stages.begin(stage, now.total)
            figures = _figures(now, scene.metric)
            stages.update(now.done, total=now.total, figures=figures, seconds_left=now.seconds_left)

        return mapper.build(progress=show)


def _figures(progress: Progress, metric: bool) -> list[str]:
    """Most telling first."""
    figures = []
    if progress.held_back is not None and math.isfinite(progress.held_back):
        miss = f"{progress.held_back * 100:.1f} cm" if metric else f"{progress.held_back:.3g} units"
        figures.append(f"held-back views {miss} off")
    if progress.loss is not None:
        figures.append(f"loss {progress.loss:.2f}")
    if progress.inliers is not None:
        figures.append(f"inliers {progress.inliers:.0%}")
    return figures

"""Make a map from posed frames: train the head on them, write one file.

RECORDING is a ROS bag, a video with a trajectory, or a folder as ACE, nerfstudio, COLMAP, TUM, EuRoC, KITTI and others
have them: it is recognised by what lies in it (--layout says otherwise). Frames that are queries are never trained on.
At least 10 frames; a few hundred that look at everything from several sides are better. The last lines tell how
accurate the map is on views that were held back.

examples:
  ace map room/ -o room.safetensors
  ace map room/ -o room.safetensors --seconds 60          a quick one
  ace map drive.mcap -o room.safetensors --json room.json
  ace map photos/ -o photos.safetensors --test-every 8    keeps every 8th frame
                                                          for 'ace evaluate'
  ace map building/ -o building.safetensors --workers 8   many places at once
  ace map building/ -o building.safetensors --resume      goes on where an
                                                          interrupted one was
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ace_ros import __version__
from ace_ros.cli import interrupt
from ace_ros.cli.build_progress import BuildProgress
from ace_ros.cli.checking import hold_against_images, tell
from ace_ros.cli.console import (
    check_writable,
    note,
    peak_rss_bytes,
    seconds_since_start,
    stdout,
    write_json,
)
from ace_ros.cli.flags import map_output_option, recording_argument
from ace_ros.cli.frames_to_map import add_frames, thinned
from ace_ros.cli.progress import progress
from ace_ros.cli.texts import expected_accuracy, held_back, size_text
from ace_ros.growing.provenance import Recorded, made_of
from ace_ros.mapping.cluster import Cluster
from ace_ros.mapping.mapper import Mapper
from ace_ros.mapping.options import MIN_FRAMES, MapOptions
from ace_ros.mapping.workspace import Workspace
from ace_ros.options import OptionError, Options, option
from ace_ros.recordings import SplitOptions, open_recording
from ace_ros.recordings.rosbag import matches as is_bag


@dataclass(frozen=True)
class Command(Options):
    recording: Path = recording_argument("Recording to map.")
    output: Path = map_output_option()
    json: Path | None = option(
        None,
        "Also write the figures of this run: frames, places, steps, seconds, peak_rss_bytes, map_bytes, held_back.",
        metavar="FILE",
    )
    resume: bool = option(False, "Go on with what an interrupted 'ace map' of the same recording left beside the map.")
    workers: int | None = option(
        None, "Build so many places at once, in processes of their own; for maps of many places.", low=1,
        without="one after the other, with all cores",
    )  # fmt: skip
    cluster: str | None = option(
        None, "Build places on the workers of this dask scheduler, such as tcp://host:8786.", metavar="ADDRESS"
    )
    training: MapOptions = field(default_factory=MapOptions)
    reading: SplitOptions = field(default_factory=SplitOptions)

    def run(self) -> int:
        check_writable(self.output)
        if self.json:
            check_writable(self.json)
        cluster = self._cluster()
        scene = open_recording(self.recording, split="train", options=self.reading)
        tell(scene)
        scene = thinned(scene)
        with _workspace(self.output, self.resume) as workspace:
            workspace.claim(version=__version__, recording=str(self.recording.resolve()))
            mapper = Mapper(self.training, scene.map_frame, scene.metric, workspace)
            hold_against_images(scene, self.reading, mapper.encoder)
            with progress() as stages:
                counts = add_frames(mapper, scene, is_bag(self.recording), stages)
                with interrupt.unwinding() if cluster else contextlib.nullcontext():  # workers have to be sent home
                    scene_map = mapper.build(BuildProgress(stages, scene.metric), cluster=cluster)
            scene_map = made_of(scene_map, Recorded.now(scene.name, "map"))
            with interrupt.writing(self.output):
                size = scene_map.save(self.output)
                workspace.remove()
        header = scene_map.header
        figures = {
            "frames": len(mapper),
            **counts,
            "places": len(scene_map.places),
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

    def _cluster(self) -> Cluster | None:
        if self.workers is None and self.cluster is None:
            return None
        if self.workers is not None and self.cluster is not None:
            raise OptionError("workers", "a cluster has its own; leave --workers or --cluster away")
        cluster = Cluster(self.workers or 1, self.cluster or "")
        if self.workers is not None and cluster.workers < self.workers:
            note(f"{cluster.workers} workers: more than that this machine has no cores or memory for")
        return cluster


@contextlib.contextmanager
def _workspace(output: Path, resume: bool) -> Iterator[Workspace]:
    """Removed by whom it is for; kept, with a sentence, when it was stopped or failed before."""
    workspace = Workspace(output, resume)
    at_first = len(workspace.views)
    if workspace.forgotten:
        note(
            f"{workspace.folder}: {workspace.forgotten} frames of an interrupted run are gone; --resume would use them"
        )
    if resume and not at_first:
        note(f"{workspace.folder}: there is nothing to go on with; all is done from the beginning")

    def left() -> str:
        if workspace.removed:
            return ""
        if len(workspace.views) < MIN_FRAMES:  # a second's work
            workspace.remove()
            return ""
        return f"{workspace.folder} keeps {len(workspace.views)} frames, the same command with --resume goes on"

    interrupt.last_words(left)
    try:
        yield workspace
    except BaseException:
        if (words := left()) and len(workspace.views) > at_first:
            note(words)
        raise
    finally:
        interrupt.last_words(str)
        workspace.close()

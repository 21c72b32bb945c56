"""What the commands share that change a map by a recording: its frames read, where they lie, what came of it told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ace_ros.cli import interrupt
from ace_ros.cli.checking import hold_against_images, tell
from ace_ros.cli.console import check_writable, note, peak_rss_bytes, seconds_since_start, stdout, write_json
from ace_ros.cli.flags import map_argument, map_output_option, recording_argument
from ace_ros.cli.frames_to_map import take_each
from ace_ros.cli.progress import Stages, progress
from ace_ros.cli.texts import size_text
from ace_ros.errors import InputError, MappingError
from ace_ros.geometry import Matrix
from ace_ros.growing.alignment import Alignment
from ace_ros.growing.extending import Grown, Told
from ace_ros.growing.newcomers import Newcomers
from ace_ros.growing.options import GrowOptions
from ace_ros.growing.sighting import ViewFinder
from ace_ros.image import Pixels
from ace_ros.map.scene_map import SceneMap
from ace_ros.mapping.progress import Progress
from ace_ros.options import Options, option
from ace_ros.recordings import PosedFrame, Recording, Split, SplitOptions, open_recording
from ace_ros.recordings.rosbag import matches as is_bag


def alignment_option() -> Any:
    """Where a recording with an origin of its own lies in the map."""
    return option(
        None, "Where the recording lies in the map: a file of 'ace align'.", metavar="FILE",
        without="its poses are in the map's frame",
    )  # fmt: skip


def split_option() -> Any:
    """Which frames of the recording are used."""
    return option("train", "Which of its frames: train leaves out those that are queries.")


@dataclass(frozen=True)
class Change(Options):
    """Base of the commands that read MAP and RECORDING and write a map. Its options are theirs."""

    map: Path = map_argument()
    recording: Path = recording_argument("Recording, in the map's frame or with --alignment.")
    output: Path = map_output_option()
    alignment: Path | None = alignment_option()
    split: Split = split_option()
    json: Path | None = option(None, "Also write the figures of this run to this file.", metavar="FILE")
    growing: GrowOptions = field(default_factory=GrowOptions)
    reading: SplitOptions = field(default_factory=SplitOptions)

    def prepared(self) -> tuple[Newcomers, Recording]:
        """The map with the recording's frames, encoded, in its frame."""
        check_writable(self.output)
        if self.json:
            check_writable(self.json)
        scene_map = SceneMap.load(self.map)
        alignment = Alignment.load(self.alignment) if self.alignment else None
        scene = opened(self.recording, self.split, self.reading)
        check_frame(scene_map, scene, alignment, self.map)
        newcomers = Newcomers(scene_map, self.growing)
        hold_against_images(scene, self.reading, newcomers.encoder)
        with progress() as stages:
            _read(newcomers, scene, alignment, is_bag(self.recording), stages)
            stages.begin("checking", None)
            finder = ViewFinder(scene_map, newcomers.encoder)
            asked, elsewhere = finder.misplaced(newcomers.views, lambda done, total: stages.update(done, total=total))
        if elsewhere > asked / 2:
            note(
                f"{elsewhere} of {asked} frames that were asked are localized elsewhere than their poses say: if the "
                "recording has an origin of its own, 'ace align' finds how it lies in the map; if this is a place that "
                "looks like another, all is well"
            )
        return newcomers, scene

    def finish(self, grown: Grown, newcomers: Newcomers) -> None:
        """Write the map and the figures."""
        before, after = newcomers.scene_map, grown.scene_map
        size = save(after, self.output)
        if self.json:
            figures = {
                "frames": len(newcomers),
                "known": grown.known,
                "few": grown.few,
                "new_places": grown.new_places,
                "added": {str(number): count for number, count in grown.touched.items()},
                "forgotten": {str(number): count for number, count in grown.forgotten.items()},
                "places": len(after.headers),
                "seconds": seconds_since_start(),
                "peak_rss_bytes": peak_rss_bytes(),
                "map_bytes": size,
            }
            write_json(self.json, figures)
        count, held = len(after.headers), after.header.held_back
        stdout.print(
            f"{self.output}: {size_text(size)}, {count} {plural('place', count)} (before: {len(before.headers)}) "
            f"in {seconds_since_start():.0f} s",
            soft_wrap=True,
        )
        if held.frames:
            stdout.print(f"{held.localized} localized of {held.frames} held-back views of all places", soft_wrap=True)


def opened(path: Path, split: Split, reading: SplitOptions) -> Recording:
    """The recording; what it has to say of itself is told."""
    scene = open_recording(path, split=split, options=reading)
    tell(scene)
    return scene


def check_frame(scene_map: SceneMap, scene: Recording, alignment: Alignment | None, name: Path) -> None:
    """Find out whether a recording's poses can be in the map's frame.

    Raises:
        InputError: they are in another, and no alignment says how that lies.
    """
    header = scene_map.header
    if alignment is not None:
        return
    units = {True: "in metres", False: "of arbitrary scale"}
    found = f"run 'ace align {name} {scene.name} -o alignment.json' and give --alignment alignment.json"
    if scene.map_frame != header.map_frame:
        raise InputError(
            f"the recording's poses are in '{scene.map_frame}', the map is in '{header.map_frame}'; {found}"
        )
    if scene.metric != header.metric:
        raise InputError(f"the recording's poses are {units[scene.metric]}, the map is {units[header.metric]}; {found}")


def _read(newcomers: Newcomers, scene: Recording, alignment: Alignment | None, stamped: bool, stages: Stages) -> None:
    stages.begin("reading", len(scene.frames))

    def take(frame: PosedFrame, image: Pixels, pose: Matrix) -> None:
        placed = pose if alignment is None else alignment.pose(pose)
        newcomers.add(image, frame.camera, placed, frame.name, frame.stamp if stamped else None)

    take_each(scene, scene.frames, take, {"skipped": 0}, stages)
    if not len(newcomers):
        raise MappingError(f"{scene.name}: not one of {len(scene.frames)} frames can be used")
    if repeated := newcomers.repeated():
        note(f"the map was made from {repeated} of these {len(newcomers)} frames already")


@contextmanager
def told() -> Iterator[Told]:
    """A progress bar a stage, for what reports :class:`Progress`."""
    with progress() as stages:
        stage: tuple[str, int] | None = None

        def show(now: Progress) -> None:
            nonlocal stage
            if (now.stage, now.place) != stage:
                stage = now.stage, now.place
                stages.begin(now.stage, now.total)
            figures = [f"place {now.place + 1} of {now.places}"] if now.places > 1 else []
            stages.update(now.done, total=now.total, figures=figures, seconds_left=now.seconds_left)

        yield show


def save(scene_map: SceneMap, output: Path) -> int:
    """Write a map; returns its size in bytes."""
    with interrupt.writing(output):
        return scene_map.save(output)


def plural(noun: str, count: int) -> str:
    return noun if count == 1 else f"{noun}s"

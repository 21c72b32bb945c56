"""Find how a recording with an origin of its own lies in a map: a second drive, a SLAM session started elsewhere.

Its frames are localized in the map, and the one transform is found that carries the recording's poses there: rigid
where both are in metres, else with a scale. 'ace extend' and 'ace repair' take the file that is written. An alignment
that too few frames agree on is refused.

examples:
  ace align house.safetensors drive/ -o alignment.json
  ace extend house.safetensors drive/ -o house2.safetensors \\
      --alignment alignment.json
  ace align house.safetensors monocular/ --scale found -o alignment.json
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ace_ros.cli.console import check_writable, note, seconds_since_start, stdout, write_json
from ace_ros.cli.flags import map_argument, recording_argument
from ace_ros.cli.growing import opened
from ace_ros.cli.progress import progress
from ace_ros.errors import InputError
from ace_ros.growing.aligning import Sighting, align
from ace_ros.growing.alignment import Alignment
from ace_ros.growing.sighting import sighted
from ace_ros.localization.localizer import Localizer
from ace_ros.localization.options import LocalizeOptions
from ace_ros.map.scene_map import SceneMap
from ace_ros.options import Options, device_option, option
from ace_ros.recordings import Recording, Split, SplitOptions
from ace_ros.recordings.posed_frame import evenly
from ace_ros.recordings.prefetch import prefetched


@dataclass(frozen=True)
class Command(Options):
    map: Path = map_argument()
    recording: Path = recording_argument("Recording with poses in a frame of its own.")
    output: Path | None = option(None, "File to write the alignment to, JSON.", metavar="FILE", short="-o")
    json: Path | None = option(None, "As -o.", metavar="FILE")
    scale: Literal["found", "one"] | None = option(
        None, "found: with a scale; one: rigid.", without="one where map and recording are in metres"
    )
    frames: int = option(200, "At most so many frames are localized, evenly spaced.", low=6)
    split: Split = option("all", "Which of its frames.")
    device: str = device_option()
    solving: LocalizeOptions = field(default_factory=LocalizeOptions)
    reading: SplitOptions = field(default_factory=SplitOptions)

    def run(self) -> int:
        for path in filter(None, (self.output, self.json)):
            check_writable(path)
        scene_map = SceneMap.load(self.map)
        scene = opened(self.recording, self.split, self.reading)
        metric = scene_map.header.metric
        with_scale = not (metric and scene.metric) if self.scale is None else self.scale == "found"
        localizer = Localizer(scene_map, options=self.solving, device=self.device)
        seen, asked = _sightings(localizer, scene, self.frames)
        found = align(seen, asked, with_scale)
        for path in filter(None, (self.output, self.json)):
            write_json(path, found.to_json())
        for text in _said(found, metric, with_scale):
            stdout.print(text, soft_wrap=True)
        return 0


def _sightings(localizer: Localizer, scene: Recording, most: int) -> tuple[list[Sighting], int]:
    """The frames that were localized, and how many were asked."""
    posed = evenly([frame for frame in scene.frames if frame.map_from_camera is not None], most)
    if not posed:
        raise InputError(f"{scene.name}: no frame has a pose; without poses there is nothing to align")
    seen: list[Sighting] = []
    asked = 0
    left_out = scene.left_out.later()
    with progress() as stages:
        stages.begin("localizing", len(posed))
        for frame, image in prefetched(posed):
            with left_out.trying(frame.name):
                if isinstance(image, InputError):
                    raise image
                assert frame.map_from_camera is not None
                found = sighted(localizer, image, frame.camera, frame.map_from_camera)
                asked += 1
                seen += [] if found is None else [found]
            stages.advance([f"{len(seen)} localized"])
    for line in left_out.lines():
        note(line)
    return seen, asked


def _said(found: Alignment, metric: bool, with_scale: bool) -> list[str]:
    factor, unit = (100, "cm") if metric else (1, "units")
    said = [
        f"{found.agreeing} of {found.localized} localized frames agree ({found.of} were asked), off by "
        f"{factor * found.rms_translation:.3g} {unit}, {found.rms_rotation_deg:.2g} deg (rms)",
        "map_from_recording:",
        *("  " + "  ".join(f"{value:12.6f}" for value in row) for row in found.map_from_recording[:3]),
    ]
    if with_scale:
        said.append(f"scale: {found.scale:.6g} +- {found.sigma_scale:.2%}")
    return [
        *said,
        f"uncertainty (one sigma): {factor * found.sigma_translation:.2g} {unit}, {found.sigma_rotation_deg:.2g} deg; "
        f"took {seconds_since_start():.0f} s",
    ]

"""Hold a recording against its own images: are its poses and intrinsics what they are read as?

Matches between neighbouring images must lie on the epipolar lines that poses and intrinsics draw. How far they are off
is measured as the recording is given, and as it may have been meant: with the poses inverted, other camera axes, the
quaternion in another order, another focal length. 'ace map' does the same before it maps.

The exit code is 1 where another reading fits far better.

examples:
  ace check room/
  ace check drive.mcap --picture lines.jpg       matches and epipolar lines
  ace check photos/ --poses world-to-camera      once more, read so
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.table import Table

from ace_ros.checking import Verdict, check
from ace_ros.checking.verdict import Fit
from ace_ros.cli.checking import tell
from ace_ros.cli.console import check_writable, seconds_since_start, stdout, write_file, write_json
from ace_ros.cli.flags import recording_argument
from ace_ros.device import resolve_device
from ace_ros.errors import InputError
from ace_ros.features.registry import make_encoder
from ace_ros.options import Options, device_option, option
from ace_ros.recordings import Split, SplitOptions, open_recording
from ace_ros.visual.epipolar import sheet

_SHOWN = 4  # readings in the table: as given and the best of the others
_SHORT_SIDE = 480  # pixels: as mapping encodes images by default


@dataclass(frozen=True)
class Command(Options):
    recording: Path = recording_argument("Recording to check.")
    picture: Path | None = option(None, "Picture (JPEG) of matches and epipolar lines to write.", metavar="FILE")
    json: Path | None = option(None, "Also write the figures to this file.", metavar="FILE")
    split: Split = option("train", "Which of its frames.")
    device: str = device_option()
    reading: SplitOptions = field(default_factory=SplitOptions)

    def run(self) -> int:
        for path in filter(None, (self.picture, self.json)):
            check_writable(path)
        scene = open_recording(self.recording, split=self.split, options=self.reading)
        tell(scene)
        if all(frame.map_from_camera is None for frame in scene.frames):
            raise InputError(f"{scene.name}: no frame has a pose; without poses there is nothing to check")
        encoder = make_encoder("xfeat", resolve_device(self.device), _SHORT_SIDE)
        verdict, pairs = check(scene.frames, encoder)
        if self.json:
            write_json(self.json, _figures(verdict))
        if self.picture and pairs:
            write_file(self.picture, sheet(pairs, verdict.meant.reading if verdict.meant else None))
        if verdict.given is not None:
            stdout.print(_table(verdict))
        stdout.print(verdict.sentence, markup=False, soft_wrap=True)
        return int(verdict.meant is not None)


def _table(verdict: Verdict) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in ("read", "median error (px)", "better in"):
        table.add_column(title)
    for fit in [verdict.given, *verdict.others][:_SHOWN]:
        if fit is not None:
            table.add_row(fit.reading.words, f"{fit.median:.2f}", f"{fit.better:.0%} of {verdict.pairs} pairs")
    return table


def _figures(verdict: Verdict) -> dict[str, Any]:
    def figures(fit: Fit) -> dict[str, Any]:
        return {"read": fit.reading.words, "error": fit.error, "median_error": fit.median, "better_in": fit.better}

    return {
        "pairs": verdict.pairs,
        "given": figures(verdict.given) if verdict.given else None,
        "others": [figures(fit) for fit in verdict.others],
        "meant": figures(verdict.meant) if verdict.meant else None,
        "sentence": verdict.sentence,
        "seconds": seconds_since_start(),
    }

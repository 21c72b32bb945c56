"""Localize every frame of a recording and compare with its ground truth.

RECORDING is as in ace map, with true poses. Every frame is localized on its own, without a prior. Fractions and
medians are of all frames: one that got no pose counts as infinitely far off.
Errors of a map without metric scale are relative to the scene's median depth; 5cm then reads 5 % of it.

With --live the recording is played in real time into localization_node, and what it published is judged: poses, their
age, TF, and how many frames it left out.

Frames that the map was made from, known by their pixels, are left out, and their number is told.

examples:
  ace evaluate room.safetensors room/
  ace evaluate room.safetensors room/ --report out/    a page for the browser
  ace evaluate room.safetensors drive.mcap --json drive.json
  ace evaluate room.safetensors room/ --compare a.json b.json
  ace evaluate room.safetensors drive/ --live --report out/
  ace evaluate photos.safetensors photos/ --test-every 8
"""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from rich.table import Table

from ace_ros.cli import compare_command
from ace_ros.cli.checking import tell
from ace_ros.cli.console import (
    check_writable,
    make_folder,
    note,
    peak_rss_bytes,
    seconds_since_start,
    stderr,
    stdout,
    write_file,
    write_json,
)
from ace_ros.cli.flags import map_argument, recording_argument
from ace_ros.cli.playing import LiveOptions, check_live, play_with_bar
from ace_ros.cli.progress import progress
from ace_ros.cli.texts import angle_text, distance_text, threshold_text
from ace_ros.device import resolve_device
from ace_ros.errors import InputError
from ace_ros.evaluation.metrics import FrameResult, summarize
from ace_ros.evaluation.own_frames import from_this_drive, nothing_left, own_stamps
from ace_ros.evaluation.run import Evaluated, evaluate
from ace_ros.evaluation.trajectory import estimated_tum, true_tum
from ace_ros.live.judging import judged, live_figures
from ace_ros.live.plan import as_bag, plan
from ace_ros.live.record import read_record
from ace_ros.localization.localizer import Localizer
from ace_ros.localization.options import LocalizeOptions
from ace_ros.map.scene_map import SceneMap
from ace_ros.options import Options, device_option, option
from ace_ros.recordings import Recording, Split, SplitOptions, open_recording
from ace_ros.recordings.rosbag import matches as is_bag
from ace_ros.recordings.splits import is_explicit

USAGE = "MAP RECORDING [OPTIONS]\n--compare JSON JSON..."
_USAGE_ERROR = 2
_DOUBTFUL = 0.5  # of the frames LOCALIZED and far off: rather the truth is to blame


@dataclass(frozen=True)
class Command(Options):
    map: Path | None = map_argument(None)
    recording: Path | None = recording_argument("Recording with true poses.", None)
    split: Literal["test", "train", "all"] | None = option(
        None, "Which of its frames.", without="its queries; of a bag that the map was not made from, all"
    )
    json: Path | None = option(None, "Also write the figures to this file.", metavar="FILE")
    report: Path | None = option(
        None, "Also write a report, one HTML file and its data, into this folder.", metavar="FOLDER"
    )
    trajectory: Path | None = option(
        None,
        "Also write the estimated poses in TUM format; the true ones go beside them, as NAME.true.tum.",
        metavar="FILE",
    )
    compare: tuple[Path, ...] = option(
        (),
        "Lay earlier evaluations beside this one, in the report too; without MAP and RECORDING, beside each other.",
        metavar="JSON...",
    )
    live: bool = option(False, "Play the recording through the ROS nodes in real time, and judge what they publish.")
    recorded: Path | None = option(
        None, "Judge what evaluation_node recorded in this file, instead of localizing.", metavar="FILE"
    )
    include_mapped: bool = option(False, "Score the frames that the map was made from as well.")
    device: str = device_option()
    solving: LocalizeOptions = field(default_factory=LocalizeOptions)
    playing: LiveOptions = field(default_factory=LiveOptions)
    reading: SplitOptions = field(default_factory=SplitOptions)

    def run(self) -> int:
        if self.compare and self.map is None:
            return compare_command.Command(self.compare).run()
        if self.map is None or self.recording is None:
            said = "give a map and a recording: ace evaluate MAP RECORDING (see 'ace evaluate --help')"
            stderr.print(f"ace: {said}", soft_wrap=True)
            return _USAGE_ERROR
        return self._run(self.map, self.recording)

    def _run(self, map_path: Path, scene_path: Path) -> int:
        others = [(path.stem, compare_command.read_run(path)) for path in self.compare]
        for path in filter(None, (self.json, self.trajectory)):
            check_writable(path)
        if self.report:
            make_folder(self.report)
            check_writable(self.report / "report.html")
        self._check_live()
        scene_map = SceneMap.load(map_path)
        split = self.split or _default_split(scene_path, self.reading, scene_map)
        scene = open_recording(scene_path, split=split, options=self.reading)
        tell(scene)
        if scene.map_frame != scene_map.header.map_frame:
            note(f"the true poses are in '{scene.map_frame}', the map is in '{scene_map.header.map_frame}': they are "
                 "compared as they are")  # fmt: skip
        localizer = Localizer(scene_map, options=self.solving, device=self.device)
        live: dict[str, Any] = {}
        if self.live or self.recorded:
            found, live = self._heard(map_path, scene_path, scene, scene_map)
        else:
            found = _evaluate(localizer, scene, self.include_mapped)
        results = found.results
        for text in found.skipped:
            note(text)
        if found.mapped:
            done = "are scored all the same" if self.include_mapped else "were left out; --include-mapped scores them"
            note(f"{found.mapped} frames that the map was made from {done}")
        header = scene_map.header
        figures = {
            **summarize(results, header.metric, header.median_depth),
            **live,
            "skipped": found.unusable,
            "left_out_mapped": 0 if self.include_mapped else found.mapped,
            "scored_mapped": found.mapped if self.include_mapped else 0,
            "map": str(map_path),
            "scene": str(scene_path),
            "split": split,
            "device": str(resolve_device(self.device)),
            "seconds": seconds_since_start(),
            "peak_rss_bytes": peak_rss_bytes(),
        }
        stdout.print(f"{map_path.name} on {scene.name} ({split})", style="bold", soft_wrap=True)
        stdout.print(summary_table(figures))
        if figures["false_confident"] > _DOUBTFUL * figures["frames"]:
            note("most poses are far from the true ones and sure of themselves: are those of another frame than the "
                 "map's, of another place, or of another camera?")  # fmt: skip
        compared = [*others, ("this run", figures)] if others else []
        if compared:
            compare_command.show(compared)
        self._write(figures, results, localizer, scene, compared)
        return 0

    def _check_live(self) -> None:
        if self.live and self.recorded:
            raise InputError("--live and --recorded exclude each other: give one")
        if self.recorded and not self.recorded.is_file():
            raise InputError(f"{self.recorded}: there is no such record")
        if self.live:
            check_live()
            given, usual = asdict(self.solving), asdict(LocalizeOptions())
            if other := [name for name in usual if name != "encoder_weights" and given[name] != usual[name]]:
                raise InputError(f"--{other[0]} is no option of localization_node: leave it out with --live")

    def _heard(
        self, map_path: Path, scene_path: Path, scene: Recording, scene_map: SceneMap
    ) -> tuple[Evaluated, dict[str, Any]]:
        """What the nodes made of the recording, and figures that only they have."""
        with tempfile.TemporaryDirectory(prefix="ace_live_") as folder:
            bag, options = as_bag(scene_path, scene, self.reading, Path(folder))
            record = self.recorded or Path(folder) / "record.jsonl"
            localizer = {"device": self.device, "encoder_weights": str(self.solving.encoder_weights or "")}
            run = plan(bag, options, map_path, scene_map.header, record, self.playing.replay_rate, localizer)
            if self.live:
                logs = self.playing.logs or Path(folder)
                make_folder(logs)
                play_with_bar(run, self.playing, logs)
            heard = read_record(record)
            own = own_stamps((f for f in scene.frames if f.stamp in heard.frames), scene_map.mapped)
            frames = [f for f in scene.frames if self.include_mapped or f.stamp not in own]
            if own and not any(f.stamp in heard.frames for f in frames):
                raise nothing_left(len(own))
            results, notes = judged(heard, frames, run)
            figures = live_figures(heard, frames, run.streams.count, self.playing.replay_rate)
        # Of a frame that is not localized the nodes publish no pose, so how good it would have been is not known.
        return Evaluated(results, notes, len(own)), {"live": figures, "localized_among_5cm_5deg": None}

    def _write(
        self,
        figures: dict[str, Any],
        results: list[FrameResult],
        localizer: Localizer,
        scene: Recording,
        compared: list[tuple[str, dict[str, Any]]],
    ) -> None:
        if self.trajectory:
            write_file(self.trajectory, estimated_tum(results))
            write_file(self.trajectory.with_suffix(".true.tum"), true_tum(results))
        if self.json:
            write_json(self.json, figures)
        if self.report:
            from ace_ros.evaluation.report import report_files  # here, as matplotlib takes half a second to load

            stderr.print("drawing the report ...")
            table = {
                "names": [name for name, _ in compared],
                "lines": compare_command.side_by_side([run for _, run in compared]) if compared else [],
            }
            for name, content in report_files(figures, results, localizer, scene, self._options(), table).items():
                write_file(self.report / name, content)
            stdout.print(f"report: {self.report / 'report.html'}", soft_wrap=True)

    def _options(self) -> dict[str, str]:
        return {name: str(value) for name, value in {"device": self.device, **asdict(self.solving)}.items()}


def _default_split(path: Path, options: SplitOptions, scene_map: SceneMap) -> Split:
    """Queries are what a map was not made from: of another drive, every frame."""
    if not is_bag(path) or is_explicit(options):
        return "test"
    frames = open_recording(path, split="all", options=options).frames
    return "test" if from_this_drive(frames, scene_map.mapped) else "all"


def _evaluate(localizer: Localizer, scene: Recording, include_mapped: bool) -> Evaluated:
    with progress() as stages:
        stages.begin("localizing", len(scene.frames))
        counts = {"LOCALIZED": 0, "UNCERTAIN": 0, "LOST": 0}

        def show(result: FrameResult | None) -> None:
            if result is not None:
                counts[result.state] += 1
            stages.advance([f"{count} {state.lower()}" for state, count in counts.items() if count])

        return evaluate(localizer, scene.frames, show, include_mapped, scene.left_out.later())


def summary_table(figures: dict[str, Any]) -> Table:
    """The figures of an evaluation for people."""
    table = Table(show_header=False)
    table.add_column(style="bold")
    table.add_column(justify="right")
    frames = figures["frames"]
    for name in ("localized", "uncertain", "lost"):
        table.add_row(name, f"{figures[name]} of {frames}")
    table.add_row("median error", f"{distance_text(figures['median_translation'], figures['metric'])}, "
                                  f"{angle_text(figures['median_rotation_deg'])}")  # fmt: skip
    for name, fraction in figures["recall"].items():
        table.add_row(f"within {threshold_text(name, figures['metric'])}", f"{fraction:.1%}")
    table.add_row("localized, yet far off", str(figures["false_confident"]))
    if figures["nees_mean"] is not None:
        table.add_row(
            "NEES, median and 95 % (honest: 5.3, 12.6)", f"{figures['nees_median']:.1f}, {figures['nees_p95']:.1f}"
        )
        table.add_row("95 % ellipsoid holds the truth", f"{figures['ellipsoid']:.0%} of the localized")
    if live := figures.get("live"):
        for name, text in live_rows(live):
            table.add_row(name, text)
    table.add_row("time a query", f"{figures['query_ms']['median']:.0f} ms (95 %: {figures['query_ms']['p95']:.0f} ms)")
    return table


def live_rows(live: dict[str, Any]) -> list[tuple[str, str]]:
    """What the nodes did, for people: names and texts."""
    age, tf = live["latency_ms"], live["tf"]
    rows = [
        ("images played, worked on", f"{live['frames_played']}, {live['frames_processed']}"),
        ("images dropped, unusable, not received",
         f"{live['frames_dropped']}, {live['frames_rejected']}, {live['frames_not_received']}"),
    ]  # fmt: skip
    if live["poses_hz"] is not None:
        rows.append(("poses a second", f"{live['poses_hz']:.1f} of {live['images_hz'] or 0:.1f} images"))
    if age is not None:
        rows.append(("age of a pose at publication", f"{age['median']:.0f} ms (95 %: {age['p95']:.0f} ms)"))
    if tf["known"] or tf["missing"]:
        why = "" if tf["known"] else f": {tf['missing']}"
        rows.append(("TF at the stamps of the images", f"{tf['known']} of {tf['frames']}{why}"))
    return rows

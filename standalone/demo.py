"""The main job from end to end, through ROS: what ``make demo [SCENE=path]`` runs.

A recording is replayed at 30 Hz into mapping_node, which builds a map; its other frames are replayed into
localization_node, whose poses are compared with the truth. The nodes are real processes over DDS. Without an
argument a small room is made up and photographed, for ``building`` a few rooms along a corridor. Exits with 1 when
anything failed or the result is poor.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from demo_ros import DemoError, Watcher
from demo_show import Outcome, Show, picture, table

from ace_ros.errors import AceError
from ace_ros.evaluation.metrics import FrameResult, summarize
from ace_ros.generated import make_building, make_room
from ace_ros.live.judging import judged, live_figures
from ace_ros.live.plan import plan
from ace_ros.live.play import play
from ace_ros.live.processes import Processes, own_domain
from ace_ros.live.record import read_record
from ace_ros.map.scene_map import SceneMap
from ace_ros.recordings import Recording, SplitOptions, open_recording, write_bag
from ace_ros.visual.atlas import atlas_png

_RATE = 30  # Hz, of usual cameras
# Of the queries that the node worked on; set by hand, below what the generated room gives, and the generated building,
# two of whose six rooms are twins.
_LEAST_LOCALIZED, _LEAST_OF_BUILDING = 0.8, 0.6
_ROOMS = 6  # of the generated building
_SILENCE = 5.0  # s without news, after which nothing more comes; set by hand
_CAMERA = {"use_sim_time": True, "image_transport": "compressed", "image_reliability": "reliable"}
_TOPICS = {"image": "/camera/image_raw", "camera_info": "/camera/camera_info"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scene", nargs="?", type=Path, help="a recording, or building; default: a generated room")
    parser.add_argument("--output", type=Path, default=Path("demo_out"), help="where to leave the map and the picture")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        given.output.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="ace_demo_") as folder, own_domain() as domain:
            os.environ["ROS_DOMAIN_ID"] = str(domain)
            os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
            os.environ.setdefault("AMENT_PREFIX_PATH", sys.prefix)
            return run(given.scene, given.output.resolve(), Path(folder), domain)
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return 130
    except (AceError, OSError) as error:
        print(f"\ndemo: {error}", file=sys.stderr)
        return 1


def run(path: Path | None, output: Path, temporary: Path, domain: int) -> int:
    least = _LEAST_LOCALIZED
    with Show() as show:
        if path == Path("building") and not path.exists():
            least = _LEAST_OF_BUILDING
            with show.step("a building is made up"):
                path = make_building(temporary / "building", rooms=_ROOMS, workers=len(os.sched_getaffinity(0)))
        with show.step("a room is made up" if path is None else f"reading {path}"):
            mapping, queries = scenes(path or make_room(temporary / "room"))
        for scene in (mapping, queries):
            with show.step(f"writing a bag of {len(scene.frames)} frames"):
                write_bag(scene, temporary / scene.name)
        processes = Processes(output, domain)
        watcher = Watcher(processes)
        try:
            bags = [temporary / scene.name for scene in (mapping, queries)]
            taken, build_seconds, map_file = make_map(processes, watcher, show, mapping, bags[0], output)
            scene_map = SceneMap.load(map_file)
            results, figures = localize(processes, show, queries, bags[1], map_file, scene_map)
        finally:
            watcher.close()
            processes.close()
        with show.step("drawing the picture"):
            (output / "trajectory.png").write_bytes(picture(scene_map, mapping, results))
            if len(scene_map.headers) > 1:
                (output / "places.png").write_bytes(atlas_png(scene_map, results))
    outcome = Outcome(
        mapping_frames=len(mapping.frames),
        taken=taken,
        build_seconds=build_seconds,
        map_bytes=map_file.stat().st_size,
        figures=figures,
    )
    print(table(outcome, output))
    fraction = outcome.figures["localized"] / outcome.figures["frames"]
    if fraction < least:
        raise DemoError(f"only {fraction:.0%} of the queries were localized, {least:.0%} were expected")
    return 0


def scenes(path: Path) -> tuple[Recording, Recording]:
    """Mapping and query frames, both at 30 Hz from the same start, as if a robot drove there twice."""
    parts = open_recording(path, "train"), open_recording(path, "test")
    mapping, queries = (
        replace(
            part,
            name=name,
            map_frame="map",
            frames=[
                replace(frame, stamp=10**18 + index * 10**9 // _RATE)
                for index, frame in enumerate(frame for frame in part.frames if frame.map_from_camera is not None)
            ],
        )
        for name, part in zip(("mapping", "queries"), parts, strict=True)
    )
    if not queries.frames:
        raise DemoError(f"{path}: no frames are left to try the map on")
    return mapping, queries


def make_map(
    processes: Processes, watcher: Watcher, show: Show, scene: Recording, bag: Path, output: Path
) -> tuple[int, float, Path]:
    """Replay the bag into mapping_node and have the map built: frames taken, seconds of the build, the map's file."""
    usual = _CAMERA | {"pose_source": "pose_stamped"}
    # short recordings: take frames closer together than on a long drive, and photos of unknown scale all
    closeness = {"min_translation": 0.02 if scene.metric else 0.0, "min_rotation": 2.0 if scene.metric else 0.0}
    files = {"maps_dir": str(output), "map_name": "demo"}
    processes.start("mapping_node", usual | closeness | files, {**_TOPICS, "pose": "/camera/pose"})
    with show.step("mapping: frames drive by at 30 Hz", len(scene.frames)) as step:
        replay(processes, bag)

        def received() -> int:
            return watcher.mapping.frames_received if watcher.mapping else 0

        processes.wait("the end of the replay", lambda: processes.ended("replay_node"), lambda: step(received()))
        last = Silence(received, lambda: received() >= len(scene.frames))
        processes.wait("the last frame", last, lambda: step(received()))
    with show.build_step() as feedback:
        started = time.monotonic()
        built = watcher.build_map(feedback)
        seconds = time.monotonic() - started
    processes.stop("mapping_node")
    return built.frames, seconds, Path(built.map_path)


def localize(
    processes: Processes, show: Show, scene: Recording, bag: Path, map_file: Path, scene_map: SceneMap
) -> tuple[list[FrameResult], dict[str, Any]]:
    """Replay the bag into localization_node: what became of the frames that it worked on, and the figures of that."""
    header = scene_map.header
    plain = {"tf_mode": "map_to_camera"}
    run = plan(bag, SplitOptions(), map_file, header, bag.parent / "record.jsonl", localizer=plain)
    with show.step("localizing: other frames drive by", len(scene.frames)) as step:
        play(run, processes, on_frames=lambda worked_on, _: step(worked_on))
    record = read_record(bag.parent / "record.jsonl")
    results, _ = judged(record, scene.frames, run)
    live = live_figures(record, scene.frames, run.streams.count)
    if not live["poses"]:
        raise DemoError("not one frame was localized")
    return results, {**summarize(results, header.metric, header.median_depth), "live": live}


class Silence:
    """A condition that holds once ``done()``, or when ``count()`` has not changed for a while: the rest was dropped."""

    def __init__(self, count: Callable[[], int], done: Callable[[], bool]) -> None:
        self._count, self._done = count, done
        self._seen, self._since = -1, 0.0

    def __call__(self) -> bool:
        count, now = self._count(), time.monotonic()
        if count != self._seen:
            self._seen, self._since = count, now
        return self._done() or now - self._since > _SILENCE


def replay(processes: Processes, bag: Path) -> None:
    """Play a bag once somebody listens to its images and its camera."""
    listened = ",".join((f"{_TOPICS['image']}/compressed", _TOPICS["camera_info"]))
    processes.start("replay_node", {"bag": str(bag), "wait_for_subscribers": listened}, {}, ends=True)


if __name__ == "__main__":
    sys.exit(main())

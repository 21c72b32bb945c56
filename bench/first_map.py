"""How soon after a drive there is a map: mapping_node over ROS, a bag that is replayed, and the action ~/build_map.

The first map is made in haste, the better one replaces it; both are asked the same queries.

examples:
  python -m bench.first_map                            through the first rooms of a generated building
  python -m bench.first_map --frames 60                through a part of one, which is asked nothing
  python -m bench.first_map --scene ../shared/scenes/redkitchen
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

# Messages are generated where the package is installed, not beside the sources.
sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).resolve().parents[1]]

import rclpy
import tyro
from rclpy.action import ActionClient
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from ace_ros.action import BuildMap
from ace_ros.files import write_whole
from ace_ros.generated import BuildingPlan, make_building
from ace_ros.live.processes import Processes, own_domain
from ace_ros.localization.localizer import Localizer
from ace_ros.map.scene_map import SceneMap
from ace_ros.msg import MappingStatus
from ace_ros.recordings import PosedFrame, Recording, write_bag
from ace_ros.recordings.posed_frame import evenly
from bench import measure, scenes
from bench.building import Room, asked, summary

_CAMERA = {"image_transport": "compressed", "image_reliability": "reliable", "use_sim_time": True}
_TOPICS = {"image": "/camera/image_raw", "camera_info": "/camera/camera_info", "pose": "/camera/pose"}
_SILENCE = 3.0  # s without a frame: the drive is over, though frames were lost


@dataclass
class Command:
    scene: Path | None = None
    """A recording instead of the generated building."""
    frames: int = 400
    """The first so many are driven through."""
    rate: float = 2.5
    """Frames a second: a robot at walking pace takes so many that bring something new."""
    rooms: int = 24
    """Of the generated building."""
    queries: int = 200
    """Of where the drive was, at most."""
    out: Path = measure.ROOT / "build" / "bench" / "first_map"
    """Folder for the building and figures.json."""


class Watcher(Node):
    """Hears mapping_node, and asks it for the map."""

    def __init__(self) -> None:
        super().__init__("bench")
        self.status = MappingStatus()
        self.create_subscription(MappingStatus, "/mapping_node/status", self._hear, 100)
        self.build = ActionClient(self, BuildMap, "/mapping_node/build_map")
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self)

    def spin(self) -> None:
        self._executor.spin_once(timeout_sec=0.02)

    def _hear(self, message: MappingStatus) -> None:
        self.status = message


def main(command: Command) -> int:
    frames, queries, unit = _drive(command)
    with tempfile.TemporaryDirectory() as name, own_domain() as domain:
        figures, maps = _mapped(frames, Path(name), domain, command.rate)
        room = Room("drive", [], evenly(queries, command.queries), unit)
        for which, path in maps.items():
            scene_map = SceneMap.load(path)
            figures[which] = {"places": len(scene_map.headers)}
            if queries:
                figures[which] |= summary(asked(room, Localizer(scene_map, device="cpu"), None)["atlas"])
    print(json.dumps(figures, indent=2))
    write_whole(command.out / "figures.json", json.dumps(figures, indent=2).encode())
    return 0


def _drive(command: Command) -> tuple[list[PosedFrame], list[PosedFrame], float]:
    """Frames of the drive, queries of where it was, and what errors are counted in (0: depths)."""
    command.out.mkdir(parents=True, exist_ok=True)
    if command.scene is not None:
        scene = scenes.mapping_frames(command.scene)
        return scene.frames[: command.frames], scenes.query_frames(command.scene), float(scene.metric)
    path = command.out / f"rooms{command.rooms}"
    folder = scenes.made(path, lambda path: make_building(path, rooms=command.rooms, workers=2))
    plan = BuildingPlan.load(folder)
    frames = scenes.mapping_frames(folder).frames[: command.frames]
    later = {plan.frames[frame.name] for frame in scenes.mapping_frames(folder).frames[command.frames :]}
    seen = {plan.frames[frame.name] for frame in frames} - later  # the whole of each
    seen = {room for room in seen if not set(plan.twins_of(room)) - seen}  # one that has a twin is not known by itself
    return frames, [frame for frame in scenes.query_frames(folder) if plan.frames[frame.name] in seen], 1.0


def _mapped(frames: list[PosedFrame], folder: Path, domain: int, rate: float) -> tuple[dict[str, Any], dict[str, Path]]:
    """Seconds to both maps, and copies of them."""
    stamped = [replace(frame, stamp=10**18 + round(i * 1e9 / rate)) for i, frame in enumerate(frames)]
    write_bag(Recording("drive", stamped, metric=True), folder / "bag")
    processes = Processes(folder, domain)
    rclpy.init(domain_id=domain)
    watcher = Watcher()
    try:
        parameters = {
            "maps_dir": str(folder),
            "pose_source": "pose_stamped",
            "min_translation": 0.0,
            "min_rotation": 0.0,
        }
        processes.start("mapping_node", _CAMERA | parameters, _TOPICS)
        listened = f"{_TOPICS['image']}/compressed,{_TOPICS['camera_info']}"
        processes.wait("mapping_node", watcher.build.server_is_ready, watcher.spin)
        bag = {"bag": str(folder / "bag"), "wait_for_subscribers": listened}
        processes.start("replay_node", bag, {}, ends=True)
        processes.wait("the drive", lambda: processes.ended("replay_node"), watcher.spin, limit=3600.0)
        over = time.monotonic()
        processes.wait("the last frame", lambda: _arrived(watcher.status, len(frames), over), watcher.spin)
        figures = {"frames": watcher.status.frames_taken, "places_before": watcher.status.places_done}
        sent = watcher.build.send_goal_async(BuildMap.Goal())
        processes.wait("an answer", sent.done, watcher.spin)
        result = sent.result().get_result_async()
        maps: dict[str, Path] = {}

        def look() -> None:
            watcher.spin()
            if "first" not in maps and watcher.status.first_map_path:
                figures["first_seconds"] = time.monotonic() - over
                maps["first"] = Path(shutil.copy(watcher.status.first_map_path, folder / "first.copy"))

        processes.wait("the map", result.done, look)
        built: BuildMap.Result = result.result().result
        if built.result != BuildMap.Result.RESULT_SUCCESS:
            raise SystemExit(f"no map: {built.message}")
        figures["better_seconds"] = time.monotonic() - over
        maps["better"] = Path(built.map_path)
        processes.stop("mapping_node")
        return figures, maps
    finally:
        processes.close()
        watcher.destroy_node()
        rclpy.try_shutdown()


def _arrived(status: MappingStatus, count: int, over: float) -> bool:
    return status.frames_received >= count or time.monotonic() - over > _SILENCE


if __name__ == "__main__":
    raise SystemExit(main(tyro.cli(Command, description=__doc__)))

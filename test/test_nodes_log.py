"""Whatever a user must know is a line of the log too: answers to calls and the ends of goals are seen by one client."""

from dataclasses import replace

import pytest
from mapping import Mapping
from ros_harness import PATIENCE, Probe, Process, own_domain
from std_srvs.srv import Trigger

from ace_ros.action import AlignMap, BuildMap
from ace_ros.map.scene_map import SceneMap
from ace_ros.recordings import open_recording, write_bag
from ace_ros.srv import SaveMap


@pytest.fixture
def domain():
    with own_domain() as number:
        yield number


def test_what_is_refused_and_what_has_ended(mapped_room, domain, tmp_path):
    """By services and actions of mapping_node; each once, as a warning or as information."""
    (tmp_path / "maps").mkdir()
    SceneMap.load(mapped_room.map).save(tmp_path / "maps" / "there.safetensors")
    with Mapping(mapped_room, domain, tmp_path) as node:

        def logged(severity, text):
            def found():
                return [line for line in node.process.text().splitlines() if text in line]

            (line,) = node.probe.until(found, f"'{text}' in the log")
            assert f"[{severity}]" in line

        def ended(kind, name, **goal):
            handle = node.probe.goal(kind, f"/mapping_node/{name}", **goal)
            return node.probe.result(handle.get_result_async(), name, timeout=5 * PATIENCE).result

        for _ in range(3):
            assert node.probe.call(SaveMap, "/mapping_node/save_map").result
        logged("WARN", "the service ~/save_map did not succeed: no map was built yet")
        assert ended(BuildMap, "build_map", map_name="../up").result == BuildMap.Result.RESULT_INVALID_NAME
        logged("WARN", "~/build_map refused: ")
        node.drive(range(0, 60, 4))
        node.taken(15)
        assert ended(AlignMap, "align", map_name="there").result == AlignMap.Result.RESULT_SUCCESS
        logged("INFO", "It is known how the frames lie in")
        assert ended(AlignMap, "align", map_name="nowhere").result == AlignMap.Result.RESULT_INVALID_MAP
        logged("ERROR", "nowhere.safetensors")
        assert node.probe.call(Trigger, "/mapping_node/reset").success
        logged("INFO", "15 frames forgotten")


def test_a_replay_says_what_it_waits_for(room, domain, tmp_path):
    scene = open_recording(room, "test")
    frames = [replace(frame, stamp=10**18 + index) for index, frame in enumerate(scene.frames[:2])]
    write_bag(replace(scene, frames=frames), tmp_path / "bag")
    topic = "/camera/image_raw/compressed"
    settings = {"bag": str(tmp_path / "bag"), "wait_for_subscribers": topic, "wait_timeout": 0.0}
    process, probe = Process("replay_node", domain, tmp_path / "replay.log", settings), Probe(domain)
    try:
        probe.until(lambda: f"waiting for a subscriber to {topic}" in process.text(), "a word")
        probe.spin(1.0)
        assert process.text().count("waiting for") == 1 and "playing" not in process.text()
    finally:
        assert process.interrupt() == 0
        probe.close()

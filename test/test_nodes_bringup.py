"""Map, then localize at once: mapping_node and localization_node side by side, as bringup.launch.py starts them."""

import itertools
import time

import pytest
from drive import BASE_FROM_CAMERA, Drifting, Rover, moved
from localizing import near
from rclpy.time import Time
from ros_harness import Probe, Process, own_domain
from tf2_msgs.msg import TFMessage

from ace_ros.action import BuildMap
from ace_ros.errors import InputError
from ace_ros.geometry import invert
from ace_ros.msg import LocalizationStatus as Status
from ace_ros.msg import MappingStatus
from ace_ros.nodes.awaited_map import AwaitedMap
from ace_ros.nodes.bringup import file_of, frames, mapping_wanted, parameter_in
from ace_ros.nodes.conversions import nanoseconds, transform_matrix
from ace_ros.nodes.options import LocalizationNodeOptions

STATIC = {"image_transport": "compressed", "image_reliability": "reliable", "threads": 1}
REMAPS = {"image": "/camera/image", "camera_info": "/camera/camera_info"}


@pytest.fixture
def domain():
    with own_domain() as number:
        yield number


def test_a_map_that_is_awaited_is_tried_once_it_is_whole_and_again_when_it_is_another(tmp_path):
    awaited, file = AwaitedMap(), tmp_path / "office.safetensors"
    options = LocalizationNodeOptions(map="office", maps_dir=tmp_path, wait_for_map=True)
    assert "give the map" in awaited.look(LocalizationNodeOptions(wait_for_map=True))
    assert awaited.look(options) == f"waiting for the map {file}: it is not built yet"
    file.write_bytes(b"half")
    assert awaited.look(options) == f"{file} is there: waiting for it to be whole, it may still be copied"
    assert awaited.look(options) == ""
    assert "can't be used, see the log" in awaited.look(options) and awaited.look(options)
    file.write_bytes(b"another one")
    assert awaited.look(options) and awaited.look(options) == ""
    awaited.forget()
    assert awaited.look(options) and awaited.look(options) == ""


def test_what_bringup_decides(tmp_path):
    file, params = tmp_path / "office.safetensors", tmp_path / "mine.yaml"
    given = {"map": "office", "maps_dir": str(tmp_path), "localization_params_file": str(params)}
    assert file_of(given) == file and mapping_wanted("auto", file)
    assert mapping_wanted("true", file) and not mapping_wanted("false", file)
    file.touch()
    assert not mapping_wanted("auto", file) and mapping_wanted("true", file)
    params.write_text(f"/robot/localization_node:\n  ros__parameters: {{maps_dir: {tmp_path}}}\nother: 7\n")
    assert file_of(given | {"maps_dir": ""}) == file
    params.write_text("a: [")
    assert parameter_in(params, "localization_node", "maps_dir") is None
    with pytest.raises(InputError, match="leads out"):
        file_of(given | {"map": "../office"})
    assert frames("", "") == ("", "") and frames("map2", "") == ("map2", "map2")
    assert frames("", "odom") == ("odom", "map") and frames("map2", "odom") == ("odom", "map2")


class Robot:
    """A robot with a camera, wheels whose odometry drifts, and a SLAM that knows better while it runs."""

    def __init__(self, room, domain, folder):
        self.room, self.domain, self.folder = room, domain, folder
        self.probe = Probe(domain)
        self.rover, self.odom, self.slam = Rover(self.probe, compressed=True), Drifting(), True
        self.odom.odom_from_base = moved(x=3.0, yaw=40.0)  # the wheels began to count elsewhere
        self.buffer = self.probe.listen_to_tf()
        self.tf = self.probe.hear(TFMessage, "/tf")
        self.mapping = self.probe.hear(MappingStatus, "/mapping_node/status")
        self.statuses = self.probe.hear(Status, "/localization_node/status")
        self.sent = set()  # stamps of the SLAM
        self.way = itertools.cycle([*range(0, 100, 2), *range(98, 0, -2)])  # there and back
        self.processes = {}

    def start(self, name, **parameters):
        log = self.folder / f"{name}{len(self.processes)}.log"
        settings = STATIC | {"maps_dir": str(self.folder / "maps")} | parameters
        self.processes[name] = Process(name, self.domain, log, settings, REMAPS)
        self.probe.needed.append(self.processes[name])

    def stop(self, name):
        process = self.processes.pop(name)
        self.probe.needed.remove(process)
        assert process.interrupt() == 0
        assert "Traceback" not in process.text()

    def go_on(self):
        """The next frame of the mapping drive; its stamp and the true pose of the base."""
        pixels, camera, map_from_camera = self.room.mapping[next(self.way)]
        stamp, base = time.time_ns(), map_from_camera @ invert(BASE_FROM_CAMERA)
        odom_from_base = self.odom.follow(base)
        self.rover.send_tf("odom", "base_link", odom_from_base, stamp)
        if self.slam:
            self.rover.send_tf("map", "odom", base @ invert(odom_from_base), stamp)
            self.sent.add(stamp)
        self.rover.send(pixels, camera, stamp)
        self.probe.spin(0.2)
        return stamp, base

    def localized(self, frames, condition):
        """Drive until a frame is localized as ``condition`` wants it; its stamp, true pose and status."""
        for _ in range(frames):
            stamp, base = self.go_on()
            found = [m for m in self.statuses if nanoseconds(m.header.stamp) == stamp and m.processing_time > 0]
            if found and found[-1].state == Status.STATE_LOCALIZED and condition(found[-1]):
                return stamp, base, found[-1]
        raise AssertionError([(m.state, m.reason) for m in self.statuses[-3:]])

    def corrections(self):
        """map -> odom that was not the SLAM's."""
        return [
            t for m in self.tf for t in m.transforms
            if t.child_frame_id == "odom" and nanoseconds(t.header.stamp) not in self.sent
        ]  # fmt: skip


def test_from_the_drive_to_being_localized_in_its_map_without_a_restart(mapped_room, domain, tmp_path):
    robot = Robot(mapped_room, domain, tmp_path)
    probe = robot.probe
    try:
        robot.start("mapping_node", map_name="office", keep_collecting=False, steps=200, tf_timeout=5.0)
        robot.start("localization_node", map="office", wait_for_map=True, max_age=0.0, tf_timeout=1.0)
        words = f"waiting for the map {tmp_path / 'maps' / 'office.safetensors'}: it is not built yet"
        probe.until(lambda: robot.statuses and robot.statuses[-1].reason == words, "the word that it waits")
        assert robot.statuses[-1].state == Status.STATE_INACTIVE
        probe.subscribed(robot.rover.images)
        robot.rover.mount_camera()
        for _ in range(60):
            robot.go_on()
        probe.until(lambda: robot.mapping[-1].frames_taken >= 45, "the frames to be taken")
        handle = probe.goal(BuildMap, "/mapping_node/build_map")
        result = probe.result(handle.get_result_async(), "the map", timeout=300.0).result
        assert result.result == BuildMap.Result.RESULT_SUCCESS, result.message
        taken = robot.mapping[-1].frames_taken
        probe.until(lambda: robot.rover.images.get_subscription_count() == 2, "localization_node to begin")

        # The SLAM still runs: it is localized, and leaves map -> odom to it.
        robot.localized(60, lambda m: m.map_id == result.map_id)
        _, _, status = robot.localized(60, lambda m: m.reason)
        assert status.reason_code == Status.REASON_TF_CONFLICT and "map -> odom" in status.reason
        assert not robot.corrections()

        robot.slam = False
        _, _, status = robot.localized(100, lambda m: not m.reason)
        assert robot.corrections() and status.map_name == "office"
        for _ in range(5):
            stamp, base = robot.go_on()
            probe.until(
                lambda stamp=stamp: robot.buffer.can_transform("map", "base_link", Time(nanoseconds=stamp)), "TF"
            )
            found = robot.buffer.lookup_transform("map", "base_link", Time(nanoseconds=stamp)).transform
            assert near(transform_matrix(found, ""), base, (0.1, 3.0))
        assert robot.mapping[-1].frames_taken == taken  # none with poses by its own map

        robot.stop("mapping_node")
        robot.stop("localization_node")
        seen = len(robot.statuses)
        robot.start("localization_node", map="office", wait_for_map=True, max_age=0.0)  # a later day
        robot.localized(100, lambda m: not m.reason)
        assert not any("waiting for the map" in m.reason for m in robot.statuses[seen:])
        robot.stop("localization_node")
    finally:
        for process in robot.processes.values():
            print(process.text())
            process.process.kill()
        probe.close()

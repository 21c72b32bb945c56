"""replay_node over DDS: every message as it was recorded, with /clock, once or for ever; and what it can't play."""

from dataclasses import replace

import pytest
from geometry_msgs.msg import PoseStamped
from ros_harness import Probe, Process, own_domain
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage
from tf2_msgs.msg import TFMessage

from ace_ros.nodes.conversions import nanoseconds
from ace_ros.recordings import open_recording, write_bag

START = 10**18


@pytest.fixture(scope="module")
def bag(room, tmp_path_factory):
    """Ten frames at 30 Hz."""
    scene = open_recording(room, "test")
    frames = [replace(frame, stamp=START + index * 10**9 // 30) for index, frame in enumerate(scene.frames[:10])]
    path = tmp_path_factory.mktemp("replay") / "bag"
    write_bag(replace(scene, frames=frames), path)
    return path, frames


@pytest.fixture
def domain():
    with own_domain() as number:
        yield number


def stamps(messages):
    return [nanoseconds(message.header.stamp) for message in messages]


@pytest.mark.parametrize("looped", [False, True])
def test_a_bag_is_played(bag, domain, tmp_path, looped):
    path, frames = bag
    probe = Probe(domain)
    images = probe.hear(CompressedImage, "/camera/image_raw/compressed")
    poses, tf = probe.hear(PoseStamped, "/camera/pose"), probe.hear(TFMessage, "/tf")
    clock = probe.hear(Clock, "/clock")
    settings = {
        "bag": str(path),
        "wait_for_subscribers": "/camera/image_raw/compressed,/camera/pose,/tf,/clock",
        "start_delay": 1.0,
        "rate": 1.0,
        "loop": looped,
    }
    process = Process("replay_node", domain, tmp_path / "replay.log", settings)
    try:
        recorded = [frame.stamp for frame in frames]
        if looped:
            probe.until(lambda: len(images) >= 25, "two rounds and a half")
            assert process.interrupt() == 0
            assert stamps(images)[:20] == recorded + recorded
        else:
            probe.until(lambda: process.process.poll() is not None, "the end")
            probe.until(lambda: len(images) == 10 and len(poses) == 10 and len(tf) == 10, "the last messages")
            probe.until(lambda: clock[-1].clock == images[-1].header.stamp, "the last of /clock")
            assert process.wait() == 0 and "40 messages" in process.text()
            assert stamps(images) == stamps(poses) == recorded
            assert all(image.header.frame_id == "camera_optical_frame" and len(image.data) > 1000 for image in images)
            times = [message.clock.sec * 10**9 + message.clock.nanosec for message in clock]
            assert times == sorted(times)
            assert set(times) >= set(recorded) and len(set(times)) > len(recorded)  # and in between
    finally:
        process.interrupt()
        probe.close()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"bag": ""}, "parameter bag"),
        ({"bag": "/nowhere/bag"}, "/nowhere/bag"),
        ({"bag": "EMPTY"}, "EMPTY"),
        ({"bag": "BAG", "topics": "/nothing"}, "/nothing"),
        ({"bag": "BAG", "wait_for_subscribers": "/camera/pose", "wait_timeout": 0.2}, "no subscriber to /camera/pose"),
        ({"bag": "BAG", "wait_for_subscribers": "/clock", "clock": False}, "no topic /clock"),
        ({"bag": "BAG", "rate": 0.0}, "rate"),
        ({"bag": "BAG", "start_offset": 5.0, "loop": True}, "nothing to play"),
    ],
)
def test_what_cannot_be_played_is_told(bag, domain, tmp_path, settings, words):
    (tmp_path / "empty").mkdir()
    places = {"BAG": str(bag[0]), "EMPTY": str(tmp_path / "empty")}
    settings = settings | {"bag": places.get(settings["bag"], settings["bag"])}
    process = Process("replay_node", domain, tmp_path / "replay.log", settings)
    assert process.wait() == 1
    assert places.get(words, words) in process.text() and "Traceback" not in process.text()


def test_a_topic_that_is_named_twice_waits_for_two(bag, domain, tmp_path):
    probe = Probe(domain)
    poses = probe.hear(PoseStamped, "/camera/pose")
    twice = {"bag": str(bag[0]), "wait_for_subscribers": "/camera/pose,/camera/pose"}
    one = Process("replay_node", domain, tmp_path / "one.log", {**twice, "wait_timeout": 3.0})
    started = [one]
    try:
        probe.until(lambda: one.process.poll() is not None, "the end of its patience")
        assert "no subscriber to /camera/pose (2 of them) within 3 s" in one.text() and not poses
        probe.hear(PoseStamped, "/camera/pose")
        started.append(two := Process("replay_node", domain, tmp_path / "two.log", twice))
        probe.until(lambda: two.process.poll() is not None, "the end")
        probe.until(lambda: len(poses) == 20, "every pose, twice")
    finally:
        for process in started:
            process.interrupt()
        probe.close()

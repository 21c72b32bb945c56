"""A recording through the nodes, over DDS: `ace evaluate --live`, and the launch file where launch is to be had."""

import json
import os
import shutil
import subprocess
import time

import pytest
from ace_command import ace, refused, succeeded
from drive import BASE_FROM_CAMERA, Drifting
from ros_harness import PATIENCE, Process, own_domain
from scene_making import BagMaker

from ace_ros.geometry import invert

START = 10**18
QUERIES = 40


@pytest.fixture
def domain():
    with own_domain() as number:
        yield number


@pytest.fixture(scope="module")
def drive(mapped_room, tmp_path_factory):
    """A robot's bag: raw images, odometry that drifts, the camera mounted on a base, and where the base truly was."""
    return robots_bag(tmp_path_factory.mktemp("live") / "drive", mapped_room.queries[:QUERIES])


def robots_bag(path, frames):
    odometry = Drifting()
    with BagMaker(path, "sqlite3") as bag:
        bag.tf(START, "base_link", "camera", BASE_FROM_CAMERA, static=True)
        for index, (pixels, camera, map_from_camera) in enumerate(frames):
            stamp = START + index * 10**9 // 15
            base = map_from_camera @ invert(BASE_FROM_CAMERA)
            bag.tf(stamp, "odom", "base_link", odometry.follow(base))
            bag.pose(stamp, base, topic="/truth")
            bag.info(stamp, camera)
            bag.raw(stamp, pixels, "rgb8")
    return path


def check(figures, played):
    """The sums are right, and every pose that came is good; how many frames came is up to the machine."""
    live = figures["live"]
    assert live["frames_played"] == played
    assert live["frames_received"] + live["frames_not_received"] == played
    assert live["frames_processed"] >= figures["frames"] == sum(figures[s] for s in ("localized", "uncertain", "lost"))
    assert live["poses"] == figures["localized"] == live["frames_localized"] > 0 and figures["false_confident"] == 0
    assert live["latency_ms"]["median"] > 0 and live["tf"]["known"] > 0, live


def test_a_folder_of_images_as_a_robot_would_meet_it(mapped_room, room, domain, tmp_path):
    written = ("--json", tmp_path / "live.json", "--report", tmp_path / "out", "--logs", tmp_path / "logs")
    done = ace("evaluate", mapped_room.map, room, "--live", "--ros-domain", domain, "--replay-rate", 0.5, *written)
    succeeded(done)
    figures = json.loads((tmp_path / "live.json").read_text())
    check(figures, len(mapped_room.queries))
    assert figures["live"]["rate"] == 0.5 and figures["recall"]["5cm_5deg"] >= 0.8
    text = done.stdout
    assert "images played, worked on" in text and "age of a pose at publication" in text and "report:" in text
    data = json.loads((tmp_path / "out" / "report.html").read_text().split('id="data">')[1].split("</script>")[0])
    assert data["figures"]["live"] == figures["live"] and any(frame["age"] is not None for frame in data["frames"])
    offline = tmp_path / "offline.json"
    succeeded(ace("evaluate", mapped_room.map, room, "--json", offline))
    assert set(figures) == set(json.loads(offline.read_text())) | {"live"}
    for node in ("evaluation_node", "localization_node", "replay_node"):
        assert "Traceback" not in (tmp_path / "logs" / f"{node}.log").read_text()


def test_a_robots_bag_with_odometry(mapped_room, drive, domain, tmp_path):
    """Poses of the base are judged as those of the camera; TF comes from map -> odom and the bag's own odometry."""
    bag = ("evaluate", mapped_room.map, drive, "--split", "all", "--json", tmp_path / "live.json")
    succeeded(ace(*bag, "--live", "--ros-domain", domain, "--replay-rate", 0.3))
    check(json.loads((tmp_path / "live.json").read_text()), QUERIES)


def test_frames_that_the_map_was_made_from_are_played_but_not_scored(mapped_room, domain, tmp_path):
    mapped, others = mapped_room.mapping[:20:2], mapped_room.queries[:10]  # its map is made of every other frame
    # By turns, so that a slow machine, which works on a few of them only, meets both.
    bag = robots_bag(tmp_path / "drive", [frame for pair in zip(mapped, others, strict=True) for frame in pair])
    scored = ("evaluate", mapped_room.map, bag, "--split", "all", "--json", tmp_path / "live.json")
    done = succeeded(ace(*scored, "--live", "--ros-domain", domain, "--replay-rate", 0.1))
    figures = json.loads((tmp_path / "live.json").read_text())
    assert 0 < figures["left_out_mapped"] <= 10 and 0 < figures["frames"] <= 10
    assert figures["live"]["frames_processed"] >= figures["left_out_mapped"] + figures["frames"]
    said = f"{figures['left_out_mapped']} frames that the map was made from were left out"
    assert said in " ".join(done.stderr.split())


def test_what_cannot_be_played_is_told(mapped_room, room, tmp_path):
    here = ("evaluate", mapped_room.map, room)
    refused(ace(*here, "--live", "--keypoints", 300), "--keypoints is no option of localization_node")
    refused(ace(*here, "--live", "--replay-rate", 0), "--replay-rate")
    refused(ace(*here, "--live", "--recorded", "r.jsonl"), "exclude each other")
    refused(ace(*here, "--recorded", tmp_path / "r.jsonl"), "no such record")


@pytest.mark.parametrize(
    ("settings", "words"),
    [({}, "parameter record: name the file"), ({"record": "/nowhere/r.jsonl"}, "/nowhere"), ({"quiet": 0.0}, "quiet")],
)
def test_the_recorder_says_what_is_wrong(domain, tmp_path, settings, words):
    process = Process("evaluation_node", domain, tmp_path / "recorder.log", settings)
    assert process.wait() == 1
    assert words in process.text() and "Traceback" not in process.text()


def test_the_recorder_ends_by_ctrl_c_with_a_record_that_is_whole(domain, tmp_path):
    record = tmp_path / "record.jsonl"
    process = Process("evaluation_node", domain, tmp_path / "recorder.log", {"record": str(record)})
    growing = record.with_name("record.jsonl.part")
    deadline = time.monotonic() + PATIENCE
    while "recording what" not in process.text():
        assert process.process.poll() is None and time.monotonic() < deadline, process.text()
        time.sleep(0.05)
    assert process.interrupt() == 0, process.text()
    assert json.loads(record.read_text()) == {"kind": "end"} and not growing.exists()


def test_the_launch_file(mapped_room, room, domain, tmp_path):
    pytest.importorskip("launch_ros")
    if not shutil.which("ros2"):
        pytest.skip("there is no ros2 command")
    command = ["ros2", "launch", "ace_ros", "evaluate.launch.py", f"bag:={room}", f"map:={mapped_room.map}"]
    environment = {**os.environ, "ROS_DOMAIN_ID": str(domain)}
    command += [f"json:={tmp_path / 'live.json'}", "rate:=0.5"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    check(json.loads((tmp_path / "live.json").read_text()), len(mapped_room.queries))

"""mapping_node and time: clocks that jump back, bags that are played again, poses that come when no image does."""

import numpy as np
import pytest
from drive import BASE_FROM_CAMERA
from mapping import COUNTERS, Mapping
from ros_harness import own_domain
from rosgraph_msgs.msg import Clock

from ace_ros.geometry import invert
from ace_ros.nodes.conversions import time_message
from ace_ros.recordings.trajectory import Trajectory

FRAME = 33_333_333  # ns
START = 1_000_000_000_000


@pytest.fixture
def domain():
    with own_domain() as number:
        yield number


def taken(node, count):
    node.probe.until(lambda: node.since_ready("frames_taken") + sum(rejected(node).values()) >= count, "all frames")
    assert node.since_ready("frames_taken") >= count, (rejected(node), node.statuses[-1].advice)


def rejected(node):
    return {name: node.since_ready(name) for name in COUNTERS if name.startswith("rejected_")}


@pytest.mark.parametrize(("source", "simulated"), [("tf", True), ("odometry", True), ("pose_stamped", False)])
def test_a_bag_that_is_played_again(mapped_room, domain, tmp_path, source, simulated):
    """With /clock and without: the second round is taken as the first."""
    frame = "odom" if source == "odometry" else "map"
    with Mapping(
        mapped_room, domain, tmp_path, pose_source=source, map_frame=frame, use_sim_time=simulated, now=START
    ) as node:
        clock = node.probe.create_publisher(Clock, "/clock", 10)

        def round_of(indices, begin):
            for number, index in enumerate(indices):
                stamp = begin + number * FRAME
                if simulated:
                    clock.publish(Clock(clock=time_message(stamp)))
                    node.probe.spin(0.05)
                before = node.statuses[-1].frames_received
                node.send(index, stamp=stamp)
                node.probe.until(lambda before=before: node.statuses[-1].frames_received > before, "the frame")

        begin = node.stamp + 60_000_000_000
        round_of(range(0, 40, 4), begin)
        taken(node, 10)
        round_of([1, 2, 3], begin - 50_000_000_000)  # the first of these may be lost to the jump
        node.probe.until(lambda: "are forgotten" in node.process.text(), "a word in the log")
        node.probe.spin(2.0)
        node.settled()
        node.before = node.statuses[-1]
        round_of(range(2, 42, 4), begin - 49_000_000_000)
        taken(node, 10)


def test_odometry_at_20_hz_serves_every_image_at_30_hz(mapped_room, domain, tmp_path):
    """Interpolated, also where sync_slop is 0; none is taken as it is."""
    poses = [pose @ invert(BASE_FROM_CAMERA) for _, _, pose in mapped_room.mapping[:40]]
    patient = {"sync_slop": 0.0, "tf_timeout": 10.0}  # whatever else the machine has to do
    with Mapping(mapped_room, domain, tmp_path, pose_source="odometry", map_frame="odom", **patient) as node:
        start = node.stamp + 10**9
        stamps = [start + index * FRAME for index in range(len(poses))]
        truth = Trajectory(np.array(stamps), np.array(poses))
        ticks = list(range(start - 5_000_000, stamps[-1], 50_000_000))[1:]
        moving = truth.at(ticks, 1.0)
        for index, stamp in enumerate(stamps[2:-2], 2):
            while ticks and ticks[0] < stamp + 20_000_000:
                node.rover.send_odometry(moving.pop(0), ticks.pop(0))
            pixels, camera, _ = mapped_room.mapping[index]
            node.rover.send(pixels, camera, stamp)
            node.probe.spin(0.05)
        for tick, pose in zip(ticks, moving, strict=True):
            node.rover.send_odometry(pose, tick)
        taken(node, len(stamps) - 4)

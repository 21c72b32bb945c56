"""evaluation_node by itself: what it records when a bag is played again, and what it says in the log."""

import json

import numpy as np
import pytest
from drive import camera_info, transform
from geometry_msgs.msg import PoseWithCovarianceStamped
from ros_harness import NodeUnderTest, Probe, Process, own_domain
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo
from tf2_msgs.msg import TFMessage

from ace_ros.camera import Camera
from ace_ros.live.record import lines, read_record
from ace_ros.msg import LocalizationStatus as Status
from ace_ros.nodes.conversions import pose_message, time_message

FRAME = 33_333_333  # ns
START = 10**18
CAMERA = Camera(640, 480, 500.0, 500.0, 320.0, 240.0)


@pytest.fixture
def domain():
    with own_domain() as number:
        yield number


class Recording(NodeUnderTest):
    """The node in a process, and beside it whatever a localizer and a player publish."""

    def __init__(self, domain, folder, simulated):
        self.probe, self.simulated, self.record = Probe(domain), simulated, folder / "record.jsonl"
        self.status = self.probe.create_publisher(Status, "/localization_node/status", 10)
        self.pose = self.probe.create_publisher(
            PoseWithCovarianceStamped, "/localization_node/pose_with_covariance", 10
        )
        self.info = self.probe.create_publisher(CameraInfo, "/camera_info", 10)
        self.clock = self.probe.create_publisher(Clock, "/clock", 10)
        self.tf = self.probe.create_publisher(TFMessage, "/tf", 100)
        settings = {"record": str(self.record), "camera_frame": "camera", "use_sim_time": simulated, "quiet": 600.0}
        self.process = Process("evaluation_node", domain, folder / "recording.log", settings)
        self.probe.needed.append(self.process)

    def _ready(self):
        for publisher in (self.status, self.pose, self.info, self.tf, *([self.clock] if self.simulated else ())):
            self.probe.subscribed(publisher)
        self.probe.spin(0.5)
        return self

    def frame(self, stamp, x, tf=True):
        """An image was on its way, and became a pose."""
        if self.simulated:
            self.clock.publish(Clock(clock=time_message(stamp)))
        where = np.eye(4)
        where[0, 3] = x
        self.info.publish(camera_info(CAMERA, stamp))
        self.probe.spin(0.05)
        pose = PoseWithCovarianceStamped()
        pose.header.stamp = time_message(stamp)
        pose.pose.pose = pose_message(where)
        self.pose.publish(pose)
        status = Status(state=Status.STATE_LOCALIZED, latency=0.01)
        status.header.stamp, status.header.frame_id = pose.header.stamp, "map"
        self.last = status
        self.status.publish(status)
        self.status.publish(status)  # the same once more, as where nothing new comes
        if tf:
            self.tf.publish(TFMessage(transforms=[transform("map", "camera", where, stamp)]))
        kinds = ("frame", "pose", "tf")[: 2 + tf]
        self.probe.until(
            lambda: {(kind, stamp) for kind in kinds} <= {(line["kind"], line.get("stamp")) for line in self.lines()},
            f"the record of the frame at {stamp}",
        )

    def lines(self):
        return list(lines(self.record.with_name("record.jsonl.part").read_text()))


@pytest.mark.parametrize("simulated", [True, False])
def test_a_bag_that_is_played_again(domain, tmp_path, simulated):
    """With /clock and without: of an image that was played twice the second time counts, with its pose from TF."""
    stamps = [START + index * FRAME for index in range(100, 110)]
    with Recording(domain, tmp_path, simulated) as recording:
        for stamp in stamps:
            recording.frame(stamp, 1.0)
        if simulated:
            recording.clock.publish(Clock(clock=time_message(START)))
        else:
            recording.frame(START, 2.0, tf=False)  # what TF knew of it is gone before long
        said = "time jumped by" if simulated else "stamps of the images went back"
        recording.probe.until(lambda: said in recording.process.text(), "a word in the log")
        first = len(recording.lines())
        recording.status.publish(recording.last)  # said again, after the clock has jumped
        for stamp in stamps:
            recording.frame(stamp, 2.0)
            recording.probe.until(
                lambda stamp=stamp: (
                    {("frame", stamp), ("pose", stamp), ("tf", stamp)}
                    <= {(line["kind"], line.get("stamp")) for line in recording.lines()[first:]}
                ),
                "the frame once more",
            )
        assert recording.process.text().count(said) == 1
        assert recording.process.interrupt() == 0
    record = read_record(recording.record)
    assert set(stamps) <= set(record.frames)
    for stamp in stamps:
        assert record.poses[stamp][0][0, 3] == record.transforms[stamp][0, 3] == 2.0
        assert 0 < record.ages[stamp] < 1.0
    frames = [json.loads(line)["stamp"] for line in recording.record.read_text().splitlines() if '"frame"' in line]
    assert [stamp for stamp in frames if stamp in stamps] == stamps * 2  # and no repeated status


def test_tf_that_never_comes_is_told(domain, tmp_path):
    with Recording(domain, tmp_path, simulated=False) as recording:
        for index in range(3):
            recording.frame(START + index * FRAME, 0.0, tf=False)
        said = "3 frames are recorded without a pose from TF so far: TF has no map <- camera"
        recording.probe.until(lambda: said in recording.process.text(), "a warning")

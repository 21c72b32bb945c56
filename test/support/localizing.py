"""A localization_node at work, with a rover that drives its camera through the mapped room."""

from __future__ import annotations

import math
import time

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from drive import BASE_FROM_CAMERA, RELIABLE, Drifting, Rover
from geometry_msgs.msg import PoseStamped, PoseWithCovarianceStamped
from rclpy.time import Time
from ros_harness import NodeUnderTest, Probe, Process
from rosgraph_msgs.msg import Clock
from tf2_msgs.msg import TFMessage

from ace_ros.geometry import invert, pose_error
from ace_ros.msg import LocalizationStatus as Status
from ace_ros.nodes.conversions import nanoseconds, pose_matrix, time_message, transform_matrix

FRAME = 33_333_333  # ns between images
NEAR = (0.05, 2.0)  # m, degrees


def near(estimate, truth, limit=NEAR):
    """Whether a pose is where it should be."""
    translation, rotation = pose_error(estimate, truth)
    return translation < limit[0] and rotation < limit[1]


def base_pose(map_from_camera):
    return map_from_camera @ invert(BASE_FROM_CAMERA)


class Localizing(NodeUnderTest):
    """The node in a process, what it says, and frames for it; each frame is sent and then waited for."""

    def __init__(
        self,
        room,
        domain,
        folder,
        namespace="",
        odometry=True,
        simulated=False,
        topic="/camera",
        qos=RELIABLE,
        start=Process,
        own_tf=False,
        remaps=None,
        **parameters,
    ):
        self.room, self.simulated, self.odometry, self.parameters = room, simulated, odometry, parameters
        tf = {"/tf": f"{namespace}/tf", "/tf_static": f"{namespace}/tf_static"} if own_tf else {}
        self.probe = Probe(domain, remaps=tf)
        # Raw images of this size are too much for Fast DDS's shared memory, and what is lost takes TF along with it.
        parameters.setdefault("image_transport", "compressed")
        self.rover = Rover(self.probe, topic, compressed=parameters["image_transport"] == "compressed", qos=qos)
        self.odom = Drifting()
        self.sent = 0  # images
        self.stamp = 1_000_000_000_000 if simulated else 0
        self.clock = self.probe.create_publisher(Clock, "/clock", 10)
        name = f"{namespace}/localization_node"
        self.statuses = self.probe.hear(Status, f"{name}/status")
        self.poses = self.probe.hear(PoseStamped, f"{name}/pose")
        self.covariances = self.probe.hear(PoseWithCovarianceStamped, f"{name}/pose_with_covariance")
        self.initial = self.probe.hear(PoseWithCovarianceStamped, f"{namespace}/initialpose")
        self.diagnostics = self.probe.hear(DiagnosticArray, "/diagnostics")
        self.tf = self.probe.hear(TFMessage, "/tf")
        self.buffer = self.probe.listen_to_tf()
        settings = {
            "map": str(room.map), "maps_dir": str(room.map.parent), "image_reliability": "reliable", "max_age": 0.0,
            "tf_timeout": 2.0, "use_sim_time": simulated, "threads": 1,
        }  # fmt: skip
        remaps = {"image": f"{topic}/image", "camera_info": f"{topic}/camera_info"} | tf | (remaps or {})
        self.name = name
        log = folder / f"localization{namespace.replace('/', '_')}.log"
        self.process = start("localization_node", domain, log, settings | parameters, remaps, namespace)
        self.probe.needed.append(self.process)

    def __enter__(self):
        return super().__enter__() if self.parameters.get("autostart", True) else self

    def _ready(self):
        """Stand still at the first frame until all topics are through: a publisher hears of a subscriber earlier. Only
        where that one view leaves a doubt, drive on a little."""
        self.probe.subscribed(self.rover.images)
        self.probe.subscribed(self.rover.infos)
        if self.parameters.get("tf_mode") != "map_to_camera":
            self.rover.mount_camera()
        patience, index = 0.1, 0

        def localized():
            nonlocal patience, index
            patience = min(1.5 * patience, 3.0)  # a busy machine takes its time, and what was sent too early is lost
            stamp, end = self.send(index), time.monotonic() + patience
            self.probe.until(lambda: self.status_of(stamp) or time.monotonic() > end)
            status = self.status_of(stamp)
            if status is None or status.state != Status.STATE_LOCALIZED:
                index += status is not None and status.reason_code == Status.REASON_UNCONFIRMED
                return False
            if not self.odometry or self.parameters.get("tf_mode", "map_to_odom") != "map_to_odom":
                return True
            corrections = self.corrections()  # TF is dated ahead, and answers for no time before the first
            return not status.reason and corrections and nanoseconds(corrections[0].header.stamp) < stamp

        self.probe.until(localized, "the first pose")
        return self

    def far_from(self, index):
        """A frame that was taken far from frame ``index``, with a dozen frames after it."""
        truths = [self.truth(other) for other in range(len(self.room.queries) - 12)]
        distances = [np.linalg.norm(truth[:3, 3] - self.truth(index)[:3, 3]) for truth in truths]
        assert max(distances) > 0.4
        return int(np.argmax(distances))

    def next_stamp(self):
        self.stamp = self.stamp + FRAME if self.simulated else max(time.time_ns(), self.stamp + 1)
        if self.simulated:
            self.clock.publish(Clock(clock=time_message(self.stamp)))
        return self.stamp

    def send(self, index, odometry=None):
        """Send frame ``index`` of the room's queries with odometry for it; returns its stamp."""
        pixels, camera, map_from_camera = self.room.queries[index]
        stamp = self.next_stamp()
        if self.odometry:
            odom_from_base = self.odom.follow(base_pose(map_from_camera)) if odometry is None else odometry
            self.rover.send_tf("odom", "base_link", odom_from_base, stamp)
        self.rover.send(pixels, camera, stamp)
        self.sent += 1
        return stamp

    def frame(self, index, **more):
        """Send a frame and wait for what became of it; returns its status."""
        return self.answer(self.send(index, **more))

    def frame_if_any(self, index):
        """Send a frame that may get lost; its stamp if it is localized within a moment."""
        stamp = self.send(index)
        self.probe.spin(0.3)
        status = self.status_of(stamp)
        return stamp if status and status.state == Status.STATE_LOCALIZED else 0

    def answer(self, stamp):
        return self.probe.until(lambda: self.status_of(stamp), f"status of the frame at {stamp}")

    def status_of(self, stamp):
        """The status about the image of that stamp."""
        for message in reversed(self.statuses):
            if nanoseconds(message.header.stamp) == stamp and not math.isnan(message.latency):
                return message
        return None

    def pose_of(self, stamp):
        """Published pose of the image of that stamp, (4, 4); waits for it."""

        def find():
            return next((m for m in reversed(self.poses) if nanoseconds(m.header.stamp) == stamp), None)

        message = self.probe.until(find, f"pose at {stamp}")
        assert message.header.frame_id == "map"
        return pose_matrix(message.pose, "pose")

    def lookup(self, target, source, stamp):
        """A transform as any other node would see it; waits for it."""
        when = Time(nanoseconds=stamp)
        try:
            self.probe.until(lambda: self.buffer.can_transform(target, source, when), f"TF {target} <- {source}")
        except AssertionError as error:
            raise AssertionError(self.buffer.can_transform(target, source, when, return_debug_tuple=True)) from error
        return transform_matrix(self.buffer.lookup_transform(target, source, when).transform, "transform")

    def corrections(self):
        """All map -> odom on /tf so far, oldest first."""
        return [t for m in self.tf for t in m.transforms if (t.header.frame_id, t.child_frame_id) == ("map", "odom")]

    def correction_from_now(self):
        """A map -> odom that was sent after now; not where time is simulated."""
        now = time.time_ns() + int(1e9 * self.parameters.get("transform_tolerance", 0.1))

        def later():
            return [t for t in self.corrections() if nanoseconds(t.header.stamp) > now]

        return self.probe.until(later, "map -> odom goes on")[0].transform

    def wait_status(self, condition, what):
        """Wait for a status of now on; returns it."""
        seen = len(self.statuses)
        found = self.probe.until(lambda: [m for m in self.statuses[seen:] if condition(m)], what)
        return found[0]

    def truth(self, index):
        return base_pose(self.room.queries[index][2])


def median_error(estimates, truths):
    """Median distance, m, and angle, degrees."""
    return np.median([pose_error(a, b) for a, b in zip(estimates, truths, strict=True)], axis=0)

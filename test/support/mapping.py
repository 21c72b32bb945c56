"""A mapping_node at work, with a rover that shows it the generated room."""

from __future__ import annotations

import time

import numpy as np
from drive import BASE_FROM_CAMERA, Rover
from ros_harness import NodeUnderTest, Probe, Process
from std_srvs.srv import Trigger

from ace_ros.action import BuildMap
from ace_ros.geometry import invert
from ace_ros.msg import MappingStatus

COUNTERS = [name for name in MappingStatus.get_fields_and_field_types() if name.startswith(("frames_", "rejected_"))]


class Mapping(NodeUnderTest):
    """The node in a process, what it says, and frames for it."""

    def __init__(self, room, domain, folder, start=Process, now=0, **parameters):
        self.room, self.maps = room, folder / "maps"
        self.probe = Probe(domain)
        self.parameters = {
            "maps_dir": str(self.maps), "map_name": "room", "steps": 30, "landmarks": 500,
            "image_transport": "compressed", "image_reliability": "reliable", "pose_source": "pose_stamped",
            "min_translation": 0.0, "min_rotation": 0.0,
        } | parameters  # fmt: skip
        self.rover = Rover(self.probe, compressed=self.parameters["image_transport"] == "compressed")
        self.statuses = self.probe.hear(MappingStatus, "/mapping_node/status")
        self.remaps = {"image": "/camera/image", "camera_info": "/camera/camera_info", "pose": "/pose", "odom": "/odom"}
        log = folder / "mapping.log"
        self.process = start("mapping_node", domain, log, self.parameters, self.remaps)
        self.probe.needed.append(self.process)
        self.now = now  # ns, where time is simulated
        self.stamp = now

    def _ready(self):
        """Show a frame again and again until all topics are through, and have that forgotten."""
        self.probe.subscribed(self.rover.images)
        self.probe.subscribed(self.rover.infos)
        self.rover.mount_camera()

        def through():
            self.send(0)
            self.probe.spin(0.2)
            return self.statuses and self.statuses[-1].frames_taken

        self.probe.until(through, "the first frame to be taken")
        self.settled()
        assert self.probe.call(Trigger, "/mapping_node/reset").success
        self.probe.until(lambda: self.statuses[-1].frames_taken == 0, "the reset")
        self.before = self.statuses[-1]
        return self

    def settled(self):
        """Wait until the counters stand still; returns the last status."""

        def counts():
            status = self.statuses[-1]
            return [status.state] + [getattr(status, name) for name in COUNTERS]

        seen = [counts()] * 2
        self.probe.until(lambda: len(self.statuses) > 1, "status")
        while len(seen) < 4 or seen[-3:] != [seen[-1]] * 3:
            now = len(self.statuses)
            self.probe.until(lambda now=now: len(self.statuses) > now, "status")
            seen.append(counts())
        return self.statuses[-1]

    def send(self, index, pose=None, stamp=0, **changes):
        """A frame of the mapping drive with its pose on all topics; returns its stamp."""
        pixels, camera, map_from_camera = self.room.mapping[index]
        self.stamp = stamp or (self.stamp + 33_333_333 if self.now else max(time.time_ns(), self.stamp + 1))
        if self.parameters["pose_source"] == "tf":
            self.rover.send_tf("map", "base_link", map_from_camera @ invert(BASE_FROM_CAMERA), self.stamp)
        self.rover.send_pose(map_from_camera if pose is None else pose, self.stamp, **changes)
        where = pose if isinstance(pose, np.ndarray) else map_from_camera
        self.rover.send_odometry(where @ invert(BASE_FROM_CAMERA), self.stamp)
        self.rover.send(pixels, camera, self.stamp)
        return self.stamp

    def drive(self, indices, **changes):
        """Frames one after the other; each is waited for."""
        for index in indices:
            count = self.statuses[-1].frames_received
            self.send(index, **changes)
            self.probe.until(lambda count=count: self.statuses[-1].frames_received > count, "the frame to arrive")

    def taken(self, count):
        return self.probe.until(
            lambda: self.statuses[-1].frames_taken >= count and self.statuses[-1], f"{count} frames to be taken"
        )

    def build(self, feedback=None, **goal):
        """Build a map; returns the result."""
        handle = self.probe.goal(BuildMap, "/mapping_node/build_map", feedback, **goal)
        return self.probe.result(handle.get_result_async(), "the map", timeout=300.0).result

    def since_ready(self, name):
        """How much a counter grew."""
        return getattr(self.statuses[-1], name) - getattr(self.before, name)


def extent(poses):
    """Least and greatest position of cameras."""
    centres = np.array([pose[:3, 3] for pose in poses])
    return centres.min(0), centres.max(0)

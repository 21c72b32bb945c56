"""A robot without ROS that drives through the small room."""

import numpy as np
from core_making import small_room
from online_making import SECOND, pose

from ace_ros.geometry import invert, pose_error
from ace_ros.online.localizing import OnlineLocalizer, OnlineOptions
from ace_ros.online.robot import MissingTransform

# The camera looks ahead, 0.2 m in front of the base and 0.4 m above it.
BASE_FROM_CAMERA = np.array([[0.0, 0, 1, 0.2], [-1, 0, 0, 0], [0, -1, 0, 0.4], [0, 0, 0, 1]])


class Rover:
    """A robot that may or may not know where its camera is, and where its wheels took it."""

    def __init__(self, mounted=True, wheels=True):
        self.mount = BASE_FROM_CAMERA if mounted else None
        self.others = {}  # mounts of other cameras, by name
        self.wheels = wheels
        self.odometry = {}  # by stamp
        self.waits = []

    def rolled(self, stamp, odom_from_base):
        if self.wheels:
            self.odometry[stamp] = odom_from_base

    def base_from_camera(self, camera, stamp, wait):
        self.waits.append(wait)
        mount = self.mount if camera == "camera" else self.others.get(camera)
        if mount is None:
            raise MissingTransform(f"nobody knows base <- {camera}")
        return mount

    def odom_from_base(self, stamp, wait):
        self.waits.append(wait)
        if stamp not in self.odometry:
            raise MissingTransform("nobody knows odom <- base")
        return self.odometry[stamp]

    def newest_odometry(self):
        if not self.odometry:
            raise MissingTransform("nobody knows odom <- base")
        newest = max(self.odometry)
        return self.odometry[newest], newest


class Driven:
    """The small room's queries, one a second; odometry has its own origin and drifts by 1 % and 1 degree a metre."""

    def __init__(self, localizer, rover=None, frames=None, corrects_odometry=True, **options):
        self.room, self.rover = small_room(), rover or Rover()
        self.online = OnlineLocalizer(localizer, self.rover, frames, OnlineOptions(**options), corrects_odometry)
        self.odom, self.last, self.stamp = pose(3.0, -1.0, yaw=50.0), None, 0

    def truth(self, index):
        return self.room.query_poses[index] @ invert(BASE_FROM_CAMERA)

    def frame(self, index, image=None, carried=False):
        """Go to query ``index``, or be carried there, and look."""
        if self.last is not None and not carried:
            step = invert(self.truth(self.last)) @ self.truth(index)
            metres = float(np.linalg.norm(step[:3, 3]))
            step[:3, 3] *= 1.01
            self.odom = self.odom @ step @ pose(yaw=metres)
        self.last, self.stamp = index, self.stamp + SECOND
        self.rover.rolled(self.stamp, self.odom)
        pixels = self.room.query_images[index] if image is None else image
        return self.online.localize(pixels, self.room.camera, self.stamp, "camera")


def near(estimate, truth, metres=0.1, degrees=2.0):
    translation, rotation = pose_error(estimate, truth)
    return translation < metres and rotation < degrees

"""Poses as messages and as TF."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped, PoseWithCovarianceStamped
from rclpy.qos import QoSProfile
from std_msgs.msg import Header

from ace_ros.geometry import Matrix, invert
from ace_ros.nodes.conversions import (
    nanoseconds,
    pose_message,
    pose_with_covariance_message,
    time_message,
)
from ace_ros.nodes.frames_tf import FrameTree, MissingTransform, OwnTransform
from ace_ros.nodes.options import LocalizationNodeOptions
from ace_ros.online.motion import Correction, planar

_LEAST_VARIANCE = 1e-6  # m^2 and rad^2: no estimate is exact, and filters divide by it


@dataclass(frozen=True)
class PlacedPose:
    """A reliable pose of one frame, and what is needed to turn it into TF.

    Attributes:
        header: stamp of the image; frame_id is the map frame.
        frame: the frame whose pose this is.
        map_from_frame, covariance: (4, 4) and (6, 6), REP 103 order.
        odom_from_base: at the stamp; None where it is not known.
        is_base: whether ``frame`` is the robot's base.
        jump: the robot was moved by hand, or this is the first pose.
    """

    header: Header
    frame: str
    map_from_frame: Matrix
    covariance: Matrix
    odom_from_base: Matrix | None
    is_base: bool
    jump: bool


def bounded_covariance(covariance: Matrix) -> Matrix:
    """Symmetric, with variances that filters can divide by."""
    clean = (covariance + covariance.T) / 2
    index = np.diag_indices(6)
    clean[index] = np.maximum(clean[index], _LEAST_VARIANCE)
    return np.asarray(clean)


def initial_covariance(covariance: Matrix) -> Matrix:
    """Diagonal, as AMCL's validator wants it (it refuses negative terms), and not too sure for a particle filter."""
    least = np.array([0.05, 0.05, 0.05, 0.02, 0.02, 0.02]) ** 2
    return np.diag(np.maximum(np.diag(covariance), least))


class PoseOutput:
    """Publishes what was found reliable. Not thread-safe: the node's lock is held around every call."""

    def __init__(self, node: Any, tree: FrameTree) -> None:
        qos = QoSProfile(depth=10)
        self._pose = node.create_lifecycle_publisher(PoseStamped, "~/pose", qos)
        self._covariance = node.create_lifecycle_publisher(PoseWithCovarianceStamped, "~/pose_with_covariance", qos)
        self._initial = node.create_lifecycle_publisher(PoseWithCovarianceStamped, "initialpose", qos)
        self._clock = node.get_clock()
        self._tree = tree
        self._own = OwnTransform(node, tree)
        self._resent, self._resent_stamp = time.monotonic(), 0
        self.configure(LocalizationNodeOptions(), "map")

    def configure(self, options: LocalizationNodeOptions, map_frame: str) -> None:
        """Start over with these options."""
        self._options, self._map_frame = options, map_frame
        self._correction = Correction(
            options.max_correction_rate, float(np.radians(options.max_correction_rotation_rate))
        )
        self._initial_due = options.publish_initialpose != "never"
        self._last_pose: int | None = None

    def forget(self) -> None:
        """Another map, or time went back: TF is silent until the next pose."""
        self._correction.forget()
        self._last_pose = None

    def rival(self, camera_frame: str = "") -> str:
        """Who else publishes the transform that :attr:`LocalizationNodeOptions.tf_mode` names; empty where nobody does.

        ``camera_frame`` is what map_to_camera is about.
        """
        options = self._options
        children = {"map_to_odom": options.odom_frame, "map_to_base": options.base_frame, "map_to_camera": camera_frame}
        child = children.get(options.tf_mode, "")
        return self._own.rival(child) if child else ""

    def publish(self, placed: PlacedPose, camera_frame: str, map_from_camera: Matrix) -> None:
        """Publish a pose on the topics, in TF, and as the initial pose when it is due."""
        pose = planar(placed.map_from_frame) if self._options.planar and placed.is_base else placed.map_from_frame
        stamped = PoseStamped(header=placed.header, pose=pose_message(pose))
        full = PoseWithCovarianceStamped(header=placed.header)
        full.pose = pose_with_covariance_message(pose, bounded_covariance(placed.covariance))
        self._pose.publish(stamped)
        self._covariance.publish(full)
        self._move_tf(placed, pose, camera_frame, map_from_camera)
        self._send_initial(placed, pose)
        if placed.jump:
            self.resend()

    def _move_tf(self, placed: PlacedPose, pose: Matrix, camera_frame: str, map_from_camera: Matrix) -> None:
        mode, stamp = self._options.tf_mode, nanoseconds(placed.header.stamp)
        if mode == "map_to_camera":
            self._own.send(self._map_frame, camera_frame, map_from_camera, stamp)
        elif mode == "map_to_base" and placed.is_base:
            self._own.send(self._map_frame, placed.frame, pose, stamp)
        elif mode == "map_to_odom" and placed.is_base and placed.odom_from_base is not None:
            odom_from_base = planar(placed.odom_from_base) if self._options.planar else placed.odom_from_base
            self._correction.measured(pose @ invert(odom_from_base), placed.jump)

    def resend(self) -> None:
        """map_to_odom: send the transform again, for the time that it is now."""
        options, now = self._options, self._clock.now().nanoseconds
        if options.tf_mode != "map_to_odom" or self._resent_stamp - 1_000_000_000 < now <= self._resent_stamp:
            return  # a simulated clock that stands still
        odom_from_base = None
        if options.max_correction_rate or options.max_correction_rotation_rate:
            with contextlib.suppress(MissingTransform):
                odom_from_base, _ = self._tree.newest(options.odom_frame, options.base_frame)
        seconds, self._resent, self._resent_stamp = time.monotonic() - self._resent, time.monotonic(), now
        map_from_odom = self._correction.step(seconds, odom_from_base)
        if map_from_odom is not None:
            stamp = now + int(options.transform_tolerance * 1e9)
            self._own.send(self._map_frame, options.odom_frame, map_from_odom, stamp)

    def _send_initial(self, placed: PlacedPose, pose: Matrix) -> None:
        stamp, mode = nanoseconds(placed.header.stamp), self._options.publish_initialpose
        lost = self._last_pose is not None and stamp - self._last_pose > self._options.lost_after * 1e9
        self._last_pose = stamp
        if mode == "when_lost" and (lost or placed.jump):
            self._initial_due = True
        if not self._initial_due or not placed.is_base:
            return
        self._initial_due = False
        message = PoseWithCovarianceStamped(header=placed.header)
        message.pose = pose_with_covariance_message(planar(pose), initial_covariance(placed.covariance))
        self._initial.publish(message)


def header(stamp: int, frame: str) -> Header:
    """Header with a stamp in ns."""
    return Header(stamp=time_message(stamp), frame_id=frame)

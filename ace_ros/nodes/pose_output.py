"""Poses as messages and as TF."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped, PoseWithCovarianceStamped
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_msgs.msg import Header

from ace_ros.geometry import Matrix
from ace_ros.nodes.conversions import pose_message, pose_with_covariance_message, time_message
from ace_ros.nodes.frames_tf import FrameTree, OwnTransform
from ace_ros.nodes.initial_pose import InitialPoses
from ace_ros.nodes.options import LocalizationNodeOptions
from ace_ros.online.motion import Correction
from ace_ros.online.placing import Placed
from ace_ros.online.robot import MissingTransform

_CLOCK_JUMP = 1_000_000_000  # ns: a simulated clock that goes back by more was set anew; set by hand


class PoseOutput:
    """Publishes what was found reliable. Not thread-safe: the node's lock is held around every call."""

    def __init__(self, node: Any, tree: FrameTree, initial: InitialPoses) -> None:
        # Latched, as AMCL's: who comes late has the last one.
        qos = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._pose = node.create_lifecycle_publisher(PoseStamped, "~/pose", qos)
        self._covariance = node.create_lifecycle_publisher(PoseWithCovarianceStamped, "~/pose_with_covariance", qos)
        self._by_image = node.create_lifecycle_publisher(PoseWithCovarianceStamped, "~/image_pose", qos)
        self._initial, self._clock = initial, node.get_clock()
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
        self._initial.use(options)

    def use(self, options: LocalizationNodeOptions) -> None:
        """Go on with these options; TF goes on where it is still wanted."""
        before, self._options = self._options, options
        self._correction.limit(options.max_correction_rate, float(np.radians(options.max_correction_rotation_rate)))
        if options.tf_mode != before.tf_mode:
            self._correction.forget()
        if (options.publish_initialpose, options.lost_after) != (before.publish_initialpose, before.lost_after):
            self._initial.use(options)

    def forget(self) -> None:
        """Another map, or time went back: TF is silent until the next pose."""
        self._correction.forget()
        self._initial.forget()

    def rival(self, camera_frame: str = "") -> str:
        """Who else publishes the transform that :attr:`LocalizationNodeOptions.tf_mode` names; empty where nobody does.

        ``camera_frame`` is what map_to_camera is about.
        """
        options = self._options
        children = {"map_to_odom": options.odom_frame, "map_to_base": options.base_frame, "map_to_camera": camera_frame}
        child = children.get(options.tf_mode, "")
        return self._own.rival(child) if child else ""

    def look_after(self) -> None:
        """Now and then: whether a rival is still there."""
        self._own.look_after()

    def publish(self, placed: Placed, camera_frame: str) -> None:
        """Publish a pose on the topics, in TF, and as the initial pose when it is due."""
        header = Header(stamp=time_message(placed.stamp), frame_id=placed.map_frame)
        self._pose.publish(PoseStamped(header=header, pose=pose_message(placed.map_from_frame)))
        self._covariance.publish(covariance_message(placed))
        self._by_image.publish(_message(header, placed.by_image, placed.image_covariance))
        self._move_tf(placed, camera_frame)
        self._initial.found(placed, header)
        if placed.jump:
            self.resend()

    def _move_tf(self, placed: Placed, camera_frame: str) -> None:
        mode = self._options.tf_mode
        if mode == "map_to_camera":
            self._own.send(self._map_frame, camera_frame, placed.map_from_frame, placed.stamp)
        elif mode == "map_to_base" and placed.is_base:
            self._own.send(self._map_frame, placed.frame, placed.map_from_frame, placed.stamp)
        elif mode == "map_to_odom" and placed.map_from_odom is not None:
            self._correction.measured(placed.map_from_odom, placed.jump)

    def resend(self) -> None:
        """map_to_odom: send the transform again, for the time that it is now."""
        options, now = self._options, self._clock.now().nanoseconds
        if options.tf_mode != "map_to_odom" or self._resent_stamp - _CLOCK_JUMP < now <= self._resent_stamp:
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


def covariance_message(placed: Placed) -> PoseWithCovarianceStamped:
    """The pose with its covariance, in its frame, at its time."""
    header = Header(stamp=time_message(placed.stamp), frame_id=placed.map_frame)
    return _message(header, placed.map_from_frame, placed.covariance)


def _message(header: Header, pose: Matrix, covariance: Matrix) -> PoseWithCovarianceStamped:
    return PoseWithCovarianceStamped(header=header, pose=pose_with_covariance_message(pose, covariance))

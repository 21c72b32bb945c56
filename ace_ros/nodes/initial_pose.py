"""The topic ``initialpose``, both ways: where other localizers are told the robot is, and where a person says it is."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseWithCovarianceStamped
from rclpy.qos import QoSProfile
from std_msgs.msg import Header

from ace_ros.errors import InputError
from ace_ros.geometry import Matrix
from ace_ros.nodes.conversions import pose_matrix, pose_with_covariance_message
from ace_ros.nodes.options import LocalizationNodeOptions
from ace_ros.online.motion import planar
from ace_ros.online.placing import InitialPose, Placed, initial_covariance

_TOPIC = "initialpose"  # as nav2, AMCL, slam_toolbox and RViz call it
_ANSWER = "amcl_pose"  # where AMCL says what it made of the initial pose
# 1 sigma, m and rad, at least, of a click on a flat map: 0.5 and 0.26 are what RViz says itself; the rest it leaves 0.
_CLICK = (0.5, 0.5, 1.0, 0.3, 0.3, 0.26)
_BORNE_OUT = 2.0  # m: so near to where the images find it, the robot was said to be; four of RViz's sigmas


class InitialPoses:
    """Tells and is told. Called under the node's lock; messages come beside it, and only set what is read as a whole.

    Args:
        node: a lifecycle node with ``map_frame``.
        hint: gets what a person said, map_from_base and its covariance (6, 6).
    """

    def __init__(self, node: Any, hint: Callable[[Matrix, Matrix], None]) -> None:
        self._node, self._hint = node, hint
        qos = QoSProfile(depth=10)
        self._publisher = node.create_lifecycle_publisher(PoseWithCovarianceStamped, _TOPIC, qos)
        node.create_subscription(PoseWithCovarianceStamped, _TOPIC, self._hinted, qos)
        self._answers = node.create_subscription(PoseWithCovarianceStamped, _ANSWER, self._answered, qos)
        self._sent: PoseWithCovarianceStamped | None = None
        self._said: Matrix | None = None
        self.use(LocalizationNodeOptions())

    def use(self, options: LocalizationNodeOptions) -> None:
        """Go on with these options, as if nothing had been told yet."""
        self._initial = InitialPose(options.publish_initialpose, options.lost_after)

    def forget(self) -> None:
        """Another map, or time went back."""
        self._initial.forget()
        self._said = None

    def found(self, placed: Placed, header: Header) -> None:
        """The images have found the robot: tell whoever is to know, and whether it is where it was said to be."""
        self._judge(placed)
        listens = self._node.count_subscribers(self._publisher.topic_name) > 1  # one is this node itself
        answers = self._node.count_publishers(self._answers.topic_name) > 0
        if not self._initial.due(placed, listens, answers):
            return
        hint = initial_covariance(placed.covariance)
        pose = pose_with_covariance_message(planar(placed.map_from_frame), hint)
        self._sent = PoseWithCovarianceStamped(header=header, pose=pose)
        self._publisher.publish(self._sent)

    def _judge(self, placed: Placed) -> None:
        said, log = self._said, self._node.get_logger()
        if said is None or not placed.is_base:
            return
        self._said = None
        distance = float(np.linalg.norm(said[:2, 3] - placed.map_from_frame[:2, 3]))
        if distance <= _BORNE_OUT:
            log.info(f"the images find the robot {distance:.2f} m from where {_TOPIC} said")
        else:
            log.warning(f"the images find the robot {distance:.1f} m from where {_TOPIC} said: the images are believed")

    def _answered(self, message: PoseWithCovarianceStamped) -> None:
        """AMCL tells where it takes the robot to be."""
        with contextlib.suppress(InputError):
            self._initial.understood(pose_matrix(message.pose.pose, _ANSWER))

    def _hinted(self, message: PoseWithCovarianceStamped) -> None:
        """Somebody else tells."""
        if message == self._sent:
            return
        frame, log = message.header.frame_id.lstrip("/"), self._node.get_logger()
        if frame != self._node.map_frame:
            of_map = f"'{self._node.map_frame}'" if self._node.map_frame else "none yet"
            log.warning(f"{_TOPIC} is in frame '{frame}', the map's is {of_map}: it says nothing here")
            return
        try:
            pose = pose_matrix(message.pose.pose, _TOPIC)
            variances = np.asarray(message.pose.covariance).reshape(6, 6).diagonal()
            if not np.isfinite(variances).all():
                raise InputError(f"{_TOPIC}: its covariance is not finite")
        except InputError as error:
            log.warning(f"{error}: it says nothing here")
            return
        self._said = pose
        x, y = pose[:2, 3]
        log.info(f"{_TOPIC} says ({x:.2f}, {y:.2f}): it counts where images fit several places, and is checked by them")
        self._hint(pose, np.diag(np.maximum(variances, np.square(_CLICK))))

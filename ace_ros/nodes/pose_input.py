"""Poses for images: from TF, PoseStamped or Odometry, carried over to the camera's optical frame."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from geometry_msgs.msg import PoseStamped
from message_filters import ApproximateTimeSynchronizer, SimpleFilter
from nav_msgs.msg import Odometry
from rclpy.node import Node

from ace_ros.errors import InputError
from ace_ros.geometry import Matrix
from ace_ros.nodes.adaptive_subscription import AdaptiveSubscription
from ace_ros.nodes.conversions import pose_matrix
from ace_ros.nodes.frames_tf import FrameTree
from ace_ros.nodes.image_input import CameraFrame, ImageInput
from ace_ros.nodes.options import MappingNodeOptions
from ace_ros.online.robot import MissingTransform

_QUEUE = 60  # images that may wait for their pose: two seconds at 30 Hz


@dataclass(frozen=True)
class _Waiting:
    frame: CameraFrame
    body_frame: str  # "" when the camera's own pose is asked of TF
    map_from_body: Matrix | None
    deadline: float


class PoseInput:
    """Signals ``posed(frame, map_from_camera)`` in the order of the images; counts those that get no pose.

    Nothing here blocks: images wait in a queue that :meth:`poll` looks after.
    """

    def __init__(
        self,
        node: Node,
        images: ImageInput,
        tree: FrameTree,
        options: MappingNodeOptions,
        posed: Callable[[CameraFrame, Matrix], None],
    ) -> None:
        self._tree, self._options, self._posed = tree, options, posed
        self._waiting: deque[_Waiting] = deque()
        self._unsynced: dict[int, float] = {}
        self.no_pose = 0
        self.bad_pose = 0
        self.poses = 0  # messages that arrived
        self.fault = ""  # why the last image got no pose
        self.topic = ""
        self._subscription: AdaptiveSubscription | None = None
        if options.pose_source == "tf":
            images.registerCallback(lambda frame: self._wait(frame, "", None))
            return
        odometry = options.pose_source == "odometry"
        self.topic = node.resolve_topic_name("odom" if odometry else "pose")
        poses = SimpleFilter()
        poses.registerCallback(self._count)
        self._subscription = AdaptiveSubscription(
            node,
            Odometry if odometry else PoseStamped,
            self.topic,
            _QUEUE,
            poses.signalMessage,
            reliable=options.image_reliability == "reliable",
            adapt=True,
        )
        images.registerCallback(self._expect)
        self._sync = ApproximateTimeSynchronizer([images, poses], _QUEUE, options.sync_slop)
        self._sync.registerCallback(self._on_odometry if odometry else self._on_pose)

    def poll(self) -> None:
        """Look whether transforms have come for the images that wait; call it often."""
        now = time.monotonic()
        while self._waiting:
            waiting = self._waiting[0]
            try:
                map_from_camera = self._resolve(waiting)
            except MissingTransform as error:
                if now < waiting.deadline and len(self._waiting) <= _QUEUE:
                    return
                self.no_pose += 1
                self.fault = str(error)
                self._waiting.popleft()
                continue
            except InputError as error:
                self._refuse(str(error))
                self._waiting.popleft()
                continue
            self._waiting.popleft()
            self._posed(waiting.frame, map_from_camera)
        for stamp in [stamp for stamp, deadline in self._unsynced.items() if now > deadline]:
            del self._unsynced[stamp]
            self.no_pose += 1
            self.fault = (
                f"no pose within {self._options.sync_slop:g} s of the image on {self.topic}"
                if self.poses
                else f"no message on {self.topic} so far"
            )

    def look_after(self) -> None:
        """Call it now and then: the subscription follows its publishers."""
        if self._subscription is not None:
            self._subscription.look_after()

    def _resolve(self, waiting: _Waiting) -> Matrix:
        stamp, camera = waiting.frame.stamp, waiting.frame.header.frame_id
        if waiting.map_from_body is None:
            if camera == self._options.map_frame:
                raise InputError(f"frame_id of the images is '{camera}', as map_frame is: set camera_frame")
            return self._tree.lookup(self._options.map_frame, camera, stamp)
        if waiting.body_frame in ("", camera):
            return waiting.map_from_body
        return waiting.map_from_body @ self._tree.lookup(waiting.body_frame, camera, stamp)

    def _wait(self, frame: CameraFrame, body_frame: str, map_from_body: Matrix | None) -> None:
        self._waiting.append(_Waiting(frame, body_frame, map_from_body, time.monotonic() + self._options.tf_timeout))
        self.poll()

    def _count(self, _: PoseStamped | Odometry) -> None:
        self.poses += 1

    def _expect(self, frame: CameraFrame) -> None:
        self._unsynced[frame.stamp] = time.monotonic() + self._options.tf_timeout

    def _on_pose(self, frame: CameraFrame, message: PoseStamped) -> None:
        self._on_body(frame, message.header.frame_id, self._options.body_frame, message.pose)

    def _on_odometry(self, frame: CameraFrame, message: Odometry) -> None:
        body = self._options.body_frame or message.child_frame_id
        if not body:
            self._unsynced.pop(frame.stamp, None)
            self._refuse(
                f"the odometry on {self.topic} has no child_frame_id: set body_frame to the frame that it moves"
            )
            return
        self._on_body(frame, message.header.frame_id, body, message.pose.pose)

    def _on_body(self, frame: CameraFrame, parent: str, body: str, pose: object) -> None:
        self._unsynced.pop(frame.stamp, None)
        if parent != self._options.map_frame:
            self._refuse(
                f"the poses on {self.topic} are given in '{parent}', but map_frame is '{self._options.map_frame}': "
                "set map_frame to the frame of the poses"
            )
            return
        try:
            map_from_body = pose_matrix(pose, f"pose on {self.topic}")
        except InputError as error:
            self._refuse(str(error))
            return
        self._wait(frame, body, map_from_body)

    def _refuse(self, sentence: str) -> None:
        self.bad_pose += 1
        self.fault = sentence

"""Poses for images: from TF, PoseStamped or Odometry, carried over to the camera's optical frame."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Odometry
from rclpy.node import Node
from std_msgs.msg import Header

from ace_ros.errors import InputError
from ace_ros.geometry import Matrix
from ace_ros.nodes.adaptive_subscription import AdaptiveSubscription
from ace_ros.nodes.conversions import nanoseconds, pose_matrix
from ace_ros.nodes.frames_tf import FrameTree
from ace_ros.nodes.image_input import CameraFrame, ImageInput
from ace_ros.nodes.options import MappingNodeOptions
from ace_ros.online.pose_track import NoPoses, PoseTrack, TracedPose
from ace_ros.online.robot import MissingTransform

_QUEUE = 60  # images that may wait for their pose: two seconds at 30 Hz


@dataclass(frozen=True)
class _Waiting:
    frame: CameraFrame
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
        self.no_pose = 0
        self.bad_pose = 0
        self.fault = ""  # why the last image got no pose
        self.topic = ""
        self._subscription: AdaptiveSubscription | None = None
        images.registerCallback(self._wait)
        if options.pose_source == "tf":
            return
        odometry = options.pose_source == "odometry"
        self.topic = node.resolve_topic_name("odom" if odometry else "pose")
        self._track = PoseTrack(self.topic, options.sync_slop)
        self._subscription = AdaptiveSubscription(
            node,
            Odometry if odometry else PoseStamped,
            self.topic,
            _QUEUE,
            self._on_odometry if odometry else self._on_pose,
            reliable=options.image_reliability == "reliable",
            adapt=True,
        )

    def poll(self) -> None:
        """Look whether poses have come for the images that wait; call it often."""
        now = time.monotonic()
        while self._waiting:
            waiting = self._waiting[0]
            later = now < waiting.deadline and len(self._waiting) <= _QUEUE
            try:
                map_from_camera = self._resolve(waiting.frame, later)
            except MissingTransform as error:
                if later:
                    return
                self._waiting.popleft()
                self.no_pose += 1
                self.fault = str(error)
                if isinstance(error, NoPoses) and self._subscription is not None:
                    self.fault += f": {self._subscription.why_silent(PoseStamped, Odometry)}"
            except InputError as error:
                self._waiting.popleft()
                self.bad_pose += 1
                self.fault = str(error)
            except Exception:
                self._waiting.popleft()  # or it would stand in the way for ever
                raise
            else:
                self._waiting.popleft()
                self._posed(waiting.frame, map_from_camera)

    def forget(self) -> None:
        """Time jumped: images that wait for a pose of before don't get it."""
        self.no_pose += len(self._waiting)
        self._waiting.clear()
        if self._subscription is not None:
            self._track.forget()

    def look_after(self) -> None:
        """Call it now and then: the subscription follows its publishers."""
        if self._subscription is not None:
            self._subscription.look_after()

    def _resolve(self, frame: CameraFrame, later: bool) -> Matrix:
        stamp, camera, options = frame.stamp, frame.header.frame_id, self._options
        if self._subscription is None:
            if camera == options.map_frame:
                raise InputError(f"frame_id of the images is '{camera}', as map_frame is: set camera_frame")
            return self._tree.lookup(options.map_frame, camera, stamp)
        pose = self._track.at(stamp, later)
        assert pose.map_from_body is not None
        if pose.body in ("", camera):
            return pose.map_from_body
        return pose.map_from_body @ self._tree.lookup(pose.body, camera, stamp)

    def _wait(self, frame: CameraFrame) -> None:
        self._waiting.append(_Waiting(frame, time.monotonic() + self._options.tf_timeout))
        self.poll()

    def _on_pose(self, message: PoseStamped) -> None:
        self._trace(message.header, self._options.body_frame, message.pose)

    def _on_odometry(self, message: Odometry) -> None:
        body = self._options.body_frame or message.child_frame_id
        missing = f"the odometry on {self.topic} has no child_frame_id: set body_frame to the frame that it moves"
        self._trace(message.header, body, message.pose.pose, "" if body else missing)

    def _trace(self, header: Header, body: str, pose: object, fault: str = "") -> None:
        if header.frame_id != self._options.map_frame:
            fault = (
                f"the poses on {self.topic} are given in '{header.frame_id}', but map_frame is "
                f"'{self._options.map_frame}': set map_frame to the frame of the poses"
            )
        matrix = None
        try:
            matrix = None if fault else pose_matrix(pose, f"pose on {self.topic}")
        except InputError as error:
            fault = str(error)
        self._track.add(TracedPose(nanoseconds(header.stamp), body, matrix, fault))
        self.poll()

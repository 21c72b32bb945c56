"""evaluation_node: records what a robot would have got from localization_node while a recording is played.

One JSON object a line; ``ace_ros.live.record`` writes and reads them. Ends by itself after the images have ended.
"""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path
from typing import Any

from geometry_msgs.msg import PoseWithCovarianceStamped
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo

from ace_ros.errors import AceError, InputError
from ace_ros.geometry import quaternion_xyzw
from ace_ros.live.record import RecordWriter
from ace_ros.msg import LocalizationStatus as Status
from ace_ros.nodes import parameters
from ace_ros.nodes.clock_jumps import on_clock_jump
from ace_ros.nodes.conversions import nanoseconds
from ace_ros.nodes.evaluation_options import EvaluationNodeOptions
from ace_ros.nodes.frames_tf import FrameTree
from ace_ros.nodes.runtime import news, run, steady_timer
from ace_ros.online.robot import MissingTransform

_PERIOD = 0.05  # s between looks at what has happened; set by hand
_TF_KEPT = 60.0  # s of TF to look a pose up in: longer than a localizer may be silent; set by hand
_TF_LATE = 5.0  # s that TF may take before it is worth a word; set by hand
_QUEUE = QoSProfile(depth=1000)
_ANYHOW = QoSProfile(depth=100, reliability=ReliabilityPolicy.BEST_EFFORT)  # takes what any publisher offers
_KEPT = 10_000  # images whose poses may still come: minutes of them; set by hand
_STATES = {Status.STATE_LOCALIZED: "LOCALIZED", Status.STATE_UNCERTAIN: "UNCERTAIN", Status.STATE_LOST: "LOST"}


class Silent(AceError):
    """The localizer never spoke of an image."""


class EvaluationNode(Node):
    """Listens to a localizer; knows nothing of truth."""

    def __init__(self) -> None:
        super().__init__("evaluation_node")
        parameters.declare(self, EvaluationNodeOptions)
        self._options = parameters.read(self, EvaluationNodeOptions)
        parameters.guard(self, EvaluationNodeOptions, lambda name: f"{name} is taken at the start: restart the node")
        if not self._options.record:
            raise InputError("parameter record: name the file to write")
        try:
            self._record = RecordWriter(Path(self._options.record).expanduser())
        except InputError as error:
            raise InputError(f"parameter record: {error}") from None
        self._ready, self._images_came = False, False
        self._recorded = 0
        self._last_frame = 0  # stamp; a status is repeated where nothing new comes
        self._newest = 0  # stamp of a frame since time last went back
        self._last_news = time.monotonic()
        self._seen: dict[int, float] = {}  # when an image was on its way, by our own clock
        self._counts: dict[str, Any] = {}
        self._map_frame = ""
        self._awaited: dict[int, float] = {}  # stamps that TF has not been asked for with success, and since when
        self._no_tf = ""  # why TF was last asked in vain
        self._log = news(self)
        self._tree = FrameTree(self, _TF_KEPT) if self._options.camera_frame else None
        self._images = self.resolve_topic_name("image")
        self.create_subscription(Status, f"{self._options.localizer}/status", self._on_status, _QUEUE)
        topic = f"{self._options.localizer}/pose_with_covariance"
        self.create_subscription(PoseWithCovarianceStamped, topic, self._on_pose, _QUEUE)
        self.create_subscription(CameraInfo, "camera_info", self._on_camera, _ANYHOW)
        steady_timer(self, _PERIOD, self._look)
        self._jumps = on_clock_jump(self, self._restart)
        self.get_logger().info(f"recording what {self._options.localizer} publishes")

    def close(self) -> None:
        """Complete the record."""
        no_tf = {"no_tf": self._no_tf} if self._awaited and self._no_tf else {}
        self._record.finish(**self._counts, **no_tf)

    def _on_status(self, message: Status) -> None:
        self._counts = {
            name: getattr(message, f"frames_{name}")
            for name in ("received", "processed", "localized", "dropped", "rejected")
        } | {"map": message.map_name, "map_id": message.map_id, "map_frame": message.header.frame_id}
        if not self._ready and message.state != Status.STATE_INACTIVE:
            self._ready = True
            self._map_frame = message.header.frame_id
            self._record.write("ready")
            self.get_logger().info(f"ready: {self._options.localizer} is active")
        stamp = nanoseconds(message.header.stamp)
        if math.isnan(message.latency) or stamp == self._last_frame:  # about no image, or said again
            return
        if stamp < self._newest:  # a localizer works on images in their order
            self._restart("stamps of the images went back")
        self._news()
        self._last_frame = self._newest = stamp
        self._recorded += 1
        self._record.write(
            "frame",
            stamp=stamp,
            state=_STATES.get(message.state, "LOST"),
            reason=message.reason,
            confidence=message.confidence,
            inliers=message.inliers,
            candidates=message.candidates,
            place=message.place,
            processing_time=message.processing_time,
            latency=message.latency,
        )
        if self._tree is not None:
            self._awaited[stamp] = time.monotonic()

    def _on_camera(self, message: CameraInfo) -> None:
        """The image itself is left to the localizer: of its size two readers are one too many."""
        stamp = nanoseconds(message.header.stamp)
        self._seen.pop(stamp, None)
        self._seen[stamp] = time.monotonic()
        if len(self._seen) > _KEPT:
            del self._seen[next(iter(self._seen))]

    def _on_pose(self, message: PoseWithCovarianceStamped) -> None:
        self._news()
        pose, stamp = message.pose.pose, nanoseconds(message.header.stamp)
        seen = self._seen.pop(stamp, None)  # what is played again is seen again
        self._record.write(
            "pose",
            stamp=stamp,
            age=None if seen is None else time.monotonic() - seen,
            position=_values(pose.position, "xyz"),
            orientation=_values(pose.orientation, "xyzw"),
            covariance=[float(value) for value in message.pose.covariance],
        )

    def _restart(self, why: str) -> None:
        """Of an image that is played again the last time counts, as :func:`ace_ros.live.record.read_record` has it."""
        self.get_logger().warning(f"{why}: what comes from now on is recorded as well, TF of before is forgotten")
        self._newest = 0
        self._awaited.clear()
        if self._tree is not None:
            self._tree.clear()

    def _news(self) -> None:
        self._last_news = time.monotonic()

    def _look(self) -> None:
        """Ask TF for what has come, and see whether it is over."""
        self._look_up()
        images = self.count_publishers(self._images) + self.count_publishers(f"{self._images}/compressed")
        self._images_came |= bool(images or self._recorded)
        if images:
            self._news()
        if self._images_came and time.monotonic() - self._last_news > self._options.quiet:
            if not self._recorded:
                raise Silent(f"{self._options.localizer} worked on none of the images on {self._images}")
            self.get_logger().info(f"{self._recorded} frames recorded in {self._options.record}")
            self.context.try_shutdown()

    def _look_up(self) -> None:
        if self._tree is None:
            return
        why = ""
        for stamp, since in list(self._awaited.items()):
            try:
                pose = self._tree.lookup(self._map_frame, self._options.camera_frame, stamp)
            except MissingTransform as error:
                self._no_tf = str(error)
                if time.monotonic() - since > _TF_LATE:
                    why = why or str(error)
                continue
            del self._awaited[stamp]
            position, orientation = ([float(v) for v in values] for values in (pose[:3, 3], quaternion_xyzw(pose)))
            self._record.write("tf", stamp=stamp, position=position, orientation=orientation)
        if why:
            self._log.conditions([f"{len(self._awaited)} frames are recorded without a pose from TF so far: {why}"])
        oldest = max(self._awaited, default=0) - _TF_KEPT * 1e9  # TF keeps no more either
        self._awaited = {stamp: since for stamp, since in self._awaited.items() if stamp > oldest}


def _values(message: Any, names: str) -> list[float]:
    return [float(getattr(message, name)) for name in names]


def main() -> int:
    """Entry point."""
    return run(EvaluationNode)


if __name__ == "__main__":
    sys.exit(main())

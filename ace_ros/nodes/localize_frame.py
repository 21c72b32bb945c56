"""Frames on their way through localization_node: messages and TF as the library takes them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from rclpy.node import Node

from ace_ros.errors import InputError
from ace_ros.geometry import Matrix
from ace_ros.image import Pixels
from ace_ros.localization.localizer import Localizer
from ace_ros.localization.trust import State
from ace_ros.nodes.conversions import decode
from ace_ros.nodes.frame_names import camera_fault
from ace_ros.nodes.frames_tf import FrameTree
from ace_ros.nodes.image_input import CameraFrame, ImageInput
from ace_ros.nodes.options import LocalizationNodeOptions
from ace_ros.online.frame_slot import ArrivalCheck
from ace_ros.online.frame_stream import GIVING, WORKING, FrameCounters, FrameStream
from ace_ros.online.localizing import OnlineAnswer, OnlineLocalizer, OnlineOptions, unreadable
from ace_ros.online.reasons import Fault, OnlineReason
from ace_ros.online.robot import FrameNames
from ace_ros.online.supervision import Supervisor
from ace_ros.options import part

_QUEUE = 5  # images that DDS keeps until the executor drains them: with 1 some would be lost uncounted; set by hand


@dataclass(frozen=True)
class FrameResult:
    """What became of a frame; ``image`` are its pixels if they could be read, ``seconds`` what it took."""

    frame: CameraFrame
    answer: OnlineAnswer
    image: Pixels | None = None
    seconds: float = math.nan


class FrameWork:
    """What there is while the node is active: images come in, the newest is localized, its result is given."""

    def __init__(
        self,
        node: Node,
        tree: FrameTree,
        options: LocalizationNodeOptions,
        lock: AbstractContextManager[Any],
        give: Callable[[FrameResult], None],
        show: Callable[[FrameResult], None],
        restarted: Callable[[], None],
        supervisor: Supervisor,
    ) -> None:
        """For ``lock`` and the callbacks see :class:`FrameStream`; nothing is localized before :meth:`use_map`."""
        self._node, self._tree, self._options = node, tree, options
        self.counters = FrameCounters()
        self._supervisor = supervisor
        self._arrivals = ArrivalCheck(options.max_age, options.max_rate)
        self._stream: FrameStream[CameraFrame, FrameResult] = FrameStream(
            self._arrivals, self.counters, lock, give, show, restarted, supervisor
        )
        self.images = ImageInput(node, options, _QUEUE)
        self.images.registerCallback(self._on_frame)

    def use_map(self, localizer: Localizer, map_frame: str) -> None:
        """From here on localize in this map, as if for the first time; call it under the lock."""
        options = self._options
        base = "" if options.tf_mode == "map_to_camera" else options.base_frame
        frames = FrameNames(map_frame, options.odom_frame, base)
        robot, told = _RobotInTf(self._tree, frames), part(OnlineOptions, options)
        online = OnlineLocalizer(localizer, robot, frames, told, options.tf_mode == "map_to_odom")
        self._online = online
        self._stream.renew(lambda frame: self._localize(online, map_frame, frame))

    def follow_map(self, localizer: Localizer) -> None:
        """From the next frame on localize in this map, which has the frame and the scale of the one before."""
        self._online.follow(localizer)

    def hint(self, map_from_base: Matrix, covariance: Matrix) -> None:
        """See :meth:`ace_ros.online.localizing.OnlineLocalizer.hint`."""
        self._online.hint(map_from_base, covariance)

    def use(self, options: LocalizationNodeOptions) -> None:
        """From the next frame on go by these options; what is known stays known."""
        self._options = options
        self._arrivals.limit(options.max_age, options.max_rate)
        self._online.use(part(OnlineOptions, options), options.tf_mode == "map_to_odom")

    def forget(self) -> None:
        """Time jumped: stamps of before don't count."""
        self.images.forget()
        self._stream.forget()

    def close(self) -> None:
        """Unsubscribe, and wait for the frame that is worked on."""
        self._stream.close()
        self.images.close()

    def fault(self) -> Fault:
        """Why no frames come that could be localized; none where they do."""
        if defect := self._supervisor.fault(WORKING, GIVING):
            return Fault(OnlineReason.INTERNAL_ERROR, defect)
        age = self._stream.stale_age
        if (silence := self.images.silence()) or not age:
            return silence
        return Fault(
            OnlineReason.STALE,
            f"images are {age:.1f} s old when they arrive, max_age is {self._options.max_age:g} s: "
            "do the clocks agree, and is use_sim_time right?",
        )

    def _on_frame(self, frame: CameraFrame) -> None:
        self._stream.offer(frame, frame.stamp, self._node.get_clock().now().nanoseconds)

    def _localize(self, online: OnlineLocalizer, map_frame: str, frame: CameraFrame) -> FrameResult:
        start = time.monotonic()
        if fault := camera_fault(frame.header.frame_id, map_frame, self._options):
            return FrameResult(frame, OnlineAnswer(State.UNCERTAIN, fault))
        try:
            image = decode(frame.message, frame.camera)
            answer = online.localize(image, frame.camera, frame.stamp, frame.header.frame_id)
        except InputError as error:
            return FrameResult(frame, unreadable(error), seconds=time.monotonic() - start)
        return FrameResult(frame, answer, image, time.monotonic() - start)


class _RobotInTf:
    """A :class:`~ace_ros.online.robot.Robot`."""

    def __init__(self, tree: FrameTree, frames: FrameNames) -> None:
        self._tree, self._frames = tree, frames

    def base_from_camera(self, camera: str, stamp: int, wait: float) -> Matrix:
        return self._tree.wait(self._frames.base, camera, stamp, wait)

    def odom_from_base(self, stamp: int, wait: float) -> Matrix:
        return self._tree.wait(self._frames.odom, self._frames.base, stamp, wait)

    def newest_odometry(self) -> tuple[Matrix, int]:
        return self._tree.newest(self._frames.odom, self._frames.base)

"""Frames on their way through localization_node: messages and TF as the library takes them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any

from rclpy.node import Node

from ace_ros.errors import InputError
from ace_ros.geometry import Matrix
from ace_ros.image import Pixels
from ace_ros.localization.localizer import Localizer
from ace_ros.localization.state import State
from ace_ros.nodes.camera_inputs import CameraInputs
from ace_ros.nodes.conversions import decode
from ace_ros.nodes.frame_names import camera_fault
from ace_ros.nodes.frames_tf import FrameTree
from ace_ros.nodes.image_input import CameraFrame
from ace_ros.nodes.options import LocalizationNodeOptions
from ace_ros.online.frame_slot import ArrivalCheck
from ace_ros.online.frame_stream import GIVING, WORKING, FrameCounters, FrameStream
from ace_ros.online.lead import Lead
from ace_ros.online.localizing import OnlineAnswer, OnlineLocalizer, OnlineOptions, unreadable
from ace_ros.online.reasons import Fault, OnlineReason
from ace_ros.online.robot import FrameNames
from ace_ros.online.supervision import Supervisor
from ace_ros.options import part

_UNUSABLE = (OnlineReason.NO_TRANSFORM, OnlineReason.BAD_IMAGE)  # of an answer: the camera is at fault, not its view
_QUEUE = 5  # images that DDS keeps until the executor drains them: with 1 some would be lost uncounted; set by hand


@dataclass(frozen=True)
class FrameResult:
    """What became of a frame.

    Attributes:
        image: its pixels if they could be read. seconds: what it took.
        camera: number of its camera. beside: what other cameras lack, where the robot is localized by this one.
    """

    frame: CameraFrame
    answer: OnlineAnswer
    image: Pixels | None = None
    seconds: float = math.nan
    camera: int = 0
    beside: Fault = field(default_factory=Fault)


class FrameWork:
    """What there is while the node is active: images come in, the newest is localized, its result is given.

    Of several cameras those results are given that :class:`Lead` says.
    """

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
        self._cameras = range(options.cameras)
        self._arrivals = [ArrivalCheck(options.max_age, options.max_rate) for _ in self._cameras]
        self._lead = Lead(options.cameras)
        self._answers: dict[int, OnlineAnswer] = {}  # the last of each camera
        self._give, self._show, self._given = give, show, False
        self._stream: FrameStream[tuple[int, CameraFrame], FrameResult] = FrameStream(
            self._arrivals,
            self.counters,
            lock,
            self._tell,
            self._show_if_told,
            restarted,
            supervisor,
            self._lead.choose,
        )
        self.images = CameraInputs(node, options, _QUEUE, self._on_frame)

    def use_map(self, localizer: Localizer, map_frame: str) -> None:
        """From here on localize in this map, as if for the first time; call it under the lock."""
        options = self._options
        base = "" if options.tf_mode == "map_to_camera" else options.base_frame
        frames = FrameNames(map_frame, options.odom_frame, base)
        robot, told = _RobotInTf(self._tree, frames), part(OnlineOptions, options)
        online = OnlineLocalizer(localizer, robot, frames, told, options.tf_mode == "map_to_odom")
        self._online = online
        self._lead.forget()
        self._stream.renew(lambda item: self._localize(online, map_frame, *item))

    @property
    def alone(self) -> str:
        """See :attr:`ace_ros.online.localizing.OnlineLocalizer.alone`."""
        return self._online.alone

    def follow_map(self, localizer: Localizer) -> None:
        """From the next frame on localize in this map, which has the frame and the scale of the one before."""
        self._online.follow(localizer)

    def hint(self, map_from_base: Matrix, covariance: Matrix) -> None:
        """See :meth:`ace_ros.online.localizing.OnlineLocalizer.hint`."""
        self._online.hint(map_from_base, covariance)

    def use(self, options: LocalizationNodeOptions) -> None:
        """From the next frame on go by these options; what is known stays known."""
        self._options = options
        for arrivals in self._arrivals:
            arrivals.limit(options.max_age, options.max_rate)
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
        faults = [self._fault(camera) for camera in self._cameras]
        return _joined(faults) if all(faults) else Fault()

    def report(self) -> dict[str, str]:
        """Of several cameras, what each is good for: topic -> a few words."""
        if len(self._cameras) == 1:
            return {}
        return {one.image_topic: self._word(camera) for camera, one in enumerate(self.images.each)}

    def _word(self, camera: int) -> str:
        if fault := self._fault(camera):
            return fault.sentence
        if camera not in self._answers:
            return "not asked yet"
        answer = self._answers[camera]
        leads = "leads: " if camera == self._lead.leader else ""
        return f"{leads}{answer.state.name.lower()} {answer.fault.sentence}".strip()

    def _fault(self, camera: int) -> Fault:
        """Why no frames of this camera come that could be localized."""
        age = self._stream.stale_age[camera]
        if (fault := self.images.fault(camera)) or not age:
            return fault
        return Fault(
            OnlineReason.STALE,
            f"images on {self.images.each[camera].image_topic} are {age:.1f} s old when they arrive, max_age is "
            f"{self._options.max_age:g} s: do the clocks agree, and is use_sim_time right?",
        )

    def _beside(self, camera: int) -> Fault:
        """What the other cameras lack."""
        faults = []
        for other in self._cameras:
            if other == camera:
                continue
            fault, answer = self._fault(other), self._answers.get(other)
            if not fault and answer is not None and answer.state is not State.LOCALIZED:
                fault = answer.fault if answer.fault.reason in _UNUSABLE else fault
            if fault:
                faults.append(fault)
        return _joined(faults)

    def _tell(self, result: FrameResult) -> None:
        camera, answer, found = result.camera, result.answer, result.answer.localization
        self._answers[camera] = answer
        if answer.kidnapped:  # what was seen elsewhere says nothing
            self._lead.forget()
        evidence = found.inliers if answer.placed is not None and found is not None else None
        self._given = self._lead.tells(camera, result.frame.stamp, evidence)
        if self._given:
            self._give(replace(result, beside=self._beside(camera)) if answer.placed is not None else result)
        else:
            self.counters.processed += 1
            self.counters.rejected += found is None

    def _show_if_told(self, result: FrameResult) -> None:
        if self._given:
            self._show(result)

    def _on_frame(self, camera: int, frame: CameraFrame) -> None:
        self._stream.offer((camera, frame), frame.stamp, self._node.get_clock().now().nanoseconds, camera)

    def _localize(self, online: OnlineLocalizer, map_frame: str, camera: int, frame: CameraFrame) -> FrameResult:
        start = time.monotonic()
        if fault := camera_fault(frame.header.frame_id, map_frame, self._options):
            return FrameResult(frame, OnlineAnswer(State.UNCERTAIN, fault), camera=camera)
        try:
            image = decode(frame.message, frame.camera)
            answer = online.localize(image, frame.camera, frame.stamp, frame.header.frame_id)
        except InputError as error:
            return FrameResult(frame, unreadable(error), seconds=time.monotonic() - start, camera=camera)
        return FrameResult(frame, answer, image, time.monotonic() - start, camera)


def _joined(faults: Sequence[Fault]) -> Fault:
    return Fault(faults[0].reason, "; ".join(fault.sentence for fault in faults)) if faults else Fault()


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

"""One frame on its way through localization_node: from the message to a pose that may be published, or the reason
why there is none."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from ace_ros.errors import InputError
from ace_ros.geometry import Matrix, invert, move_covariance
from ace_ros.image import Pixels
from ace_ros.localization.answer import Localization
from ace_ros.localization.localizer import Localizer
from ace_ros.localization.trust import Reason, State
from ace_ros.msg import LocalizationStatus as Status
from ace_ros.nodes.conversions import decode
from ace_ros.nodes.frames_tf import FrameTree, MissingTransform
from ace_ros.nodes.image_input import CameraFrame
from ace_ros.nodes.options import LocalizationNodeOptions
from ace_ros.nodes.pose_output import PlacedPose, header
from ace_ros.online.motion import tilt_deg
from ace_ros.online.odometry_gate import GateOptions
from ace_ros.online.tracking import Tracker
from ace_ros.options import part

_WAIT_FOR_BASE = 3.0  # s after activation in which TF may tell where the camera sits on the robot
_ODOMETRY_ALIVE = 5.0  # s without odometry before it counts as dead, and is not waited for
_ODOMETRY_FRESH = 500_000_000  # ns that odometry may be older than the image and still give a first guess
_STEEP = 20.0  # degrees that a robot on level ground does not tilt

_REASONS = {
    Reason.NONE: Status.REASON_NONE,
    Reason.BLURRED_OR_DARK: Status.REASON_BLURRED_OR_DARK,
    Reason.TOO_FEW_INLIERS: Status.REASON_TOO_FEW_INLIERS,
    Reason.POOR_COVERAGE: Status.REASON_POOR_COVERAGE,
    Reason.DEGENERATE_GEOMETRY: Status.REASON_DEGENERATE_GEOMETRY,
    Reason.WITNESSES_DISAGREE: Status.REASON_WITNESSES_DISAGREE,
}
_STATES = {
    State.LOCALIZED: Status.STATE_LOCALIZED,
    State.UNCERTAIN: Status.STATE_UNCERTAIN,
    State.LOST: Status.STATE_LOST,
}


@dataclass(frozen=True)
class Fault:
    """What is wrong, as a REASON_ code of LocalizationStatus and as a sentence."""

    code: int = Status.REASON_NONE
    sentence: str = ""


@dataclass(frozen=True)
class FrameResult:
    """What became of a frame. ``placed`` is there exactly when the state is LOCALIZED."""

    frame: CameraFrame
    state: int
    fault: Fault
    seconds: float
    image: Pixels | None = None
    localization: Localization | None = None
    placed: PlacedPose | None = None
    kidnapped: bool = False


class FrameLocalizer:
    """Localizes frames one after the other, in one thread. Metric maps go with TF; others give the camera's pose."""

    def __init__(
        self, localizer: Localizer, tree: FrameTree, options: LocalizationNodeOptions, map_frame: str, metric: bool
    ) -> None:
        self._localizer, self._tree, self._options = localizer, tree, options
        self._map_frame = map_frame
        self._base = options.base_frame if metric and options.tf_mode != "map_to_camera" else ""
        self._odom = options.odom_frame if metric and self._base else ""
        self._base_deadline = time.monotonic() + _WAIT_FOR_BASE
        self._base_seen = False
        self._odom_newest, self._odom_heard = -1, -_ODOMETRY_ALIVE
        self._first = True
        self._tracker = Tracker(part(GateOptions, options), options.prior_max_age)

    def work(self, frame: CameraFrame) -> FrameResult:
        """Localize; never raises for what a camera can send."""
        start = time.monotonic()

        def result(state: int, fault: Fault, **more: object) -> FrameResult:
            return FrameResult(frame, state, fault, time.monotonic() - start, **more)  # type: ignore[arg-type]

        try:
            image = decode(frame.message, frame.camera)
            base_from_camera, base_fault = self._camera_on_robot(frame)
            prior = self._tracker.prior(frame.stamp, self._odometry_now(frame), base_from_camera)
            localization = self._localizer.localize(image, frame.camera, prior)
        except InputError as error:
            return result(Status.STATE_UNCERTAIN, Fault(Status.REASON_BAD_IMAGE, str(error)))
        more = {"image": image, "localization": localization}
        if localization.state is not State.LOCALIZED:
            self._tracker.without_pose(self._odometry_now(frame))
            fault = Fault(_REASONS[localization.reason_code], localization.reason)
            return result(_STATES[localization.state], fault, **more)
        if base_fault.code and base_from_camera is None and self._holds_back():
            return result(Status.STATE_UNCERTAIN, base_fault, **more)
        odom_from_base, odom_fault = self._odometry(frame)
        pose, covariance = localization.map_from_camera, localization.covariance
        assert pose is not None and covariance is not None  # the library's promise for LOCALIZED
        verdicts = self._tracker.judge(pose, covariance, frame.stamp, odom_from_base, base_from_camera)
        if not verdicts.accepted:
            fault = Fault(Status.REASON_ODOMETRY_DISAGREES, verdicts.reason)
            return result(Status.STATE_UNCERTAIN, fault, **more)
        placed = self._placed(frame, pose, covariance, base_from_camera, odom_from_base, verdicts.kidnapped)
        fault = self._missing(base_fault, odom_fault, placed)
        return result(Status.STATE_LOCALIZED, fault, placed=placed, kidnapped=verdicts.kidnapped, **more)

    # --- where the camera is on the robot, and the robot in the odometry ---

    def _camera_on_robot(self, frame: CameraFrame) -> tuple[Matrix | None, Fault]:
        camera = frame.header.frame_id
        if not self._base:
            return None, Fault()
        if self._base == camera:
            return np.eye(4), Fault()
        try:
            wait = self._options.tf_timeout if self._base_seen else 0.0
            found = self._tree.wait(self._base, camera, frame.stamp, wait)
        except MissingTransform as error:
            return None, Fault(Status.REASON_NO_TRANSFORM, str(error))
        self._base_seen = True
        return found, Fault()

    def _holds_back(self) -> bool:
        """Whether to rather say nothing than to publish the camera's pose where the robot's is expected."""
        return self._base_seen or time.monotonic() < self._base_deadline

    def _odometry(self, frame: CameraFrame) -> tuple[Matrix | None, Fault]:
        if not self._odom:
            return None, Fault()
        try:
            wait = self._options.tf_timeout if self._odometry_alive() else 0.0
            return self._tree.wait(self._odom, self._base, frame.stamp, wait), Fault()
        except MissingTransform as error:
            return None, Fault(Status.REASON_NO_TRANSFORM, str(error))

    def _odometry_alive(self) -> bool:
        """Whether it is worth while to wait for odometry: some was heard lately."""
        try:
            newest = self._tree.newest(self._odom, self._base)[1]
        except MissingTransform:
            return False
        if newest != self._odom_newest:
            self._odom_newest, self._odom_heard = newest, time.monotonic()
        return time.monotonic() - self._odom_heard < _ODOMETRY_ALIVE

    def _odometry_now(self, frame: CameraFrame) -> Matrix | None:
        """Where it is not needed to the millisecond: at the stamp if known already, else the newest if it is recent."""
        if not self._odom:
            return None
        try:
            newest, stamp = self._tree.newest(self._odom, self._base)
            if stamp > frame.stamp:
                return self._tree.lookup(self._odom, self._base, frame.stamp)
            return newest if frame.stamp - stamp < _ODOMETRY_FRESH else None
        except MissingTransform:
            return None

    # --- the pose to publish ---

    def _placed(
        self,
        frame: CameraFrame,
        map_from_camera: Matrix,
        covariance: Matrix,
        base_from_camera: Matrix | None,
        odom_from_base: Matrix | None,
        kidnapped: bool,
    ) -> PlacedPose:
        pose, name = map_from_camera, frame.header.frame_id
        if base_from_camera is not None:
            camera_from_base = invert(base_from_camera)
            covariance = move_covariance(covariance, pose, camera_from_base)
            pose, name = pose @ camera_from_base, self._base
        jump, self._first = kidnapped or self._first, False
        is_base = base_from_camera is not None
        return PlacedPose(header(frame.stamp, self._map_frame), name, pose, covariance, odom_from_base, is_base, jump)

    def _missing(self, base_fault: Fault, odom_fault: Fault, placed: PlacedPose) -> Fault:
        """What keeps TF from being published although the pose is good."""
        if base_fault.code:
            text = f"{base_fault.sentence}: the poses are those of {placed.frame}"
            return Fault(base_fault.code, text)
        if odom_fault.code and self._options.tf_mode == "map_to_odom":
            return Fault(odom_fault.code, f"{odom_fault.sentence}: poses are published, TF is not")
        if self._options.planar and placed.is_base and tilt_deg(placed.map_from_frame) > _STEEP:
            text = f"planar is set, but {placed.frame} is tilted by {tilt_deg(placed.map_from_frame):.0f} degrees"
            return Fault(Status.REASON_NO_TRANSFORM, f"{text}: is z of {self._map_frame} up, and {placed.frame} level?")
        return Fault()

"""What localization_node tells about itself: ~/status and /diagnostics."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus
from diagnostic_updater import DiagnosticStatusWrapper

from ace_ros.localization.answer import Localization
from ace_ros.localization.state import Reason, State
from ace_ros.msg import LocalizationStatus as Status
from ace_ros.msg import PoseAlternative
from ace_ros.nodes.camera_inputs import CameraInputs
from ace_ros.nodes.conversions import pose_message
from ace_ros.nodes.localize_frame import FrameResult
from ace_ros.online.frame_stream import FrameCounters
from ace_ros.online.reasons import Fault, OnlineReason
from ace_ros.online.supervision import Supervisor

REASONS: dict[Reason | OnlineReason, int] = {
    Reason.NONE: Status.REASON_NONE,
    Reason.BLURRED_OR_DARK: Status.REASON_BLURRED_OR_DARK,
    Reason.TOO_FEW_INLIERS: Status.REASON_TOO_FEW_INLIERS,
    Reason.POOR_COVERAGE: Status.REASON_POOR_COVERAGE,
    Reason.DEGENERATE_GEOMETRY: Status.REASON_DEGENERATE_GEOMETRY,
    Reason.WITNESSES_DISAGREE: Status.REASON_WITNESSES_DISAGREE,
    Reason.AMBIGUOUS: Status.REASON_AMBIGUOUS,
    OnlineReason.NO_MAP: Status.REASON_NO_MAP,
    OnlineReason.NO_IMAGE: Status.REASON_NO_IMAGE,
    OnlineReason.NO_CAMERA: Status.REASON_NO_CAMERA_INFO,
    OnlineReason.UNCALIBRATED: Status.REASON_UNCALIBRATED,
    OnlineReason.BAD_IMAGE: Status.REASON_BAD_IMAGE,
    OnlineReason.STALE: Status.REASON_STALE,
    OnlineReason.ODOMETRY_DISAGREES: Status.REASON_ODOMETRY_DISAGREES,
    OnlineReason.NO_TRANSFORM: Status.REASON_NO_TRANSFORM,
    OnlineReason.TRANSFORM_CONFLICT: Status.REASON_TF_CONFLICT,
    OnlineReason.UNCONFIRMED: Status.REASON_UNCONFIRMED,
    OnlineReason.INTERNAL_ERROR: Status.REASON_INTERNAL_ERROR,
}
_STATES = {
    State.LOCALIZED: Status.STATE_LOCALIZED,
    State.UNCERTAIN: Status.STATE_UNCERTAIN,
    State.LOST: Status.STATE_LOST,
}
_STATE_NAMES = {
    Status.STATE_INACTIVE: "inactive",
    Status.STATE_WAITING: "waiting",
    Status.STATE_LOCALIZED: "localized",
    Status.STATE_UNCERTAIN: "uncertain",
    Status.STATE_LOST: "lost",
}


def inactive(fault: Fault) -> Status:
    """Status, without header, map and counts, of a node that is not active."""
    return _message(Status.STATE_INACTIVE, fault)


def waiting(fault: Fault) -> Status:
    """The same of one that is, and gets no frames."""
    return _message(Status.STATE_WAITING, fault)


def frame_status(result: FrameResult, fault: Fault, latency: float) -> Status:
    """The same about a frame; ``latency`` in s."""
    message = _message(_STATES[result.answer.state], fault)
    message.header.stamp = result.frame.header.stamp
    message.camera = result.frame.header.frame_id
    message.processing_time, message.latency = float(result.seconds), float(latency)
    message.kidnapped = result.answer.kidnapped
    message.jumped = result.answer.placed is not None and result.answer.placed.jump
    if result.answer.localization is not None:
        _fill_estimate(message, result.answer.localization)
    message.alternatives = [
        PoseAlternative(pose=pose_message(one.map_from_frame), place=one.place, probability=one.probability)
        for one in result.answer.alternatives
    ]
    return message


def state_line(message: Status) -> tuple[str, bool]:
    """The state as a line of the log, and whether it is what a user wants."""
    name = _STATE_NAMES[message.state]
    good = message.reason_code == Status.REASON_NONE or message.state == Status.STATE_INACTIVE  # errors are told there
    return (f"{name}: {message.reason}" if message.reason else name), good


def _message(state: int, fault: Fault) -> Status:
    message = Status(state=state, reason_code=REASONS[fault.reason], reason=fault.sentence, place=-1)
    for name in (
        "confidence", "reprojection_error", "translation_stddev", "rotation_stddev", "processing_time", "latency",
    ):  # fmt: skip
        setattr(message, name, math.nan)
    return message


def _fill_estimate(message: Status, found: Localization) -> None:
    message.confidence = float(found.confidence)
    message.inliers = int(found.inliers)
    message.candidates = int(found.candidates)
    message.reprojection_error = float(found.reprojection_error)
    if found.place is not None:
        message.place = found.place
    if found.covariance is not None:
        variances = np.diag(found.covariance)
        message.translation_stddev = float(np.sqrt(variances[:3].sum()))
        message.rotation_stddev = float(np.sqrt(variances[3:].sum()))


def fill_counts(message: Status, counters: FrameCounters, images: CameraInputs | None) -> None:
    """Frames since activation."""
    message.frames_received = images.images if images else 0
    message.frames_processed, message.frames_localized = counters.processed, counters.localized
    message.frames_dropped = counters.dropped + (images.unmatched if images else 0)
    message.frames_rejected = counters.rejected + (images.unusable if images else 0)
    message.kidnap_count = counters.kidnapped


def diagnose(
    status: DiagnosticStatusWrapper,
    last: Status,
    counters: FrameCounters,
    rival: str,
    outdated: str,
    supervisor: Supervisor,
    cameras: Mapping[str, str],
) -> None:
    """Fill in the node's entry of /diagnostics.

    Args:
        outdated: why the map is older than its file. cameras: of several, topic -> what it is good for.
    """
    name = _STATE_NAMES[last.state]
    if defect := supervisor.fault():
        status.summary(DiagnosticStatus.ERROR, defect)
    elif rival:
        status.summary(DiagnosticStatus.ERROR, rival)
    elif last.state == Status.STATE_LOCALIZED:
        reason = last.reason or outdated
        level = DiagnosticStatus.WARN if reason else DiagnosticStatus.OK
        status.summary(level, f"localized: {reason}" if reason else "localized")
    elif last.state in (Status.STATE_UNCERTAIN, Status.STATE_LOST):
        status.summary(DiagnosticStatus.WARN, f"{name}: {last.reason}")
    else:
        status.summary(DiagnosticStatus.ERROR, f"{name}: {last.reason}")
    status.add("defects", str(supervisor.count))
    for key, value in vars(counters).items():
        status.add(f"frames {key}", str(value))
    status.add("map", f"{last.map_name} ({last.map_id})")
    status.add("map file", outdated or "in use")
    status.add("place", str(last.place) if last.place >= 0 else "none")
    status.add("alternatives", ", ".join(f"place {one.place}: {one.probability:.0%}" for one in last.alternatives))
    for topic, word in cameras.items():
        status.add(f"camera {topic}", word)
    status.add("confidence", f"{last.confidence:.2f}")
    status.add("inliers", f"{last.inliers} of {last.candidates}")
    status.add("processing time, ms", f"{1e3 * last.processing_time:.1f}")
    status.add("age at publication, ms", f"{1e3 * last.latency:.1f}")

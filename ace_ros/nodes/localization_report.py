"""What localization_node tells about itself: ~/status and /diagnostics."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus
from diagnostic_updater import DiagnosticStatusWrapper

from ace_ros.msg import LocalizationStatus as Status
from ace_ros.nodes.image_input import ImageInput, Silence
from ace_ros.nodes.localize_frame import Fault, FrameResult

SILENCE_CODES = {
    Silence.NO_IMAGE: Status.REASON_NO_IMAGE,
    Silence.NO_CAMERA_INFO: Status.REASON_NO_CAMERA_INFO,
    Silence.BAD_CAMERA: Status.REASON_UNCALIBRATED,
    Silence.BAD_IMAGE: Status.REASON_BAD_IMAGE,
}
_STATE_NAMES = {
    Status.STATE_INACTIVE: "inactive",
    Status.STATE_WAITING: "waiting",
    Status.STATE_LOCALIZED: "localized",
    Status.STATE_UNCERTAIN: "uncertain",
    Status.STATE_LOST: "lost",
}


@dataclass
class Counters:
    """Frames since activation."""

    processed: int = 0
    localized: int = 0
    overtaken: int = 0
    stale: int = 0
    late: int = 0
    too_soon: int = 0
    rejected: int = 0
    kidnapped: int = 0


def status_message(state: int, fault: Fault, result: FrameResult | None = None, latency: float = math.nan) -> Status:
    """Status without header, map and counts: about ``result``, or about its absence."""
    message = Status(state=state, reason_code=fault.code, reason=fault.sentence)
    localization = result.localization if result else None
    for name in ("confidence", "reprojection_error", "translation_stddev", "rotation_stddev"):
        setattr(message, name, math.nan)
    message.processing_time = float(result.seconds) if result else math.nan
    message.latency = float(latency)
    if result is None or localization is None:
        return message
    message.confidence = float(localization.confidence)
    message.inliers = int(localization.inliers)
    message.candidates = int(localization.candidates)
    message.reprojection_error = float(localization.reprojection_error)
    if localization.covariance is not None:
        variances = np.diag(localization.covariance)
        message.translation_stddev = float(np.sqrt(variances[:3].sum()))
        message.rotation_stddev = float(np.sqrt(variances[3:].sum()))
    message.kidnapped = result.kidnapped
    return message


def fill_counts(message: Status, counters: Counters, images: ImageInput | None) -> None:
    """Frames since activation."""
    message.frames_received = images.images if images else 0
    message.frames_processed, message.frames_localized = counters.processed, counters.localized
    unmatched = images.unmatched if images else 0
    message.frames_dropped = counters.overtaken + counters.stale + counters.late + counters.too_soon + unmatched
    unusable = images.rejected_camera + images.rejected_image if images else 0
    message.frames_rejected = counters.rejected + unusable
    message.kidnap_count = counters.kidnapped


def diagnose(status: DiagnosticStatusWrapper, last: Status, counters: Counters, rival: str) -> None:
    """Fill in the node's entry of /diagnostics."""
    name = _STATE_NAMES[last.state]
    if rival:
        status.summary(DiagnosticStatus.ERROR, rival)
    elif last.state == Status.STATE_LOCALIZED:
        level = DiagnosticStatus.WARN if last.reason else DiagnosticStatus.OK
        status.summary(level, f"localized: {last.reason}" if last.reason else "localized")
    elif last.state in (Status.STATE_UNCERTAIN, Status.STATE_LOST):
        status.summary(DiagnosticStatus.WARN, f"{name}: {last.reason}")
    else:
        status.summary(DiagnosticStatus.ERROR, f"{name}: {last.reason}")
    for key, value in vars(counters).items():
        status.add(f"frames {key}", str(value))
    status.add("map", f"{last.map_name} ({last.map_id})")
    status.add("confidence", f"{last.confidence:.2f}")
    status.add("inliers", f"{last.inliers} of {last.candidates}")
    status.add("processing time, ms", f"{1e3 * last.processing_time:.1f}")
    status.add("age at publication, ms", f"{1e3 * last.latency:.1f}")

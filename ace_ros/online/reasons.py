"""What keeps a robot from knowing where it is, beyond what an image says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ace_ros.localization.state import Reason


class OnlineReason(Enum):
    """What is wrong around an image; what is wrong in it says :class:`~ace_ros.localization.state.Reason`."""

    NO_MAP = 1  # none is loaded
    NO_IMAGE = 2  # none came, or none for some time
    NO_CAMERA = 3  # images, but no calibration for them
    UNCALIBRATED = 4  # a calibration that can't be used
    BAD_IMAGE = 5  # can't be read, or is of another size than its camera says
    STALE = 6  # too old when it gets here
    ODOMETRY_DISAGREES = 7  # too far from the last pose carried on by odometry
    NO_TRANSFORM = 8  # the camera's place on the robot or the odometry is missing, or can't be right
    TRANSFORM_CONFLICT = 9  # somebody else publishes the transform that this should
    INTERNAL_ERROR = 10  # a defect of this package
    UNCONFIRMED = 11  # good for an image, not enough for a robot: another view must bear it out


@dataclass(frozen=True)
class Fault:
    """What is wrong, as a code and as a sentence; false where nothing is."""

    reason: Reason | OnlineReason = Reason.NONE
    sentence: str = ""

    def __bool__(self) -> bool:
        return self.reason is not Reason.NONE

"""How far the odometry is trusted, and what it takes to believe a pose that it does not bear out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from ace_ros.geometry import squared_within
from ace_ros.options import Options, option


@dataclass(frozen=True)
class GateOptions(Options):
    """Odometry gate. How far the odometry is trusted, and when it may refuse a pose."""

    gate_probability: float = option(
        0.999,
        "A pose is refused where a true one would lie nearer with this probability.",
        low=0.0,
        high=0.999999,
        without="no gate",
    )
    confirm_probability: float = option(
        0.999,
        "A pose that odometry does not bear out (the first, one after the robot was carried) is believed where images "
        "say with this probability that it is right: one alone, or several from different places.",
        low=0.0,
        high=0.999999,
        without="single images are believed",
    )
    kidnap_frames: int = option(
        5,
        "So many poses in a row, at least, agree with each other but not with the odometry before they are believed; "
        "an image that gives none, or another, takes one back.",
        low=2,
        high=1000,
    )
    odom_translation_drift: float = option(
        0.05, "Drift of the odometry's position on the way, 1 sigma.", unit="m per m", low=0.0, high=1.0
    )
    odom_rotation_drift: float = option(
        0.05, "Drift of its rotation in turning, 1 sigma.", unit="degrees per degree", low=0.0, high=1.0
    )
    odom_heading_drift: float = option(
        1.0, "Drift of its rotation on the way, 1 sigma.", unit="degrees per m", low=0.0, high=45.0
    )
    gate_translation_floor: float = option(
        0.03, "Always allowed for, 1 sigma: stamps jitter, mounts flex.", unit="m", low=1e-4
    )
    gate_rotation_floor: float = option(
        1.0, "Always allowed for, 1 sigma, in rotation.", unit="degrees", low=0.01, high=45.0
    )


@cache
def agreement(options: GateOptions) -> float:
    """Squared Mahalanobis distance up to which two poses count as one, also where no pose is refused."""
    return squared_within(options.gate_probability or GateOptions.gate_probability)

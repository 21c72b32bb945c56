"""What can be said of a pose: whether to rely on it, and if not, why."""

from __future__ import annotations

from enum import Enum


class State(Enum):
    """LOCALIZED: rely on it. UNCERTAIN: a pose, for information only. LOST: none worth having."""

    LOCALIZED = 1
    UNCERTAIN = 2
    LOST = 3


class Reason(Enum):
    """Why a pose is not LOCALIZED."""

    NONE = 0
    BLURRED_OR_DARK = 1
    TOO_FEW_INLIERS = 2
    POOR_COVERAGE = 3
    DEGENERATE_GEOMETRY = 4
    WITNESSES_DISAGREE = 5
    AMBIGUOUS = 6

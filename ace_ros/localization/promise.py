"""What LOCALIZED promises: how far off a pose is that nobody may be sure of."""

from __future__ import annotations

WRONG_TURN = 5.0  # degrees
_METRES, _OF_DEPTH = 0.10, 0.02  # the larger of both: what is 10 cm off in a street is not lost there
_OF_DEPTH_WITHOUT_SCALE = 0.05


def wrong_shift(metric: bool, depth: float) -> float:
    """Units of the map, from which on a position is wrong.

    Args:
        metric: whether the map's unit is the metre. depth: median of the scene's, units of the map.
    """
    return max(_METRES, _OF_DEPTH * depth) if metric else _OF_DEPTH_WITHOUT_SCALE * depth

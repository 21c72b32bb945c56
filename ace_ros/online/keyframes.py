"""Which posed frames are worth mapping."""

from __future__ import annotations

from dataclasses import dataclass

from ace_ros.geometry import Matrix, pose_error


@dataclass(frozen=True)
class KeyframeOptions:
    """A frame is taken after ``min_translation`` (m) or ``min_rotation`` (degrees) since the last one taken,
    but not before ``min_interval`` (s); after ``max_interval`` (s; 0 never) even without motion.

    The defaults are set by hand, for a room.
    """

    min_translation: float = 0.05
    min_rotation: float = 5.0
    min_interval: float = 0.0
    max_interval: float = 0.0


class KeyframePicker:
    """Says which frames bring news."""

    def __init__(self, options: KeyframeOptions) -> None:
        self._options = options
        self._last: tuple[Matrix, int] | None = None

    def wants(self, map_from_camera: Matrix, stamp: int) -> bool:
        """Whether the frame (stamp in ns) brings something that the last one taken did not."""
        if self._last is None:
            return True
        pose, since = self._last
        seconds = (stamp - since) * 1e-9
        if seconds < 0:  # the recording started over
            return True
        if seconds < self._options.min_interval:
            return False
        if 0 < self._options.max_interval <= seconds:
            return True
        translation, rotation = pose_error(map_from_camera, pose)
        return translation >= self._options.min_translation or rotation >= self._options.min_rotation

    def took(self, map_from_camera: Matrix, stamp: int) -> None:
        """Remember the frame that was taken."""
        self._last = (map_from_camera, stamp)

    def forget(self) -> None:
        """Start over: the next frame is wanted."""
        self._last = None

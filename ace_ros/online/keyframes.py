"""Which posed frames are worth mapping."""

from __future__ import annotations

from dataclasses import dataclass

from ace_ros.geometry import Matrix, pose_error
from ace_ros.options import Options, option


@dataclass(frozen=True)
class KeyframeOptions(Options):
    """Which frames are keyframes, worth mapping."""

    min_translation: float = option(
        0.02, "A frame is taken after so much motion since the last one, or after min_rotation.", unit="m", low=0.0
    )
    min_rotation: float = option(
        2.0, "A frame is taken after so much rotation since the last one.", unit="degrees", low=0.0, high=180.0
    )
    min_interval: float = option(0.0, "Least time between two frames.", unit="s", low=0.0)
    max_interval: float = option(
        0.0, "A frame is taken after so much time even without motion.", unit="s", low=0.0, without="never"
    )


class KeyframePicker:
    """Says which frames bring news."""

    def __init__(self, options: KeyframeOptions) -> None:
        self.options = options  # others may take their place
        self._last: tuple[Matrix, int] | None = None

    def wants(self, map_from_camera: Matrix, stamp: int) -> bool:
        """Whether the frame (stamp in ns) brings something that the last one taken did not."""
        if self._last is None:
            return True
        pose, since = self._last
        seconds = (stamp - since) * 1e-9
        if seconds < 0:  # the recording started over
            return True
        if seconds < self.options.min_interval:
            return False
        if 0 < self.options.max_interval <= seconds:
            return True
        translation, rotation = pose_error(map_from_camera, pose)
        return translation >= self.options.min_translation or rotation >= self.options.min_rotation

    def took(self, map_from_camera: Matrix, stamp: int) -> None:
        """Remember the frame that was taken."""
        self._last = (map_from_camera, stamp)

    def forget(self) -> None:
        """Start over: the next frame is wanted."""
        self._last = None

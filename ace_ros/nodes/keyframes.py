"""Which posed frames are worth mapping, and what their motion says about the drive. No ROS in here."""

from __future__ import annotations

from dataclasses import dataclass

from ace_ros.geometry import Matrix, pose_error

_JUMP_SPEED = 5.0  # m/s: nothing that maps a room drives so fast
_JUMP_TURN = 720.0  # degrees/s
_JUMP_LEAST = (0.3, 30.0)  # m, degrees: below this it may be noise between two close stamps
_FAST_TURN = 60.0  # degrees/s: images blur, and rolling shutters shear


@dataclass(frozen=True)
class KeyframeOptions:
    """A frame is taken after ``min_translation`` (m) or ``min_rotation`` (degrees) since the last one taken,
    but not before ``min_interval`` (s); after ``max_interval`` (s; 0 never) even without motion."""

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


class MotionWatch:
    """Watches the poses of all frames for jumps and for turns that are too fast."""

    def __init__(self) -> None:
        self.frames = 0
        self.jumps = 0
        self.fast = 0
        self._last: tuple[Matrix, int] | None = None

    def saw(self, map_from_camera: Matrix, stamp: int) -> None:
        """Take note of a pose (stamp in ns)."""
        last, self._last = self._last, (map_from_camera, stamp)
        self.frames += 1
        if last is None or stamp <= last[1]:
            return
        seconds = (stamp - last[1]) * 1e-9
        translation, rotation = pose_error(map_from_camera, last[0])
        far = translation > max(_JUMP_SPEED * seconds, _JUMP_LEAST[0])
        if far or rotation > max(_JUMP_TURN * seconds, _JUMP_LEAST[1]):
            self.jumps += 1
        elif rotation > _FAST_TURN * seconds:
            self.fast += 1

    def advice(self) -> list[str]:
        """What the drive suffers from, a sentence each."""
        sentences = []
        if self.jumps:
            sentences.append(
                f"The poses jumped {self.jumps} times: their source was corrected on the way (a loop closure, say). "
                "Map with poses that were settled before, or build anew from a second drive."
            )
        if self.frames >= 20 and self.fast > self.frames // 4:
            sentences.append(
                f"The camera turned faster than {_FAST_TURN:.0f} degrees/s in {self.fast} of {self.frames} frames: "
                "images blur; turn more slowly."
            )
        return sentences

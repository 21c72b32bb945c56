"""What the frames of a mapping drive say about the drive itself."""

from __future__ import annotations

from collections import deque

import cv2
import numpy as np

from ace_ros.camera import Camera
from ace_ros.geometry import Matrix, pose_error
from ace_ros.image import Pixels

# All of these are set by hand: they decide what is said, and nothing else.
_JUMP_SPEED = 5.0  # m/s: nothing that maps a room drives so fast
_JUMP_TURN = 720.0  # degrees/s: nor turns so fast, hand-held or not
_JUMP_LEAST = (0.3, 30.0)  # m, degrees: below this it may be noise between two close stamps
_FAST_TURN = 60.0  # degrees/s: images blur, and rolling shutters shear
_OVERLAP = 0.5  # of the width of the image: two views that turned further share too little to be matched
_FAR = 1.0  # m between neighbouring keyframes: what is a few metres away looks different
_SHARP = 0.3  # of the usual sharpness: blurred
_SHORT_SIDE = 240.0  # pixels of the image that sharpness is judged in
_USUAL = 200  # frames that the usual sharpness is that of
_APART = 45.0  # degrees between two directions of view that count as different
_PARALLAX = 0.2  # m that the camera must have moved for depth
_ENOUGH = 20  # frames before much is said
_MANY = 4  # one frame in so many turns too fast
_SOME = 10  # one frame in so many is blurred, or overlaps too little
COMFORTABLE = 50  # frames that a map of a room is better built from


class DriveWatch:
    """Watches poses and images for what makes maps bad; the units are metres where ``metric``."""

    def __init__(self, metric: bool = True) -> None:
        self._metric = metric
        self.frames = self.jumps = self.fast = 0
        self.taken = self.gaps = 0
        self.encoded = self.blurred = 0
        self._last: tuple[Matrix, int] | None = None
        self._last_taken: Matrix | None = None
        self._directions: list[np.ndarray] = []
        self._low, self._high = np.full(3, np.inf), np.full(3, -np.inf)
        self._sharpness: deque[float] = deque(maxlen=_USUAL)

    def saw(self, map_from_camera: Matrix, stamp: int) -> None:
        """Take note of the pose of any frame (stamp in ns)."""
        last, self._last = self._last, (map_from_camera, stamp)
        self.frames += 1
        if last is None or stamp <= last[1]:
            return
        seconds = (stamp - last[1]) * 1e-9
        translation, rotation = pose_error(map_from_camera, last[0])
        far = self._metric and translation > max(_JUMP_SPEED * seconds, _JUMP_LEAST[0])
        if far or rotation > max(_JUMP_TURN * seconds, _JUMP_LEAST[1]):
            self.jumps += 1
        elif rotation > _FAST_TURN * seconds:
            self.fast += 1

    def took(self, map_from_camera: Matrix, camera: Camera) -> None:
        """Take note of a frame that goes into the map."""
        last, self._last_taken = self._last_taken, map_from_camera
        self.taken += 1
        self._low = np.minimum(self._low, map_from_camera[:3, 3])
        self._high = np.maximum(self._high, map_from_camera[:3, 3])
        ahead = map_from_camera[:3, 2]
        if all(float(ahead @ known) < np.cos(np.radians(_APART)) for known in self._directions):
            self._directions.append(ahead)
        if last is not None:
            translation, rotation = pose_error(map_from_camera, last)
            width = np.degrees(2 * np.arctan(camera.width / 2 / camera.fx))
            self.gaps += bool(rotation > _OVERLAP * width or (self._metric and translation > _FAR))

    def looked_at(self, image: Pixels) -> None:
        """Take note of the pixels of a frame that goes into the map: blur is what is less sharp than the others."""
        grey = image if image.ndim == 2 else image[..., 1]
        scale = min(1.0, _SHORT_SIDE / min(grey.shape))
        small = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        sharpness = float(cv2.Laplacian(small, cv2.CV_32F).std() / max(float(small.std()), 1.0))
        self.encoded += 1
        self._sharpness.append(sharpness)
        self.blurred += bool(sharpness < _SHARP * float(np.median(self._sharpness)))

    def advice(self) -> list[str]:
        """What the drive suffers from, a sentence each."""
        sentences = []
        if self.jumps:
            sentences.append(
                f"The poses jumped {self.jumps} times: their source was corrected on the way (a loop closure, say). "
                "Map with poses that were settled before, or build anew from a second drive."
            )
        if self.frames >= _ENOUGH and self.fast > self.frames // _MANY:
            sentences.append(
                f"The camera turned faster than {_FAST_TURN:.0f} degrees/s in {self.fast} of {self.frames} frames: "
                "images blur; turn more slowly."
            )
        if self.encoded >= _ENOUGH and self.blurred > self.encoded // _SOME:
            sentences.append(
                f"{self.blurred} of {self.encoded} images are blurred beside the others: move more slowly, or give "
                "the camera more light and a shorter exposure."
            )
        if self.taken >= _ENOUGH and self.gaps > self.taken // _SOME:
            sentences.append(
                f"Neighbouring frames overlap too little in {self.gaps} of {self.taken} places: drive more slowly, "
                "turn on the spot more slowly, or ask for less motion between keyframes (min_translation, "
                "min_rotation)."
            )
        if self.taken >= _ENOUGH and self._metric and float(np.linalg.norm(self._high - self._low)) < _PARALLAX:
            sentences.append(
                f"The camera moved by less than {_PARALLAX:g} m so far: without moving sideways there is no depth."
            )
        if self.taken >= COMFORTABLE and len(self._directions) < 3:
            sentences.append(
                f"All views look {'one way' if len(self._directions) < 2 else 'two ways'}: a robot that looks "
                "elsewhere will not find itself; turn around, or drive back as well."
            )
        return sentences

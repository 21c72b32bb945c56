"""Images that a map is coloured with."""

from __future__ import annotations

import cv2

from ace_ros.camera import Camera
from ace_ros.geometry import Matrix
from ace_ros.image import Pixels
from ace_ros.recordings.images import decode_image
from ace_ros.recordings.posed_frame import PosedFrame

_KEPT = 60  # enough to colour a room; set by hand, as the next
_QUALITY = 85  # of their JPEGs


class Album:
    """A few of the mapping views, spread evenly over all; the map is coloured with them."""

    def __init__(self) -> None:
        self._pages: list[PosedFrame] = []
        self._step, self._seen = 1, 0

    def show(self, image: Pixels, camera: Camera, map_from_camera: Matrix, name: str) -> None:
        """Keep the image (as a JPEG), or let it pass."""
        self._seen += 1
        if (self._seen - 1) % self._step:
            return
        stored = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        jpeg = cv2.imencode(".jpg", stored, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()
        self._pages.append(PosedFrame(name, self._seen, camera, map_from_camera, lambda: decode_image(jpeg, name)))
        if len(self._pages) > _KEPT:
            self._pages, self._step = self._pages[::2], 2 * self._step

    def frames(self) -> list[PosedFrame]:
        """The images, with their cameras and poses."""
        return list(self._pages)

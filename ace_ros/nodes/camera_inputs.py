"""The images of all cameras of a robot."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from rclpy.node import Node

from ace_ros.nodes.image_input import CameraFrame, ImageInput
from ace_ros.nodes.options import LocalizationNodeOptions
from ace_ros.online.reasons import Fault, OnlineReason


class CameraInputs:
    """Subscribes to ``image`` and ``camera_info``; of several cameras to ``image_0``, ``camera_info_0`` and so on.

    Args:
        received: gets each frame, and the number of its camera.
    """

    def __init__(
        self, node: Node, options: LocalizationNodeOptions, depth: int, received: Callable[[int, CameraFrame], None]
    ) -> None:
        count = options.cameras
        suffixes = [f"_{camera}" for camera in range(count)] if count > 1 else [""]
        self.each = [ImageInput(node, options, depth, suffix) for suffix in suffixes]
        self._owners: dict[str, int] = {}  # frame_id -> the camera that had it first
        self._twins: dict[int, str] = {}  # camera -> the frame_id that another camera has as well
        self._received, self._refused = received, 0
        for camera, images in enumerate(self.each):
            images.registerCallback(partial(self._on_frame, camera))

    def __str__(self) -> str:
        return ", ".join(f"images on {one.image_topic} and camera_info on {one.info_topic}" for one in self.each)

    @property
    def images(self) -> int:
        """Images that arrived."""
        return sum(one.images for one in self.each)

    @property
    def unmatched(self) -> int:
        """Images that no camera_info came for."""
        return sum(one.unmatched for one in self.each)

    @property
    def unusable(self) -> int:
        """Images that do not fit their camera_info, whose camera_info can't be used, or whose frame is another's."""
        return self._refused + sum(one.rejected_camera + one.rejected_image for one in self.each)

    def forget(self) -> None:
        """Time jumped: pairs of before don't count."""
        for one in self.each:
            one.forget()

    def look_after(self) -> None:
        """Call now and then, see :meth:`ImageInput.look_after`."""
        for one in self.each:
            one.look_after()

    def close(self) -> None:
        """Unsubscribe."""
        for one in self.each:
            one.close()

    def fault(self, camera: int) -> Fault:
        """What keeps the images of this camera from being used; none where they come."""
        if camera in self._twins:
            other = self.each[self._owners[self._twins[camera]]].image_topic
            return Fault(
                OnlineReason.NO_TRANSFORM,
                f"images on {self.each[camera].image_topic} have the frame_id '{self._twins[camera]}', as those on "
                f"{other}: each camera needs an optical frame of its own",
            )
        return self.each[camera].silence()

    def _on_frame(self, camera: int, frame: CameraFrame) -> None:
        name = frame.header.frame_id
        if self._owners.setdefault(name, camera) != camera:
            self._twins[camera] = name
            self._refused += 1
            return
        self._twins.pop(camera, None)
        self._received(camera, frame)

"""Images with their cameras: transport, QoS, and the camera_info that goes with each image."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from message_filters import SimpleFilter
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from ace_ros.camera import Camera
from ace_ros.errors import InputError
from ace_ros.nodes.adaptive_subscription import AdaptiveSubscription
from ace_ros.nodes.conversions import CameraError, camera_from_info, check_stated_size, nanoseconds
from ace_ros.nodes.options import ImageOptions
from ace_ros.online.info_matcher import KEPT_INFOS, InfoMatcher
from ace_ros.online.reasons import Fault, OnlineReason
from ace_ros.recordings.lens_names import lens_named

_LONGEST_WAIT = 1.0  # s that an image waits for its camera_info; set by hand
_ASK_AGAIN = 1.0  # s; set by hand
_SILENT_AFTER = 2.0  # s without images that are worth a word; set by hand


@dataclass(frozen=True)
class CameraFrame:
    """An image message with its camera. ``header`` is that of the image, its frame_id the optical frame."""

    header: Header
    stamp: int  # ns
    message: Image | CompressedImage
    camera: Camera


class ImageInput(SimpleFilter):
    """Subscribes to ``image`` and ``camera_info`` and signals a :class:`CameraFrame` for each usable pair.

    Args:
        suffix: of the names of both topics, before they are remapped.
    """

    def __init__(self, node: Node, options: ImageOptions, depth: int, suffix: str = "") -> None:
        super().__init__()
        self._node, self._options = node, options
        base = node.resolve_topic_name(f"image{suffix}")
        self._compressed = options.image_transport == "compressed"
        self.image_topic = f"{base}/compressed" if self._compressed else base
        self.info_topic = node.resolve_topic_name(f"camera_info{suffix}")
        self._by_name = "rect" in base.rsplit("/", 1)[-1]  # image_rect, image_rect_color: as image_proc calls them
        self._warned = False
        self._matcher: InfoMatcher[Image | CompressedImage, CameraInfo] = InfoMatcher()
        self._camera: tuple[CameraInfo, Camera | InputError] | None = None
        self._recent: deque[int] = deque(maxlen=2 * depth)  # stamps
        self.images = 0  # that arrived
        self._last_image = time.monotonic()
        self._said: dict[str, tuple[str, float]] = {}  # why nothing comes, and since when that is known
        self.infos = 0
        self.rejected_camera = 0  # images whose camera_info can't be used
        self.rejected_image = 0  # images that do not fit their camera_info
        self.fault: InputError | None = None  # why the last image had no usable camera
        kind, reliability = CompressedImage if self._compressed else Image, options.image_reliability
        reliable = reliability == "reliable"
        self._info_subscription = AdaptiveSubscription(
            node, CameraInfo, self.info_topic, KEPT_INFOS, self._on_info, reliable, adapt=True
        )
        self._subscription = AdaptiveSubscription(
            node, kind, self.image_topic, depth, self._on_image, reliable, adapt=reliability == "auto"
        )

    @property
    def unmatched(self) -> int:
        """Images that no camera_info came for."""
        return self._matcher.unmatched

    def forget(self) -> None:
        """Time jumped: pairs of before don't count."""
        self._matcher.forget()

    def close(self) -> None:
        """Unsubscribe."""
        self._subscription.close()
        self._info_subscription.close()

    def look_after(self) -> None:
        """Call now and then: images wait no longer, and subscriptions follow their publishers."""
        self._matcher.expire(time.monotonic() - _LONGEST_WAIT)
        self._subscription.look_after()
        self._info_subscription.look_after()

    def silence(self) -> Fault:
        """What is missing or does not fit; none when frames come."""
        kind = "compressed" if self._compressed else "raw"
        quiet = time.monotonic() - self._last_image
        if not self.images and quiet < _SILENT_AFTER:
            return Fault(OnlineReason.NO_IMAGE, f"no image yet on {self.image_topic} ({kind})")
        if not self.images:
            why = self._why("image", self._subscription, Image, CompressedImage)
            return Fault(OnlineReason.NO_IMAGE, f"no image on {self.image_topic} ({kind}) so far: {why}")
        if quiet > _SILENT_AFTER:
            why = self._why("image", self._subscription, Image, CompressedImage)
            return Fault(OnlineReason.NO_IMAGE, f"no image on {self.image_topic} for {quiet:.1f} s: {why}")
        if not self.infos:
            why = self._why("info", self._info_subscription)
            sentence = f"images on {self.image_topic}, but no camera_info on {self.info_topic}: {why}"
            return Fault(OnlineReason.NO_CAMERA, sentence)
        if self.fault is not None:
            bad_camera = isinstance(self.fault, CameraError)
            return Fault(OnlineReason.UNCALIBRATED if bad_camera else OnlineReason.BAD_IMAGE, str(self.fault))
        return Fault()

    def _why(self, what: str, subscription: AdaptiveSubscription, *kin: type[Any]) -> str:
        """Asks the graph once a second at most."""
        said, when = self._said.get(what, ("", 0.0))
        if time.monotonic() - when > _ASK_AGAIN:
            said = subscription.why_silent(*kin)
            self._said[what] = said, time.monotonic()
        return said

    def _on_image(self, message: Image | CompressedImage) -> None:
        stamp = nanoseconds(message.header.stamp)
        if self._subscription.changing and stamp in self._recent:
            return
        self._recent.append(stamp)
        self.images += 1
        self._last_image = time.monotonic()
        self._emit(self._matcher.add_image(stamp, message))

    def _on_info(self, message: CameraInfo) -> None:
        self.infos += 1
        self._emit(self._matcher.add_info(nanoseconds(message.header.stamp), message))

    def _emit(self, pair: tuple[Any, CameraInfo] | None) -> None:
        if pair is None:
            return
        image, info = pair
        camera = self._camera_of(info)
        if isinstance(camera, InputError):
            self.fault = camera
            self.rejected_camera += 1
            return
        try:
            check_stated_size(image, camera)
        except InputError as error:
            self.fault = error
            self.rejected_image += 1
            return
        self.fault = None
        header = image.header
        if self._options.camera_frame:
            header = Header(stamp=header.stamp, frame_id=self._options.camera_frame)
        self.signalMessage(CameraFrame(header, nanoseconds(header.stamp), image, camera))

    def _camera_of(self, info: CameraInfo) -> Camera | InputError:
        if self._camera is None or not _same_camera(self._camera[0], info):
            try:
                camera: Camera | InputError = camera_from_info(info, self._options.rectified or self._by_name)
                self._compare_names(info)
            except InputError as error:
                camera = CameraError(str(error))
            self._camera = (info, camera)
        return self._camera[1]

    def _compare_names(self, info: CameraInfo) -> None:
        """Say it, once, where name and parameter disagree and it matters: nothing is undistorted twice."""
        rectified = self._options.rectified
        if rectified == self._by_name or self._warned or not _distorts(info):
            return
        self._warned = True
        if self._by_name:
            text = "is rectified by its name, so P of camera_info holds, without distortion: set rectified to true"
        else:
            text = "is not rectified by its name, but the parameter rectified says so: P of camera_info holds"
        self._node.get_logger().warning(f"{self.image_topic} {text}")


def _distorts(info: CameraInfo) -> bool:
    try:
        lens = lens_named(info.distortion_model, info.d, "camera_info")
    except InputError:
        return True
    return lens.model != "pinhole" or bool(lens.distortion)


def _same_camera(a: CameraInfo, b: CameraInfo) -> bool:
    return (
        (a.width, a.height, a.binning_x, a.binning_y, a.distortion_model, a.roi)
        == (b.width, b.height, b.binning_x, b.binning_y, b.distortion_model, b.roi)
        and (a.k == b.k).all()
        and (a.p == b.p).all()
        and a.d == b.d
    )

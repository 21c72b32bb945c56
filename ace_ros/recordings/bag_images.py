"""Image and CameraInfo messages of a bag: decoded without cv_bridge, which needs ROS."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rosbags.interfaces import Connection

from ace_ros.camera import Camera
from ace_ros.errors import InputError
from ace_ros.image import Pixels
from ace_ros.recordings.bag_file import Bag, Header, stamp_of
from ace_ros.recordings.images import decode_image, image_size, to_rgb8
from ace_ros.recordings.intrinsics import camera_of_info
from ace_ros.recordings.left_out import LeftOut

RAW, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
INFO = "sensor_msgs/msg/CameraInfo"
_DEPTH = ("16UC1", "32FC1")  # REP 118
# channels, type, and what turns it into BGR where it is not grey or BGR(A) already
_ENCODINGS: dict[str, tuple[int, type, int | None]] = {
    "mono8": (1, np.uint8, None),
    "8UC1": (1, np.uint8, None),
    "mono16": (1, np.uint16, None),
    "bgr8": (3, np.uint8, None),
    "8UC3": (3, np.uint8, None),
    "bgr16": (3, np.uint16, None),
    "bgra8": (4, np.uint8, None),
    "8UC4": (4, np.uint8, None),
    "rgb8": (3, np.uint8, cv2.COLOR_RGB2BGR),
    "rgb16": (3, np.uint16, cv2.COLOR_RGB2BGR),
    "rgba8": (4, np.uint8, cv2.COLOR_RGBA2BGR),
    # OpenCV names a pattern by its second row; names by the first came with 4.5.5.
    "bayer_rggb8": (1, np.uint8, cv2.COLOR_BayerBG2BGR),
    "bayer_bggr8": (1, np.uint8, cv2.COLOR_BayerRG2BGR),
    "bayer_gbrg8": (1, np.uint8, cv2.COLOR_BayerGR2BGR),
    "bayer_grbg8": (1, np.uint8, cv2.COLOR_BayerGB2BGR),
    "uyvy": (2, np.uint8, cv2.COLOR_YUV2BGR_UYVY),
    "yuv422": (2, np.uint8, cv2.COLOR_YUV2BGR_UYVY),
    "yuyv": (2, np.uint8, cv2.COLOR_YUV2BGR_YUY2),
    "yuv422_yuy2": (2, np.uint8, cv2.COLOR_YUV2BGR_YUY2),
}


@dataclass(frozen=True)
class BagImage:
    """The image of a frame in the bag; ``name`` is what messages call it."""

    bag: Bag
    connection: Connection
    header: Header
    name: str

    def load(self) -> Pixels:
        """Its pixels; raises as :func:`decode_message`."""
        return decode_message(self._message(), self.connection.msgtype, self.name)

    def stored(self) -> bytes | None:
        """The compressed image as it was recorded; None when it is a raw one."""
        return bytes(self._message().data) if self.connection.msgtype == COMPRESSED else None

    def _message(self) -> Any:
        return self.bag.at(self.connection, self.header)


def decode_message(message: Any, msgtype: str, where: str) -> Pixels:
    """Pixels of a message, uint8, (H, W) or (H, W, 3) RGB.

    Raises:
        InputError: empty, truncated, or of an encoding that is no photograph or not known.
    """
    if msgtype == COMPRESSED:
        return decode_image(message.data, where)
    if message.encoding not in _ENCODINGS:
        raise InputError(
            f"{where}: images of encoding '{message.encoding}' can't be used ({', '.join(_ENCODINGS)} can)"
        )
    channels, kind, conversion = _ENCODINGS[message.encoding]
    row = message.width * channels * np.dtype(kind).itemsize
    if not row or not message.height:
        raise InputError(f"{where}: the image is empty ({message.width} x {message.height})")
    step = message.step or row
    if step < row or len(message.data) < step * (message.height - 1) + row:
        raise InputError(
            f"{where}: the image is truncated: {len(message.data)} bytes for {message.height} rows of {step} bytes"
        )
    pixels = np.lib.stride_tricks.as_strided(np.frombuffer(message.data, np.uint8), (message.height, row), (step, 1))
    order = np.dtype(kind).newbyteorder(">" if message.is_bigendian else "<")
    typed: NDArray[Any] = (
        np.ascontiguousarray(pixels).view(order).astype(kind).reshape(message.height, message.width, -1)
    )
    return to_rgb8(typed if conversion is None else cv2.cvtColor(typed, conversion), where)


def is_photograph(message: Any, topic: str, msgtype: str) -> bool:
    """Whether a topic holds pictures rather than depth."""
    if msgtype == COMPRESSED:
        return "compresseddepth" not in (topic + str(message.format)).lower().replace(" ", "")
    return message.encoding not in _DEPTH


def message_size(message: Any, msgtype: str) -> tuple[int, int] | None:
    """Width and height of the image; None when it can't be told."""
    return (message.width, message.height) if msgtype == RAW else image_size(BytesIO(bytes(message.data)))


def first_size(bag: Bag, connection: Connection, headers: Sequence[Header]) -> tuple[int, int] | None:
    """Width and height of the first image that has any; None when none can be told."""
    for header in headers:
        with suppress(InputError):
            size = message_size(bag.at(connection, header), connection.msgtype)
            if size is not None and all(size):
                return size
    return None


def cameras(bag: Bag, connection: Connection, rectified: bool, size: tuple[int, int] | None) -> Callable[[int], Camera]:
    """Camera at a stamp: that of the last usable CameraInfo before it, or of the first one.

    Raises:
        InputError: none is usable.
    """
    where = f"{bag.path}: {connection.topic}"
    changes: list[tuple[int, Camera]] = []
    fault: InputError | None = None
    for _, log_time, info in bag.messages([connection], LeftOut()):  # one that is damaged counts as none
        stamp = stamp_of(info.header)
        try:
            camera = camera_of_info(info, rectified, where, size)
        except InputError as error:  # drivers send an empty one until their calibration is loaded
            fault = error
            continue
        if not changes or camera != changes[-1][1]:
            changes.append((stamp or log_time, camera))
    if not changes:
        raise fault or InputError(f"{where}: holds no messages")

    def camera_at(stamp: int) -> Camera:
        return next((camera for since, camera in reversed(changes) if since <= stamp), changes[0][1])

    return camera_at

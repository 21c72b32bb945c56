"""Image and CameraInfo messages of a bag: decoded without cv_bridge, which needs ROS."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from itertools import chain
from typing import Any

from rosbags.interfaces import Connection

from ace_ros.camera import Camera
from ace_ros.errors import InputError
from ace_ros.image import Pixels
from ace_ros.recordings.bag_file import Bag, Header, stamp_of
from ace_ros.recordings.encodings import DEPTH, decode_compressed, decode_raw, is_compressed_depth
from ace_ros.recordings.images import image_size
from ace_ros.recordings.intrinsics import camera_of_info
from ace_ros.recordings.left_out import LeftOut
from ace_ros.recordings.posed_frame import evenly

RAW, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
INFO = "sensor_msgs/msg/CameraInfo"
_ASKED = 9  # images for their size: one of another size is outvoted, wherever it is
VIDEO = ("ffmpeg_image_transport_msgs/msg/FFMPEGPacket", "foxglove_msgs/msg/CompressedVideo")


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
    """Pixels of a message, uint8, (H, W) or (H, W, 3) RGB; raises as :func:`decode_raw`."""
    return decode_compressed(message, where) if msgtype == COMPRESSED else decode_raw(message, where)


def is_photograph(message: Any, topic: str, msgtype: str) -> bool:
    """Whether a topic holds pictures rather than depth."""
    return not is_compressed_depth(message, topic) if msgtype == COMPRESSED else message.encoding not in DEPTH


def message_size(message: Any, msgtype: str) -> tuple[int, int] | None:
    """Width and height of the image; None when it can't be told."""
    return (message.width, message.height) if msgtype == RAW else image_size(BytesIO(bytes(message.data)))


def usual_size(bag: Bag, connection: Connection, headers: Sequence[Header]) -> tuple[int, int] | None:
    """Width and height that most images have, by some that have any; None when none can be told."""
    sizes: Counter[tuple[int, int]] = Counter()
    first = evenly(headers, _ASKED)
    for header in chain(first, (other for other in headers if other not in first)):  # each has one vote
        if sizes.total() >= _ASKED:
            break
        with suppress(InputError):
            size = message_size(bag.at(connection, header), connection.msgtype)
            if size is not None and all(size):
                sizes[size] += 1
    return max(sizes, key=lambda size: sizes[size], default=None)


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

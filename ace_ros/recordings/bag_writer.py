"""A recording as a rosbag2.

Topics: ``/camera/image_raw/compressed`` (CompressedImage), ``/camera/camera_info`` (CameraInfo), ``/camera/pose``
(PoseStamped) and ``/tf``. Poses and TF give the camera's optical frame (REP 103: z forward, x right, y down),
``camera_optical_frame``, in the recording's map frame (REP 105). Every message carries the stamp of its frame and is
recorded at that time. ``test.txt`` in the bag's folder names the frames that are queries, where there are any, so that
they are kept from mapping here too.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from rosbags.interfaces import Connection, Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from ace_ros.camera import Camera
from ace_ros.errors import InputError
from ace_ros.geometry import Matrix, quaternion_xyzw
from ace_ros.recordings.bag_file import METRIC_KEY, frame_name
from ace_ros.recordings.images import encoding_of, unturned
from ace_ros.recordings.left_out import LeftOut
from ace_ros.recordings.lens_names import name_in_ros
from ace_ros.recordings.posed_frame import PosedFrame, Recording
from ace_ros.recordings.splits import LIST

IMAGE_TOPIC = "/camera/image_raw/compressed"
INFO_TOPIC = "/camera/camera_info"
POSE_TOPIC = "/camera/pose"
OPTICAL_FRAME = "camera_optical_frame"
_TOPICS = {
    "/tf": "tf2_msgs/msg/TFMessage",
    POSE_TOPIC: "geometry_msgs/msg/PoseStamped",
    INFO_TOPIC: "sensor_msgs/msg/CameraInfo",
    IMAGE_TOPIC: "sensor_msgs/msg/CompressedImage",
}
_FOREVER = QosTime(0, 0)
_RELIABLE = Qos(
    QosHistory.KEEP_LAST,
    10,
    QosReliability.RELIABLE,
    QosDurability.VOLATILE,
    _FOREVER,
    _FOREVER,
    QosLiveliness.SYSTEM_DEFAULT,
    _FOREVER,
    False,
)
_VERSION: Literal[8] = 8  # of metadata.yaml; 9 writes QoS in another way, which older releases don't read


def write_bag(
    scene: Recording,
    path: Path | str,
    storage: Literal["mcap", "sqlite3"] = "mcap",
    on_frame: Callable[[], None] = lambda: None,
) -> LeftOut:
    """Write a bag, a folder; JPEG and PNG images go in as they are, byte by byte.

    Frames whose image can't be read are left out, and returned. EXIF that asks viewers to turn a JPEG is not
    written: not everybody who decodes it would ignore that.

    Raises:
        InputError: the folder exists or can't be written, or no image can be read; nothing is left behind then.
    """
    path = Path(path)
    if path.exists():
        raise InputError(f"{path}: is there already; a bag is never overwritten: name another")
    if not scene.frames:
        raise InputError(f"{scene.name}: no frames to write to {path}")
    # Storage files carry the folder's name, so the bag grows under its true name in a folder beside it.
    temporary = path.parent / f".{path.name}.{os.getpid()}.part"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.mkdir()
        plugin = StoragePlugin.MCAP if storage == "mcap" else StoragePlugin.SQLITE3
        with Writer(temporary / path.name, version=_VERSION, storage_plugin=plugin) as writer:
            writer.set_custom_data(METRIC_KEY, str(scene.metric).lower())
            messages = _Messages(writer, scene)
            queries = messages.write(on_frame)
        if messages.written == 0:
            raise InputError(f"{scene.name}: no image can be read ({messages.left_out.reasons()})")
        if queries:
            lines = ["# Frames of this bag that are queries: not to be mapped.", *queries]
            (temporary / path.name / LIST).write_text("".join(line + "\n" for line in lines))
        os.replace(temporary / path.name, path)
    except OSError as error:
        raise InputError(f"{path}: the bag can't be written ({error.strerror or error})") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return messages.left_out


class _Messages:
    def __init__(self, writer: Writer, scene: Recording) -> None:
        self._writer, self._scene = writer, scene
        self._store = get_typestore(Stores.LATEST)
        self.left_out, self.written = scene.left_out.later(), 0
        self._connections: dict[str, Connection] = {
            topic: writer.add_connection(topic, kind, typestore=self._store, offered_qos_profiles=[_RELIABLE])
            for topic, kind in _TOPICS.items()
        }

    def write(self, on_frame: Callable[[], None]) -> list[str]:
        """Write all frames; the names, in the bag, of those that are queries."""
        queries = []
        last = 0
        for frame in sorted(self._scene.frames, key=lambda frame: frame.stamp):
            stamp = max(frame.stamp, last + 1)  # two frames of one stamp could not be told apart
            last = stamp
            with self.left_out.trying(frame.name):
                self._write_frame(frame, stamp)
                self.written += 1
                if frame.query:
                    queries.append(frame_name(IMAGE_TOPIC, stamp))
            on_frame()
        return queries

    def _write_frame(self, frame: PosedFrame, stamp: int) -> None:
        data, encoding = encoded(frame)  # first: it may fail
        if frame.map_from_camera is not None:
            pose = frame.map_from_camera
            header = self._header(stamp, self._scene.map_frame)
            transform = self._new(
                "geometry_msgs/msg/TransformStamped",
                header=header,
                child_frame_id=OPTICAL_FRAME,
                transform=self._new(
                    "geometry_msgs/msg/Transform",
                    translation=self._vector("geometry_msgs/msg/Vector3", pose),
                    rotation=self._quaternion(pose),
                ),
            )
            self._put("/tf", stamp, transforms=[transform])
            posed = self._new(
                "geometry_msgs/msg/Pose",
                position=self._vector("geometry_msgs/msg/Point", pose),
                orientation=self._quaternion(pose),
            )
            self._put(POSE_TOPIC, stamp, header=header, pose=posed)
        header = self._header(stamp, OPTICAL_FRAME)
        self._put(INFO_TOPIC, stamp, header=header, **self._info(frame.camera))
        self._put(IMAGE_TOPIC, stamp, header=header, format=encoding, data=np.frombuffer(data, dtype=np.uint8))

    def _put(self, topic: str, stamp: int, **fields: Any) -> None:
        message = self._new(_TOPICS[topic], **fields)
        self._writer.write(self._connections[topic], stamp, self._store.serialize_cdr(message, _TOPICS[topic]))

    def _new(self, kind: str, **fields: Any) -> Any:
        return self._store.types[kind](**fields)

    def _header(self, stamp: int, frame: str) -> Any:
        time = self._new("builtin_interfaces/msg/Time", sec=stamp // 10**9, nanosec=stamp % 10**9)
        return self._new("std_msgs/msg/Header", stamp=time, frame_id=frame)

    def _vector(self, kind: str, pose: Matrix) -> Any:
        x, y, z = (float(value) for value in pose[:3, 3])
        return self._new(kind, x=x, y=y, z=z)

    def _quaternion(self, pose: Matrix) -> Any:
        x, y, z, w = (float(value) for value in quaternion_xyzw(pose))
        return self._new("geometry_msgs/msg/Quaternion", x=x, y=y, z=z, w=w)

    def _info(self, camera: Camera) -> dict[str, Any]:
        name, coefficients = name_in_ros(camera.model, camera.distortion, self._scene.name)
        roi = self._new("sensor_msgs/msg/RegionOfInterest", x_offset=0, y_offset=0, height=0, width=0, do_rectify=False)
        return {
            "height": camera.height,
            "width": camera.width,
            "distortion_model": name,
            "d": np.array(coefficients),
            "k": camera.matrix.ravel(),
            "r": np.eye(3).ravel(),
            "p": np.hstack([camera.matrix, np.zeros((3, 1))]).ravel(),
            "binning_x": 0,
            "binning_y": 0,
            "roi": roi,
        }


def encoded(frame: PosedFrame) -> tuple[bytes, str]:
    """The frame's image as JPEG or PNG, not to be turned, and which: as it was stored, or else as PNG.

    Raises:
        InputError: the image can't be read.
    """
    image = frame.read()  # also for its checks: a bag with a damaged image helps nobody
    content = frame.stored()
    if content and (encoding := encoding_of(content)):
        return unturned(content) if encoding == "jpeg" else content, encoding
    done, data = cv2.imencode(".png", image if image.ndim == 2 else image[..., ::-1])
    if not done:
        raise InputError(f"{frame.name}: the image can't be encoded as PNG")
    return data.tobytes(), "png"

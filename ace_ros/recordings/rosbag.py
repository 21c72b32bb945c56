"""rosbag2: images, their CameraInfo and their poses are found by type; the user decides where that is ambiguous."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rosbags.interfaces import Connection

from ace_ros.camera import Camera
from ace_ros.errors import InputError
from ace_ros.recordings.bag_file import Bag, Header, frame_name
from ace_ros.recordings.bag_ground_truth import GroundTruth, find_poses
from ace_ros.recordings.bag_images import (
    COMPRESSED,
    INFO,
    RAW,
    VIDEO,
    BagImage,
    cameras,
    is_photograph,
    usual_size,
)
from ace_ros.recordings.bag_storage import is_bag
from ace_ros.recordings.intrinsics import camera_of_numbers, fitted
from ace_ros.recordings.left_out import LeftOut
from ace_ros.recordings.options import BagOptions, SplitOptions
from ace_ros.recordings.posed_frame import PosedFrame, Recording
from ace_ros.recordings.splits import Split, choose

NAME = "rosbag"
FILES = "*.mcap or *.db3 (rosbag2), *.bag (ROS 1)"


def matches(path: Path) -> bool:
    return is_bag(path)


def read(path: Path, split: Split, options: SplitOptions) -> Recording:
    bag = Bag(path)
    images = find_images(bag, options.bag)
    left_out = LeftOut(options.strict)
    headers, notes = _ordered(bag, images, left_out)
    camera_at, camera_notes = _camera(bag, images, headers, options)
    stamps = [header.stamp for header in headers]
    truth = find_poses(bag, images.topic, headers[0].frame, stamps, options.bag, left_out)
    frames = [
        _frame(bag, images, header, camera_at(header.stamp), truth, index) for index, header in enumerate(headers)
    ]
    notes = [*bag.notes, *notes, *camera_notes, *truth.notes]
    frames, split_notes = choose(frames, split, options, path if path.is_dir() else path.parent)
    name = path.resolve().stem if path.suffix in (".mcap", ".db3", ".bag") else path.resolve().name
    notes += split_notes
    return Recording(name, frames, metric=bag.metric, map_frame=truth.frame, notes=notes, left_out=left_out)


def _frame(bag: Bag, images: Connection, header: Header, camera: Camera, truth: GroundTruth, index: int) -> PosedFrame:
    name = frame_name(images.topic, header.stamp)
    image = BagImage(bag, images, header, name)
    return PosedFrame(name, header.stamp, camera, truth.poses[index], image.load, stored=image.stored)


def base_topic(topic: str) -> str:
    """Topic without the transport's suffix."""
    return topic.removesuffix("/compressed")


def find_images(bag: Bag, options: BagOptions) -> Connection:
    """The topic of the images."""
    every = bag.of_type(RAW, COMPRESSED)
    if options.image_topic:
        wanted = {options.image_topic, options.image_topic + "/compressed"}
        chosen = [connection for connection in every if connection.topic in wanted]
        if not chosen:
            raise InputError(f"{bag.path}: no images on {options.image_topic}; {_topics('image topics', every)}")
        return chosen[0]
    pictures = [c for c in every if is_photograph(bag.first(c), c.topic, c.msgtype)]
    if not pictures and (videos := bag.of_type(*VIDEO)):
        raise InputError(
            f"{bag.path}: {_topics('video streams', videos)}: single images are needed: play the bag, 'ros2 run "
            "image_transport republish' to compressed, and record that"
        )
    if not pictures:
        raise InputError(f"{bag.path}: the bag holds no camera images; {_topics('topics', bag.connections)}")
    infos = {connection.topic for connection in bag.of_type(INFO)}
    with_info = [connection for connection in pictures if set(_info_topics(connection.topic)) & infos]
    candidates = with_info or pictures
    cameras_named = {base_topic(connection.topic) for connection in candidates}
    if len(cameras_named) > 1:
        raise InputError(
            f"{bag.path}: images of several cameras ({', '.join(sorted(cameras_named))}): say which by --image-topic"
        )
    return max(candidates, key=lambda connection: (connection.msgcount, connection.msgtype == RAW))


def _topics(what: str, connections: Sequence[Connection]) -> str:
    names = ", ".join(f"{connection.topic} ({connection.msgtype})" for connection in connections)
    return f"{what} in the bag: {names or 'none'}"


def _info_topics(image_topic: str) -> tuple[str, str]:
    """Where image_transport expects the CameraInfo of an image topic, and where some put it."""
    base = base_topic(image_topic)
    return base.rsplit("/", 1)[0] + "/camera_info", base + "/camera_info"


def _ordered(bag: Bag, images: Connection, left_out: LeftOut) -> tuple[list[Header], list[str]]:
    """Headers in order of their stamps, each stamp once."""
    found = bag.headers(images, left_out)
    if not found:
        raise InputError(f"{bag.path}: no image on {images.topic} can be used ({left_out.reasons()})")
    notes = [f"images: {images.topic}, {len(found)} of them"]
    unset = sum(not header.stamp for header in found)
    if unset:
        notes.append(f"{unset} images have no stamp; the time of their recording is taken")
        found = [
            header if header.stamp else Header(header.log_time, header.ordinal, header.log_time, header.frame)
            for header in found
        ]
    by_stamp: dict[int, Header] = {}
    for header in found:
        by_stamp.setdefault(header.stamp, header)
    if len(by_stamp) < len(found):
        notes.append(f"{len(found) - len(by_stamp)} images repeat the stamp of another and were left out")
    ordered = sorted(by_stamp.values(), key=lambda header: header.stamp)
    if ordered != list(by_stamp.values()):
        notes.append("the images were recorded out of order and are sorted by their stamps")
    return ordered, notes


@dataclass(frozen=True)
class _Fitting:
    """Cameras scaled to the size of the images."""

    camera_at: Callable[[int], Camera]
    size: tuple[int, int] | None

    def __call__(self, stamp: int) -> Camera:
        camera = self.camera_at(stamp)
        return camera if self.size is None else fitted(camera, self.size) or camera


def _camera(
    bag: Bag, images: Connection, headers: list[Header], options: SplitOptions
) -> tuple[Callable[[int], Camera], list[str]]:
    """Camera at a stamp, and notes on where it comes from."""
    size = usual_size(bag, images, headers)
    if options.intrinsics:
        if size is None:
            raise InputError(f"{bag.path}: not one image of {images.topic} can be read")
        camera = camera_of_numbers(options.intrinsics, "--intrinsics")(*size)
        return lambda stamp: camera, []
    infos = find_info(bag, images, headers[0].frame, options.bag)
    rectified = "rect" in base_topic(images.topic).rsplit("/", 1)[-1]
    camera_at = cameras(bag, infos, rectified, size)
    first = camera_at(headers[0].stamp)
    notes = [f"camera: {infos.topic}{', its projection matrix as the images are rectified' if rectified else ''}"]
    if size is not None:
        scaled = fitted(first, size)
        if scaled is None:
            raise InputError(
                f"{bag.path}: the images of {images.topic} are {size[0]} x {size[1]}, but {infos.topic} is for "
                f"{first.width} x {first.height}: they don't belong together, name others by --camera-info-topic"
            )
        if scaled is not first:
            notes.append(
                f"the camera was scaled to the images, from {first.width} x {first.height} to {size[0]} x {size[1]}"
            )
    return _Fitting(camera_at, size), notes


def find_info(bag: Bag, images: Connection, frame: str, options: BagOptions) -> Connection:
    """The topic of the CameraInfo: named by the user, beside the images, in their frame, or the only one."""
    every = bag.of_type(INFO)
    if options.camera_info_topic:
        for connection in every:
            if connection.topic == options.camera_info_topic:
                return connection
        raise InputError(f"{bag.path}: no CameraInfo on {options.camera_info_topic}; {_topics('there is', every)}")
    if not every:
        raise InputError(
            f"{bag.path}: the bag holds no CameraInfo: record it along, or give --intrinsics fx,fy,cx,cy[,k1,k2,p1,p2]"
        )
    for topic in _info_topics(images.topic):
        for connection in every:
            if connection.topic == topic:
                return connection
    same_frame = [c for c in every if frame and bag.first(c).header.frame_id.lstrip("/") == frame]
    candidates = same_frame or every
    if len(candidates) > 1:
        names = ", ".join(connection.topic for connection in candidates)
        raise InputError(f"{bag.path}: which CameraInfo belongs to {images.topic}? Say by --camera-info-topic: {names}")
    return candidates[0]

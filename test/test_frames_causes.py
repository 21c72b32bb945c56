"""What people's files are like: read where they can be, else refused with the cause and the way out."""

import json
import os
import shutil
import sqlite3
import struct

import cv2
import numpy as np
import pytest
from PIL import Image as PillowImage
from rosbags.rosbag1 import Writer as Ros1Writer
from rosbags.typesys import Stores, get_typestore
from scene_making import (
    CAMERA,
    SECOND,
    STAMPS,
    START,
    BagMaker,
    ace_scene,
    assert_same_poses,
    camera_messages,
    colmap_scene,
    nerfstudio_scene,
    open_all,
    picture,
    pose,
    write_picture,
)

from ace_ros.errors import InputError
from ace_ros.geometry import quaternion_xyzw
from ace_ros.recordings import SplitOptions, open_recording, read_image, write_bag

MAGIC = b"\x89MCAP0\r\n"


def record(opcode, body):
    return struct.pack("<BQ", opcode, len(body)) + body


def text(value):
    return struct.pack("<I", len(value)) + value.encode()


class Mcap:
    """An mcap file record by record, without chunks and index."""

    def __init__(self, profile="ros2"):
        self.records = [record(1, text(profile) + text("test"))]
        self._store = get_typestore(Stores.LATEST)
        self._next = 0

    def channel(self, topic, schema, form="ros2msg", encoding="cdr"):
        self._next += 1
        self.records.append(record(3, struct.pack("<H", self._next) + text(schema) + text(form) + text("")))
        self.records.append(
            record(4, struct.pack("<HH", self._next, self._next) + text(topic) + text(encoding) + text(""))
        )
        return self._next

    def message(self, channel, time, data):
        self.records.append(record(5, struct.pack("<HIQQ", channel, 0, time, time) + data))

    def save(self, path, closed=True):
        end = record(15, struct.pack("<I", 0)) + record(2, bytes(20)) + MAGIC if closed else b""
        path.write_bytes(MAGIC + b"".join(self.records) + end)
        return path


def serialized(folder):
    """Topic, type, time and data of a bag's messages."""
    from ace_ros.recordings.bag_file import Bag

    bag = Bag(folder)
    return [(c.topic, c.msgtype, time, bytes(data)) for c, time, data in bag.raw(bag.connections)]


@pytest.fixture(scope="module")
def messages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "bag"
    with BagMaker(folder) as bag:
        camera_messages(bag)
        for index, stamp in enumerate(STAMPS):
            bag.pose(stamp, pose(index))
    return serialized(folder)


def mcap(messages, profile="ros2", extra=(), twice=()):
    """All messages; topics named in ``twice`` stand on two channels, every other message on each."""
    made, channels = Mcap(profile), {}
    for topic, schema, form, encoding, data in extra:
        made.message(made.channel(topic, schema, form, encoding), START, data)
    for number, (topic, kind, time, data) in enumerate(messages):
        key = topic, number // 3 % 2 if topic in twice else 0
        if key not in channels:
            channels[key] = made.channel(topic, kind)
        made.message(channels[key], time, data)
    return made


def assert_whole(scene):
    assert len(scene.frames) == len(STAMPS)
    assert_same_poses(scene.frames, range(len(STAMPS)))
    for index, frame in enumerate(scene.frames):
        np.testing.assert_array_equal(frame.read(), picture(index))


def test_an_mcap_with_an_empty_profile(messages, tmp_path):
    assert_whole(open_all(mcap(messages, profile="").save(tmp_path / "a.mcap")))


def test_an_mcap_with_channels_of_other_systems(messages, tmp_path):
    extra = [
        ("/log", "Log", "jsonschema", "json", b"{}"),
        ("/video", "foxglove.CompressedVideo", "protobuf", "protobuf", b"\x0a"),
    ]
    scene = open_all(mcap(messages, extra=extra).save(tmp_path / "a.mcap"))
    assert_whole(scene)
    assert "a.mcap: /log, /video are not messages of ROS 2 and are passed over" in scene.notes
    alone = Mcap()
    alone.message(alone.channel("/log", "Log", "jsonschema", "json"), START, b"{}")
    with pytest.raises(InputError, match=r"holds no messages of ROS 2, only /log, of other systems \(JSON, protobuf\)"):
        open_all(alone.save(tmp_path / "b.mcap"))


def test_a_recorder_that_was_killed(messages, tmp_path):
    path = mcap(messages).save(tmp_path / "a.mcap", closed=False)
    path.write_bytes(path.read_bytes() + struct.pack("<BQ", 5, 5000) + b"half a message")
    scene = open_all(path)
    assert_whole(scene)
    assert "a.mcap was not closed by its recorder; all whole messages in it are read" in scene.notes


def test_a_chunked_mcap_that_was_cut_off(tmp_path):
    with BagMaker(tmp_path / "bag") as bag:
        for index in range(200):
            stamp = START + index * SECOND // 10
            bag.info(stamp)
            bag.compressed(stamp, index)
            bag.pose(stamp, pose(index))
    file = tmp_path / "bag/bag.mcap"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) * 3 // 4])
    try:
        scene = open_all(tmp_path / "bag")
    except InputError as error:  # all in one chunk: then nothing of it is whole
        assert "Was the recording cut off?" in str(error)
        return
    assert 0 < len(scene.frames) < 200
    assert_same_poses(scene.frames, range(len(scene.frames)))


def test_a_topic_on_two_channels_is_read_whole(messages, tmp_path):
    topics = {topic for topic, *_ in messages}
    assert_whole(open_all(mcap(messages, twice=topics).save(tmp_path / "a.mcap")))


def sqlite_bag(folder):
    with BagMaker(folder, "sqlite3") as bag:
        camera_messages(bag)
        for index, stamp in enumerate(STAMPS):
            bag.pose(stamp, pose(index))
    return next(folder.glob("*.db3"))


def test_a_topic_with_two_rows_in_the_database(tmp_path):
    file = sqlite_bag(tmp_path / "bag")
    with sqlite3.connect(file) as base:
        columns = [name for _, name, *_ in base.execute("PRAGMA table_info(topics)") if name != "id"]
        names = ", ".join(columns)
        for (topic,) in base.execute("SELECT id FROM topics").fetchall():
            base.execute(f"INSERT INTO topics (id, {names}) SELECT id + 100, {names} FROM topics WHERE id = {topic}")
        base.execute("UPDATE messages SET topic_id = topic_id + 100 WHERE id % 2 = 0")
    assert_whole(open_all(tmp_path / "bag"))


def test_qos_that_was_emptied_and_metadata_that_is_damaged(tmp_path):
    file = sqlite_bag(tmp_path / "bag")
    metadata = tmp_path / "bag/metadata.yaml"
    lines = metadata.read_text().splitlines()
    kept = [line.split(":")[0] + ": ''" if "offered_qos_profiles" in line else line for line in lines]
    metadata.write_text("\n".join(kept))
    assert_whole(open_all(tmp_path / "bag"))
    metadata.write_text("rosbag2_bagfile_information:\n  version: [")
    assert_whole(open_all(tmp_path / "bag"))
    metadata.write_text(f"rosbag2_bagfile_information:\n  relative_file_paths: [lost.db3, {file.name}]\n")
    scene = open_all(tmp_path / "bag")
    assert_whole(scene)
    assert "lost.db3 of metadata.yaml are not there; the other files are read" in scene.notes


def test_rows_that_the_writer_had_not_merged(tmp_path):
    file = sqlite_bag(tmp_path / "bag")
    base = sqlite3.connect(file)
    base.execute("PRAGMA journal_mode=WAL")
    base.execute("PRAGMA wal_autocheckpoint=0")
    rows = base.execute("SELECT topic_id, timestamp, data FROM messages ORDER BY id").fetchall()
    base.execute("DELETE FROM messages")
    base.commit()
    base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    base.executemany("INSERT INTO messages (topic_id, timestamp, data) VALUES (?, ?, ?)", rows)
    base.commit()
    (tmp_path / "copy").mkdir()
    for suffix in ("", "-wal"):  # as the disk is when the power fails
        shutil.copy(f"{file}{suffix}", tmp_path / f"copy/copy.db3{suffix}")
    base.close()
    assert (tmp_path / "copy/copy.db3-wal").stat().st_size > 1000
    assert_whole(open_all(tmp_path / "copy/copy.db3"))


@pytest.mark.parametrize("name", ["run #3", "100%", "what?", "a%20b"])
def test_paths_with_signs_that_mean_something_in_a_uri(tmp_path, name):
    sqlite_bag(tmp_path / "made")
    shutil.copytree(tmp_path / "made", tmp_path / name / "bag")
    assert_whole(open_all(tmp_path / name / "bag"))
    file = next((tmp_path / name / "bag").glob("*.db3"))
    shutil.move(file, tmp_path / f"{name}.db3")
    assert_whole(open_all(tmp_path / f"{name}.db3"))


def test_a_metadata_yaml_that_is_not_a_bags(tmp_path):
    folder = nerfstudio_scene(tmp_path, fl_x=60.0)
    (folder / "metadata.yaml").write_text("title: my room\n")
    assert open_recording(folder).layout == "nerfstudio"


def test_poses_of_another_robot_are_not_joined(tmp_path):
    with BagMaker(tmp_path / "bag") as bag:
        kinds = [("robot1", 0), ("robot2", 50)]
        for name, first in kinds:
            put = bag.put
            bag.put = lambda topic, *rest, put=put, name=name, **fields: put(
                f"/{name}{topic}" if topic.startswith("/tf") else topic, *rest, **fields
            )
            bag.tf(START, "base_link", "camera", pose(90), static=True)
            for index, stamp in enumerate(STAMPS):
                bag.tf(stamp, "map", "base_link", pose(index + first))
            bag.put = put
        for index, stamp in enumerate(STAMPS):
            bag.info(stamp, topic="/robot2/camera/camera_info")
            bag.compressed(stamp, index, topic="/robot2/camera/image_raw/compressed")
    scene = open_all(tmp_path / "bag")
    for index, frame in enumerate(scene.frames):
        np.testing.assert_allclose(frame.map_from_camera, pose(index + 50) @ pose(90), atol=1e-9)
    assert "TF is read of /robot2/tf, and not of /robot1/tf, which may be another robot's" in scene.notes


def ros1_bag(path):
    store = get_typestore(Stores.ROS1_NOETIC)
    types = store.types

    def header(index, frame):
        time = types["builtin_interfaces/msg/Time"](sec=START // SECOND + index, nanosec=0)
        return types["std_msgs/msg/Header"](seq=index, stamp=time, frame_id=frame)

    with Ros1Writer(path) as bag:
        kinds = {
            "/camera/image_raw/compressed": "sensor_msgs/msg/CompressedImage",
            "/camera/camera_info": "sensor_msgs/msg/CameraInfo",
            "/pose": "geometry_msgs/msg/PoseStamped",
        }
        to = {topic: bag.add_connection(topic, kind, typestore=store) for topic, kind in kinds.items()}
        for index in range(8):
            stamp = START + index * SECOND
            data = np.frombuffer(cv2.imencode(".png", picture(index)[..., ::-1])[1].tobytes(), np.uint8)
            image = types[kinds["/camera/image_raw/compressed"]](header(index, "camera"), "png", data)
            roi = types["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False)
            k, d, r = CAMERA.matrix.ravel(), np.array(CAMERA.distortion), np.eye(3).ravel()
            p = np.hstack([CAMERA.matrix, np.zeros((3, 1))]).ravel()
            info = types[kinds["/camera/camera_info"]](
                header(index, "camera"),
                *(48, 64, "plumb_bob", d, k, r, p, 0, 0, roi),
            )
            matrix = pose(index)
            posed = types["geometry_msgs/msg/Pose"](
                types["geometry_msgs/msg/Point"](*map(float, matrix[:3, 3])),
                types["geometry_msgs/msg/Quaternion"](*map(float, quaternion_xyzw(matrix))),
            )
            stamped = types[kinds["/pose"]](header(index, "map"), posed)
            for topic, message in zip(kinds, (image, info, stamped), strict=True):
                bag.write(to[topic], stamp, store.serialize_ros1(message, kinds[topic]))
    return path


def test_a_ros_1_bag(tmp_path):
    scene = open_all(ros1_bag(tmp_path / "old.bag"))
    assert_whole(scene)
    assert scene.name == "old" and scene.frames[0].camera == CAMERA and scene.map_frame == "map"


@pytest.mark.parametrize("style", ["nanoseconds", "euroc csv", "windows"])
def test_a_trajectory_of_another_make_where_tums_is_expected(tmp_path, style):
    lines, images = [], []
    for index in range(9):
        ns = 1_403_715_273_262_142_976 + index * 100_000_000
        write_picture(tmp_path / f"rgb/with spaces {index}.png", picture(index))
        images.append(
            f"{ns if style == 'nanoseconds' else f'{ns // 10**9}.{ns % 10**9:09d}'} rgb/with spaces {index}.png"
        )
        x, y, z, *turn = [*map(float, pose(index)[:3, 3]), *map(float, quaternion_xyzw(pose(index)))]
        if style == "euroc csv":
            lines.append(",".join(map(str, (ns, x, y, z, turn[3], *turn[:3], 0, 0, 0))))
        else:
            lines.append(" ".join(map(str, (ns, x, y, z, *turn))))
    end, mark = ("\r\n", "\ufeff") if style == "windows" else ("\n", "")
    truth = "groundtruth.csv" if style == "euroc csv" else "groundtruth.txt"
    (tmp_path / truth).write_bytes((mark + end.join(lines) + end).encode())
    (tmp_path / "rgb.txt").write_bytes((mark + end.join(images) + end).encode())
    (tmp_path / "calibration.txt").write_bytes((mark + f"60 61 31 23.5{end}").encode())
    scene = open_recording(tmp_path, "all")
    assert_same_poses(scene.frames, range(9))
    np.testing.assert_array_equal(scene.frames[4].read(), picture(4))


@pytest.mark.parametrize(
    "path",
    [
        lambda index: f"/home/anna/data/room/images/{index}.png",
        lambda index: f"C:\\Users\\anna\\room\\images\\{index}.png",
        lambda index: f"images\\{index}.png",
        lambda index: f"images/{index}.PNG",
        lambda index: f"images/{index}",
    ],
)
def test_paths_of_another_machine_and_suffixes_in_another_case(tmp_path, path):
    folder = nerfstudio_scene(tmp_path, path=path, fl_x=60.0)
    assert_same_poses(open_recording(folder, "all").frames, range(10))


def test_images_with_upper_case_suffixes_or_none(tmp_path):
    folder = ace_scene(tmp_path)
    for index, file in enumerate(sorted((folder / "rgb").iterdir())):
        file.rename(file.with_suffix(".PNG") if index % 2 else file.with_name(file.name.split(".")[0]))
    scene = open_recording(folder)
    assert_same_poses(scene.frames, range(4))


def test_a_file_name_that_is_not_utf_8(tmp_path):
    folder = colmap_scene(tmp_path)
    (folder / "images/a.png").rename(os.fsdecode(os.fsencode(folder) + b"/images/a\xff.png"))
    scene = open_recording(folder, "all")
    assert scene.left_out.names() == ["a.png"]


def test_mjpeg_without_its_end_mark_and_one_that_is_cut(tmp_path):
    for quality in (60, 95):
        content = cv2.imencode(".jpg", picture(3), [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
        assert content.endswith(b"\xff\xd9")
        (tmp_path / "whole.jpg").write_bytes(content)
        (tmp_path / "open.jpg").write_bytes(content[:-2])
        np.testing.assert_array_equal(read_image(tmp_path / "open.jpg"), read_image(tmp_path / "whole.jpg"))
        for cut in (len(content) // 2, len(content) - 30):
            (tmp_path / "cut.jpg").write_bytes(content[:cut])
            with pytest.raises(InputError, match="truncated"):
                read_image(tmp_path / "cut.jpg")


def test_heic_is_named(tmp_path):
    folder = nerfstudio_scene(tmp_path, path=lambda index: f"images/{index}.png", fl_x=60.0)
    (folder / "images/4.png").write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    scene = open_recording(folder, "all")
    assert scene.left_out.names() == ["images/4.png"]
    assert "HEIC or AVIF image, which is not read here: convert it to JPEG" in scene.notes[0]


@pytest.mark.parametrize("number", [6, 8])
def test_phone_photographs_are_turned_where_their_camera_is(tmp_path, number):
    upright = picture(2, 48, 64)
    stored = np.rot90(upright) if number == 6 else np.rot90(upright, -1)
    folder = nerfstudio_scene(tmp_path, fl_x=60.0, w=48, h=64)
    for index in range(10):
        exif = PillowImage.Exif()
        exif[0x0112] = number
        PillowImage.fromarray(np.ascontiguousarray(stored)).save(folder / f"images/{index}.png", exif=exif)
    scene = open_recording(folder, "all")
    np.testing.assert_array_equal(scene.frames[0].read(), upright)
    assert "10 images are turned as their EXIF says: their camera is for the turned ones" in scene.notes
    write_bag(scene, tmp_path / "bag")
    np.testing.assert_array_equal(open_all(tmp_path / "bag").frames[0].read(), upright)


def test_width_and_height_that_are_swapped_are_told(tmp_path):
    folder = nerfstudio_scene(tmp_path, fl_x=60.0, w=48, h=64)
    with pytest.raises(InputError, match="width and height of the camera are swapped, or the images were turned"):
        open_recording(folder)


def test_transforms_with_a_byte_order_mark(tmp_path):
    folder = nerfstudio_scene(tmp_path, fl_x=60.0)
    file = folder / "transforms.json"
    file.write_bytes(b"\xef\xbb\xbf" + json.dumps(json.loads(file.read_text())).replace(",", ",\r\n").encode())
    assert_same_poses(open_recording(folder, "all").frames, range(10))


def test_messages_that_cannot_be_decoded_cost_themselves_alone(messages, tmp_path):
    made, channels = Mcap(), {}
    for topic, kind, time, data in messages:
        if topic not in channels:
            channels[topic] = made.channel(topic, kind)
        hurt = time == STAMPS[2] and "image" in topic
        made.message(channels[topic], time, data[:10] if hurt else data)
        if topic == "/pose" and time == STAMPS[5]:
            made.message(channels[topic], time + 1, b"\0\1\0\0garbage")
    scene = open_all(made.save(tmp_path / "a.mcap"))
    assert_same_poses(scene.frames, [0, 1, 3, 4, 5, 6, 7])
    assert [line.split(", e.g.")[0] for line in scene.left_out.lines()] == [
        "1 of 8 frames left out: a message that can't be decoded",
        "1 of 9 messages left out: a message that can't be decoded",
    ]


@pytest.mark.parametrize("kind", ["ffmpeg_image_transport_msgs/msg/FFMPEGPacket", "foxglove_msgs/msg/CompressedVideo"])
def test_video_streams_are_named_with_the_way_out(messages, tmp_path, kind):
    others = [message for message in messages if "image" not in message[0]]
    made = mcap(others, extra=[("/video", kind, "ros2msg", "cdr", b"0")])
    with pytest.raises(InputError, match=r"video streams in the bag: /video .*single images are needed: play the bag"):
        open_all(made.save(tmp_path / "a.mcap"))


def test_poses_of_a_topic_that_is_not_used_cost_nothing(tmp_path):
    with BagMaker(tmp_path / "bag") as bag:
        camera_messages(bag)
        for index, stamp in enumerate(STAMPS):
            bag.pose(stamp, pose(index))
        bag._pose = lambda _: _nan_pose(bag)
        bag.pose(START, None, topic="/goal_pose")
    scene = open_recording(tmp_path / "bag", "all", SplitOptions(strict=True))
    assert_whole(scene)


def _nan_pose(bag):
    nan = float("nan")
    return bag.new(
        "geometry_msgs/msg/Pose",
        position=bag.new("geometry_msgs/msg/Point", x=nan, y=nan, z=nan),
        orientation=bag.new("geometry_msgs/msg/Quaternion", x=0.0, y=0.0, z=0.0, w=0.0),
    )

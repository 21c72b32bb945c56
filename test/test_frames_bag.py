"""rosbag2: there and back in both storages; kinds of images; cameras; bags that are not as they should be."""

import os

import cv2
import numpy as np
import pytest
from scene_making import (
    CAMERA,
    SECOND,
    START,
    BagMaker,
    ace_scene,
    camera_messages,
    nerfstudio_scene,
    picture,
)

from ace_ros.errors import InputError
from ace_ros.frames import BagOptions, SplitOptions, open_scene, write_bag
from ace_ros.frames.bag_file import Bag


def open_all(path, **values):
    return open_scene(path, "all", SplitOptions(bag=BagOptions(**values)))


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp"])
def test_there_and_back(tmp_path, storage, suffix):
    source = open_scene(ace_scene(tmp_path / "room", suffix=suffix), "all")
    write_bag(source, tmp_path / "bag", storage)
    scene = open_scene(tmp_path / "bag", "all")
    assert (scene.name, scene.metric, scene.map_frame) == ("bag", True, "map")
    for ours, theirs in zip(scene.frames, source.frames, strict=True):
        assert (ours.stamp, ours.camera) == (theirs.stamp, theirs.camera)
        np.testing.assert_allclose(ours.map_from_camera, theirs.map_from_camera, atol=1e-12)
        np.testing.assert_array_equal(ours.read(), theirs.read())
        if suffix != ".bmp":
            assert ours.read.encoded() == theirs.read.encoded()
    assert sorted(os.listdir(tmp_path)) == ["bag", "room"]
    by_topic = open_all(tmp_path / "bag", pose_topic="/camera/pose")
    for ours, theirs in zip(by_topic.frames, source.frames, strict=True):
        np.testing.assert_allclose(ours.map_from_camera, theirs.map_from_camera, atol=1e-12)
    again = tmp_path / "again"
    write_bag(scene, again, storage)
    assert [frame.read.encoded() for frame in open_all(again).frames] == [f.read.encoded() for f in scene.frames]


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_a_storage_file_alone_is_a_bag_too(tmp_path, storage):
    source = nerfstudio_scene(tmp_path / "fox", fl_x=60.0, k1=0.1, p2=0.2)
    write_bag(open_scene(source, "all"), tmp_path / "bag", storage)
    file = tmp_path / "bag" / {"mcap": "bag.mcap", "sqlite3": "bag.db3"}[storage]
    assert open_all(file).metric is False
    (tmp_path / "bag" / "metadata.yaml").unlink()
    for path in (file, tmp_path / "bag"):
        scene = open_all(path)
        assert len(scene.frames) == 10
        assert scene.frames[0].camera.distortion == (0.1, 0, 0, 0.2, 0)
    assert len(open_scene(file, "test").frames) == 2


def test_writing_never_leaves_a_part_of_a_bag(tmp_path):
    folder = ace_scene(tmp_path / "room")
    (folder / "rgb" / "frame-000002.color.png").write_bytes(b"")
    scene = open_scene(folder)
    with pytest.raises(InputError, match=r"frame-000002.*empty"):
        write_bag(scene, tmp_path / "bag")
    (tmp_path / "there").mkdir()
    with pytest.raises(InputError, match="is there already"):
        write_bag(scene, tmp_path / "there")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="can't be written"):
        write_bag(scene, tmp_path / "file" / "bag")
    assert sorted(os.listdir(tmp_path)) == ["file", "room", "there"]


def test_depth_and_pictures_without_calibration_are_passed_over(tmp_path):
    with BagMaker(tmp_path / "bag") as bag:
        camera_messages(bag)
        bag.raw(START, np.zeros((48, 64), np.uint16), "16UC1", topic="/camera/depth/image_raw")
        bag.info(START, topic="/camera/depth/camera_info")
        bag.raw(START, picture(), "rgb8", topic="/debug_image")
    assert open_all(tmp_path / "bag").notes[0] == "images: /camera/image_raw/compressed, 8 of them"


GREY = picture()[..., 0]


@pytest.mark.parametrize(
    ("pixels", "encoding", "expected"),
    [
        (picture(), "rgb8", picture()),
        (picture()[..., ::-1], "bgr8", picture()),
        (np.dstack([picture(), GREY]), "rgba8", picture()),
        (np.dstack([picture()[..., ::-1], GREY]), "bgra8", picture()),
        (GREY, "mono8", GREY),
        (GREY.astype("<u2") * 257, "mono16", GREY),
        ((GREY.astype("<u2") * 257).astype(">u2"), "mono16 big", GREY),
        (np.full((48, 64), 90, np.uint8), "bayer_rggb8", np.full((48, 64, 3), 90, np.uint8)),
    ],
)
def test_raw_images(tmp_path, pixels, encoding, expected):
    with BagMaker(tmp_path / "bag") as bag:
        bag.raw(START, pixels, encoding.split()[0], padding=6, big=int("big" in encoding))
        bag.info(START)
    frame = open_all(tmp_path / "bag").frames[0]
    np.testing.assert_array_equal(frame.read(), expected)
    assert frame.read.encoded() is None


@pytest.mark.parametrize(("first", "row", "column"), [("rggb", 0, 0), ("bggr", 1, 1), ("grbg", 0, 1), ("gbrg", 1, 0)])
def test_bayer_patterns_begin_where_ros_says(tmp_path, first, row, column):
    mosaic = np.zeros((48, 64), np.uint8)
    mosaic[row::2, column::2] = 200  # the red ones
    with BagMaker(tmp_path / "bag") as bag:
        bag.raw(START, mosaic, f"bayer_{first}8")
        bag.info(START)
    inner = open_all(tmp_path / "bag").frames[0].read()[4:-4, 4:-4]
    assert (inner[..., 0] == 200).all() and not inner[..., 1:].any()


def test_rectified_images_take_the_projection_matrix(tmp_path):
    with BagMaker(tmp_path / "bag") as bag:
        bag.compressed(START, topic="/camera/image_rect/compressed")
        bag.info(START)
    camera = open_all(tmp_path / "bag").frames[0].camera
    assert (camera.fx, camera.distortion) == (CAMERA.fx * 2, ())


def test_images_out_of_order_twice_or_without_a_stamp(tmp_path):
    order = [START + 2 * SECOND, START, START + SECOND, START]
    with BagMaker(tmp_path / "bag") as bag:
        bag.info(START)
        for index, stamp in enumerate(order):
            bag.compressed(stamp, index, log_time=START + 10 * SECOND)
        bag.compressed(0, 4, log_time=START + 20 * SECOND)
    scene = open_all(tmp_path / "bag")
    assert [frame.stamp for frame in scene.frames] == [START, START + SECOND, START + 2 * SECOND, START + 20 * SECOND]
    for frame, index in zip(scene.frames, (1, 2, 0, 4), strict=True):
        np.testing.assert_array_equal(frame.read(), picture(index))
    said = " ".join(scene.notes)
    assert "out of order" in said and "repeat the stamp" in said and "1 images have no stamp" in said


def test_a_driver_that_is_calibrated_late(tmp_path):
    with BagMaker(tmp_path / "bag") as bag:
        bag.info(START - 1, k=np.zeros((3, 3)))
        camera_messages(bag)
    assert open_all(tmp_path / "bag").frames[0].camera == CAMERA


@pytest.mark.parametrize(
    ("info", "said"),
    [
        ({"k": np.zeros((3, 3))}, "/camera/camera_info: camera: focal lengths must be positive"),
        ({"model": "equidistant"}, "distortion model 'equidistant' is not supported"),
        ({"camera": CAMERA.resized(100, 48)}, "are 64 x 48, but /camera/camera_info is for 100 x 48"),
        ({"topic": "/other/camera_info", "frame": "camera"}, None),
        ({"camera": CAMERA.resized(128, 96)}, None),
    ],
)
def test_camera_info_that_does_or_does_not_belong(tmp_path, info, said):
    with BagMaker(tmp_path / "bag") as bag:
        camera_messages(bag, **info)
    if said:
        with pytest.raises(InputError, match=said):
            open_all(tmp_path / "bag")
    else:
        assert open_all(tmp_path / "bag").frames[0].camera.fx == pytest.approx(CAMERA.fx)


def test_without_camera_info(tmp_path):
    with BagMaker(tmp_path / "bag") as bag:
        bag.compressed(START)
    with pytest.raises(InputError, match="no CameraInfo: record it along, or give --intrinsics"):
        open_all(tmp_path / "bag")
    scene = open_scene(tmp_path / "bag", "all", SplitOptions(intrinsics="60 60 32 24"))
    assert scene.frames[0].camera.fx == 60
    assert scene.frames[0].map_from_camera is None
    assert any("no poses of the camera were found" in note for note in scene.notes)


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_a_bag_that_was_cut_off(tmp_path, storage):
    write_bag(open_scene(ace_scene(tmp_path / "room", 30)), tmp_path / "bag", storage)
    file = next(file for file in (tmp_path / "bag").iterdir() if file.suffix != ".yaml")
    content = file.read_bytes()
    for kept in (0, 10, len(content) // 2, len(content) - 3000):
        file.write_bytes(content[:kept])
        with pytest.raises(InputError, match="bag"):
            for frame in open_all(tmp_path / "bag").frames:
                frame.read()


def test_bags_that_are_none(tmp_path):
    (tmp_path / "bag").mkdir()
    (tmp_path / "bag" / "metadata.yaml").write_text("rosbag2_bagfile_information: {version: 5}")
    with pytest.raises(InputError, match="not a rosbag2 that can be read"):
        open_all(tmp_path / "bag")
    (tmp_path / "old.bag").write_text("#ROSBAG V2.0")
    with pytest.raises(InputError, match="ROS 1 bag: convert it"):
        open_all(tmp_path / "old.bag")
    with BagMaker(tmp_path / "other") as bag:
        bag.info(START)
    with pytest.raises(InputError, match="no camera images; topics in the bag: /camera/camera_info"):
        open_all(tmp_path / "other")
    with BagMaker(tmp_path / "nothing"):
        pass
    with pytest.raises(InputError, match="no messages"):
        open_all(tmp_path / "nothing")


def test_what_a_bag_holds(tmp_path):
    write_bag(open_scene(ace_scene(tmp_path / "room")), tmp_path / "bag")
    bag = Bag(tmp_path / "bag")
    assert {(connection.topic, connection.msgcount) for connection in bag.connections} == {
        ("/camera/image_raw/compressed", 4),
        ("/camera/camera_info", 4),
        ("/camera/pose", 4),
        ("/tf", 4),
    }
    times = {topic: [] for topic in ("/tf", "/camera/pose")}
    for connection, log_time, message in bag.messages(bag.connections):
        header = message.transforms[0].header if connection.topic == "/tf" else message.header
        assert log_time == header.stamp.sec * SECOND + header.stamp.nanosec
        assert header.frame_id == ("map" if connection.topic in times else "camera_optical_frame")


def test_redkitchen_and_fox_there_and_back(redkitchen, fox, tmp_path):
    for path in (redkitchen, fox):
        source = open_scene(path, "test")
        write_bag(source, tmp_path / path.name)
        scene = open_all(tmp_path / path.name)
        assert scene.metric == source.metric
        for ours, theirs in zip(scene.frames, source.frames, strict=True):
            assert (ours.stamp, ours.camera) == (theirs.stamp, theirs.camera)
            np.testing.assert_allclose(ours.map_from_camera, theirs.map_from_camera, atol=1e-9)
            assert ours.read.encoded() == theirs.read.path.read_bytes()
        assert cv2.imdecode(np.frombuffer(scene.frames[0].read.encoded(), np.uint8), 1) is not None

"""rosbag2: kinds of images; cameras; bags that are not as they should be."""

from dataclasses import asdict
from types import SimpleNamespace

import numpy as np
import pytest
from scene_making import (
    CAMERA,
    SECOND,
    START,
    BagMaker,
    ace_scene,
    camera_messages,
    open_all,
    picture,
)

from ace_ros.camera import Camera
from ace_ros.errors import InputError
from ace_ros.recordings import SplitOptions, open_recording, write_bag


def without_index(bag, path):
    """The bag as 'ros2 bag record --storage-preset-profile fastwrite' leaves it: no chunks, no summary."""
    content = bag.read_bytes()
    records, at = [], 8
    while at < len(content) - 8:
        opcode, size = content[at], int.from_bytes(content[at + 1 : at + 9], "little")
        body = content[at + 9 : at + 9 + size]
        at += 9 + size
        if opcode == 1:
            records.append(content[8:at])
        elif opcode == 6:  # a chunk: times, size, checksum, compression (none here), and the records in it
            assert body[28:32] == bytes(4)
            records.append(body[40:])
    footer = b"\x02" + (20).to_bytes(8, "little") + bytes(20)
    path.write_bytes(content[:8] + b"".join(records) + footer + content[-8:])


@pytest.mark.parametrize("kind", ["mcap", "sqlite3", "unindexed"])
def test_images_are_read_in_any_order(tmp_path, kind):
    stamps = [START + index * SECOND // (1 if index > 8 else 10) for index in range(20)]
    with BagMaker(tmp_path / "bag", "sqlite3" if kind == "sqlite3" else "mcap") as bag:
        camera_messages(bag, stamps)
    path = tmp_path / "bag"
    if kind == "unindexed":
        path = tmp_path / "fast.mcap"
        without_index(tmp_path / "bag" / "bag.mcap", path)
    frames = open_all(path).frames
    assert len(frames) == 20
    for index in (*range(20), *range(19, -1, -1), *range(0, 20, 3), 5, 5, 6, 19, 0):
        np.testing.assert_array_equal(frames[index].read(), picture(index))


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
    assert frame.stored() is None


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


@pytest.mark.parametrize("distortion", [(0.1, -0.05, 0.01, 0.002), (0.0,) * 4, (0.0,) * 5, ()])
def test_a_fisheye_is_one_without_coefficients_too(tmp_path, distortion):
    fisheye = Camera(64, 48, 60.0, 61.0, 31.0, 23.5, distortion if any(distortion) else (), "equidistant")
    stated = SimpleNamespace(**{**asdict(fisheye), "distortion": distortion}, matrix=fisheye.matrix)
    with BagMaker(tmp_path / "bag") as bag:
        camera_messages(bag, model="equidistant", camera=stated)
    assert open_all(tmp_path / "bag").frames[0].camera == fisheye


@pytest.mark.parametrize(
    ("info", "said"),
    [
        ({"k": np.zeros((3, 3))}, "/camera/camera_info: camera: focal lengths must be positive"),
        ({"model": "swirl"}, "distortion model 'swirl' is not known"),
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
    scene = open_recording(tmp_path / "bag", "all", SplitOptions(intrinsics="60 60 32 24"))
    assert scene.frames[0].camera.fx == 60
    assert scene.frames[0].map_from_camera is None
    assert any("no poses of the camera were found" in note for note in scene.notes)


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_a_bag_that_was_cut_off(tmp_path, storage):
    write_bag(open_recording(ace_scene(tmp_path / "room", 30)), tmp_path / "bag", storage)
    file = next(file for file in (tmp_path / "bag").iterdir() if file.suffix != ".yaml")
    content = file.read_bytes()
    for kept in (0, 10, len(content) // 2, len(content) - 3000):
        file.write_bytes(content[:kept])
        if storage == "mcap" and kept > 10:  # what was written is there, but for the last chunk
            continue
        with pytest.raises(InputError, match="bag"):
            for frame in open_all(tmp_path / "bag").frames:
                frame.read()


def test_bags_that_are_none(tmp_path):
    (tmp_path / "bag").mkdir()
    (tmp_path / "bag" / "metadata.yaml").write_text("rosbag2_bagfile_information: {version: 5}")
    with pytest.raises(InputError, match=r"metadata\.yaml is there, but no file of the bag"):
        open_all(tmp_path / "bag")
    (tmp_path / "old.bag").write_text("#ROSBAG V2.0")
    with pytest.raises(InputError, match="not a bag that can be read"):
        open_all(tmp_path / "old.bag")
    with BagMaker(tmp_path / "other") as bag:
        bag.info(START)
    with pytest.raises(InputError, match="no camera images; topics in the bag: /camera/camera_info"):
        open_all(tmp_path / "other")
    with BagMaker(tmp_path / "nothing"):
        pass
    with pytest.raises(InputError, match="no messages"):
        open_all(tmp_path / "nothing")

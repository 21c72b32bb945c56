"""Recordings as rosbag2 and back, in both storages."""

import os

import cv2
import numpy as np
import pytest
from PIL import Image as PillowImage
from scene_making import SECOND, ace_scene, nerfstudio_scene, open_all

from ace_ros.errors import InputError
from ace_ros.recordings import SplitOptions, open_recording, write_bag
from ace_ros.recordings.bag_file import Bag


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp"])
def test_there_and_back(tmp_path, storage, suffix):
    source = open_recording(ace_scene(tmp_path / "room", suffix=suffix), "all")
    write_bag(source, tmp_path / "bag", storage)
    scene = open_recording(tmp_path / "bag", "all")
    assert (scene.name, scene.metric, scene.map_frame) == ("bag", True, "map")
    for ours, theirs in zip(scene.frames, source.frames, strict=True):
        assert (ours.stamp, ours.camera) == (theirs.stamp, theirs.camera)
        np.testing.assert_allclose(ours.map_from_camera, theirs.map_from_camera, atol=1e-12)
        np.testing.assert_array_equal(ours.read(), theirs.read())
        if suffix != ".bmp":
            assert ours.stored() == theirs.stored()
    assert sorted(os.listdir(tmp_path)) == ["bag", "room"]
    by_topic = open_all(tmp_path / "bag", pose_topic="/camera/pose")
    for ours, theirs in zip(by_topic.frames, source.frames, strict=True):
        np.testing.assert_allclose(ours.map_from_camera, theirs.map_from_camera, atol=1e-12)
    again = tmp_path / "again"
    write_bag(scene, again, storage)
    assert [frame.stored() for frame in open_all(again).frames] == [f.stored() for f in scene.frames]


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_a_storage_file_alone_is_a_bag_too(tmp_path, storage):
    source = nerfstudio_scene(tmp_path / "fox", fl_x=60.0, k1=0.1, p2=0.2)
    write_bag(open_recording(source, "all"), tmp_path / "bag", storage)
    file = tmp_path / "bag" / {"mcap": "bag.mcap", "sqlite3": "bag.db3"}[storage]
    assert open_all(file).metric is False
    (tmp_path / "bag" / "metadata.yaml").unlink()
    for path in (file, tmp_path / "bag"):
        scene = open_all(path)
        assert len(scene.frames) == 10
        assert scene.frames[0].camera.distortion == (0.1, 0, 0, 0.2, 0)
    assert len(open_recording(file, "test").frames) == 2


def test_a_bag_keeps_apart_what_is_mapped_and_what_is_not(tmp_path):
    source = nerfstudio_scene(tmp_path / "fox", 20, fl_x=60.0)
    (source / "test.txt").write_text("3.png\n4.png\n")
    splits = ("train", "test", "all")
    stamps = {split: [frame.stamp for frame in open_recording(source, split).frames] for split in splits}
    for split in stamps:
        write_bag(open_recording(source, split), tmp_path / split)
    for split in ("train", "test", "all"):
        assert [frame.stamp for frame in open_recording(tmp_path / "all", split).frames] == stamps[split]
    assert [frame.stamp for frame in open_recording(tmp_path / "test", "test").frames] == stamps["test"]
    with pytest.raises(InputError, match="no frames are left in its part 'train'"):
        open_recording(tmp_path / "test", "train")
    assert sorted(os.listdir(tmp_path / "train")) == ["metadata.yaml", "train.mcap"]
    mapping = open_recording(tmp_path / "train", "train")
    assert len(mapping.frames) == 15 and "3 of 18 frames, every 8th, are kept as queries" in mapping.notes[-1]
    everything = open_recording(tmp_path / "train", "train", SplitOptions(test_every=0)).frames
    assert [frame.stamp for frame in everything] == stamps["train"]


def test_nobody_turns_the_images_of_a_bag(tmp_path):
    source = ace_scene(tmp_path / "phone", suffix=".jpg")
    exif = PillowImage.Exif()
    exif[0x0112] = 6  # turn by 90 degrees to look at it
    for file in (source / "rgb").iterdir():
        PillowImage.open(file).save(file, exif=exif, quality=95)
    scene = open_recording(source)
    write_bag(scene, tmp_path / "bag")
    for ours, theirs in zip(open_all(tmp_path / "bag").frames, scene.frames, strict=True):
        content = ours.stored()
        assert len(content) < len(theirs.stored())
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        np.testing.assert_array_equal(image[..., ::-1], theirs.read())
        np.testing.assert_array_equal(ours.read(), theirs.read())


def test_writing_never_leaves_a_part_of_a_bag(tmp_path):
    folder = ace_scene(tmp_path / "room")
    scene = open_recording(folder)
    for image in (folder / "rgb").iterdir():
        image.write_bytes(b"")
    with pytest.raises(InputError, match=r"no image can be read .*frame-000000.*empty"):
        write_bag(scene, tmp_path / "bag")
    (tmp_path / "there").mkdir()
    with pytest.raises(InputError, match="is there already"):
        write_bag(scene, tmp_path / "there")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="can't be written"):
        write_bag(scene, tmp_path / "file" / "bag")
    assert sorted(os.listdir(tmp_path)) == ["file", "room", "there"]


def test_what_a_bag_holds(tmp_path):
    write_bag(open_recording(ace_scene(tmp_path / "room")), tmp_path / "bag")
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
        source = open_recording(path, "test")
        write_bag(source, tmp_path / path.name)
        scene = open_all(tmp_path / path.name)
        assert scene.metric == source.metric
        for ours, theirs in zip(scene.frames, source.frames, strict=True):
            assert (ours.stamp, ours.camera) == (theirs.stamp, theirs.camera)
            np.testing.assert_allclose(ours.map_from_camera, theirs.map_from_camera, atol=1e-9)
            assert ours.stored() == theirs.stored()
        assert cv2.imdecode(np.frombuffer(scene.frames[0].stored(), np.uint8), 1) is not None

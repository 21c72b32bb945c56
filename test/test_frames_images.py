"""Images as they come: kinds, damage, orientation; which frames are queries; poses between poses."""

import cv2
import numpy as np
import pytest
from PIL import Image as PillowImage
from scene_making import ace_scene, assert_same_poses, matrix_text, nerfstudio_scene, picture, pose

from ace_ros.errors import InputError
from ace_ros.geometry import pose_error
from ace_ros.recordings import SplitOptions, open_recording, read_image
from ace_ros.recordings.images import is_truncated
from ace_ros.recordings.trajectory import Trajectory

RGB = picture()
GREY = RGB[..., 0]


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (RGB[..., ::-1], RGB),
        (GREY, GREY),
        (GREY.astype(np.uint16) * 257, GREY),
        (RGB[..., ::-1].astype(np.uint16) * 257, RGB),
        (np.dstack([RGB[..., ::-1], np.full_like(GREY, 100)]), RGB),
    ],
)
@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_kinds_of_pixels(tmp_path, stored, expected, suffix):
    path = tmp_path / f"image{suffix}"
    assert cv2.imwrite(str(path), stored)
    np.testing.assert_array_equal(read_image(path), expected)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_the_bits_that_a_camera_uses_of_sixteen(tmp_path, bits):
    stored = GREY.astype(np.uint16) << (bits - 8)
    stored[0, 0] = 2**bits - 1
    assert cv2.imwrite(str(tmp_path / "image.png"), stored)
    expected = GREY.copy()
    expected[0, 0] = 255
    np.testing.assert_array_equal(read_image(tmp_path / "image.png"), expected)


def test_exif_orientation_is_never_applied(tmp_path):
    exif = PillowImage.Exif()
    exif[0x0112] = 6  # turn by 90 degrees to look at it
    PillowImage.fromarray(RGB).save(tmp_path / "turned.jpg", exif=exif, quality=95)
    PillowImage.fromarray(RGB).save(tmp_path / "plain.jpg", quality=95)
    np.testing.assert_array_equal(read_image(tmp_path / "turned.jpg"), read_image(tmp_path / "plain.jpg"))


def jpeg(**options):
    return cv2.imencode(".jpg", RGB, [value for pair in options.items() for value in pair])[1].tobytes()


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9, 0.99])
def test_truncated_images_are_refused(tmp_path, kept):
    thumbnail = jpeg()
    segment = b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail  # has an end marker of its own
    for name, content in {
        "a.jpg": jpeg(),
        "b.jpg": jpeg()[:2] + segment + jpeg()[2:],
        "c.png": cv2.imencode(".png", RGB)[1].tobytes(),
    }.items():
        assert not is_truncated(content)
        assert not is_truncated(content + b"trailer of a phone")
        path = tmp_path / name
        path.write_bytes(content[: int(kept * len(content))])
        with pytest.raises(InputError, match=rf"{name}: the image is truncated"):
            read_image(path)


def test_what_is_no_image_is_refused(tmp_path):
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "text.jpg").write_text("a letter")
    assert cv2.imwrite(str(tmp_path / "depth.tiff"), GREY.astype(np.float32))
    for name, said in (
        ("empty.jpg", "empty"),
        ("text.jpg", "not an image"),
        ("depth.tiff", "float32"),
        ("nowhere.jpg", "no such image"),
        (".", "can't be read"),
    ):
        with pytest.raises(InputError, match=said):
            read_image(tmp_path / name)


def test_what_an_images_header_does_not_tell_fails_when_it_is_read(tmp_path):
    folder = ace_scene(tmp_path)
    image = folder / "rgb" / "frame-000000.color.png"
    image.write_bytes(image.read_bytes()[:-30])
    frames = open_recording(folder).frames
    assert len(frames) == 4
    with pytest.raises(InputError, match=r"frame-000000\.color\.png: the image is truncated"):
        frames[0].read()
    np.testing.assert_array_equal(frames[1].read(), picture(1))


def test_one_image_of_another_size_is_left_out(tmp_path):
    folder = nerfstudio_scene(tmp_path, fl_x=60.0, w=64, h=48)
    assert cv2.imwrite(str(folder / "images" / "3.png"), GREY[:, :40])
    scene = open_recording(folder, "all")
    assert scene.notes == ["1 of 10 frames left out: the image is of another size than its camera, e.g. images/3.png"]
    assert_same_poses(scene.frames, (0, 1, 2, 4, 5, 6, 7, 8, 9))


def names(scene):
    return [frame.name.removeprefix("images/").removesuffix(".png") for frame in scene.frames]


def test_every_eighth_frame_is_a_query_unless_told_otherwise(tmp_path):
    folder = nerfstudio_scene(tmp_path, 20, fl_x=60.0)
    assert names(open_recording(folder, "test")) == ["0", "8", "16"]
    assert len(open_recording(folder, "train").frames) == 17
    assert len(open_recording(folder, "all").frames) == 20
    every_fifth = SplitOptions(test_every=5, test_offset=2)
    assert names(open_recording(folder, "test", every_fifth)) == ["2", "7", "12", "17"]
    (folder / "test.txt").write_text("# queries\nimages/3.png\n4.png\n\n5\nnot_there.png\n")
    scene = open_recording(folder, "test")
    assert names(scene) == ["3", "4", "5"]
    assert scene.notes == ["test.txt names 1 frames that are not there, not_there.png for one"]
    assert names(open_recording(folder, "test", every_fifth)) == ["2", "7", "12", "17"]
    (tmp_path / "other.txt").write_text("images/7")
    assert names(open_recording(folder, "test", SplitOptions(test_list=tmp_path / "other.txt"))) == ["7"]


def test_without_queries_every_frame_is_mapped(tmp_path):
    folder = nerfstudio_scene(tmp_path, fl_x=60.0)
    assert len(open_recording(folder, "train", SplitOptions(test_every=0)).frames) == 10
    (folder / "test.txt").write_text("# none\n")
    frames = open_recording(folder, "train").frames
    assert [frame.query for frame in frames] == [False] * 10
    (folder / "test.txt").write_text("what the tests of last week said")
    assert [frame.query for frame in open_recording(folder, "all").frames] == [None] * 10
    with pytest.raises(InputError, match="names a frame"):
        open_recording(folder)


def test_splits_that_make_no_sense_are_refused(tmp_path):
    folder = nerfstudio_scene(tmp_path, fl_x=60.0)
    (tmp_path / "list.txt").write_text("nothing.png")
    for options, said in (
        ({"test_every": 1}, "at least 2"),
        ({"test_every": 0}, "no frames are left in its part 'test': .* --split all"),
        ({"test_offset": -1}, "negative"),
        ({"test_list": tmp_path / "nowhere.txt"}, "list of queries can't be read"),
        ({"test_list": tmp_path / "list.txt"}, "none of its 1 lines names a frame"),
        ({"test_list": tmp_path / "list.txt", "test_every": 3}, "exclude each other"),
    ):
        with pytest.raises(InputError, match=said):
            open_recording(folder, "test", SplitOptions(**options))
    with pytest.raises(InputError, match="train, test or all"):
        open_recording(folder, "validation")


def test_poses_between_poses():
    first, second = np.eye(4), pose(1)
    trajectory = Trajectory.of([(2_000_000_000, second), (1_000_000_000, first)])
    stamps = [1_000_000_000, 1_500_000_000, 2_000_000_000, 999_999_999, 2_000_000_001]
    exact, half, last, before, after = trajectory.at(stamps, max_gap=1.0)
    np.testing.assert_array_equal(exact, first)
    np.testing.assert_array_equal(last, second)
    assert before is None and after is None
    for end in (first, second):
        assert pose_error(half, end) == pytest.approx([value / 2 for value in pose_error(first, second)])
    assert trajectory.at([1_500_000_000], max_gap=0.9) == [None]
    assert Trajectory.of([]).at([1], 1.0) == [None]


def test_a_pose_file_with_a_byte_order_of_its_own(tmp_path):
    folder = ace_scene(tmp_path)
    (folder / "poses" / "frame-000001.pose.txt").write_bytes(matrix_text(pose(1)).encode("utf-16"))
    assert_same_poses(open_recording(folder).frames, range(4))

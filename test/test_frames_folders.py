"""Recordings in folders (ACE, nerfstudio, COLMAP): small ones written here, and real ones."""

import json
import math
import shutil
import struct

import numpy as np
import pytest
from scene_making import ace_scene, colmap_scene, matrix_text, nerfstudio_scene, picture, pose, write_picture

from ace_ros.errors import InputError
from ace_ros.frames import SplitOptions, open_scene
from ace_ros.geometry import invert, quaternion_xyzw


def assert_same_poses(frames, indices):
    for frame, index in zip(frames, indices, strict=True):
        np.testing.assert_allclose(frame.map_from_camera, pose(index), atol=1e-9)


def test_ace_folder_with_one_focal_length(tmp_path):
    scene = open_scene(ace_scene(tmp_path / "kitchen"), "test")
    assert (scene.name, scene.metric, scene.notes) == ("kitchen", True, [])
    assert [frame.name for frame in scene.frames] == [f"frame-{index:06d}.color.png" for index in range(4)]
    assert_same_poses(scene.frames, range(4))
    camera = scene.frames[0].camera
    assert (camera.width, camera.height, camera.fx, camera.fy, camera.cx, camera.cy) == (64, 48, 60, 60, 32, 24)
    np.testing.assert_array_equal(scene.frames[2].read(), picture(2))
    assert np.diff([frame.stamp for frame in scene.frames]) == pytest.approx(1e9 / 30, abs=1)


def test_ace_parent_has_its_own_split_and_k(tmp_path):
    for part, count in (("train", 3), ("test", 2)):
        ace_scene(tmp_path / part, count, "60 0 30\n0 61 20\n0 0 1")
    assert [len(open_scene(tmp_path, split).frames) for split in ("train", "test", "all")] == [3, 2, 5]
    everything = open_scene(tmp_path, "all")
    camera = everything.frames[0].camera
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (60, 61, 30, 20)
    assert len({frame.stamp for frame in everything.frames}) == len({frame.name for frame in everything.frames}) == 5
    assert open_scene(tmp_path, "test").frames[0].stamp == everything.frames[3].stamp
    queries = open_scene(tmp_path, "test", SplitOptions(test_every=2, test_offset=1)).frames
    assert [frame.name for frame in queries] == [everything.frames[index].name for index in (1, 3)]


def test_ace_frames_without_a_finite_pose_are_skipped_and_counted(tmp_path):
    folder = ace_scene(tmp_path)
    (folder / "poses" / "frame-000001.pose.txt").write_text(matrix_text(np.full((4, 4), np.inf)))
    (folder / "poses" / "frame-000002.pose.txt").write_text(matrix_text(np.full((4, 4), np.nan)))
    scene = open_scene(folder)
    assert_same_poses(scene.frames, (0, 3))
    assert scene.notes == [
        "2 images skipped, their poses hold NaN or infinity: frame-000001.color.png, frame-000002.color.png"
    ]
    for file in (folder / "poses").iterdir():
        file.write_text(matrix_text(np.full((4, 4), np.nan)))
    with pytest.raises(InputError, match=r"no frame can be used .*4 images skipped"):
        open_scene(folder)


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("poses/frame-000001.pose.txt", matrix_text(np.diag([2.0, 2, 2, 1])), "frame-000001.pose.txt.*not a rotation"),
        ("poses/frame-000001.pose.txt", matrix_text(np.diag([1.0, 1, -1, 1])), "frame-000001.pose.txt.*not a rotation"),
        ("poses/frame-000001.pose.txt", "1 2 3", "frame-000001.pose.txt.*4x4 matrix .* 3 numbers"),
        ("poses/frame-000001.pose.txt", "", "4x4 matrix"),
        ("poses/frame-000001.pose.txt", "a b", "4x4 matrix .* holds 'a b'"),
        ("calibration/frame-000001.calibration.txt", "0", "frame-000001.calibration.*focal lengths must be positive"),
        ("calibration/frame-000001.calibration.txt", "1 2", "focal length or a 3x3 K"),
    ],
)
def test_ace_files_that_are_wrong_are_named(tmp_path, file, text, said):
    folder = ace_scene(tmp_path)
    (folder / file).write_text(text)
    with pytest.raises(InputError, match=said):
        open_scene(folder)


def test_nerfstudio_axes_pixels_and_distortion(tmp_path):
    shared = {"fl_x": 60.0, "fl_y": 61.0, "cx": 31.5, "cy": 24.0, "w": 64, "h": 48.0}
    scene = open_scene(nerfstudio_scene(tmp_path / "fox", **shared, k1=0.1, k2=-0.05, p1=0.01), "all")
    assert (scene.name, scene.metric, scene.notes) == ("fox", False, [])
    assert_same_poses(scene.frames, range(10))
    camera = scene.frames[0].camera
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (60.0, 61.0, 31.0, 23.5)
    assert camera.distortion == (0.1, -0.05, 0.01, 0.0, 0.0)
    assert [frame.name for frame in open_scene(tmp_path / "fox", "test").frames] == ["images/0.png", "images/8.png"]
    assert len(open_scene(tmp_path / "fox" / "transforms.json").frames) == 8


def test_nerfstudio_names_without_suffix_and_an_angle_of_view(tmp_path):
    folder = nerfstudio_scene(tmp_path, path=lambda index: f"./images/{index}", camera_angle_x=1.0)
    camera = open_scene(folder).frames[0].camera
    assert camera.fx == camera.fy == pytest.approx(32 / math.tan(0.5))
    assert (camera.cx, camera.cy) == (31.5, 23.5)


def test_nerfstudio_intrinsics_of_single_frames(tmp_path):
    folder = nerfstudio_scene(tmp_path, 12, lambda index: {"fl_x": 50.0 + index}, w=64, h=48, fl_x=1.0)
    frames = open_scene(folder, "all").frames
    assert [frame.camera.fx for frame in frames] == [50.0 + index for index in range(12)]
    assert [frame.name for frame in frames[8:]] == ["images/8.png", "images/9.png", "images/10.png", "images/11.png"]


def test_nerfstudio_missing_images_are_counted_with_examples(tmp_path):
    folder = nerfstudio_scene(tmp_path, fl_x=60.0)
    for index in (1, 2, 5, 6):
        (folder / "images" / f"{index}.png").unlink()
    scene = open_scene(folder, "all")
    assert_same_poses(scene.frames, (0, 3, 4, 7, 8, 9))
    assert scene.notes == ["4 images skipped, missing: images/1.png, images/2.png, images/5.png, ..."]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"fl_x": 0.0}, "focal lengths must be positive"),
        ({"fl_x": None}, "no focal length: fl_x or camera_angle_x"),
        ({"fl_x": "wide"}, "'fl_x' must be a number"),
        ({"camera_model": "OPENCV_FISHEYE"}, "fisheye .*undistort"),
        ({"w": 640, "h": 300}, r"don't have the size of their cameras"),
    ],
)
def test_nerfstudio_cameras_that_are_wrong(tmp_path, change, said):
    with pytest.raises(InputError, match=said):
        open_scene(nerfstudio_scene(tmp_path, **{"fl_x": 60.0, **change}))


@pytest.mark.parametrize("text", ["{", "[]", '{"frames": []}', '{"frames": [{}]}', '{"frames": [{"file_path": "a"}]}'])
def test_nerfstudio_file_that_is_wrong_is_named(tmp_path, text):
    (tmp_path / "transforms.json").write_text(text)
    with pytest.raises(InputError, match=r"transforms\.json"):
        open_scene(tmp_path)


def test_blender_split_in_files(tmp_path):
    content = json.loads((nerfstudio_scene(tmp_path, camera_angle_x=1.0) / "transforms.json").read_text())
    (tmp_path / "transforms.json").unlink()
    for part, frames in (("train", content["frames"][:7]), ("test", content["frames"][7:])):
        (tmp_path / f"transforms_{part}.json").write_text(json.dumps({**content, "frames": frames}))
    assert [len(open_scene(tmp_path, split).frames) for split in ("train", "test", "all")] == [7, 3, 10]


@pytest.mark.parametrize("given", ["", "sparse", "sparse/0"])
def test_colmap_model_wherever_it_is_pointed_at(tmp_path, given):
    scene = open_scene(colmap_scene(tmp_path / "garden") / given, "all")
    assert (scene.name, scene.metric) == ("garden", False)
    assert [frame.name for frame in scene.frames] == ["a.png", "b c.png"]
    assert_same_poses(scene.frames, range(2))
    np.testing.assert_array_equal(scene.frames[1].read(), picture(1))


@pytest.mark.parametrize(
    ("camera", "focals", "distortion"),
    [
        ("SIMPLE_PINHOLE 64 48 60 31.5 24", (60, 60), ()),
        ("PINHOLE 64 48 60 61 31.5 24", (60, 61), ()),
        ("SIMPLE_RADIAL 64 48 60 31.5 24 0.1", (60, 60), (0.1, 0, 0, 0)),
        ("RADIAL 64 48 60 31.5 24 0.1 0.2", (60, 60), (0.1, 0.2, 0, 0)),
        ("OPENCV 64 48 60 61 31.5 24 0.1 0.2 0.3 0.4", (60, 61), (0.1, 0.2, 0.3, 0.4)),
        ("FULL_OPENCV 64 48 60 61 31.5 24 .1 .2 .3 .4 .5 .6 .7 .8", (60, 61), (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)),
    ],
)
def test_colmap_camera_models(tmp_path, camera, focals, distortion):
    found = open_scene(colmap_scene(tmp_path, "1 " + camera), "all").frames[0].camera
    assert (found.fx, found.fy, found.cx, found.cy, found.distortion) == (*focals, 31.0, 23.5, distortion)


@pytest.mark.parametrize(
    ("camera", "said"),
    [
        ("1 OPENCV_FISHEYE 64 48 60 61 31.5 24 0 0 0 0", "OPENCV_FISHEYE is not supported .*image_undistorter"),
        ("1 PINHOLE 64 48 60 61", "PINHOLE has 4 parameters"),
        ("1 PINHOLE 64 48 0 0 32 24", "line 2: camera: focal lengths must be positive"),
        ("2 PINHOLE 64 48 60 60 32 24", "camera 1, which is not listed"),
        ("1 PINHOLE x 48 60 60 32 24", "line 2: expected CAMERA_ID"),
        ("1 PINHOLE 100 48 60 60 32 24", "don't have the size of their cameras"),
    ],
)
def test_colmap_cameras_that_are_wrong(tmp_path, camera, said):
    with pytest.raises(InputError, match=said):
        open_scene(colmap_scene(tmp_path, camera), "all")


def test_colmap_camera_of_the_full_images_is_scaled_with_a_note(tmp_path):
    scene = open_scene(colmap_scene(tmp_path, "1 PINHOLE 256 192 240 244 126 96"), "all")
    camera = scene.frames[0].camera
    assert (camera.width, camera.height, camera.fx, camera.fy, camera.cx, camera.cy) == (64, 48, 60, 61, 31, 23.5)
    assert scene.notes == ["the camera was scaled to the images, from 256 x 192 to 64 x 48"]


def test_colmap_lines_of_points_may_be_missing(tmp_path):
    folder = colmap_scene(tmp_path)
    file = folder / "sparse/0/images.txt"
    file.write_text("\n".join(line for line in file.read_text().splitlines() if line.endswith("png")))
    assert len(open_scene(folder, "all").frames) == 2


def test_colmap_quaternion_that_is_no_rotation_is_named(tmp_path):
    folder = colmap_scene(tmp_path)
    file = folder / "sparse/0/images.txt"
    file.write_text("1 1 1 1 1 0 0 0 1 a.png\n\n2 1 0 0 nan 0 0 0 1 b c.png\n\n")
    with pytest.raises(InputError, match=r"images\.txt, line 1: a\.png.*unit length"):
        open_scene(folder, "all")
    file.write_text("1 1 0 0 0 0 0 0 1 a.png\n\n2 1 0 0 nan 0 0 0 1 b c.png\n\n")
    assert open_scene(folder, "all").notes == ["1 image skipped, their poses hold NaN or infinity: b c.png"]


def test_colmap_binary_model(tmp_path):
    folder = colmap_scene(tmp_path)
    model = folder / "sparse/0"
    cameras = struct.pack("<Q", 1) + struct.pack("<iiQQ4d", 1, 1, 64, 48, 60, 61, 31.5, 24)
    images = struct.pack("<Q", 2)
    for index, name in enumerate(("a.png", "b c.png")):
        camera_from_map = invert(pose(index))
        x, y, z, w = quaternion_xyzw(camera_from_map)
        images += struct.pack("<i7di", index + 1, w, x, y, z, *camera_from_map[:3, 3], 1) + name.encode() + b"\0"
        images += struct.pack("<Q", index) + struct.pack("<ddq", 1.5, 2.5, -1) * index
    (model / "cameras.txt").unlink()
    (model / "images.txt").unlink()
    (model / "cameras.bin").write_bytes(cameras)
    (model / "images.bin").write_bytes(images)
    assert_same_poses(open_scene(folder, "all").frames, range(2))
    (model / "images.bin").write_bytes(images[:-3])
    with pytest.raises(InputError, match=r"images\.bin: truncated"):
        open_scene(folder, "all")


def test_colmap_without_images(tmp_path):
    folder = colmap_scene(tmp_path)
    shutil.rmtree(folder / "images")
    with pytest.raises(InputError, match="none of its 2 images was found"):
        open_scene(folder)


def test_what_is_no_recording_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such recording"):
        open_scene(tmp_path / "nowhere")
    with pytest.raises(InputError, match="empty"):
        open_scene(tmp_path)
    write_picture(tmp_path / "a.png", picture())
    with pytest.raises(InputError, match=r"known layout. Looked for: .*rosbag2.*nerfstudio.*COLMAP.*TUM.*ACE"):
        open_scene(tmp_path)
    (tmp_path / "rgb").mkdir()
    (tmp_path / "poses").mkdir()
    with pytest.raises(InputError, match="there are no images"):
        open_scene(tmp_path)


def test_redkitchen(redkitchen):
    mapping, queries = (open_scene(redkitchen, split) for split in ("train", "test"))
    assert (len(mapping.frames), len(queries.frames)) == (800, 200)
    assert len(open_scene(redkitchen / "train", "test").frames) == 800
    camera = mapping.frames[0].camera
    assert (camera.width, camera.height, camera.fx, camera.cx, camera.cy) == (640, 480, 525.505, 320, 240)
    assert mapping.metric and mapping.frames[0].read().shape == (480, 640, 3)


def test_fox(fox):
    mapping, queries = (open_scene(fox, split) for split in ("train", "test"))
    assert (len(mapping.frames), len(queries.frames)) == (43, 7)
    assert mapping.notes == ["17 images skipped, missing: images/0005.jpg, images/0016.jpg, images/0017.jpg, ..."]
    assert queries.frames[0].read().shape == (1920, 1080, 3)


def test_bonsai(bonsai):
    mapping, queries = (open_scene(bonsai, split) for split in ("train", "test"))
    assert (len(mapping.frames), len(queries.frames)) == (256, 36)
    assert [frame.name for frame in queries.frames] == (bonsai / "test.txt").read_text().split()

"""COLMAP's layout: small models written here, and a real one."""

import shutil
import struct

import numpy as np
import pytest
from scene_making import assert_same_poses, colmap_scene, picture, pose, write_picture

from ace_ros.errors import InputError
from ace_ros.geometry import invert, quaternion_xyzw
from ace_ros.recordings import open_recording


@pytest.mark.parametrize("given", ["", "sparse", "sparse/0"])
def test_colmap_model_wherever_it_is_pointed_at(tmp_path, given):
    scene = open_recording(colmap_scene(tmp_path / "garden") / given, "all")
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
        ("OPENCV_FISHEYE 64 48 60 61 31.5 24 0 0 0 0", (60, 61), ()),
        ("OPENCV_FISHEYE 64 48 60 61 31.5 24 -.1 .2 -.3 .4", (60, 61), (-0.1, 0.2, -0.3, 0.4)),
        ("RADIAL_FISHEYE 64 48 60 31.5 24 -.1 .2", (60, 60), (-0.1, 0.2, 0, 0)),
        ("FULL_OPENCV 64 48 60 61 31.5 24 .1 .2 .3 .4 .5 .6 .7 .8", (60, 61), (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)),
    ],
)
def test_colmap_camera_models(tmp_path, camera, focals, distortion):
    found = open_recording(colmap_scene(tmp_path, "1 " + camera), "all").frames[0].camera
    assert (found.fx, found.fy, found.cx, found.cy, found.distortion) == (*focals, 31.0, 23.5, distortion)
    assert found.model == ("pinhole" if "FISHEYE" not in camera else "equidistant")


@pytest.mark.parametrize(
    ("camera", "said"),
    [
        ("1 SWIRL 64 48 60 61 31.5 24 0 0 0 0", "SWIRL is not known .*image_undistorter"),
        ("1 OPENCV_FISHEYE 64 48 60 61 31.5 24 -2 0 0 0", r"2 of 2 frames left out: .*the image folds 16 px"),
        ("1 PINHOLE 64 48 60 61", "PINHOLE has 4 parameters"),
        ("1 PINHOLE 64 48 0 0 32 24", "line 2: camera: focal lengths must be positive"),
        ("2 PINHOLE 64 48 60 60 32 24", "camera 1, which is not listed"),
        ("1 PINHOLE x 48 60 60 32 24", "line 2: expected CAMERA_ID"),
        ("1 PINHOLE 100 48 60 60 32 24", r"2 of 2 frames left out: .*of another size .* 64 x 48, its camera 100 x 48"),
    ],
)
def test_colmap_cameras_that_are_wrong(tmp_path, camera, said):
    with pytest.raises(InputError, match=said):
        open_recording(colmap_scene(tmp_path, camera), "all")


def test_colmap_camera_of_the_full_images_is_scaled_with_a_note(tmp_path):
    scene = open_recording(colmap_scene(tmp_path, "1 PINHOLE 256 192 240 244 126 96"), "all")
    camera = scene.frames[0].camera
    assert (camera.width, camera.height, camera.fx, camera.fy, camera.cx, camera.cy) == (64, 48, 60, 61, 31, 23.5)
    assert scene.notes == ["the camera was scaled to the images, from 256 x 192 to 64 x 48"]


def test_colmap_lines_of_points_may_be_missing(tmp_path):
    folder = colmap_scene(tmp_path)
    file = folder / "sparse/0/images.txt"
    file.write_text("\n".join(line for line in file.read_text().splitlines() if line.endswith("png")))
    assert len(open_recording(folder, "all").frames) == 2


def test_colmap_quaternion_that_is_no_rotation_is_named(tmp_path):
    folder = colmap_scene(tmp_path)
    file = folder / "sparse/0/images.txt"
    file.write_text("1 1 1 1 1 0 0 0 1 a.png\n\n2 1 0 0 nan 0 0 0 1 b c.png\n\n")
    with pytest.raises(InputError, match=r"images\.txt, line 1: a\.png.*unit length"):
        open_recording(folder)
    file.write_text("1 1 0 0 0 0 0 0 1 a.png\n\n2 1 0 0 nan 0 0 0 1 b c.png\n\n")
    assert open_recording(folder, "all").notes == [
        f"1 of 2 frames left out: the pose holds NaN or infinity, e.g. {file}, line 3: b c.png"
    ]


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
    assert_same_poses(open_recording(folder, "all").frames, range(2))
    (model / "images.bin").write_bytes(images[:-3])
    with pytest.raises(InputError, match=r"images\.bin: truncated"):
        open_recording(folder, "all")


def test_colmap_without_images(tmp_path):
    folder = colmap_scene(tmp_path)
    shutil.rmtree(folder / "images")
    with pytest.raises(InputError, match="none of its 2 images was found"):
        open_recording(folder)


def splatting_scene(folder):
    """Two models of distorted images, the second of which is the largest, and one of what was undistorted."""
    colmap_scene(folder, names=("a.png",))
    colmap_scene(folder, names=("b.png",), model="distorted/sparse/0")
    colmap_scene(folder, names=("c.png", "d.png", "e.png"), model="distorted/sparse/1")
    return folder


@pytest.mark.parametrize("given", ["", "distorted", "distorted/sparse", "distorted/sparse/1"])
@pytest.mark.parametrize("images", ["images", "input"])
def test_colmap_model_with_most_images_is_read(tmp_path, given, images):
    folder = splatting_scene(tmp_path / "statue")
    (folder / "images").rename(folder / images)
    if images == "input":  # and what was undistorted, of other sizes
        for name in ("c.png", "d.png", "e.png"):
            write_picture(folder / "images" / name, picture(0, 60, 40))
    scene = open_recording(folder / given, "all")
    assert scene.name == "statue" and [frame.name for frame in scene.frames] == ["c.png", "d.png", "e.png"]
    assert_same_poses(scene.frames, range(3))
    np.testing.assert_array_equal(scene.frames[2].read(), picture(2))
    usual = {"": "sparse/0", "distorted": "distorted/sparse/0", "distorted/sparse": "distorted/sparse/0"}
    told = [note for note in scene.notes if note.endswith("has 1")]
    wanted = f"{folder / 'distorted/sparse/1'} was read, of 3 images; {folder / usual.get(given, '')} has 1"
    assert told == ([wanted] if given in usual else [])


@pytest.mark.parametrize("size", [None, (128, 72)])
def test_colmap_model_whose_images_are_not_there_is_passed_by(tmp_path, size):
    folder = splatting_scene(tmp_path)
    for name in ("c.png", "d.png", "e.png"):
        (folder / "images" / name).unlink()
        if size:
            write_picture(folder / "images" / name, picture(0, *size))
    scene = open_recording(folder, "all")
    assert [frame.name for frame in scene.frames] == ["a.png"]
    told = "of 3 images, was passed by: none of its images was found in its camera's size"
    assert scene.notes == [f"{folder / 'distorted/sparse/1'}, {told}"]
    with pytest.raises(InputError, match=r"the image is 128 x 72, its camera 64 x 48" if size else "was found"):
        open_recording(folder / "distorted/sparse/1", "all")


def test_colmap_model_that_cannot_be_read_is_passed_by_with_the_reason(tmp_path):
    folder = splatting_scene(tmp_path)
    (folder / "distorted/sparse/1/cameras.txt").write_text("1 SWIRL 64 48 60 61 31.5 24\n")
    (folder / "distorted/sparse/0/images.txt").write_text("")
    scene = open_recording(folder, "all")
    assert [frame.name for frame in scene.frames] == ["a.png"]
    assert len(scene.notes) == 1 and "passed by: " in scene.notes[0] and "SWIRL is not known" in scene.notes[0]
    (folder / "sparse/0/images.txt").write_text("")
    with pytest.raises(InputError, match=r"sparse/0: the model has no images"):
        open_recording(folder, "all")


def test_bonsai(bonsai):
    mapping, queries = (open_recording(bonsai, split) for split in ("train", "test"))
    assert (len(mapping.frames), len(queries.frames)) == (256, 36)
    assert [frame.name for frame in queries.frames] == (bonsai / "test.txt").read_text().split()

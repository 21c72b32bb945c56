"""Recordings in folders (ACE, nerfstudio): small ones written here, and real ones."""

import json
import math

import numpy as np
import pytest
from scene_making import ace_scene, assert_same_poses, matrix_text, nerfstudio_scene, picture, write_picture

from ace_ros.errors import InputError
from ace_ros.recordings import SplitOptions, open_recording


def test_ace_folder_with_one_focal_length(tmp_path):
    scene = open_recording(ace_scene(tmp_path / "kitchen"), "test")
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
    assert [len(open_recording(tmp_path, split).frames) for split in ("train", "test", "all")] == [3, 2, 5]
    everything = open_recording(tmp_path, "all")
    camera = everything.frames[0].camera
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (60, 61, 30, 20)
    assert len({frame.stamp for frame in everything.frames}) == len({frame.name for frame in everything.frames}) == 5
    assert open_recording(tmp_path, "test").frames[0].stamp == everything.frames[3].stamp
    queries = open_recording(tmp_path, "test", SplitOptions(test_every=2, test_offset=1)).frames
    assert [frame.name for frame in queries] == [everything.frames[index].name for index in (1, 3)]


def test_ace_frames_without_a_finite_pose_are_skipped_and_counted(tmp_path):
    folder = ace_scene(tmp_path)
    (folder / "poses" / "frame-000001.pose.txt").write_text(matrix_text(np.full((4, 4), np.inf)))
    (folder / "poses" / "frame-000002.pose.txt").write_text(matrix_text(np.full((4, 4), np.nan)))
    scene = open_recording(folder)
    assert_same_poses(scene.frames, (0, 3))
    file = folder / "poses" / "frame-000001.pose.txt"
    assert scene.notes == [f"2 of 4 frames left out: the pose holds NaN or infinity, e.g. {file}"]
    for file in (folder / "poses").iterdir():
        file.write_text(matrix_text(np.full((4, 4), np.nan)))
    with pytest.raises(InputError, match=r"no frame can be used .*4 of 4 frames left out"):
        open_recording(folder)


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
    frames = open_recording(folder).frames
    assert [frame.name for frame in frames] == [f"frame-{index:06d}.color.png" for index in (0, 2, 3)]
    with pytest.raises(InputError, match=said):
        open_recording(folder, options=SplitOptions(strict=True))


@pytest.mark.parametrize(
    ("image", "pose_file"),
    [
        ("1305031102.{:06d}.png", "1305031102.{:06d}.txt"),
        ("1305031102.{:06d}.color.png", "1305031102.{:06d}.pose.txt"),
        ("frame-{:06d}.color.png", "frame-{:06d}.pose.txt"),
        ("{:06d}.color.small.png", "{:06d}.txt"),
        ("view{}.png", "pose_of_{}.txt"),
    ],
)
def test_ace_files_that_belong_together_by_name(tmp_path, image, pose_file):
    folder = ace_scene(tmp_path)
    for kind, name in (("rgb", image), ("poses", pose_file)):
        for index, file in enumerate(sorted((folder / kind).iterdir())):
            file.rename(file.with_name(name.format(index)))
    for file in sorted((folder / "calibration").iterdir())[1:]:  # one for all
        file.unlink()
    scene = open_recording(folder)
    assert scene.notes == []
    assert_same_poses(scene.frames, range(4))


def test_ace_folders_of_a_split_know_what_they_are(tmp_path):
    for part in ("train", "test", "other"):
        ace_scene(tmp_path / part)
    for part, query in (("train", False), ("test", True), ("other", None)):
        assert {frame.query for frame in open_recording(tmp_path / part, "all").frames} == {query}
    assert [frame.query for frame in open_recording(tmp_path, "all").frames] == [False] * 4 + [True] * 4


def test_nerfstudio_axes_pixels_and_distortion(tmp_path):
    shared = {"fl_x": 60.0, "fl_y": 61.0, "cx": 31.5, "cy": 24.0, "w": 64, "h": 48.0}
    scene = open_recording(nerfstudio_scene(tmp_path / "fox", **shared, k1=0.1, k2=-0.05, p1=0.01), "all")
    assert (scene.name, scene.metric, scene.notes) == ("fox", False, [])
    assert_same_poses(scene.frames, range(10))
    camera = scene.frames[0].camera
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (60.0, 61.0, 31.0, 23.5)
    assert camera.distortion == (0.1, -0.05, 0.01, 0.0, 0.0)
    assert [frame.name for frame in open_recording(tmp_path / "fox", "test").frames] == ["images/0.png", "images/8.png"]
    assert len(open_recording(tmp_path / "fox" / "transforms.json").frames) == 8


@pytest.mark.parametrize(
    ("values", "model", "distortion"),
    [
        ({"camera_model": "OPENCV_FISHEYE", "k1": 0.1, "k4": 0.2}, "equidistant", (0.1, 0.0, 0.0, 0.2)),
        ({"camera_model": "OPENCV_FISHEYE"}, "equidistant", ()),
        ({"is_fisheye": True, "k1": 0.1}, "equidistant", (0.1, 0.0, 0.0, 0.0)),
        (
            {"camera_model": "FISHEYE624", "distortion_params": [0.01] * 6 + [0.001] * 6},
            "rad_tan_thin_prism_fisheye",
            (0.01,) * 6 + (0.001,) * 6,
        ),
        ({"camera_model": "EQUIRECTANGULAR"}, "equirectangular", ()),
    ],
)
def test_nerfstudio_lenses(tmp_path, values, model, distortion):
    (camera, *_) = {frame.camera for frame in open_recording(nerfstudio_scene(tmp_path, fl_x=60.0, **values)).frames}
    assert (camera.model, camera.distortion) == (model, distortion)
    assert camera.fx == pytest.approx(64 / (2 * math.pi) if model == "equirectangular" else 60.0)


def test_nerfstudio_names_without_suffix_and_an_angle_of_view(tmp_path):
    folder = nerfstudio_scene(tmp_path, path=lambda index: f"./images/{index}", camera_angle_x=1.0)
    camera = open_recording(folder).frames[0].camera
    assert camera.fx == camera.fy == pytest.approx(32 / math.tan(0.5))
    assert (camera.cx, camera.cy) == (31.5, 23.5)


def test_nerfstudio_intrinsics_of_single_frames(tmp_path):
    folder = nerfstudio_scene(tmp_path, 12, lambda index: {"fl_x": 50.0 + index}, w=64, h=48, fl_x=1.0)
    frames = open_recording(folder, "all").frames
    assert [frame.camera.fx for frame in frames] == [50.0 + index for index in range(12)]
    assert [frame.name for frame in frames[8:]] == ["images/8.png", "images/9.png", "images/10.png", "images/11.png"]


def test_nerfstudio_split_of_its_own_and_paths_of_windows(tmp_path):
    folder = nerfstudio_scene(tmp_path, path=lambda index: f"images\\{index}.png", fl_x=60.0)
    content = json.loads((folder / "transforms.json").read_text())
    names = [frame["file_path"] for frame in content["frames"]]
    content |= {"train_filenames": names[:6], "val_filenames": names[6:8], "test_filenames": names[8:]}
    (folder / "transforms.json").write_text(json.dumps(content))
    (folder / "test.txt").write_text("0.png")
    for split, indices in (("train", range(6)), ("test", range(6, 10))):
        assert_same_poses(open_recording(folder, split).frames, indices)
    assert len(open_recording(folder, "test", SplitOptions(test_every=5)).frames) == 2
    (folder / "transforms.json").write_text(json.dumps({**content, "test_filenames": [8]}))
    with pytest.raises(InputError, match="must be lists of names"):
        open_recording(folder)


def test_nerfstudio_missing_images_are_counted_with_examples(tmp_path):
    folder = nerfstudio_scene(tmp_path, fl_x=60.0)
    for index in (1, 2, 5, 6):
        (folder / "images" / f"{index}.png").unlink()
    scene = open_recording(folder, "all")
    assert_same_poses(scene.frames, (0, 3, 4, 7, 8, 9))
    assert scene.notes == ["4 of 10 frames left out: the image is missing, e.g. images/1.png"]


@pytest.mark.parametrize(
    ("path", "lie", "told"),
    [
        (lambda index: f"../shots\\{index}.png", "images", "named in ../shots/ and were found in images/"),
        (lambda index: f"shots/{index}.PNG", ".", "10 images are named in shots/ and were found in ./"),
        (lambda index: f"./data/walk/images/{index}", "images", "in data/walk/images/ and were found in images/"),
        (lambda index: f"walk/images/{index}.png", "kept/walk/images", "and were found in kept/walk/images/"),
        (lambda index: f"{'ab'[index % 2]}/{index}.png", "images", "named in a/ and were found in images/, 5 more"),
    ],
)  # fmt: skip
def test_images_that_lie_elsewhere_than_they_are_named(tmp_path, path, lie, told):
    folder = nerfstudio_scene(tmp_path / "room", path=path, fl_x=60.0)
    if lie != "images":
        (folder / lie).mkdir(parents=True, exist_ok=True)
        for file in (folder / "images").iterdir():
            file.rename(folder / lie / file.name)
    if "walk" in lie:  # others that are called so, but less alike
        for index in range(10):
            write_picture(folder / f"images/{index}.png", picture())
    for index in range(10):
        write_picture(folder / f"masks/{index}.png", picture())
    scene = open_recording(folder, "all")
    assert_same_poses(scene.frames, range(10))
    np.testing.assert_array_equal(scene.frames[5].read(), picture(5))
    assert any(told in note for note in scene.notes)


def test_an_image_that_could_be_one_of_several_is_left_out(tmp_path):
    folder = nerfstudio_scene(tmp_path, path=lambda index: f"shots/{index}.png", fl_x=60.0)
    write_picture(folder / "thumbs/3.png", picture())
    scene = open_recording(folder, "all")
    assert_same_poses(scene.frames, [index for index in range(10) if index != 3])
    kind = "the image is not where it is named, and several are called so"
    assert scene.notes[0].startswith(f"1 of 10 frames left out: {kind}, e.g. ")
    with pytest.raises(InputError, match=rf"{kind}: images/3.png and thumbs/3.png; which is meant, its path"):
        open_recording(folder, "all", SplitOptions(strict=True))


def test_an_image_is_never_taken_for_another_frame_than_its_own(tmp_path):
    folder = nerfstudio_scene(
        tmp_path, path=lambda index: f"{'left' if index < 5 else 'right'}/{index % 5}.png", fl_x=60.0
    )
    (folder / "images").rename(folder / "right")  # left/ is not there
    scene = open_recording(folder, "all")
    assert_same_poses(scene.frames, range(5, 10))
    assert scene.notes == ["5 of 10 frames left out: the image is missing, e.g. left/0.png"]
    content = json.loads((folder / "transforms.json").read_text())
    for frame in content["frames"]:  # both could be these by name alone
        frame["file_path"] = frame["file_path"].replace("right", "further/right")
    (folder / "transforms.json").write_text(json.dumps(content))
    assert_same_poses(open_recording(folder, "all").frames, range(5, 10))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"fl_x": 0.0}, "focal lengths must be positive"),
        ({"fl_x": None}, "no focal length: fl_x or camera_angle_x"),
        ({"fl_x": "wide"}, "'fl_x' must be a number"),
        ({"camera_model": "SWIRL"}, "camera model SWIRL is not known: undistort"),
        ({"k4": 0.1}, "k4 without a camera_model: name it, OPENCV_FISHEYE"),
        ({"camera_model": "FISHEYE624", "distortion_params": "none"}, "'distortion_params' must be a list of numbers"),
        ({"w": 640, "h": 300}, r"another size than its camera"),
    ],
)
def test_nerfstudio_cameras_that_are_wrong(tmp_path, change, said):
    with pytest.raises(InputError, match=said):
        open_recording(nerfstudio_scene(tmp_path, **{"fl_x": 60.0, **change}))


def test_nerfstudio_file_that_is_no_json_is_told_with_the_place(tmp_path):
    (tmp_path / "transforms.json").write_text('{"frames": [\n  {"file_path": 1,}\n]}')
    with pytest.raises(
        InputError, match=r"transforms\.json: the file is not JSON, or truncated \(line 2, column 1\d: "
    ):
        open_recording(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", '{"frames": []}', '{"frames": [{}]}', '{"frames": [{"file_path": "a"}]}'])
def test_nerfstudio_file_that_is_wrong_is_named(tmp_path, text):
    (tmp_path / "transforms.json").write_text(text)
    with pytest.raises(InputError, match=r"transforms\.json"):
        open_recording(tmp_path)


def test_blender_split_in_files(tmp_path):
    content = json.loads((nerfstudio_scene(tmp_path, camera_angle_x=1.0) / "transforms.json").read_text())
    (tmp_path / "transforms.json").unlink()
    for part, frames in (("train", content["frames"][:7]), ("test", content["frames"][7:])):
        (tmp_path / f"transforms_{part}.json").write_text(json.dumps({**content, "frames": frames}))
    assert [len(open_recording(tmp_path, split).frames) for split in ("train", "test", "all")] == [7, 3, 10]


def test_what_is_no_recording_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such recording"):
        open_recording(tmp_path / "nowhere")
    with pytest.raises(InputError, match="empty"):
        open_recording(tmp_path)
    write_picture(tmp_path / "a.png", picture())
    with pytest.raises(InputError, match=r"known layout. Looked for: .*rosbag2.*nerfstudio.*COLMAP.*TUM.*ACE"):
        open_recording(tmp_path)
    (tmp_path / "rgb").mkdir()
    (tmp_path / "poses").mkdir()
    with pytest.raises(InputError, match="there are no images"):
        open_recording(tmp_path)


def test_redkitchen(redkitchen):
    mapping, queries = (open_recording(redkitchen, split) for split in ("train", "test"))
    assert (len(mapping.frames), len(queries.frames)) == (800, 200)
    assert len(open_recording(redkitchen / "train", "test").frames) == 800
    camera = mapping.frames[0].camera
    assert (camera.width, camera.height, camera.fx, camera.cx, camera.cy) == (640, 480, 525.505, 320, 240)
    assert mapping.metric and mapping.frames[0].read().shape == (480, 640, 3)


def test_fox(fox):
    mapping, queries = (open_recording(fox, split) for split in ("train", "test"))
    assert (len(mapping.frames), len(queries.frames)) == (43, 7)
    assert mapping.notes == [
        "17 of 67 frames left out: the image is missing, e.g. images/0005.jpg",
        "7 of 50 frames, every 8th, are kept as queries: --test-every (0: none) and --test-list choose others",
    ]
    assert not any(frame.query for frame in mapping.frames) and all(frame.query for frame in queries.frames)
    assert queries.frames[0].read().shape == (1920, 1080, 3)

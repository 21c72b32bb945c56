"""TUM RGB-D: association, interpolation, and where the intrinsics come from."""

import numpy as np
import pytest
from scene_making import picture, pose, write_picture

from ace_ros.errors import InputError
from ace_ros.geometry import pose_error, quaternion_xyzw
from ace_ros.recordings import SplitOptions, open_recording

INTRINSICS = "60 61 31 23.5"


def tum_scene(folder, count=9, pose_times=lambda index: index * 0.1, calibration=INTRINSICS):
    """Images at 10 Hz."""
    rgb, truth = ["# timestamp filename"], ["# timestamp tx ty tz qx qy qz qw"]
    for index in range(count):
        write_picture(folder / "rgb" / f"{index}.png", picture(index))
        rgb.append(f"{1305031102.1 + index * 0.1:.6f} rgb/{index}.png")
        numbers = (*pose(index)[:3, 3], *quaternion_xyzw(pose(index)))
        truth.append(f"{1305031102.1 + pose_times(index):.6f} " + " ".join(map(repr, map(float, numbers))))
    (folder / "rgb.txt").write_text("\n".join(rgb))
    (folder / "groundtruth.txt").write_text("\n".join(truth))
    if calibration:
        (folder / "calibration.txt").write_text(calibration)
    return folder


def test_frames_with_poses_at_their_times(tmp_path):
    scene = open_recording(tum_scene(tmp_path / "desk"), "all")
    assert (scene.name, scene.metric, scene.notes, scene.map_frame) == ("desk", True, [], "world")
    for index, frame in enumerate(scene.frames):
        np.testing.assert_allclose(frame.map_from_camera, pose(index), atol=1e-9)
        assert frame.stamp == 1305031102_100000000 + index * 100_000_000
    camera = scene.frames[0].camera
    assert (camera.width, camera.height, camera.fx, camera.fy, camera.cx, camera.cy) == (64, 48, 60, 61, 31, 23.5)
    np.testing.assert_array_equal(scene.frames[3].read(), picture(3))
    assert [frame.name for frame in open_recording(tmp_path / "desk", "test").frames] == ["rgb/0.png", "rgb/8.png"]


def test_poses_in_between_are_interpolated_and_far_ones_are_not_used(tmp_path):
    scene = open_recording(tum_scene(tmp_path, pose_times=lambda index: index * 0.1 + 0.05 + (index > 5)), "all")
    assert [frame.name for frame in scene.frames] == [f"rgb/{index}.png" for index in range(1, 6)]
    assert scene.notes == [
        "4 of 9 frames left out: no pose in groundtruth.txt around them (within 0.25 s), e.g. rgb/0.png"
    ]
    middle = scene.frames[0].map_from_camera
    for end in (pose(0), pose(1)):
        assert pose_error(middle, end) == pytest.approx([value / 2 for value in pose_error(pose(0), pose(1))])


@pytest.mark.parametrize(
    ("name", "focals"),
    [
        ("rgbd_dataset_freiburg1_desk", (517.3, 516.5)),
        ("rgbd_dataset_freiburg2_xyz", (520.9, 521.0)),
        ("fr3_office", (535.4, 539.2)),
    ],
)
def test_cameras_that_tum_publishes_are_known_by_the_name_of_the_folder(tmp_path, name, focals):
    camera = open_recording(tum_scene(tmp_path / name, calibration=""), "all").frames[0].camera
    assert (camera.fx, camera.fy) == focals
    assert bool(camera.distortion) == ("3" not in name)


def test_where_else_the_intrinsics_come_from(tmp_path):
    folder = tum_scene(tmp_path / "freiburg1", calibration="60 0 31\n0 61 23.5\n0 0 1")
    assert open_recording(folder).frames[0].camera.fx == 60
    camera = open_recording(folder, "all", SplitOptions(intrinsics="50,51,30,20,0.1,0,0,0")).frames[0].camera
    assert (camera.fx, camera.distortion) == (50, (0.1, 0, 0, 0))
    (folder / "calibration.txt").rename(folder / "camera.txt")
    (folder / "camera.txt").write_text("# fx fy cx cy k1 k2 p1 p2 k3\n60 61 31 23.5 .1 .2 .3 .4 .5")
    assert open_recording(folder).frames[0].camera.distortion == (0.1, 0.2, 0.3, 0.4, 0.5)


def test_images_that_lie_elsewhere_than_they_are_listed(tmp_path):
    folder = tum_scene(tmp_path)
    (folder / "rgb").rename(folder / "colour")
    scene = open_recording(folder, "all")
    assert scene.notes == ["9 images are named in rgb/ and were found in colour/"]
    np.testing.assert_array_equal(scene.frames[3].read(), picture(3))


def test_without_ground_truth_frames_have_no_pose(tmp_path):
    folder = tum_scene(tmp_path)
    (folder / "groundtruth.txt").unlink()
    scene = open_recording(folder, "all")
    assert len(scene.frames) == 9 and all(frame.map_from_camera is None for frame in scene.frames)
    assert "no true poses" in scene.notes[0]


def test_poses_that_are_not_finite_are_left_out_with_a_note(tmp_path):
    folder = tum_scene(tmp_path)
    with (folder / "groundtruth.txt").open("a") as file:
        file.write("\n1305031109.0 nan 0 0 0 0 0 1")
    place = f"{folder / 'groundtruth.txt'}, line 11"
    told = f"1 of 10 poses left out: the pose holds NaN or infinity, e.g. {place}"
    assert open_recording(folder, "all").notes == [told]


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("rgb.txt", "", "lists no images"),
        ("rgb.txt", "1.0", r"rgb\.txt, line 1: expected timestamp filename"),
        ("rgb.txt", "noon rgb/0.png", "'noon' is not a time"),
        ("groundtruth.txt", "1.0 0 0 0 0 0 0 2", r"groundtruth\.txt, line 1.*unit length"),
        ("groundtruth.txt", "1.0 0 0 0", "expected timestamp tx ty tz"),
        ("groundtruth.txt", "", "no usable pose"),
        ("groundtruth.txt", "9.0 0 0 0 0 0 0 1", "poses are from 9.0.* to 9.0.* s, the images from 1305031102.1"),
        ("calibration.txt", "60 61", "holds 2 numbers"),
        ("calibration.txt", "0 61 31 23", r"calibration\.txt.*focal lengths must be positive"),
        ("calibration.txt", "", "holds 0 numbers"),
    ],
)
def test_files_that_are_wrong_are_named(tmp_path, file, text, said):
    folder = tum_scene(tmp_path)
    (folder / file).write_text(text)
    with pytest.raises(InputError, match=said):
        open_recording(folder)


def test_intrinsics_that_nothing_tells(tmp_path):
    with pytest.raises(InputError, match=r"give --intrinsics fx,fy,cx,cy"):
        open_recording(tum_scene(tmp_path / "office", calibration=""))
    with pytest.raises(InputError, match="--intrinsics 'wide'"):
        open_recording(tmp_path / "office", options=SplitOptions(intrinsics="wide"))


def test_redkitchen_as_tum(redkitchen, tmp_path):
    frames = open_recording(redkitchen, "test").frames[:20]
    files = [redkitchen / "test" / "rgb" / frame.name.rpartition("/")[2] for frame in frames]
    rows = (f"{frame.stamp * 1e-9:.6f} {file}\n" for frame, file in zip(frames, files, strict=True))
    (tmp_path / "rgb.txt").write_text("".join(rows))
    truth = [(frame.stamp, frame.map_from_camera) for frame in frames]
    rows = ((stamp * 1e-9, *matrix[:3, 3], *quaternion_xyzw(matrix)) for stamp, matrix in truth)
    (tmp_path / "groundtruth.txt").write_text("".join(" ".join(f"{value:.6f}" for value in row) + "\n" for row in rows))
    scene = open_recording(tmp_path, "all", SplitOptions(intrinsics="525.505,525.505,320,240"))
    for found, frame in zip(scene.frames, frames, strict=True):
        assert pose_error(found.map_from_camera, frame.map_from_camera) == pytest.approx((0, 0), abs=1e-3)
        assert found.camera == frame.camera

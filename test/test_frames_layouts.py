"""Layouts of other systems: EuRoC, KITTI, 7-Scenes, LLFF, Polycam, Record3D, rtabmap, trajectories of SLAM, video."""

import json
import shutil

import layout_making as making
import numpy as np
import pytest
from scene_making import ace_scene, assert_same_poses, colmap_scene, nerfstudio_scene, picture, pose

from ace_ros.errors import InputError
from ace_ros.recordings import SplitOptions, open_recording
from ace_ros.recordings.layouts import LAYOUTS

MADE = {
    "euroc": making.euroc,
    "kitti": making.kitti,
    "7scenes": making.seven_scenes,
    "polycam": making.polycam,
    "record3d": making.record3d,
    "rtabmap": making.rtabmap,
    "scannet": making.scannet,
    "trajectory": making.trajectory,
}


@pytest.mark.parametrize("name", MADE)
def test_each_is_recognised_by_its_content_and_read_whole(tmp_path, name):
    scene = open_recording(MADE[name](tmp_path / "scene"), "all")
    assert scene.layout == name and scene.metric and not scene.left_out.names()
    assert_same_poses(scene.frames, range(12))
    camera = scene.frames[0].camera
    assert (camera.width, camera.height) == (64, 48)
    if name != "7scenes":
        assert (camera.fx, camera.fy, camera.cx, camera.cy) == (60, 61, 31, 23.5)
    seen = scene.frames[5].read()
    expected = picture(5)[..., 0] if name == "euroc" else picture(5)
    assert np.abs(seen.astype(int) - expected).mean() < 3.0  # some are JPEG
    assert scene.summary.startswith(f"{name}: 12 frames, 12 with poses, none left out; pinhole 64 x 48, f = ")


def test_every_layout_has_a_name_and_says_what_it_looks_for():
    names = [layout.NAME for layout in LAYOUTS]
    assert len(set(names)) == len(names) == 17 and all(layout.FILES for layout in LAYOUTS)


def test_euroc_stamps_split_and_a_ground_truth_by_another_sensor(tmp_path):
    folder = making.euroc(tmp_path / "V1_01")
    scene = open_recording(folder / "mav0")
    assert scene.name == "V1_01" and scene.frames[0].stamp == making.START + making.STEP
    assert scene.frames[0].camera.distortion == (-0.1, 0.02, 0.001, 0.002)
    shutil.move(folder / "mav0/state_groundtruth_estimate0", folder / "mav0/vicon0")
    assert "poses of the body: vicon0" in open_recording(folder, "all").notes
    shutil.rmtree(folder / "mav0/vicon0")
    scene = open_recording(folder, "all")
    assert scene.frames[0].map_from_camera is None and any("no ground truth" in note for note in scene.notes)
    (folder / "mav0/cam0/sensor.yaml").unlink()
    with pytest.raises(InputError, match=r"sensor\.yaml: is missing"):
        open_recording(folder)


def test_kitti_a_sequence_by_its_folder_and_which_of_several(tmp_path):
    folder = making.kitti(tmp_path / "dataset")
    scene = open_recording(folder / "sequences/00", "all")
    assert_same_poses(scene.frames, range(12))
    assert scene.frames[3].stamp == 300_000_000
    shutil.copytree(folder / "sequences/00", folder / "sequences/01")
    with pytest.raises(InputError, match=r"several sequences \(00, 01\): give the folder of one"):
        open_recording(folder)
    (folder / "sequences/00/image_2/000004.png").unlink()
    scene = open_recording(folder / "sequences/00", "all")
    assert scene.left_out.names() == ["000004.png"]
    assert_same_poses(scene.frames, [index for index in range(12) if index != 4])


@pytest.mark.parametrize(
    ("text", "said"), [("{", r"not JSON, or truncated \(line 1, column 2: "), ("{}", "it has no 'K' and 'poses'")]
)
def test_record3d_with_another_metadata(tmp_path, text, said):
    folder = making.record3d(tmp_path / "scan")
    (folder / "metadata.json").write_text(text)
    with pytest.raises(InputError, match=rf"metadata\.json: .*{said}"):
        open_recording(folder, "all", SplitOptions(layout="record3d"))


@pytest.mark.parametrize("name", ["llff", "gaussian-splatting"])
def test_poses_of_a_reconstruction_alone(tmp_path, name):
    folder = {"llff": making.llff, "gaussian-splatting": making.gaussian_splatting}[name](tmp_path / "scene")
    scene = open_recording(folder, "all")
    assert scene.layout == name and not scene.metric and not scene.left_out.names() and not scene.notes
    by_name = {int(frame.name.removesuffix(".png")): frame for frame in scene.frames}
    assert_same_poses([by_name[index] for index in range(12)], range(12))
    assert np.abs(by_name[10].read().astype(int) - picture(10)).mean() < 3.0
    camera = scene.frames[0].camera
    assert (camera.width, camera.height, camera.fx, camera.cx, camera.cy) == (64, 48, 60, 31.5, 23.5)


def test_llff_beside_a_model_that_is_whole_or_broken(tmp_path):
    """COLMAP's knows lenses as well; one that lacks a file is none."""
    folder = colmap_scene(making.llff(tmp_path / "scene"), names=[f"{index}.png" for index in range(12)])
    assert open_recording(folder, "all").layout == "colmap"
    assert len(open_recording(folder, "all", SplitOptions(layout="llff")).frames) == 12
    (folder / "sparse/0/images.txt").unlink()
    scene = open_recording(folder, "all")
    assert scene.layout == "llff" and "it could be colmap" in scene.notes[0]


def test_llff_that_does_not_belong_to_its_images(tmp_path):
    folder = making.llff(tmp_path / "scene")
    (folder / "images/3.png").unlink()
    with pytest.raises(InputError, match="12 poses, and 11 images in "):
        open_recording(folder, "all")
    for values, said in ((np.zeros((12, 15)), r"17 numbers an image"), (np.array([{}]), "can't be read as an array")):
        np.save(folder / "poses_bounds.npy", values, allow_pickle=True)
        with pytest.raises(InputError, match=rf"poses_bounds\.npy: .*{said}"):
            open_recording(folder, "all")
    (folder / "poses_bounds.npy").write_bytes(b"")
    with pytest.raises(InputError, match=r"poses_bounds\.npy: can't be read"):
        open_recording(folder, "all")


def test_seven_scenes_keeps_its_split_and_leaves_depth_alone(tmp_path):
    folder = making.seven_scenes(tmp_path / "chess")
    assert [len(open_recording(folder, split).frames) for split in ("train", "test")] == [6, 6]
    one = open_recording(folder / "seq-01", "all", SplitOptions(intrinsics="60,60,32,24"))
    assert len(one.frames) == 6 and one.frames[0].camera.fx == 60


def test_intrinsics_that_lie_beside_seven_scenes_are_read(tmp_path):
    """As 12-Scenes has them, beside its data/ or above it, or a file with K; where there is none, it says so."""
    folder = making.twelve_scenes(tmp_path / "apt1")
    for path in (folder, folder / "data"):
        scene = open_recording(path, "all")
        assert scene.layout == "7scenes" and "intrinsics of info.txt" in scene.notes
        assert_same_poses(scene.frames, range(12))
        camera = scene.frames[0].camera
        assert (camera.width, camera.height, camera.fx, camera.fy, camera.cx, camera.cy) == (64, 48, 60, 61, 31, 23.5)
    (folder / "info.txt").rename(folder / "info.old")
    assert any("525 pixels at a width of 640 is taken" in note for note in open_recording(folder, "all").notes)
    (folder / "camera-intrinsics.txt").write_text("60 0 31\n0 61 23.5\n0 0 1\n")
    assert open_recording(folder, "all").frames[0].camera.cx == 31
    (folder / "info.txt").write_text("m_calibrationColorIntrinsic = 60 0 31\n")
    with pytest.raises(InputError, match=r"info\.txt: m_calibrationColorIntrinsic: 16 numbers are expected, it has 3"):
        open_recording(folder, "all")


def test_a_frame_of_scannet_in_which_the_camera_was_lost_is_left_out(tmp_path):
    folder = making.scannet(tmp_path / "scene0000_00")
    (folder / "pose/4.txt").write_text("-inf -inf -inf -inf\n" * 4)
    scene = open_recording(folder, "all")
    assert scene.left_out.names() == ["4.jpg"]
    assert_same_poses(scene.frames, [index for index in range(12) if index != 4])
    (folder / "intrinsic/intrinsic_color.txt").unlink()
    with pytest.raises(InputError, match=r"intrinsic: there is no intrinsic_color\.txt.*give --intrinsics"):
        open_recording(folder, "all")
    assert open_recording(folder, "all", SplitOptions(intrinsics="60,61,31,23.5")).frames[0].camera.fx == 60


def test_cambridge_landmarks_with_their_split_and_focal_lengths(tmp_path):
    folder = making.cambridge(tmp_path / "ShopFacade")
    assert [len(open_recording(folder, split).frames) for split in ("train", "test")] == [9, 3]
    scene = open_recording(folder, "all")
    assert scene.layout == "cambridge" and scene.metric and not scene.left_out.names()
    assert_same_poses(scene.frames, range(12))
    assert [frame.camera.fx for frame in scene.frames] == [60 + index for index in range(12)]
    assert (scene.frames[0].camera.cx, scene.frames[0].camera.cy) == (31.5, 23.5)
    lines = (folder / "dataset_train.txt").read_text().splitlines()
    lines[4] = lines[4].rsplit(" ", 1)[0]
    (folder / "dataset_train.txt").write_text("\n".join(lines))
    assert open_recording(folder, "all").left_out.names() == ["seq1/frame00005.png"]
    (folder / "reconstruction.nvm").write_text("NVM_V3\n\n0\n")
    with pytest.raises(InputError, match=r"reconstruction\.nvm: it has no cameras"):
        open_recording(folder, "all")
    (folder / "reconstruction.nvm").unlink()
    with pytest.raises(InputError, match=r"nothing tells the intrinsics: give --intrinsics fx,fy,cx,cy, or put"):
        open_recording(folder, "all")
    assert open_recording(folder, "test", SplitOptions(intrinsics="60,60,32,24")).frames[0].camera.cx == 32


def test_replica_and_its_depth_images(tmp_path):
    """Which are called as the others, but for the word; its camera is one for all scenes, a folder up."""
    scene = open_recording(making.replica(tmp_path), "all")
    assert scene.layout == "trajectory" and len(scene.frames) == 12
    assert_same_poses(scene.frames, range(12))
    camera = scene.frames[0].camera
    assert (camera.width, camera.height, camera.fx, camera.fy, camera.cx, camera.cy) == (64, 48, 60, 61, 31, 23.5)
    (tmp_path / "cam_params.json").write_text('{"camera": {"fx": 60}}')
    with pytest.raises(
        InputError, match=r"cam_params\.json: no calibration of a kind that is known: fx, fy, cx and cy"
    ):
        open_recording(tmp_path / "room0", "all")


def test_a_folder_of_euroc_with_a_trajectory_of_slam(tmp_path):
    folder = making.euroc(tmp_path / "MH_01")
    lines = [f"{making.START // 10**9 + index}.0 {making.words(making.numbers(pose(index)))}" for index in range(12)]
    (tmp_path / "CameraTrajectory.txt").write_text("\n".join(lines))
    scene = open_recording(folder, "all", SplitOptions(poses=str(tmp_path / "CameraTrajectory.txt")))
    assert_same_poses(scene.frames, range(12))
    assert scene.frames[0].camera.fx == 60


def test_rtabmap_poses_of_the_camera_are_preferred(tmp_path):
    folder = making.rtabmap(tmp_path / "export", of_camera=True)
    scene = open_recording(folder, "all")
    assert_same_poses(scene.frames, range(12))
    assert "poses of the camera: house_camera_poses.txt" in scene.notes


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("stamped_traj_estimate.txt", lambda i, ns: f"{ns / 1e9:.9f} {making.words(making.numbers(pose(i)))}"),
        ("f_dataset.txt", lambda i, ns: f"{ns}.000000 {making.words(making.numbers(pose(i)))}"),
        ("vins_result.csv", lambda i, ns: ",".join([str(ns), *map(repr, making.numbers(pose(i), True))]) + ",0,"),
        ("CameraTrajectory.txt", lambda i, ns: making.rows(pose(i))),
        ("poses.txt", lambda i, ns: making.words(pose(i).ravel())),
        ("poses.txt", lambda i, ns: f"{ns} {making.words(making.numbers(pose(i)))} images/{ns}.png  # tracked"),
        ("traj_estimate.txt", lambda i, ns: f"{ns} {making.words([*making.numbers(pose(i)), *range(12)])}"),
        ("poses.csv", lambda i, ns: ("#timestamp,tx,ty,tz,qx,qy,qz,qw\n" if not i else "")
            + f"{ns}," + ",".join(map(repr, making.numbers(pose(i), w_first=True)))),
    ],
)  # fmt: skip
def test_trajectories_as_slam_systems_write_them(tmp_path, name, line):
    scene = open_recording(making.trajectory(tmp_path / "run", name=name, lines=line), "all")
    assert_same_poses(scene.frames, range(12))
    assert f"images of images/, poses of {name}" in scene.notes


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (lambda i: making.words([*pose(i)[:3, 3], *pose(i)[:3, :3].ravel()]),
         r"no usable pose \(12 of 12 poses left out: .*\); expected .*r11 r12 r13 tx r21"),
        (lambda i: making.words(pose(i).T.ravel()), r"the last row of a pose must be 0 0 0 1"),
        (lambda i: making.words([*pose(i).ravel()[:15], 0.5]), r"the last row of a pose must be 0 0 0 1"),
        (lambda i: making.words(making.numbers(pose(i))) + " 1 2 3", r"10 numbers a row; expected timestamp tx ty tz"),
        (lambda i: making.words([i, *pose(i)[:3].ravel()]), r"13 numbers a row; .*8 numbers a row.*\(12\).*\(16\)"),
        (lambda i: "one two", "it holds no poses"),
    ],
)  # fmt: skip
def test_rows_that_are_neither_poses_at_times_nor_matrices(tmp_path, line, said):
    folder = making.trajectory(tmp_path / "run", name="of_tuesday.dat", lines=lambda index, stamp: line(index))
    with pytest.raises(InputError, match=said):
        open_recording(folder, "all", SplitOptions(poses=str(folder / "of_tuesday.dat")))


def test_a_matrix_whose_last_row_is_wrong_costs_its_frame_alone(tmp_path):
    def line(index, stamp):
        return making.words([*pose(index).ravel()[:15], 2.0 if index == 0 else 1.0])

    scene = open_recording(making.trajectory(tmp_path / "run", name="poses.txt", lines=line), "all")
    assert_same_poses(scene.frames, range(1, 12))
    assert scene.notes[0].startswith("1 of 12 poses left out: the last row of the pose is not 0 0 0 1, e.g. ")


def test_a_trajectory_that_is_named_and_one_of_another_clock(tmp_path):
    folder = making.trajectory(tmp_path / "run", name="result_of_tuesday.dat")
    with pytest.raises(InputError, match="not a recording of a known layout"):
        open_recording(folder)
    assert_same_poses(
        open_recording(folder, "all", SplitOptions(poses=str(folder / "result_of_tuesday.dat"))).frames, range(12)
    )
    text = (folder / "result_of_tuesday.dat").read_text().replace("14036365", "36365")
    (folder / "CameraTrajectory.txt").write_text(text)
    with pytest.raises(InputError, match=r"the poses are from 36365.* the images from 1403636579.*one clock"):
        open_recording(folder)
    (folder / "camera.yaml").unlink()
    with pytest.raises(InputError, match="nothing tells the intrinsics: give --intrinsics"):
        open_recording(folder)


@pytest.mark.parametrize("name", ["image_left", "image_l"])
def test_folders_of_a_left_camera_are_known(tmp_path, name):
    folder = making.trajectory(tmp_path / "run")
    (folder / "images").rename(folder / name)
    assert_same_poses(open_recording(folder, "all").frames, range(12))


@pytest.mark.parametrize("name", ["Left", "photos of tuesday/raw", "."])
def test_the_only_folder_of_images_is_taken_where_the_trajectory_is_named(tmp_path, name):
    folder = making.trajectory(tmp_path / "run", name="of_tuesday.dat")
    (folder / name).mkdir(parents=True, exist_ok=True)
    for file in sorted((folder / "images").iterdir()):
        shutil.copy(file, folder / name / file.name)
        file.rename(file.with_suffix(".txt"))
    shutil.copytree(folder / name, folder / "depth_left", ignore=lambda *_: {"images"})
    options = SplitOptions(poses=str(folder / "of_tuesday.dat"))
    scene = open_recording(folder, "all", options)
    assert_same_poses(scene.frames, range(12))
    assert f"images of {name}/, poses of of_tuesday.dat" in scene.notes


def test_of_several_folders_of_images_none_is_taken(tmp_path):
    folder = making.trajectory(tmp_path / "run", name="of_tuesday.dat")
    options = SplitOptions(poses=str(folder / "of_tuesday.dat"), intrinsics="60,61,31,23.5")
    (folder / "images").rename(folder / "west")
    shutil.copytree(folder / "west", folder / "east")
    with pytest.raises(
        InputError, match=r"several folders hold images \(east/, west/\): give .*/east --poses FILE --int"
    ):
        open_recording(folder, "all", options)
    assert_same_poses(open_recording(folder / "west", "all", options).frames, range(12))
    for name in ("west", "east"):
        shutil.rmtree(folder / name)
    with pytest.raises(InputError, match=r"there are no images in it, nor in a folder below \(images, rgb, "):
        open_recording(folder, "all", options)


def test_images_without_times_follow_the_poses_in_order(tmp_path):
    folder = making.trajectory(tmp_path / "run", named=lambda stamp: f"img{(stamp - making.START) // making.STEP}")
    assert_same_poses(open_recording(folder, "all").frames, range(12))
    (folder / "images/img3.png").unlink()
    with pytest.raises(InputError, match=r"12 poses for 11 images whose names are no times: put a times\.txt"):
        open_recording(folder)


def test_a_video_with_its_trajectory(tmp_path):
    path = making.video(tmp_path / "walk.avi")
    with pytest.raises(InputError, match=r"a video alone says nothing .* --poses FILE"):
        open_recording(path)
    scene = open_recording(path, "all", SplitOptions(poses=str(path.with_name("poses.txt"))))
    assert scene.layout == "video" and len(scene.frames) == 12
    assert_same_poses(scene.frames, range(12))
    for index in (3, 4, 9, 2, 0, 11):
        assert np.abs(scene.frames[index].read().astype(int) - picture(index)).mean() < 4.0
    assert any("another clock than the video" in note for note in scene.notes)
    path.write_bytes(b"no video")
    with pytest.raises(InputError, match="no frame of this video can be decoded: convert it"):
        open_recording(path, "all", SplitOptions(poses=str(path.with_name("poses.txt"))))


def test_hloc_keeps_its_model_further_down(tmp_path):
    folder = tmp_path / "south-building"
    colmap_scene(folder, names=("mapping/a.png", "mapping/b.png"), model="outputs/sfm")
    scene = open_recording(folder, "all")
    assert scene.layout == "colmap" and [frame.name for frame in scene.frames] == ["mapping/a.png", "mapping/b.png"]
    assert_same_poses(scene.frames, range(2))


def test_two_layouts_that_fit_are_both_told_and_one_can_be_chosen(tmp_path):
    folder = nerfstudio_scene(tmp_path, fl_x=60.0)
    colmap_scene(folder, names=("a.png", "b.png"))
    scene = open_recording(folder, "all")
    assert scene.layout == "nerfstudio"
    assert scene.notes[0].startswith("read as nerfstudio; it could be colmap (sparse/0/")
    scene = open_recording(folder, "all", SplitOptions(layout="colmap"))
    assert scene.layout == "colmap" and len(scene.frames) == 2 and "could be" not in " ".join(scene.notes)
    with pytest.raises(InputError, match="--layout: 'colmop' is none; there are rosbag, nerfstudio, llff, colmap"):
        open_recording(folder, "all", SplitOptions(layout="colmop"))


def test_depth_and_masks_beside_photographs_are_no_photographs(tmp_path):
    folder = ace_scene(tmp_path)
    for file in sorted((folder / "rgb").iterdir()):
        for kind in ("depth", "mask"):
            shutil.copy(file, file.with_name(file.name.replace(".color.", f".{kind}.")))
    scene = open_recording(folder)
    assert len(scene.frames) == 4 and all(".color." in frame.name for frame in scene.frames)
    assert_same_poses(scene.frames, range(4))


def test_distortion_that_no_lens_has_is_refused_with_the_radius(tmp_path):
    folder = nerfstudio_scene(tmp_path, fl_x=60.0, k1=-2.5)
    with pytest.raises(InputError, match="8 of 10 frames left out: distortion that no lens has: the image folds 15 px"):
        open_recording(folder)


def test_frames_of_one_wrong_camera_are_left_out(tmp_path):
    folder = nerfstudio_scene(tmp_path, fl_x=60.0)
    content = json.loads((folder / "transforms.json").read_text())
    content["frames"][2]["k1"] = -2.5
    (folder / "transforms.json").write_text(json.dumps(content))
    assert open_recording(folder, "all").left_out.names() == ["images/2.png"]

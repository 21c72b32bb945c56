"""rosbag2: which poses are those of the camera, and how they are carried over to it."""

import numpy as np
import pytest
from scene_making import SECOND, STAMPS, START, BagMaker, camera_messages, open_all, picture, pose

from ace_ros.errors import InputError
from ace_ros.geometry import pose_error

MOUNT = pose(99)  # base_from_camera


def assert_poses(scene, expected):
    assert len(scene.frames) == len(expected)
    for frame, matrix in zip(scene.frames, expected, strict=True):
        np.testing.assert_allclose(frame.map_from_camera, matrix, atol=1e-9)


def test_pose_stamped(tmp_path):
    with BagMaker(tmp_path / "bag") as bag:
        camera_messages(bag)
        for index, stamp in enumerate(STAMPS):
            bag.pose(stamp, pose(index), frame="/world")
    scene = open_all(tmp_path / "bag")
    assert_poses(scene, [pose(index) for index in range(8)])
    assert scene.map_frame == "world"
    assert any("/pose is taken as the camera's optical frame" in note for note in scene.notes)
    np.testing.assert_array_equal(scene.frames[3].read(), picture(3))


def test_poses_in_between_and_holes(tmp_path):
    with BagMaker(tmp_path / "bag") as bag:
        camera_messages(bag)
        for stamp in (*STAMPS[:4], STAMPS[7]):
            bag.pose_with_covariance(stamp + SECOND // 20, pose(stamp - START))
    scene = open_all(tmp_path / "bag")
    assert [frame.map_from_camera is not None for frame in scene.frames] == [False] + [True] * 3 + [False] * 4
    ends = pose(STAMPS[0] - START), pose(STAMPS[1] - START)
    half = [value / 2 for value in pose_error(*ends)]
    assert pose_error(scene.frames[1].map_from_camera, ends[0]) == pytest.approx(half)
    assert "5 of 8 images have no pose near their time" in scene.notes
    assert sum(f.map_from_camera is not None for f in open_all(tmp_path / "bag", max_pose_gap=1.0).frames) == 7


def test_odometry_is_carried_over_to_the_camera(tmp_path):
    with BagMaker(tmp_path / "bag") as bag:
        bag.tf(START, "base_link", "camera", MOUNT, static=True)
        camera_messages(bag)
        for index, stamp in enumerate(STAMPS):
            bag.odometry(stamp, pose(index))
    scene = open_all(tmp_path / "bag")
    assert_poses(scene, [pose(index) @ MOUNT for index in range(8)])
    assert scene.map_frame == "odom"


def test_odometry_without_a_way_to_the_camera_is_not_used(tmp_path):
    with BagMaker(tmp_path / "bag") as bag:
        camera_messages(bag)
        for index, stamp in enumerate(STAMPS):
            bag.odometry(stamp, pose(index))
    scene = open_all(tmp_path / "bag")
    assert all(frame.map_from_camera is None for frame in scene.frames)
    assert any("pose of 'base_link', and TF does not lead" in note for note in scene.notes)
    with pytest.raises(InputError, match="record /tf_static along"):
        open_all(tmp_path / "bag", pose_topic="/odom")
    scene = open_all(tmp_path / "bag", pose_topic="/odom", body_frame="camera")
    assert_poses(scene, [pose(index) for index in range(8)])


def tf_bag(path, corrections=(0.0, 1.0)):
    """map -> odom -> base_link -> mast -> camera: corrected now and then, driven, and mounted."""
    with BagMaker(path) as bag:
        bag.tf(START, "mast", "camera", MOUNT, static=True)
        bag.tf(START, "base_link", "mast", pose(98), static=True)
        for seconds in corrections:
            bag.tf(START + int(seconds * SECOND), "map", "odom", pose(50))
        for index, stamp in enumerate(STAMPS):
            bag.tf(stamp, "odom", "base_link", pose(index))
        camera_messages(bag)
    return path


def test_tf_from_the_map_down_to_the_camera(tmp_path):
    scene = open_all(tf_bag(tmp_path / "bag"))
    assert_poses(scene, [pose(50) @ pose(index) @ pose(98) @ MOUNT for index in range(8)])
    assert scene.map_frame == "map"
    assert "poses: /tf, map -> odom -> base_link -> mast -> camera, given in 'map'" in scene.notes
    scene = open_all(tmp_path / "bag", map_frame="odom")
    assert_poses(scene, [pose(index) @ pose(98) @ MOUNT for index in range(8)])
    with pytest.raises(InputError, match="no poses in the frame world"):
        open_all(tmp_path / "bag", map_frame="world")


def test_a_pose_of_the_robots_base_is_carried_over(tmp_path):
    with BagMaker(tmp_path / "bag") as bag:
        bag.tf(START, "base_link", "camera", MOUNT, static=True)
        camera_messages(bag)
        for index, stamp in enumerate(STAMPS):
            bag.pose(stamp, pose(index), topic="/mocap/pose")
        bag.pose(START, pose(77), topic="/goal_pose")
        zero = pose(78)
        bag.pose_with_covariance(START + 1, zero, topic="/initialpose")
    assert_poses(open_all(tmp_path / "bag"), [pose(index) @ MOUNT for index in range(8)])
    plain = open_all(tmp_path / "bag", pose_topic="/mocap/pose", body_frame="camera")
    assert_poses(plain, [pose(index) for index in range(8)])


def test_two_pose_topics_or_two_cameras_ask_the_user(tmp_path):
    with BagMaker(tmp_path / "bag") as bag:
        for side in ("left", "right"):
            for index, stamp in enumerate(STAMPS):
                bag.compressed(stamp, index + 4 * (side == "right"), f"/{side}/image_raw/compressed", side)
                bag.info(stamp, topic=f"/{side}/camera_info", frame=side)
                bag.pose(stamp, pose(index), topic=f"/{side}_truth")
    with pytest.raises(InputError, match=r"several cameras \(/left/image_raw, /right/image_raw\).*--image-topic"):
        open_all(tmp_path / "bag")
    with pytest.raises(InputError, match="--pose-topic: /left_truth, /right_truth"):
        open_all(tmp_path / "bag", image_topic="/right/image_raw")
    scene = open_all(tmp_path / "bag", image_topic="/right/image_raw", pose_topic="/right_truth")
    np.testing.assert_array_equal(scene.frames[0].read(), picture(4))
    for values, said in (
        ({"image_topic": "/up"}, "no images on /up; image topics in the bag: /left"),
        ({"image_topic": "/left/image_raw", "pose_topic": "/up"}, "no poses on /up"),
        ({"image_topic": "/left/image_raw", "camera_info_topic": "/up"}, "no CameraInfo on /up"),
    ):
        with pytest.raises(InputError, match=said):
            open_all(tmp_path / "bag", **values)


def test_poses_that_are_not_finite_or_not_rotations(tmp_path):
    bad = pose(3)
    bad[0, 3] = np.nan
    with BagMaker(tmp_path / "bag") as bag:
        camera_messages(bag)
        for index, stamp in enumerate(STAMPS):
            bag.pose(stamp, bad if index == 3 else pose(index))
    scene = open_all(tmp_path / "bag")
    assert scene.notes[0] == "1 of 8 poses left out: the pose holds NaN or infinity, e.g. /pose at 1700000000.300000000"
    with BagMaker(tmp_path / "zero") as bag:
        camera_messages(bag)
        bag._pose = lambda matrix: bag.new(
            "geometry_msgs/msg/Pose",
            position=bag.new("geometry_msgs/msg/Point", x=0.0, y=0.0, z=0.0),
            orientation=bag.new("geometry_msgs/msg/Quaternion", x=0.0, y=0.0, z=0.0, w=0.0),
        )
        for stamp in STAMPS:
            bag.pose(stamp, None)
    with pytest.raises(InputError, match="8 of 8 poses left out: the quaternion is all zeros"):
        open_all(tmp_path / "zero")

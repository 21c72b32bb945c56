"""Rigid motions of a robot, the correction of its odometry, and a pose in its place."""

import numpy as np
import pytest
from online_making import COVARIANCE, SECOND, pose

from ace_ros.geometry import pose_error
from ace_ros.online.motion import Correction, planar, stepped, tilt_deg
from ace_ros.online.placing import InitialPose, Placed, bounded_covariance, initial_covariance

# --- motion ---


def test_planar_keeps_x_y_and_yaw():
    tilted = pose(1.0, 2.0, 0.3, 70.0) @ pose(roll=4.0)
    flat = planar(tilted)
    assert np.allclose(flat, pose(1.0, 2.0, 0.0, 70.0), atol=1e-3)
    assert tilt_deg(tilted) == pytest.approx(4.0)


def test_stepped_is_limited_and_arrives():
    target = pose(1.0, yaw=90.0)
    current = stepped(pose(), target, 0.1, np.radians(10.0))
    assert pose_error(current, pose()) == (pytest.approx(0.1), pytest.approx(10.0))
    for _ in range(9):
        current = stepped(current, target, 0.1, np.radians(10.0))
    assert np.allclose(current, target)


def test_correction_limits_the_robot_not_the_origin():
    correction = Correction(max_rate=0.5, max_rotation_rate=np.radians(20.0))
    odom_from_base = pose(50.0, 0.0)  # far from where the odometry began
    correction.measured(pose())
    correction.measured(pose(yaw=2.0))  # swings the robot by 1.75 m
    before = pose() @ odom_from_base
    for _ in range(100):
        after = correction.step(0.05, odom_from_base) @ odom_from_base
        assert pose_error(after, before)[0] <= 0.5 * 0.05 + 1e-9
        before = after
    assert np.allclose(correction.current, pose(yaw=2.0), atol=1e-6)


def test_correction_jumps_when_told_and_without_limits():
    limited, free = Correction(0.1, 0.1), Correction()
    for correction in (limited, free):
        assert correction.step(1.0, None) is None
        correction.measured(pose())
    limited.measured(pose(5.0), jump=True)
    free.measured(pose(5.0))
    assert np.allclose(limited.step(0.0, None), pose(5.0))
    assert np.allclose(free.step(0.1, pose(3.0)), pose(5.0))


# --- placing ---


def placed(second=0.0, **more):
    seen = pose(1.01), 4 * COVARIANCE  # by the image alone
    return Placed(int(second * SECOND), "map", "base_link", pose(1.0), COVARIANCE, *seen, **{"is_base": True} | more)


def test_a_placed_pose_corrects_the_odometry_where_there_is_one():
    odom_from_base = pose(5.0, 2.0, yaw=40.0)
    found = placed(odom_from_base=odom_from_base)
    assert np.allclose(found.map_from_odom @ odom_from_base, found.map_from_frame)
    assert placed().map_from_odom is None
    assert placed(odom_from_base=odom_from_base, is_base=False).map_from_odom is None


def test_levelled_poses_lie_on_the_ground_and_so_does_what_they_correct():
    seen = pose(1.0, 2.0, 0.1, 70.0, 3.0), COVARIANCE
    tilted = Placed(0, "map", "base_link", *seen, *seen, pose(z=0.2, roll=5.0), True)
    level = tilted.levelled()
    assert level.map_from_frame[2, 3] == 0 and tilt_deg(level.map_from_frame) == 0
    assert level.by_image[2, 3] == 0 and tilt_deg(level.by_image) == 0
    assert level.map_from_odom[2, 3] == 0 and tilt_deg(level.map_from_odom) == pytest.approx(0, abs=1e-6)
    camera = placed(is_base=False)
    assert camera.levelled() is camera  # a camera may look wherever it likes


def test_initial_poses_once_or_after_being_lost_or_moved():
    poses = [placed(0.0, jump=True), placed(0.1), placed(5.0), placed(5.1), placed(5.2, jump=True)]
    due = {when: [InitialPose(when, 2.0)] for when in ("never", "once", "when_lost")}
    told = {when: [hint.due(p) for p in poses] for when, [hint] in due.items()}
    assert told["never"] == [False] * 5
    assert told["once"] == [True] + [False] * 4
    assert told["when_lost"] == [True, False, True, False, True]


def test_an_initial_pose_waits_for_the_base():
    hint = InitialPose("once", 2.0)
    assert not hint.due(placed(0.0, is_base=False))
    assert hint.due(placed(0.1)) and not hint.due(placed(0.2))


def test_an_initial_pose_waits_for_one_who_listens_and_until_he_has_understood():
    hint = InitialPose("once", 2.0)
    assert not hint.due(placed(0.0), listens=False)
    assert hint.due(placed(1.0), answers=True)
    assert not hint.due(placed(1.5), answers=True)  # he needs a moment
    hint.understood(pose(x=30.0))  # where he was before
    assert hint.due(placed(3.5), answers=True)
    hint.understood(placed(3.5).map_from_frame)
    assert not any(hint.due(placed(10.0 * k), answers=True) for k in range(1, 9))
    deaf = InitialPose("once", 2.0)
    assert sum(deaf.due(placed(10.0 * k), answers=True) for k in range(99)) == 10
    mute = InitialPose("once", 2.0)
    assert sum(mute.due(placed(10.0 * k), answers=False) for k in range(99)) == 1


def test_time_that_went_back_is_no_time_without_poses():
    hint = InitialPose("when_lost", 2.0)
    assert hint.due(placed(100.0))
    hint.forget()
    assert not hint.due(placed(200.0)) and hint.due(placed(300.0))


def test_covariances_are_such_as_filters_take():
    exact = np.zeros((6, 6))
    exact[0, 1] = 2e-7  # not symmetric
    bounded = bounded_covariance(exact)
    assert np.allclose(bounded, bounded.T) and np.linalg.eigvalsh(bounded).min() > 0
    wide = np.diag([4.0] * 6)
    wide[0, 1] = wide[1, 0] = -1.0
    initial = initial_covariance(wide)
    assert np.allclose(initial, np.diag([4.0] * 6))  # AMCL takes no negative terms
    assert np.all(np.diag(initial_covariance(exact)) >= np.radians(1.0) ** 2)

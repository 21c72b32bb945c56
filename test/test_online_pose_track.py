"""Poses of a topic at the times of images."""

import numpy as np
import pytest
from online_making import SECOND, pose

from ace_ros.errors import InputError
from ace_ros.online.pose_track import PoseTrack, TracedPose
from ace_ros.online.robot import MissingTransform

MS = SECOND // 1000


def track(*stamps, slop=0.0):
    made = PoseTrack("/odom", slop)
    for stamp in stamps:
        made.add(TracedPose(stamp * MS, "base", pose(stamp * 1e-3, yaw=0.1 * stamp)))
    return made


def test_between_two_poses_it_is_interpolated():
    odometry = track(1000, 1050, 1100)
    for stamp in (1000, 1010, 1033, 1066, 1099, 1100):
        found = odometry.at(stamp * MS, later=True)
        assert found.body == "base"
        assert np.allclose(found.map_from_body, pose(stamp * 1e-3, yaw=0.1 * stamp), atol=1e-6), stamp


def test_what_may_yet_come_is_waited_for():
    odometry = track(1000, 1050, slop=0.01)
    with pytest.raises(MissingTransform, match="later than the image"):
        odometry.at(1055 * MS, later=True)
    assert np.allclose(odometry.at(1055 * MS, later=False).map_from_body, pose(1.05, yaw=105.0))
    with pytest.raises(MissingTransform, match=r"nearest is 0\.020 s off"):
        odometry.at(1070 * MS, later=False)
    with pytest.raises(MissingTransform, match="so far"):
        track().at(SECOND, later=False)


def test_neighbours_far_apart_say_nothing():
    odometry = track(1000, 2000, slop=0.01)
    assert np.allclose(odometry.at(1005 * MS, later=True).map_from_body, pose(1.0, yaw=100.0))
    with pytest.raises(MissingTransform, match="around it"):
        odometry.at(1500 * MS, later=True)


def test_a_pose_that_cannot_be_used_spoils_what_lies_beside_it():
    odometry = track(1000, 1100)
    odometry.add(TracedPose(1050 * MS, "base", None, "it is NaN"))  # late, too
    for stamp in (1010, 1050, 1090):
        with pytest.raises(InputError, match="NaN"):
            odometry.at(stamp * MS, later=True)
    assert odometry.at(1100 * MS, later=True)


def test_a_topic_that_begins_anew():
    odometry = track(9000, 9050, 1000, 1050)
    assert np.allclose(odometry.at(1025 * MS, later=True).map_from_body, pose(1.025, yaw=102.5))
    with pytest.raises(MissingTransform):
        odometry.at(9025 * MS, later=False)
    odometry.forget()
    with pytest.raises(MissingTransform, match="so far"):
        odometry.at(1025 * MS, later=False)

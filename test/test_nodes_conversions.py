"""Poses and transforms as messages: tf_transformations at the border gives what the library gives."""

import numpy as np
import pytest
from geometry_msgs.msg import Point, Pose, Quaternion, Transform
from scene_making import pose

from ace_ros.errors import InputError
from ace_ros.geometry import pose_from_quaternion, quaternion_xyzw
from ace_ros.nodes.conversions import pose_matrix, pose_message, transform_matrix, transform_message

HALF_TURNS = [np.diag([1.0, -1, -1, 1]), np.diag([-1.0, 1, -1, 1]), np.diag([-1.0, -1, 1, 1])]


@pytest.mark.parametrize("matrix", [*(pose(index) for index in range(5)), *HALF_TURNS])
def test_there_and_back(matrix):
    message, transform = pose_message(matrix), transform_message(matrix)
    np.testing.assert_allclose(pose_matrix(message, "a pose"), matrix, atol=1e-12)
    np.testing.assert_allclose(transform_matrix(transform, "a transform"), matrix, atol=1e-12)
    for q in (message.orientation, transform.rotation):
        found = np.array([q.x, q.y, q.z, q.w])
        assert q.w >= 0 and abs(found @ quaternion_xyzw(matrix)) == pytest.approx(1)


def test_quaternions_of_messages_are_rounded_and_may_be_negative():
    q = -quaternion_xyzw(pose(1)) * 1.002
    message = Pose(position=Point(x=1.0, y=2.0, z=3.0), orientation=Quaternion(x=q[0], y=q[1], z=q[2], w=q[3]))
    np.testing.assert_allclose(pose_matrix(message, "a pose"), pose_from_quaternion((1, 2, 3), q), atol=1e-12)


@pytest.mark.parametrize(
    ("length", "said"), [(0.0, "quaternion is all zeros"), (0.9, "is not of unit length"), (np.nan, "holds NaN")]
)
def test_what_is_no_rotation_is_refused_by_its_name(length, said):
    message = Transform(rotation=Quaternion(w=length))
    with pytest.raises(InputError, match=rf"^map <- odom: the .*{said}"):
        transform_matrix(message, "map <- odom")


def test_a_position_that_is_not_finite_is_refused():
    with pytest.raises(InputError, match="NaN"):
        pose_matrix(Pose(position=Point(x=np.inf)), "a pose")

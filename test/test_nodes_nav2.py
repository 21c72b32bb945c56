"""localization_node beside AMCL: a node that starts late, tells where it takes the robot to be, and may not listen."""

import pytest
from geometry_msgs.msg import PoseWithCovarianceStamped
from localizing import Localizing, near
from ros_harness import own_domain

from ace_ros.nodes.conversions import pose_matrix


@pytest.fixture
def domain():
    with own_domain() as number:
        yield number


def test_an_initial_pose_is_told_until_amcl_has_understood(mapped_room, domain, tmp_path):
    amcl = {"initialpose": "/amcl/initialpose", "amcl_pose": "/amcl/pose"}
    with Localizing(mapped_room, domain, tmp_path, remaps=amcl, publish_initialpose="once") as node:
        for index in range(4):
            node.frame(index)
        answers = node.probe.create_publisher(PoseWithCovarianceStamped, "/amcl/pose", 10)
        node.probe.subscribed(answers)
        told = node.probe.hear(PoseWithCovarianceStamped, "/amcl/initialpose")  # it starts late
        index = iter(range(4, 10_000))

        def drive():
            node.frame(next(index) % 12)
            return True

        node.probe.until(lambda: drive() and told, "the initial pose")
        assert near(pose_matrix(told[0].pose.pose, ""), node.truth(3), (1.0, 60.0))
        answers.publish(PoseWithCovarianceStamped())  # at the origin, as if it had not heard
        node.probe.until(lambda: drive() and len(told) == 2, "once more")
        answers.publish(told[-1])
        node.probe.spin(0.5)
        first = node.stamp
        node.probe.until(lambda: drive() and node.stamp > first + 5_000_000_000, "five seconds", timeout=120.0)
        assert len(told) == 2

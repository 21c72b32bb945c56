"""localization_node beside AMCL: a node that starts late, tells where it takes the robot to be, and may not listen."""

from contextlib import closing

import numpy as np
import pytest
from geometry_msgs.msg import PoseWithCovariance, PoseWithCovarianceStamped, TransformStamped
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from localizing import Localizing, near
from manager import Manager
from rclpy.qos import DurabilityPolicy, QoSProfile
from ros_harness import own_domain
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage

from ace_ros.msg import LocalizationStatus as Status
from ace_ros.nodes.conversions import pose_matrix, pose_message, pose_with_covariance_message, transform_message
from ace_ros.online.motion import planar

LOCALIZED = Status.STATE_LOCALIZED
RVIZ = (0.25, 0.25, 0.0, 0.0, 0.0, 0.0685)  # variances that its tool sends


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
        shown = [3]

        def drive():
            shown.append((shown[-1] + 1) % 12)
            node.frame(shown[-1])
            return True

        node.probe.until(lambda: drive() and told, "the initial pose")
        assert near(pose_matrix(told[0].pose.pose, ""), node.truth(3), (1.0, 60.0))
        answers.publish(PoseWithCovarianceStamped())  # at the origin, as if it had not heard
        node.probe.until(lambda: drive() and len(told) == 2, "once more")
        node.probe.spin(0.5)  # until the last frame is where the robot is
        told[-1].pose.pose = pose_message(planar(node.truth(shown[-1])))  # AMCL goes on by its own odometry
        answers.publish(told[-1])
        node.probe.spin(0.5)
        first = node.stamp
        node.probe.until(lambda: drive() and node.stamp > first + 5_000_000_000, "five seconds", timeout=120.0)
        assert len(told) == 2


def test_a_lifecycle_manager_brings_it_up_and_notices_its_death(mapped_room, domain, tmp_path):
    node = Localizing(mapped_room, domain, tmp_path, autostart=False)
    with closing(node.probe):
        manager = Manager(node.probe, ["localization_node"], bond_timeout=2.0)
        assert manager.startup() and manager.state("localization_node") == "active"
        node._ready()
        deactivate = Transition(id=Transition.TRANSITION_DEACTIVATE)
        assert node.probe.call(ChangeState, f"{node.name}/change_state", transition=deactivate).success
        node.probe.until(manager.broken, "the manager to be told that it is not active any more")
        manager.close()
        cleanup = Transition(id=Transition.TRANSITION_CLEANUP)
        assert node.probe.call(ChangeState, f"{node.name}/change_state", transition=cleanup).success

        assert manager.startup() and manager.shutdown() and manager.state("localization_node") == "unconfigured"
        assert manager.startup()
        node.probe.needed.clear()
        node.process.process.kill()
        node.probe.until(manager.broken, "the manager to notice the silence")
        manager.close()
        with Localizing(mapped_room, domain, tmp_path, autostart=False) as node:  # started again, as by a launch file
            manager = Manager(node.probe, ["localization_node"], bond_timeout=2.0)
            assert manager.startup()
            node._ready()
            manager.close()


def test_a_manager_without_bonds(mapped_room, domain, tmp_path):
    with Localizing(mapped_room, domain, tmp_path, autostart=False, bond_heartbeat_period=0.0) as node:
        waiting = Manager(node.probe, ["localization_node"], bond_timeout=1.0)
        assert not waiting.startup()  # as nav2's: it gives up
        waiting.close()
        assert node.probe.call(GetState, f"{node.name}/get_state").current_state.label == "active"
        manager = Manager(node.probe, ["localization_node"], bond_timeout=0.0)
        assert manager.shutdown() and manager.startup()
        node._ready()


def nothing():
    """A pose that was never filled in."""
    message = PoseWithCovariance()
    message.pose.orientation.w = 0.0
    return message


def said(truth, frame="map"):
    """As RViz's 2D Pose Estimate says it."""
    message = PoseWithCovarianceStamped(pose=pose_with_covariance_message(truth, np.diag(RVIZ)))
    message.header.frame_id = frame
    return message


def test_where_a_person_says_it_is_is_checked_and_never_believed(mapped_room, domain, tmp_path):
    with Localizing(mapped_room, domain, tmp_path, publish_initialpose="once") as node:
        clicks = node.probe.create_publisher(PoseWithCovarianceStamped, "/initialpose", 10)
        node.probe.subscribed(clicks)
        elsewhere = node.truth(1).copy()
        elsewhere[0, 3] += 5.0

        def heard():
            return sum("initialpose" in line for line in node.process.text().splitlines())

        for index, (click, words) in enumerate(
            [
                (said(node.truth(1), "odom"), "is in frame 'odom', the map's is 'map'"),
                (PoseWithCovarianceStamped(header=Header(frame_id="map"), pose=nothing()), "quaternion"),
                (said(node.truth(1)), "from where initialpose said"),
                (said(elsewhere), "the images are believed"),
            ],
            1,
        ):
            before = heard()
            clicks.publish(click)
            node.probe.until(lambda before=before: heard() > before, "it to be heard")
            stamp = node.send(index)
            assert node.answer(stamp).state == LOCALIZED
            node.probe.until(lambda words=words: words in node.process.text(), words)
            assert near(node.pose_of(stamp), node.truth(index))


def test_a_static_rival_of_its_tf_may_go_again(mapped_room, domain, tmp_path):
    with Localizing(mapped_room, domain, tmp_path) as node:
        rival = node.probe.create_publisher(
            TFMessage, "/tf_static", QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        )
        still = TransformStamped(child_frame_id="odom", transform=transform_message(np.eye(4)))
        still.header.frame_id = "map"
        rival.publish(TFMessage(transforms=[still]))
        index = iter(range(10_000))

        def reasons():
            return node.frame(next(index) % 12).reason_code

        node.probe.until(lambda: reasons() == Status.REASON_TF_CONFLICT, "the rival to be noticed")
        node.probe.spin(6.0)  # longer than a rival that repeats itself may be silent
        assert reasons() == Status.REASON_TF_CONFLICT
        sent = len(node.corrections())
        node.probe.destroy_publisher(rival)
        node.probe.until(lambda: reasons() == Status.REASON_NONE, "the way back")
        node.probe.until(lambda: len(node.corrections()) > sent, "TF")

"""localization_node over DDS: poses and TF on a drive with odometry that drifts, and the robot being moved.

Frames are sent one by one, and each is waited for: what is asserted is what was received.
"""

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import PoseStamped
from localizing import Localizing, median_error, near
from ros_harness import own_domain
from sensor_msgs.msg import Image
from std_srvs.srv import Empty

from ace_ros.msg import LocalizationStatus as Status
from ace_ros.nodes.conversions import nanoseconds, pose_matrix
from ace_ros.srv import Localize


@pytest.fixture
def domain():
    with own_domain() as number:
        yield number


def drive(node, indices):
    """Send frames; returns (stamp, true base pose) of those that were localized."""
    driven = []
    for index in indices:
        stamp = node.send(index)
        if node.answer(stamp).state == Status.STATE_LOCALIZED:
            driven.append((stamp, node.truth(index)))
    return driven


def test_a_drive_with_drifting_odometry(mapped_room, domain, tmp_path):
    """Poses with image stamps, TF right at each of them, corrections sent again and again; one place, one answer."""
    count = min(40, len(mapped_room.queries))
    with Localizing(mapped_room, domain, tmp_path, publish_initialpose="once", tf_rate=50.0) as node:
        driven = drive(node, range(count))
        assert len(driven) >= 0.9 * count
        estimates = [node.pose_of(stamp) for stamp, _ in driven]
        assert np.all(median_error(estimates, [truth for _, truth in driven]) < (0.02, 1.0))
        for stamp, truth in driven:
            assert near(node.lookup("map", "base_link", stamp), truth)
        odometry_alone = node.odom.odom_from_base
        assert not near(driven[0][1] @ odometry_alone, driven[-1][1])  # it did drift

        sent = len(node.corrections())
        node.probe.until(lambda: len(node.corrections()) >= sent + 5, "map -> odom goes on without images")
        stamps = [nanoseconds(t.header.stamp) for t in node.corrections()]
        assert stamps == sorted(stamps) and stamps[-1] > driven[-1][0] + 100_000_000

        for message in node.covariances:
            covariance = message.pose.covariance.reshape(6, 6)
            assert np.allclose(covariance, covariance.T) and np.linalg.eigvalsh(covariance).min() > 0
        node.probe.until(lambda: len(node.covariances) == len(node.poses), "as many with covariance")

        assert len(node.initial) == 1
        first = node.initial[0]
        assert first.header.stamp == node.poses[0].header.stamp and first.header.frame_id == "map"
        assert np.all(first.pose.covariance >= 0) and np.isfinite(first.pose.covariance).all()
        offset = pose_matrix(first.pose.pose, "initial")[:3, 3] - node.truth(0)[:3, 3]
        assert np.linalg.norm(offset[:2]) < 0.05 and first.pose.pose.position.z == 0.0

        last = node.statuses[-1]
        node.probe.until(lambda: len(node.poses) == last.frames_localized, "all poses")
        assert last.map_name == mapped_room.map.stem and last.map_id
        node.probe.until(
            lambda: any(s.level == DiagnosticStatus.OK for m in node.diagnostics for s in m.status), "a good diagnosis"
        )

        pictures = node.probe.hear(Image, f"{node.name}/debug_image")
        asked = node.probe.ask(Localize, f"{node.name}/localize")
        node.probe.until(lambda: node.send(count - 1) and asked.done(), "an answer of ~/localize")
        answer = asked.result()
        assert answer.success and "base_link at (" in answer.message
        assert answer.status.state == Status.STATE_LOCALIZED and answer.status.inliers > 50
        assert answer.pose.header.frame_id == "map" and near(
            pose_matrix(answer.pose.pose.pose, ""), node.truth(count - 1)
        )
        node.probe.call(Empty, f"{node.name}/forget")
        assert "asked to forget where the robot is" in node.process.text()
        late = node.probe.hear(PoseStamped, f"{node.name}/pose", latched=True)
        node.probe.until(lambda: late, "the last pose for one who comes late")
        node.probe.until(lambda: node.frame(count - 1) and pictures, "a picture")
        assert pictures[-1].encoding == "rgb8" and pictures[-1].header.frame_id == "camera_optical"


def test_kidnapping(mapped_room, domain, tmp_path):
    """A robot that is carried elsewhere: refused at first, believed after a run that agrees, within a second."""
    with Localizing(
        mapped_room, domain, tmp_path, kidnap_frames=5, publish_initialpose="when_lost", lost_after=60.0
    ) as node:
        drive(node, range(12))
        initial = len(node.initial)
        elsewhere = node.far_from(11)
        node.odom.carried_to(node.truth(elsewhere))
        run = [node.frame(elsewhere + index) for index in range(10)]
        states = [message.state for message in run]
        believed = states.index(Status.STATE_LOCALIZED)
        assert 4 <= believed < 10  # images at 30 Hz: a third of a second
        assert run[believed].kidnapped and run[believed].kidnap_count == 1
        assert all(m.reason_code == Status.REASON_ODOMETRY_DISAGREES for m in run[:believed] if m.inliers > 100)
        assert states[believed:] == [Status.STATE_LOCALIZED] * (10 - believed)
        assert not any(m.kidnapped for m in run[believed + 1 :])
        node.probe.spin(0.5)  # TF is dated ahead: what was sent before the jump holds for a moment
        after = drive(node, range(elsewhere + 10, elsewhere + 12))
        for stamp, truth in after:
            assert near(node.pose_of(stamp), truth)
            assert near(node.lookup("map", "base_link", stamp), truth)
        node.probe.until(lambda: len(node.initial) == initial + 1, "a hint for AMCL")


def test_one_outlier_is_refused(mapped_room, domain, tmp_path):
    """An image of another place between those of the drive does not move anything."""
    with Localizing(mapped_room, domain, tmp_path) as node:
        drive(node, range(8))
        node.probe.until(lambda: len(node.poses) == node.statuses[-1].frames_localized, "all poses so far")
        published = len(node.poses)
        status = node.frame(node.far_from(7), odometry=node.odom.odom_from_base)
        assert status.state == Status.STATE_UNCERTAIN
        assert status.reason_code == Status.REASON_ODOMETRY_DISAGREES and " m and " in status.reason
        assert len(drive(node, range(8, 11))) == 3
        node.probe.until(lambda: len(node.poses) >= published + 3, "the poses")
        assert len(node.poses) == published + 3

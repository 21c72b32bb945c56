"""Odometry against new poses: the gate, a first guess, and what is said of a pose that is refused."""

import numpy as np
import pytest
from online_making import COVARIANCE, SECOND, Drive, pose

from ace_ros.geometry import invert, pose_error, pose_residual
from ace_ros.online.odometry_gate import GateOptions
from ace_ros.online.reasons import Fault, OnlineReason
from ace_ros.online.tracking import Belief, Tracker
from ace_ros.online.witnesses import Seen

# --- the gate ---


def sure(map_from_camera, said=9.0):
    """An image that leaves no doubt, or as little as is said."""
    return Seen(map_from_camera, COVARIANCE, said, depth=3.0)


class Gate:
    """A tracker whose camera is the robot's base; images come at 10 Hz."""

    def __init__(self, **options):
        self.tracker, self.stamp = Tracker(GateOptions(**options), 0.5), 0

    def look(self, measured, odom, said=9.0):
        self.stamp += SECOND // 10
        return self.tracker.judge(sure(measured, said), self.stamp, odom, np.eye(4))

    def blind(self, odom):
        self.stamp += SECOND // 10
        self.tracker.without_pose(self.stamp, odom, np.eye(4))


def refused(answer):
    return isinstance(answer, Fault) and answer.reason is OnlineReason.ODOMETRY_DISAGREES


def test_gate_lets_a_drifting_drive_pass_and_predicts_it():
    gate, drive = Gate(), Drive()
    for _ in range(500):
        measured, odom = drive.step()
        predicted = gate.tracker.prior(gate.stamp, odom, np.eye(4))
        assert isinstance(gate.look(measured, odom), Belief)
        if predicted is not None:
            assert pose_error(predicted, drive.true)[0] < 0.06


def test_gate_refuses_one_outlier_and_goes_on():
    gate, drive = Gate(), Drive()
    for index in range(60):
        measured, odom = drive.step()
        if index == 30:
            answer = gate.look(measured @ pose(x=0.5), odom)
            assert refused(answer) and answer.sentence.startswith("0.48 m") and "1 of 5 frames" in answer.sentence
        else:
            assert isinstance(gate.look(measured, odom), Belief)


def test_gate_never_believes_outliers_that_disagree_among_themselves():
    gate, drive = Gate(kidnap_frames=3), Drive()
    gate.look(drive.measured(), drive.odom)
    for index in range(20):
        _, odom = drive.step()
        assert refused(gate.look(drive.measured() @ pose(x=1.0 + index, yaw=40.0 * index), odom))


def test_gate_believes_a_kidnapping_after_a_run_that_agrees():
    gate, drive = Gate(kidnap_frames=5), Drive()
    for _ in range(20):
        gate.look(*drive.step())
    drive.true = pose(-3.0, 4.0, 0.0, -100.0)  # carried away; the wheels did not turn
    answers = [gate.look(*drive.step()) for _ in range(8)]
    assert all(refused(answer) for answer in answers[:4])
    assert answers[4].kidnapped and answers[4].jump
    assert not any(answer.kidnapped or answer.jump for answer in answers[5:])
    assert pose_error(answers[4].map_from_frame, drive.true)[0] < 0.3


def test_images_without_a_pose_end_the_run():
    gate, drive = Gate(kidnap_frames=5), Drive()
    gate.look(*drive.step())
    drive.true = pose(-3.0, 4.0, 0.0, -100.0)
    for _ in range(10):
        assert refused(gate.look(*drive.step()))
        gate.blind(drive.odom)


def test_gate_opens_with_the_way_made_without_a_pose():
    def judge_after(metres):
        gate = Gate()
        gate.look(pose(), pose())
        for x in np.arange(0.0, metres, 0.05):
            gate.blind(pose(x=x))
        return gate.look(pose(x=metres, y=0.4), pose(x=metres))

    assert refused(judge_after(0.1))
    assert isinstance(judge_after(8.0), Belief)


def test_gate_counts_the_way_there_and_back():
    gate = Gate()
    gate.look(pose(), pose())
    for x in [*np.arange(0.0, 4.0, 0.05), *np.arange(4.0, 0.0, -0.05)]:
        gate.blind(pose(x=x))
    assert isinstance(gate.look(pose(y=0.4), pose()), Belief)


def test_jitter_of_a_robot_that_stands_is_no_way():
    """Ten minutes of wheels that tremble by half a centimetre: 60 m, were it counted, and the gate would be open."""
    gate, rng = Gate(), np.random.default_rng(0)
    gate.look(pose(), pose())
    for _ in range(6000):
        x, y, yaw = rng.normal(0, (0.005, 0.005, 0.1))
        gate.blind(pose(x, y, yaw=yaw))
    assert refused(gate.look(pose(y=0.6), pose()))


# --- tracking ---


def test_tracker_carries_the_prior_on_by_odometry():
    base_from_camera = pose(0.2, 0.0, 0.5, roll=-90.0)
    tracker, drive = Tracker(GateOptions(), prior_max_age=0.5), Drive()
    assert tracker.prior(0, drive.odom, base_from_camera) is None
    tracker.judge(sure(drive.true @ base_from_camera), 0, drive.odom, base_from_camera)
    for _ in range(10):
        drive.step(0.1, 5.0)
    prior = tracker.prior(10 * SECOND, drive.odom, base_from_camera)
    translation, rotation = pose_error(prior, drive.true @ base_from_camera)
    assert translation < 0.05 and rotation < 2.0


def test_tracker_without_odometry_uses_the_last_pose_while_it_is_fresh():
    tracker = Tracker(GateOptions(), prior_max_age=0.5)
    tracker.judge(sure(pose(1.0)), 10 * SECOND, None, None)
    assert np.allclose(tracker.prior(10 * SECOND + SECOND // 2, None, None), pose(1.0))
    assert tracker.prior(10 * SECOND + SECOND, None, None) is None
    assert tracker.prior(9 * SECOND, None, None) is None


@pytest.mark.parametrize("odometry", [True, False])
def test_the_first_guess_for_one_camera_comes_from_the_pose_of_another(odometry):
    """The robot has one pose, each camera another place on it; images of two cameras are not in the order of time."""
    front, rear = pose(0.3, 0.0, 0.5, roll=-90.0), pose(-0.2, 0.1, 0.4, yaw=180.0, roll=-90.0)
    odom = pose(x=4.0) if odometry else None
    tracker, at = Tracker(GateOptions(), prior_max_age=0.5), pose(1.0, 2.0, yaw=40.0)
    tracker.judge(sure(at @ front), SECOND, odom, front)
    assert np.allclose(tracker.prior(SECOND - SECOND // 50, odom, rear), at @ rear)
    assert np.allclose(tracker.prior(SECOND + SECOND // 50, odom, front), at @ front)
    assert tracker.prior(SECOND, odom, None) is None  # a camera that nobody knows the place of


def test_tracker_says_how_far_off_a_refused_pose_is():
    tracker = Tracker(GateOptions(), prior_max_age=0.5)
    tracker.judge(sure(pose()), 0, pose(), np.eye(4))
    answer = tracker.judge(sure(pose(2.0)), SECOND, pose(), np.eye(4))
    assert refused(answer) and "2.00 m" in answer.sentence
    tracker.forget()
    assert isinstance(tracker.judge(sure(pose(2.0)), SECOND, pose(), np.eye(4)), Belief)


def test_residual_axes_are_those_of_the_gate():
    residual = pose_residual(pose(1.0, yaw=10.0), pose())
    assert np.allclose(residual, [1.0, 0, 0, 0, 0, np.radians(10.0)])
    assert np.allclose(invert(pose(1.0, yaw=10.0)) @ pose(1.0, yaw=10.0), np.eye(4))

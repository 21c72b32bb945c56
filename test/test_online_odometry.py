"""Odometry against new poses: the gate, a first guess, and what is said of a pose that is refused."""

import numpy as np
import pytest
from online_making import COVARIANCE, SECOND, Drive, pose

from ace_ros.geometry import invert, pose_error, pose_residual
from ace_ros.online.odometry_gate import GateOptions, OdometryGate, Verdict
from ace_ros.online.tracking import Tracker

# --- the gate ---


def test_gate_lets_a_drifting_drive_pass_and_predicts_it():
    gate, drive = OdometryGate(), Drive()
    for _ in range(500):
        measured, odom = drive.step()
        predicted = gate.predict(odom)
        assert gate.check(measured, COVARIANCE, odom).verdict is Verdict.ACCEPTED
        if predicted is not None:
            assert pose_error(predicted, drive.true)[0] < 0.06


def test_gate_refuses_one_outlier_and_goes_on():
    gate, drive = OdometryGate(), Drive()
    for index in range(60):
        measured, odom = drive.step()
        if index == 30:
            judgement = gate.check(measured @ pose(x=0.5), COVARIANCE, odom)
            assert judgement.verdict is Verdict.REFUSED
            assert judgement.translation == pytest.approx(0.5, abs=0.1)
        else:
            assert gate.check(measured, COVARIANCE, odom).verdict is Verdict.ACCEPTED


def test_gate_never_believes_outliers_that_disagree_among_themselves():
    gate, drive = OdometryGate(GateOptions(kidnap_frames=3)), Drive()
    gate.check(*(drive.measured(), COVARIANCE, drive.odom))
    for index in range(20):
        _, odom = drive.step()
        wild = drive.measured() @ pose(x=1.0 + index, yaw=40.0 * index)
        assert gate.check(wild, COVARIANCE, odom).verdict is Verdict.REFUSED


def test_gate_believes_a_kidnapping_after_a_run_that_agrees():
    gate, drive = OdometryGate(GateOptions(kidnap_frames=5)), Drive()
    for _ in range(20):
        measured, odom = drive.step()
        gate.check(measured, COVARIANCE, odom)
    drive.true = pose(-3.0, 4.0, 0.0, -100.0)  # carried away; the wheels did not turn
    verdicts = []
    for _ in range(8):
        measured, odom = drive.step()
        verdicts.append(gate.check(measured, COVARIANCE, odom).verdict)
    assert verdicts == [Verdict.REFUSED] * 4 + [Verdict.KIDNAPPED] + [Verdict.ACCEPTED] * 3


def test_gate_opens_with_the_way_made_without_a_pose():
    def judge_after(metres):
        gate = OdometryGate()
        gate.check(pose(), COVARIANCE, pose())
        for x in np.arange(0.0, metres, 0.05):
            gate.observe(pose(x=x))
        return gate.check(pose(x=metres, y=0.4), COVARIANCE, pose(x=metres)).verdict

    assert judge_after(0.1) is Verdict.REFUSED
    assert judge_after(8.0) is Verdict.ACCEPTED


def test_gate_counts_the_way_there_and_back():
    gate = OdometryGate()
    gate.check(pose(), COVARIANCE, pose())
    for x in [*np.arange(0.0, 4.0, 0.05), *np.arange(4.0, 0.0, -0.05)]:
        gate.observe(pose(x=x))
    assert gate.check(pose(y=0.4), COVARIANCE, pose()).verdict is Verdict.ACCEPTED


# --- tracking ---


def test_tracker_carries_the_prior_on_by_odometry():
    base_from_camera = pose(0.2, 0.0, 0.5, roll=-90.0)
    tracker, drive = Tracker(GateOptions(), prior_max_age=0.5), Drive()
    assert tracker.prior(0, drive.odom, base_from_camera) is None
    tracker.judge(drive.true @ base_from_camera, COVARIANCE, 0, drive.odom, base_from_camera)
    for _ in range(10):
        drive.step(0.1, 5.0)
    prior = tracker.prior(10 * SECOND, drive.odom, base_from_camera)
    translation, rotation = pose_error(prior, drive.true @ base_from_camera)
    assert translation < 0.05 and rotation < 2.0


def test_tracker_without_odometry_uses_the_last_pose_while_it_is_fresh():
    tracker = Tracker(GateOptions(), prior_max_age=0.5)
    tracker.judge(pose(1.0), COVARIANCE, 10 * SECOND, None, None)
    assert np.allclose(tracker.prior(10 * SECOND + SECOND // 2, None, None), pose(1.0))
    assert tracker.prior(10 * SECOND + SECOND, None, None) is None
    assert tracker.prior(9 * SECOND, None, None) is None


@pytest.mark.parametrize("odometry", [True, False])
def test_the_first_guess_for_one_camera_comes_from_the_pose_of_another(odometry):
    """The robot has one pose, each camera another place on it; images of two cameras are not in the order of time."""
    front, rear = pose(0.3, 0.0, 0.5, roll=-90.0), pose(-0.2, 0.1, 0.4, yaw=180.0, roll=-90.0)
    odom = pose(x=4.0) if odometry else None
    tracker, at = Tracker(GateOptions(), prior_max_age=0.5), pose(1.0, 2.0, yaw=40.0)
    tracker.judge(at @ front, COVARIANCE, SECOND, odom, front)
    assert np.allclose(tracker.prior(SECOND - SECOND // 50, odom, rear), at @ rear)
    assert np.allclose(tracker.prior(SECOND + SECOND // 50, odom, front), at @ front)
    assert tracker.prior(SECOND, odom, None) is None  # a camera that nobody knows the place of


def test_tracker_says_how_far_off_a_refused_pose_is():
    tracker = Tracker(GateOptions(), prior_max_age=0.5)
    tracker.judge(pose(), COVARIANCE, 0, pose(), np.eye(4))
    verdicts = tracker.judge(pose(2.0), COVARIANCE, SECOND, pose(), np.eye(4))
    assert not verdicts.accepted and "2.00 m" in verdicts.reason
    tracker.forget()
    assert tracker.judge(pose(2.0), COVARIANCE, SECOND, pose(), np.eye(4)).accepted


def test_residual_axes_are_those_of_the_gate():
    residual = pose_residual(pose(1.0, yaw=10.0), pose())
    assert np.allclose(residual, [1.0, 0, 0, 0, 0, np.radians(10.0)])
    assert np.allclose(invert(pose(1.0, yaw=10.0)) @ pose(1.0, yaw=10.0), np.eye(4))

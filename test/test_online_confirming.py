"""When a pose is believed: not for being repeated, but for being seen from different places, or beyond doubt."""

import numpy as np
import pytest
from online_making import COVARIANCE, SECOND, Wheels, off, pose

from ace_ros.geometry import invert, pose_error
from ace_ros.localization.alternatives import Alternative
from ace_ros.online.odometry_gate import GateOptions
from ace_ros.online.reasons import Fault, OnlineReason
from ace_ros.online.tracking import Belief, Tracker
from ace_ros.online.witnesses import Seen

DEPTH = 3.0
WEAK, WRONG, SURE = (1.5, 0.25), (1.7, 0.15), (4.0, 0.25)  # decades of an image, mean and sigma


class Robot:
    """Wheels, and a tracker that is told what the images say."""

    def __init__(self, seed, odometry=True, **options):
        self.wheels, self.rng = Wheels(seed), np.random.default_rng([7, seed])
        self.odometry, self.tracker = odometry, Tracker(GateOptions(**options), 0.5)
        self.odom = self.wheels.step(0.0, 0.0)

    def drive(self, metres=0.05, turn=1.0):
        self.odom = self.wheels.step(metres, turn)

    def see(self, at=None, said=WEAK):
        """An image that gives this pose; the true one, where none is given."""
        measured = off(self.wheels.true if at is None else at, COVARIANCE, self.rng)
        seen = Seen(measured, COVARIANCE, max(0.96, self.rng.normal(*said)), DEPTH)
        return self.tracker.judge(seen, self.wheels.stamp, self.odom if self.odometry else None, np.eye(4))

    def blind(self):
        odom = self.odom if self.odometry else None
        self.tracker.without_pose(self.wheels.stamp, odom, np.eye(4))

    def anywhere(self):
        x, y, yaw = self.rng.uniform((-5, -5, -180), (5, 5, 180))
        return pose(x, y, yaw=yaw)

    def right(self, answer):
        translation, rotation = pose_error(answer.map_from_frame, self.wheels.true)
        return translation < 0.1 and rotation < 3.0


@pytest.mark.parametrize("odometry", [True, False])
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("blind", [0.0, 0.5])
def test_a_minute_in_front_of_a_wrong_match(odometry, known, blind):
    """Ten images a second that agree with each other; odometry trembles, and its gyro goes astray meanwhile."""
    for seed in range(2):
        robot, wrong = Robot(seed, odometry), pose(-2.0, 3.0, yaw=-60.0)
        if known:
            assert isinstance(robot.see(said=SURE), Belief)
            robot.wheels.stamp += 60 * SECOND  # covered for a while
        for count in range(600):
            robot.drive(0.0, 0.0)
            robot.odom = robot.odom @ pose(yaw=0.01 * count)
            if robot.rng.random() < blind:
                robot.blind()
                continue
            answer = robot.see(wrong, WRONG)
            assert isinstance(answer, Fault) and answer.sentence
            moved = known and odometry
            assert answer.reason is (OnlineReason.ODOMETRY_DISAGREES if moved else OnlineReason.UNCONFIRMED)
            assert "to be confirmed by a view from another place: right at odds of" in answer.sentence


def test_what_is_beyond_doubt_is_believed_at_once_and_what_is_not_once_the_robot_moves():
    assert isinstance(Robot(0).see(said=SURE), Belief)
    robot = Robot(0)
    for _ in range(100):  # standing, ten seconds
        robot.drive(0.0, 0.0)
        assert isinstance(robot.see(), Fault)
    answers = [robot.drive() or robot.see() for _ in range(10)]
    first = next(answer for answer in answers if isinstance(answer, Belief))
    assert first.jump and not first.kidnapped and robot.right(answers[-1])
    robot.drive()
    assert not robot.see().jump
    assert isinstance(Robot(0, confirm_probability=0.0).see(), Belief)


def seconds_to_believe(robot, said, wrong=0.0, blind=0.0, limit=100):
    """Drive on until a pose is believed; some images give a wrong pose, or none. No wrong one is ever believed."""
    for count in range(limit):
        chance = robot.rng.random()
        if chance < blind:
            robot.blind()
        elif chance < blind + wrong:
            answer = robot.see(robot.anywhere(), WRONG)
            assert isinstance(answer, Fault) or robot.right(answer)
        else:
            answer = robot.see(said=said)
            if isinstance(answer, Belief) and robot.right(answer):
                return 0.1 * count
            assert isinstance(answer, Fault), pose_error(answer.map_from_frame, robot.wheels.true)
        robot.drive()
    return np.inf


@pytest.mark.parametrize("said", [WEAK, SURE])
def test_cold_starts(said):
    took = [seconds_to_believe(Robot(seed), said, wrong=0.05, blind=0.1) for seed in range(200)]
    assert np.median(took) <= 1.0 and np.mean(np.array(took) < 3.0) > 0.95


@pytest.mark.parametrize("said", [WEAK, SURE])
def test_kidnappings(said):
    took = []
    for seed in range(200):
        robot = Robot(seed)
        robot.see(said=SURE)
        for _ in range(5):
            robot.drive()
            assert isinstance(robot.see(), Belief)
        robot.wheels.true = pose(*robot.rng.uniform(3.5, 6.0, 2), yaw=robot.rng.uniform(-180, 180))
        took.append(seconds_to_believe(robot, said, wrong=0.05, blind=0.05))
    assert np.median(took) <= 1.2 and np.mean(np.array(took) < 4.0) > 0.95


def test_wrong_matches_that_do_not_move_as_the_robot_does_are_never_believed():
    """A poster that hangs elsewhere, seen as if it were here: it turns the other way as the robot passes it."""
    for seed in range(20):
        robot, elsewhere = Robot(seed), pose(-2.0, 3.0, yaw=-60.0)
        for _ in range(100):
            robot.drive()
            elsewhere = elsewhere @ pose(x=-0.05, yaw=1.0)
            assert isinstance(robot.see(elsewhere, WRONG), Fault)


def test_without_odometry_a_moving_camera_is_believed_and_goes_on():
    took = []
    for seed in range(20):
        robot = Robot(seed, odometry=False)
        took.append(seconds_to_believe(robot, WEAK))
        for _ in range(50):
            robot.drive()
            answer = robot.see()
            assert isinstance(answer, Belief) and robot.right(answer)
        robot.drive()
        assert isinstance(robot.see(robot.anywhere(), WEAK), Fault)  # no camera is so quick
    assert np.median(took) <= 2.0


def test_what_somebody_says_is_a_witness():
    """A robot that stands at a view that is not beyond doubt needs one more word, and not a wrong one."""
    robot = Robot(3)
    there, spread = robot.wheels.true @ pose(0.3, 0.2, yaw=10.0), np.diag(np.square([0.5, 0.5, 1.0, 0.3, 0.3, 0.26]))
    assert isinstance(robot.see(said=(2.8, 0.0)), Fault)
    robot.tracker.suppose(there @ pose(x=4.0), spread, robot.odom, robot.wheels.stamp)
    assert isinstance(robot.see(said=(2.8, 0.0)), Fault)
    robot.tracker.suppose(there, spread, robot.odom, robot.wheels.stamp)
    assert isinstance(robot.see(said=(2.8, 0.0)), Belief)


def test_far_from_where_it_was_last_seen_a_robot_needs_more_than_a_weak_image():
    """After 15 m without a pose nearly any pose agrees with the odometry: that is no evidence."""
    robot = Robot(5)
    robot.see(said=SURE)
    for _ in range(300):
        robot.drive(turn=0.0)
        robot.blind()
    answer = robot.see(said=(1.0, 0.0))
    assert isinstance(answer, Fault) and answer.reason is OnlineReason.UNCONFIRMED
    while isinstance(answer, Fault):
        robot.drive()
        answer = robot.see()
    assert robot.right(answer) and answer.jump and not answer.kidnapped


@pytest.mark.parametrize("moving", [False, True])
def test_where_a_carried_robot_was_last_seen_a_wrong_match_is_not_expected(moving):
    """What images said since counts: a belief that they speak against vouches for nothing."""
    for seed in range(10):
        robot = Robot(seed)
        robot.see(said=SURE)
        old, rolled = robot.wheels.true, invert(robot.odom)
        robot.wheels.true = pose(*robot.rng.uniform(3.5, 6.0, 2), yaw=robot.rng.uniform(-180, 180))
        for _ in range(3):
            robot.drive(*((0.02, 0.2) if moving else (0.0, 0.0)))
            assert isinstance(robot.see(), Fault)
        assert isinstance(robot.see(old @ rolled @ robot.odom, WRONG), Fault)


def test_a_wrong_match_on_the_way_costs_no_more_than_its_own_image():
    robot = Robot(1)
    robot.see(said=SURE)
    for _ in range(50):
        robot.drive()
        assert isinstance(robot.see(robot.anywhere(), WRONG), Fault)
        robot.drive()
        answer = robot.see(said=(2.5, 0.15))
        assert isinstance(answer, Belief) and robot.right(answer) and not answer.jump


def test_images_that_fit_twins_take_part_in_the_run_of_a_pose_that_is_beyond_doubt():
    robot, shift = Robot(2), pose(x=6.0)
    robot.see(said=SURE)
    robot.wheels.true = pose(5.0, 4.0, yaw=120.0)
    for _ in range(2):
        robot.drive()
        assert isinstance(robot.see(said=SURE), Fault)
    chosen = []
    for _ in range(3):
        robot.drive()
        poses = [off(at @ robot.wheels.true, COVARIANCE, robot.rng) for at in (shift, pose())]
        twins = [Alternative(at, COVARIANCE, place, 0.5, 1.0) for place, at in enumerate(poses)]
        chosen.append(robot.tracker.choose(twins, DEPTH, robot.wheels.stamp, robot.odom, np.eye(4)))
    assert chosen[:2] == [None, None]
    assert chosen[2].index == 1 and chosen[2].belief.kidnapped and robot.right(chosen[2].belief)


def test_among_twins_a_wrong_match_costs_an_image_and_no_more():
    robot, shift, told = Robot(4), pose(x=6.0), []
    robot.see(said=SURE)
    for _ in range(20):
        robot.drive()
        assert isinstance(robot.see(robot.anywhere(), WRONG), Fault)
        for _ in range(3):
            robot.drive()
            poses = [off(at @ robot.wheels.true, COVARIANCE, robot.rng) for at in (shift, pose())]
            twins = [Alternative(at, COVARIANCE, place, 0.5, 0.9999) for place, at in enumerate(poses)]
            choice = robot.tracker.choose(twins, DEPTH, robot.wheels.stamp, robot.odom, np.eye(4))
            told.append(choice is not None)
            assert choice is None or (choice.index == 1 and robot.right(choice.belief))
        assert all(told[-2:])

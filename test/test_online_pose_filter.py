"""The filter over map <- odom: smoother than images, honest about itself, and never sure by standing still."""

import numpy as np
import pytest
from online_making import COVARIANCE, SECOND, Wheels, off, pose

from ace_ros.geometry import invert, pose_error, pose_residual
from ace_ros.online.odometry_gate import GateOptions
from ace_ros.online.pose_filter import PoseFilter

DEPTH = 3.0
SETTLED = 200  # images until it knows the odometry


def begun(seen, covariance, odom, stamp=0):
    return PoseFilter(seen, covariance, odom, stamp, GateOptions(), DEPTH)


class Driven:
    """A drive of a minute: errors of the filter and of single images, steps of map <- odom where the robot is.

    ``said``: what images take their covariance for; ``turn``: degrees from image to image.
    """

    def __init__(self, seed, covariance, alike, said=None, turn=1.0):
        said = covariance if said is None else said
        wheels, self.nees, self.errors, self.single, self.steps = Wheels(seed), [], [], [], []
        common = wheels.rng.standard_normal(6)
        self.filter = None
        for count in range(600):
            odom = wheels.step(turn=turn)
            keeps = np.exp(-0.05 / 0.3)  # what neighbours have in common is another thing after 0.3 m
            common = keeps * common + np.sqrt(1 - keeps**2) * wheels.rng.standard_normal(6)
            seen = off(wheels.true, covariance, wheels.rng, common if alike else None)
            if self.filter is None:
                self.filter = begun(seen, said, odom, wheels.stamp)
                continue
            before = self.filter.predict(odom)
            self.filter.carry(odom, wheels.stamp)
            self.filter.update(seen, said, DEPTH)
            if count > SETTLED:
                self.steps.append(pose_error(self.filter.map_from_base, before)[0])
                self.errors.append(pose_error(self.filter.map_from_base, wheels.true))
                self.single.append(pose_error(seen, wheels.true))
                residual = pose_residual(self.filter.map_from_base, wheels.true)
                self.nees.append(residual @ np.linalg.solve(self.filter.covariance, residual))
        self.wheels = wheels


def rms(drives):
    """Of what is told and of single images: metres and degrees."""
    together = [np.concatenate([getattr(drive, name) for drive in drives]) for name in ("errors", "single")]
    return [np.sqrt(np.square(errors).mean(0)) for errors in together]


@pytest.mark.parametrize(("alike", "sigmas"), [(False, 1.0), (True, 2.0)])
def test_the_robot_moves_smoothly_and_its_errors_are_half_of_the_images(alike, sigmas):
    """Images of 1 cm and 0.3 degrees; or of twice that, where half of the variance is common to neighbours."""
    drives = [Driven(seed, sigmas**2 * COVARIANCE, alike) for seed in range(4)]
    told, single = rms(drives)
    assert np.all(told <= 0.5 * single)
    assert max(max(drive.steps) for drive in drives) <= 0.02
    assert 1.0 < np.median([drive.nees for drive in drives]) < 8.0  # 5.3 where all is as the filter takes it to be
    assert np.mean(np.concatenate([drive.nees for drive in drives]) < 12.6) > 0.88


def test_wheels_that_slip_do_not_turn_the_robot_away_from_images_that_are_more_exact_than_they_say():
    """Images of 0.03 degrees that say five times that; turns of 5 degrees, each 2 % off."""
    told, single = rms([Driven(seed, COVARIANCE / 100, False, COVARIANCE / 4, turn=5.0) for seed in range(4)])
    assert np.all(told < single)


def test_any_number_of_images_from_one_place_tell_no_more_than_their_common_error():
    rng, wheels = np.random.default_rng(4), Wheels(4)
    common, odom = rng.standard_normal(6), wheels.step(0.0, 0.0)
    carried = begun(off(wheels.true, COVARIANCE, rng, common), COVARIANCE, odom)
    for _ in range(3000):  # five minutes
        carried.carry(wheels.step(0.0, 0.0), wheels.stamp)
        carried.update(off(wheels.true, COVARIANCE, rng, common), COVARIANCE, DEPTH)
    assert np.all(np.diag(carried.covariance) > 0.8 * np.diag(COVARIANCE))
    for _ in range(60):  # 3 m on
        carried.carry(wheels.step(), wheels.stamp)
        carried.update(off(wheels.true, COVARIANCE, rng), COVARIANCE, DEPTH)
    assert np.all(np.diag(carried.covariance)[:2] < 0.8 * np.diag(COVARIANCE)[:2])


def test_what_the_wheels_do_wrong_is_learnt():
    """After half a minute the way without images costs a part of what the odometry alone would."""
    learnt, alone = [], []
    for seed in range(12):
        drive = Driven(seed, COVARIANCE, False)
        wheels, start = drive.wheels, None
        for _ in range(40):  # 2 m
            odom = wheels.step(turn=0.0)
            start = start or (wheels.true, odom)
            drive.filter.carry(odom, wheels.stamp)
        learnt.append(pose_error(drive.filter.map_from_base, wheels.true)[0])
        alone.append(pose_error(start[0] @ invert(start[1]) @ odom, wheels.true)[0])
    assert np.mean(learnt) < 0.7 * np.mean(alone)


def test_a_way_without_images_makes_unsure_and_trembling_does_not():
    carried = begun(pose(), COVARIANCE, pose())
    rng, sure = np.random.default_rng(0), carried.covariance
    for count in range(100):  # ten seconds
        x, y, yaw = rng.normal(0, (0.005, 0.005, 0.1))
        carried.carry(pose(x, y, yaw=yaw), count * SECOND // 10)
    floor = np.square([0.03, np.radians(1.0)])
    assert np.all(np.diag(carried.covariance)[[0, 5]] <= np.diag(sure)[[0, 5]] + 0.11 * floor)
    for x in np.arange(0.0, 10.0, 0.05):
        carried.carry(pose(x), 10 * SECOND)
    sigmas = np.sqrt(np.diag(carried.covariance))
    assert 0.45 < sigmas[0] < 0.55  # 5 % of 10 m
    assert 0.4 < sigmas[1] < 1.2 and 9.0 < np.degrees(sigmas[5]) < 11.0  # 1 degree a metre


def test_an_image_that_is_off_by_more_than_it_says_does_not_pull_the_robot_along():
    wheels = Wheels(9)
    carried = begun(wheels.true, COVARIANCE, wheels.step(0.0, 0.0))
    for count in range(200):
        odom = wheels.step()
        expected = carried.predict(odom)
        carried.carry(odom, wheels.stamp)
        wrong = count > 50 and count % 25 == 0
        seen = off(wheels.true, COVARIANCE, wheels.rng)
        carried.update(seen @ pose(0.1, z=0.1) if wrong else seen, 4 * COVARIANCE if wrong else COVARIANCE, DEPTH)
        assert count < 20 or pose_error(carried.map_from_base, expected)[0] < 0.02
    assert pose_error(carried.map_from_base, wheels.true)[0] < 0.02

"""Places that look the same: told as alternatives, and decided between by the drive or not at all."""

import numpy as np
import pytest
from core_making import small_room
from online_driving import BASE_FROM_CAMERA, Driven, Rover, near
from online_making import COVARIANCE, SECOND, pose
from scipy.spatial.transform import Rotation
from twin_making import SHIFT, half_twin

from ace_ros.geometry import pose_error
from ace_ros.localization.alternatives import Alternative
from ace_ros.localization.localizer import Localizer
from ace_ros.localization.state import Reason, State
from ace_ros.online.odometry_gate import GateOptions
from ace_ros.online.tracking import Belief, Tracker
from ace_ros.online.witnesses import Seen

BAY = 3.0  # m: so wide is each of four that look the same, one beside the other


class Bays:
    """A robot in a row of four equal bays, numbered from 0; its odometry drifts by 1 % and 1 degree a metre."""

    def __init__(self, x, seed=0, missing=0.0, **options):
        self.tracker = Tracker(GateOptions(**options), 0.5)
        self.rng, self.missing = np.random.default_rng(seed), missing
        self.x, self.odom, self.stamp = x, pose(3.0, -1.0, yaw=50.0), 0

    def truth(self, x=None):
        return pose(self.x if x is None else x, 0.5, yaw=20.0)

    def measured(self, truth):
        noise = self.rng.multivariate_normal(np.zeros(6), COVARIANCE)
        noisy = truth.copy()
        noisy[:3, 3] += noise[:3]
        noisy[:3, :3] = Rotation.from_rotvec(noise[3:]).as_matrix() @ noisy[:3, :3]
        return noisy @ BASE_FROM_CAMERA

    def step(self, metres=0.15):
        if metres:
            ahead = np.linalg.inv(self.truth()) @ self.truth(self.x + metres)
            ahead[:3, 3] *= 1.01
            self.odom = self.odom @ ahead @ pose(yaw=abs(metres))
        self.x, self.stamp = self.x + metres, self.stamp + SECOND

    def look(self, odometry=True, confidence=1.0):
        """The pose that the drive decides for, of an image that fits every bay; None where it does not."""
        bays = [self.x % BAY + BAY * bay for bay in range(4)]
        found = [
            Alternative(self.measured(self.truth(x)), COVARIANCE, bay, 0.25, confidence)
            for bay, x in enumerate(bays)
            if self.rng.random() >= self.missing
        ]
        self.rng.shuffle(found)
        if len(found) < 2:
            return None
        odom = self.odom if odometry else None
        choice = self.tracker.choose(found, BAY, self.stamp, odom, BASE_FROM_CAMERA)
        return choice and (found[choice.index].map_from_camera, choice.belief.kidnapped)

    def sure(self):
        """What becomes of an image of something that there is once."""
        seen = Seen(self.measured(self.truth()), COVARIANCE, 9.0, BAY)
        return self.tracker.judge(seen, self.stamp, self.odom, BASE_FROM_CAMERA)

    def right(self, answer):
        return pose_error(answer[0], self.truth() @ BASE_FROM_CAMERA)[0] < 0.1


@pytest.mark.parametrize("missing", [0.0, 0.1])
def test_the_drive_decides_between_bays(missing):
    """From the first bay to the last: only who started in the first has room for that."""
    for seed in range(5):
        bays, answers = Bays(1.0, seed, missing), []
        while bays.x < 11.7:
            answer = bays.look()
            assert answer is None or (bays.right(answer) and not answer[1])
            answers.append(answer is not None)
            bays.step()
        assert not any(answers[: int(8.0 / 0.15)])  # a robot in the second bay might have come so far
        assert np.mean(answers[-8:]) >= 0.5  # less the views that the right one is missing of
        while bays.x > 1.0:  # back: what is known stays known
            bays.step(-0.15)
            answers.append(bays.look())
            assert answers[-1] is None or bays.right(answers[-1])
        assert sum(answer is None for answer in answers[-50:]) <= (15 if missing else 0)


def test_where_the_drive_proves_nothing_nothing_is_decided():
    bays = Bays(4.0)
    for _ in range(30):  # to and fro within a bay
        for _ in range(5):
            bays.step(0.15)
            assert bays.look() is None
        for _ in range(5):
            bays.step(-0.15)
            assert bays.look() is None
    for _ in range(50):  # a robot that stands still learns nothing
        bays.step(0.0)
        assert bays.look() is None


def test_without_odometry_nothing_is_decided():
    bays = Bays(1.0)
    bays.sure()
    while bays.x < 11.7:
        assert bays.look(odometry=False) is None
        bays.step()


def test_one_image_of_something_unique_is_enough():
    bays = Bays(4.0)
    for _ in range(5):
        assert bays.look() is None
        bays.step()
    assert isinstance(bays.sure(), Belief)
    for _ in range(40):
        bays.step()
        answer = bays.look()
        assert bays.right(answer) and not answer[1]


def test_a_weak_image_is_not_made_good_by_the_drive():
    bays = Bays(4.0)
    bays.sure()
    bays.step()
    assert bays.look(confidence=0.7) is None
    bays.step()
    assert bays.right(bays.look())


def test_odometry_that_has_drifted_too_far_decides_nothing():
    """Alternatives 3 m apart, and 60 m without a pose: two of them lie near where the odometry ends."""
    bays = Bays(4.0)
    bays.sure()
    for _ in range(200):
        bays.step(0.15)
        bays.tracker.without_pose(bays.stamp, bays.odom, BASE_FROM_CAMERA)
        bays.step(-0.15)
        bays.tracker.without_pose(bays.stamp, bays.odom, BASE_FROM_CAMERA)
    assert bays.look() is None


def test_a_robot_that_is_carried_to_another_bay_is_not_believed_to_be_in_the_old_one():
    bays = Bays(1.0)
    bays.sure()
    for _ in range(5):
        bays.step()
        assert bays.right(bays.look())
    bays.x = 8.2  # the wheels did not turn
    for _ in range(15):
        bays.step()
        assert bays.look() is None
    verdicts = []
    for _ in range(6):
        bays.step()
        verdicts.append(bays.sure())
    assert [isinstance(one, Belief) for one in verdicts] == [False] * 4 + [True] * 2 and verdicts[4].kidnapped
    bays.step(-0.15)
    assert bays.right(bays.look())


def test_a_robot_that_is_carried_is_found_again_by_the_drive_alone():
    bays = Bays(10.0)
    bays.sure()
    bays.x = 0.3
    jumps = []
    while bays.x < 11.7:
        bays.step()
        answer = bays.look()
        assert answer is None or bays.right(answer)
        jumps += [answer[1]] if answer else []
    assert jumps and jumps[0] and not any(jumps[1:])


# --- with images ---


@pytest.fixture(scope="module")
def localizer():
    return Localizer(half_twin(small_room().map), device="cpu")


@pytest.fixture(scope="module")
def seen(localizer):
    """Queries that fit both rooms, and those that fit one, each in the order of the drive."""
    room = small_room()
    answers = [localizer.localize(image, room.camera) for image in room.query_images]
    twins = [index for index, answer in enumerate(answers) if answer.reason_code is Reason.AMBIGUOUS]
    unique = [index for index, answer in enumerate(answers) if answer.state is State.LOCALIZED]
    assert len(twins) >= 4 and len(unique) >= 4
    return twins, unique


def test_an_image_that_fits_two_rooms_tells_both(localizer, seen):
    driven = Driven(localizer, Rover(wheels=False))
    for index in seen[0]:
        answer = driven.frame(index)
        assert answer.state is State.UNCERTAIN and answer.placed is None
        assert answer.fault.reason is Reason.AMBIGUOUS and "places 0, 1" in answer.fault.sentence
        assert sum(one.probability for one in answer.alternatives) == pytest.approx(1)
        by_place = {one.place: one.map_from_frame for one in answer.alternatives}
        twin = driven.truth(index)
        assert near(by_place[0], twin)
        twin[:3, 3] += SHIFT
        assert near(by_place[1], twin, 0.15, 3.0)  # one view shows a little of what the other room has not


def test_a_robot_that_drives_into_a_twin_stays_localized(localizer, seen):
    twins, unique = seen
    driven = Driven(localizer)
    for index in [*reversed(unique), *reversed(twins), *twins]:
        answer = driven.frame(index)
        assert answer.state is State.LOCALIZED and not answer.fault and not answer.alternatives, answer.fault
        assert answer.localization.place == 0 and answer.localization.reason_code is Reason.NONE
        assert near(answer.placed.map_from_frame, driven.truth(index))


def test_a_robot_that_starts_in_a_twin_waits_until_it_sees_something_else(localizer, seen):
    twins, unique = seen
    driven = Driven(localizer, planar=True)
    for index in [*twins, *reversed(twins), *twins]:
        answer = driven.frame(index)
        assert answer.state is State.UNCERTAIN and {one.place for one in answer.alternatives} == {0, 1}
        assert all(one.map_from_frame[2, 3] == 0 for one in answer.alternatives)
    assert driven.frame(unique[0]).state is State.LOCALIZED
    assert driven.frame(twins[-1]).state is State.LOCALIZED


def click(bays, x, sigma=0.5):
    """Somebody says where the robot is, as RViz does."""
    spread = np.diag(np.square([sigma, sigma, 1.0, 0.3, 0.3, 0.26]))
    bays.tracker.suppose(bays.truth(x), spread, bays.odom, bays.stamp)


def test_what_somebody_says_tells_twins_apart():
    bays = Bays(4.0)
    assert bays.look() is None
    click(bays, 4.4)  # not exactly
    assert bays.right(bays.look())  # at once, without a move
    for _ in range(12):
        bays.step()
        assert bays.right(bays.look())


def test_what_somebody_says_is_nothing_where_no_image_bears_it_out():
    bays = Bays(4.0)
    click(bays, 4.0 + BAY / 2)  # between two
    for _ in range(12):
        assert bays.look() is None
        bays.step(0.05)
    click(bays, 4.0 + BAY)  # the wrong one, and then the image of something unique
    bays.step()
    assert isinstance(bays.sure(), Belief)
    bays.step()
    assert bays.right(bays.look())


def test_a_robot_that_was_said_to_be_in_another_bay_is_found_by_what_there_is_once():
    bays = Bays(4.0)
    click(bays, 4.0 + BAY)
    assert not bays.right(bays.look())  # nothing says otherwise
    for _ in range(GateOptions.kidnap_frames):
        bays.step()
        verdicts = bays.sure()
    assert isinstance(verdicts, Belief) and verdicts.kidnapped
    bays.step()
    assert bays.right(bays.look())

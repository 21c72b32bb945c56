"""A robot's images without ROS: odometry that drifts, a robot that is carried, and all that may be missing."""

import numpy as np
import pytest
from core_making import disturbed, small_room
from map_making import with_header
from online_driving import BASE_FROM_CAMERA, Driven, Rover, near
from online_making import SECOND, pose

from ace_ros.geometry import invert, pose_error
from ace_ros.localization.localizer import Localizer
from ace_ros.localization.state import Reason, State
from ace_ros.online.localizing import OnlineLocalizer
from ace_ros.online.reasons import Fault, OnlineReason
from ace_ros.online.robot import FrameNames, Whereabouts


@pytest.fixture(scope="module")
def localizer():
    return Localizer(small_room().map, device="cpu")


@pytest.fixture(scope="module")
def good(localizer):
    """Queries that the map localizes; the quickly made one does not know all of them."""
    room = small_room()
    answers = [localizer.localize(image, room.camera) for image in room.query_images]
    found = [index for index, answer in enumerate(answers) if answer.state is State.LOCALIZED]
    assert len(found) >= 10
    return found


def test_a_drive_with_odometry_that_drifts(localizer, good):
    driven = Driven(localizer)
    for count, index in enumerate(good):
        answer = driven.frame(index)
        assert answer.state is State.LOCALIZED and not answer.fault, answer.fault
        placed = answer.placed
        assert (placed.stamp, placed.map_frame, placed.frame) == (driven.stamp, "map", "base_link") and placed.is_base
        assert near(placed.map_from_frame, driven.truth(index))
        assert np.allclose(placed.map_from_odom @ driven.odom, placed.map_from_frame)
        assert placed.jump == (count == 0) and not answer.kidnapped
    assert driven.rover.waits[0] == 0 and driven.rover.waits[-1] == 0.05  # once it is known, it is worth waiting for


def test_a_kidnapping_is_believed_after_a_run_that_agrees(localizer, good):
    driven = Driven(localizer, kidnap_frames=3)
    driven.frame(good[0])
    far = max(good, key=lambda index: pose_error(driven.truth(index), driven.truth(good[0]))[0])
    answers = [driven.frame(far, carried=True) for _ in range(4)]
    assert [answer.state for answer in answers] == [State.UNCERTAIN] * 2 + [State.LOCALIZED] * 2
    for answer in answers[:2]:
        assert answer.fault.reason is OnlineReason.ODOMETRY_DISAGREES and " m and " in answer.fault.sentence
        assert answer.placed is None and answer.localization.state is State.LOCALIZED
    assert [answer.kidnapped for answer in answers] == [False, False, True, False]
    assert answers[2].placed.jump and not answers[3].placed.jump
    assert near(answers[3].placed.map_from_frame, driven.truth(far))


def test_without_odometry_there_are_poses_and_a_word(localizer, good):
    answer = Driven(localizer, Rover(wheels=False)).frame(good[0])
    assert answer.state is State.LOCALIZED and answer.placed.map_from_odom is None
    assert answer.fault.reason is OnlineReason.NO_TRANSFORM and "nobody knows odom" in answer.fault.sentence
    assert not Driven(localizer, Rover(wheels=False), corrects_odometry=False).frame(good[0]).fault
    assert not Driven(localizer, Rover(wheels=False), FrameNames(odom="")).frame(good[0]).fault


def test_the_pose_of_a_camera_is_never_told_as_the_robots(localizer, good):
    """Held back until the camera's place on the robot is known, however long that takes; what is awaited is said."""
    driven = Driven(localizer, Rover(mounted=False))
    answer = driven.frame(good[0])
    assert answer.state is State.UNCERTAIN and answer.placed is None
    awaited = "nobody knows base <- camera: without it there is no pose of base_link"
    assert answer.fault == Fault(OnlineReason.NO_TRANSFORM, awaited)
    driven.rover.mount = BASE_FROM_CAMERA
    assert driven.frame(good[1]).placed.is_base
    driven.rover.mount = None  # known once: it will be known again
    assert driven.frame(good[2]).state is State.UNCERTAIN


def test_a_camera_alone_and_a_robot_that_is_its_camera(localizer, good):
    alone = Driven(localizer, frames=FrameNames("floor", base="")).frame(good[0])
    assert not alone.fault and (alone.placed.map_frame, alone.placed.frame) == ("floor", "camera")
    assert near(alone.placed.map_from_frame, small_room().query_poses[good[0]])
    room = small_room()
    plain = OnlineLocalizer(localizer).localize(room.query_images[good[0]], room.camera, SECOND)
    assert np.allclose(plain.placed.map_from_frame, alone.placed.map_from_frame) and not plain.fault
    same = Driven(localizer, frames=FrameNames(base="camera")).frame(good[0])
    assert same.placed.is_base and np.allclose(same.placed.map_from_frame, alone.placed.map_from_frame)


def test_in_a_map_without_scale_the_robot_is_not_asked(good):
    scene_map = small_room().map
    scaleless = with_header(scene_map, metric=False)
    driven = Driven(Localizer(scaleless, device="cpu"))
    answer = driven.frame(good[0])
    assert answer.placed.frame == "camera" and not answer.fault and not driven.rover.waits


def test_bad_images_and_dark_ones_have_their_reasons(localizer, good):
    driven = Driven(localizer)
    room = small_room()
    cut = driven.frame(good[0], room.query_images[good[0]][:100])
    assert (cut.state, cut.fault.reason, cut.localization) == (State.UNCERTAIN, OnlineReason.BAD_IMAGE, None)
    dark = driven.frame(good[0], np.zeros_like(room.query_images[0]))
    assert dark.state is State.LOST and dark.fault.reason is Reason.BLURRED_OR_DARK and dark.fault.sentence
    assert dark.localization is not None and dark.placed is None
    assert driven.frame(good[0]).state is State.LOCALIZED


def test_poses_on_level_ground(localizer, good):
    """The generated drive tilts its camera by some degrees; a camera that is mounted otherwise than told, by many."""
    answer = Driven(localizer, planar=True).frame(good[0])
    assert answer.placed.map_from_frame[2, 3] == 0 and answer.placed.map_from_odom[2, 3] == 0 and not answer.fault
    rover = Rover()
    rover.mount = disturbed(BASE_FROM_CAMERA, np.radians([0, 0, 0, 45, 0, 0]))
    tilted = Driven(localizer, rover, planar=True).frame(good[0])
    assert tilted.state is State.LOCALIZED and tilted.fault.reason is OnlineReason.NO_TRANSFORM
    assert "tilted by" in tilted.fault.sentence and "planar" in tilted.fault.sentence


def test_what_is_dead_is_not_waited_for(monkeypatch):
    rover = Rover()
    known = Whereabouts(rover, FrameNames(), wait=0.5)
    assert known.roughly(SECOND) is None and known.odom_from_base(SECOND)[1]
    assert rover.waits == [0.0]  # nothing was ever heard
    rover.rolled(SECOND, pose(1.0))
    assert np.allclose(known.odom_from_base(SECOND)[0], pose(1.0)) and rover.waits[-1] == 0.5
    monkeypatch.setattr("ace_ros.online.robot._ODOMETRY_ALIVE", 0.0)
    known.odom_from_base(2 * SECOND)
    assert rover.waits[-1] == 0.0


def test_a_rough_guess_takes_the_newest_odometry_if_it_is_recent():
    rover = Rover()
    known = Whereabouts(rover, FrameNames(), wait=0.5)
    rover.rolled(SECOND, pose(1.0))
    assert np.allclose(known.roughly(SECOND + SECOND // 3), pose(1.0))
    assert known.roughly(3 * SECOND) is None
    rover.rolled(2 * SECOND, pose(2.0))
    assert np.allclose(known.roughly(SECOND), pose(1.0))


def test_each_camera_of_a_robot_is_told_as_the_robot(localizer, good):
    """Two cameras that look elsewhere from one robot: one pose, one odometry, one gate; and a guess for each."""

    class Spy:
        scene_map, priors = localizer.scene_map, []

        def localize(self, pixels, camera, prior=None):
            self.priors.append(prior)
            return localizer.localize(pixels, camera, prior)

    room, driven = small_room(), Driven(Spy())
    here = good[0]
    there = max(good, key=lambda index: pose_error(room.query_poses[index], room.query_poses[here])[1])
    driven.rover.others["rear"] = invert(driven.truth(here)) @ room.query_poses[there]
    assert near(driven.frame(here).placed.map_from_frame, driven.truth(here))

    def rear(stamp):
        return driven.online.localize(room.query_images[there], room.camera, stamp, "rear")

    before = driven.stamp - SECOND // 50  # the other driver was a moment earlier
    driven.rover.rolled(before, driven.odom)
    answer = rear(before)
    assert answer.state is State.LOCALIZED and answer.placed.frame == "base_link"
    assert near(answer.placed.map_from_frame, driven.truth(here))
    assert near(Spy.priors[-1], room.query_poses[there])
    driven.rover.others["rear"] = driven.rover.mount  # that is not where it is
    wrong = rear(driven.stamp)
    assert wrong.fault.reason is OnlineReason.ODOMETRY_DISAGREES and wrong.placed is None
    assert not driven.frame(here).fault  # one camera is wrong, the robot goes on by the other


def test_a_camera_that_nobody_knows_is_not_waited_for_at_the_cost_of_the_others():
    rover = Rover()
    known = Whereabouts(rover, FrameNames(), wait=0.5)
    for camera in ("camera", "rear", "camera", "rear"):
        known.base_from_camera(camera, SECOND)
    assert rover.waits == [0.0, 0.0, 0.5, 0.0]

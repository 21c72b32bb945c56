"""A robot that sees half: its drive makes one camera into many, and cameras beside each other see together."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from core_making import room_renderer, small_room
from map_making import with_header
from online_driving import BASE_FROM_CAMERA, Driven, Rover, near
from online_making import SECOND

from ace_ros.generated.sensor import exposed
from ace_ros.geometry import invert
from ace_ros.localization.localizer import Localizer
from ace_ros.localization.state import State
from ace_ros.online.localizing import OnlineLocalizer, OnlineOptions
from ace_ros.online.robot import FrameNames
from ace_ros.online.witnesses import Seen

INDICES = range(3, 14)
EACH = {"gate_probability": 0.0, "confirm_probability": 0.0}  # what the library is sure of is believed
# The other camera looks to the left, above the middle of the base.
BASE_FROM_SIDE = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0.1], [0, -1, 0, 0.5], [0, 0, 0, 1]])


def covered(image, index, share=0.8):
    """So much of the image behind something dark, by turns from the left and from the right."""
    hidden = image.copy()
    width = round(share * image.shape[1])
    hidden[:, slice(0, width) if index % 2 else slice(image.shape[1] - width, None)] = 40
    return hidden


@pytest.fixture(scope="module")
def localizer():
    return Localizer(small_room().map, device="cpu")


def driven(localizer, rover=None, **options):
    """Answers of a drive on which four fifths of each image are covered; each with whether it is right, if sure."""
    robot, told = Driven(localizer, rover, **options), []
    for index in INDICES:
        answer = robot.frame(index, covered(robot.room.query_images[index], index))
        right = answer.placed is None or near(answer.placed.map_from_frame, robot.truth(index), 0.15, 3.0)
        told.append((answer, right))
    return told


def sure(told):
    return sum(answer.state is State.LOCALIZED for answer, _ in told)


def test_a_drive_that_sees_half_is_localized_by_what_it_saw_before(localizer):
    alone = driven(localizer, window_seconds=0.0, **EACH)
    together = driven(localizer, window_seconds=4.0, **EACH)
    assert sure(together) >= sure(alone) + 4 and sure(together) >= 0.7 * len(INDICES)
    assert all(right for answer, right in together if answer.localization.images > 1)
    helped = [answer for answer, _ in together if answer.localization.images > 1]
    assert len(helped) >= 4 and all(answer.placed is not None and not answer.fault for answer in helped)


def test_what_images_say_together_is_not_a_whole_witness_each_time(localizer):
    """Images that follow each other share those before them."""
    room = small_room()
    alone = localizer.localize(room.query_images[5], room.camera)
    assert Seen.of(replace(alone, images=4)).decades == pytest.approx(Seen.of(alone).decades / 4)
    driven_on = driven(localizer, window_seconds=4.0, gate_probability=0.0)
    believed = [number for number, (answer, _) in enumerate(driven_on) if answer.state is State.LOCALIZED]
    told = [n for n, (one, _) in enumerate(driven_on) if one.localization.state is State.LOCALIZED]
    assert len(told) >= 4 and driven_on[told[0]][0].localization.images > 1
    assert believed and believed[0] > told[0]
    until = [n for n in told if n <= believed[0]]
    assert sum(1 / driven_on[n][0].localization.images for n in until) >= 1


def test_what_is_older_than_the_window_does_not_count(localizer):
    """The images are a second apart."""
    assert sure(driven(localizer, window_seconds=0.5, **EACH)) == sure(driven(localizer, window_seconds=0.0, **EACH))


@pytest.mark.parametrize("rover", [{"wheels": False}, {"mounted": False}])
def test_without_odometry_or_mount_each_image_stands_alone(localizer, rover):
    told = driven(localizer, Rover(**rover), window_seconds=4.0)
    assert all(answer.localization.images == 1 for answer, _ in told)


def test_without_scale_each_image_stands_alone():
    told = driven(Localizer(with_header(small_room().map, metric=False), device="cpu"), window_seconds=4.0)
    assert all(answer.localization.images == 1 for answer, _ in told)


def test_where_each_image_stands_alone_it_is_said(localizer):
    on = OnlineOptions(window_seconds=3.0)
    without_scale = Localizer(with_header(small_room().map, metric=False), device="cpu")
    assert OnlineLocalizer(without_scale, Rover(), options=on).alone == "the map has no metric scale"
    assert OnlineLocalizer(localizer, options=on).alone == "there is no odometry"
    assert OnlineLocalizer(localizer, Rover(), FrameNames("map", "", "base_link"), on).alone == "there is no odometry"
    assert OnlineLocalizer(localizer, Rover(), options=on).alone == ""
    assert OnlineLocalizer(localizer, options=OnlineOptions(window_seconds=0.0)).alone == ""  # nobody wants it


def test_odometry_that_lies_is_not_believed(localizer):
    """The wheels spin in place: the robot believes that it drove on by half a metre each time."""

    class Spinning(Rover):
        def rolled(self, stamp, odom_from_base):
            away = np.eye(4)
            away[0, 3] = 0.5 * stamp / SECOND
            super().rolled(stamp, odom_from_base @ away)

    told = driven(localizer, Spinning(), window_seconds=4.0, **EACH)
    assert all(right for answer, right in told if answer.localization.images > 1)


def test_a_robot_that_stands_still_learns_nothing_by_looking_again(localizer):
    robot = Driven(localizer, window_seconds=10.0)
    image = covered(robot.room.query_images[4], 4)
    assert localizer.localize(image, robot.room.camera).state is not State.LOCALIZED
    for _ in range(8):
        answer = robot.frame(4, image)
        assert answer.state is not State.LOCALIZED and answer.localization.images == 1


def test_a_map_that_is_followed_is_asked_anew(localizer):
    robot = Driven(localizer, window_seconds=4.0, **EACH)
    for index in (3, 4, 5):
        robot.frame(index, covered(robot.room.query_images[index], index))
    robot.online.follow(Localizer(small_room().map, device="cpu"))
    answer = robot.frame(6, covered(robot.room.query_images[6], 6))
    assert answer.localization.images == 1  # what the map before was asked about says nothing of this one
    robot.frame(7, covered(robot.room.query_images[7], 7))
    assert robot.online.localize(
        covered(robot.room.query_images[8], 8), robot.room.camera, robot.stamp, "camera"
    ).localization


def test_two_cameras_of_a_robot_that_stands_still_see_together(localizer):
    room, rng, found = small_room(), np.random.default_rng(2), []
    for index, share in product(INDICES, (0.75, 0.8)):
        rover = Rover()
        rover.others["side"] = BASE_FROM_SIDE
        online = OnlineLocalizer(localizer, rover, options=OnlineOptions(window_seconds=3.0, **EACH))
        truth = room.query_poses[index] @ invert(BASE_FROM_CAMERA)
        side = exposed(room_renderer().render(room.camera, truth @ BASE_FROM_SIDE)[0], rng)
        images = {"camera": covered(room.query_images[index], 1, share), "side": covered(side, 1, share)}
        alone = [localizer.localize(image, room.camera).state for image in images.values()]
        if State.LOCALIZED in alone:
            continue
        answers = []
        for number, (name, image) in enumerate(images.items()):
            stamp = SECOND + number * 10_000_000  # shutters are not quite together
            rover.rolled(stamp, np.eye(4))
            answers.append(online.localize(image, room.camera, stamp, name))
        assert answers[0].state is not State.LOCALIZED
        found.append(answers[1].state is State.LOCALIZED)
        assert not found[-1] or near(answers[1].placed.map_from_frame, truth, 0.15, 3.0)
    assert len(found) >= 5 and sum(found) >= 2

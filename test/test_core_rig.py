"""Images of known relative pose, solved together: two that see half become one that is sure, and nothing else does."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from core_making import CAMERA, disturbed, make_world, small_room
from scipy.stats import chi2
from twin_making import half_twin

from ace_ros.geometry import invert, pose_error, pose_residual, transform
from ace_ros.localization.chain import Chain, Link
from ace_ros.localization.localizer import Localizer
from ace_ros.localization.objections import Opinion, objection
from ace_ros.localization.sight import RigView
from ace_ros.localization.solver import Observations, covariance_from_information
from ace_ros.localization.state import Reason, State

SHIFT, TURN = 0.01, 0.01  # m and radians, 1 sigma, of the ways between images


def covered(image, share, left=True):
    """The image with so much of it behind something dark."""
    hidden = image.copy()
    width = round(share * image.shape[1])
    hidden[:, slice(0, width) if left else slice(image.shape[1] - width, None)] = 40
    return hidden


@pytest.fixture(scope="module")
def room():
    return small_room()


@pytest.fixture(scope="module")
def localizer(room):
    return Localizer(room.map, device="cpu")


@pytest.fixture(scope="module")
def seen(room, localizer):
    """What each query says alone, four fifths of it covered, by turns from the left and from the right."""
    return [
        localizer.localize(covered(image, 0.8, index % 2 == 1), room.camera)
        for index, image in enumerate(room.query_images)
    ]


@pytest.fixture(scope="module")
def pairs(seen):
    """Queries that follow each other, of which none alone is believed."""
    sure = [one.state is State.LOCALIZED for one in seen]
    found = [(k, k + 1) for k in range(len(seen) - 1) if not sure[k] and not sure[k + 1]]
    assert len(found) >= 4
    return found


def views(seen, poses, numbers):
    return [RigView(seen[k].sight, poses[k], SHIFT, TURN) for k in numbers]


def right(answer, pose):
    translation, rotation = pose_error(answer.map_from_camera, pose)
    return translation < 0.15 and rotation < 3.0


def sure(answer):
    return answer is not None and answer.state is State.LOCALIZED


def test_two_that_see_half_become_one_that_is_sure_and_right(room, localizer, seen, pairs):
    answers = [localizer.together(views(seen, room.query_poses, pair)) for pair in pairs]
    found = [(one, room.query_poses[b]) for one, (_, b) in zip(answers, pairs, strict=True) if sure(one)]
    assert len(found) >= 2 and all(right(one, pose) for one, pose in found)
    for one, pose in found:
        assert one.images == 2 and one.reason == "" and one.reason_code is Reason.NONE
        residual = pose_residual(one.map_from_camera, pose)
        assert residual @ np.linalg.solve(one.covariance, residual) < chi2.ppf(0.999, 6)
        assert one.inliers == one.inlier_mask.sum() > 0


def test_more_images_find_more(room, localizer, seen, pairs):
    lasts = [b for _, b in pairs if b >= 3]
    answers = [localizer.together(views(seen, room.query_poses, range(b - 3, b + 1))) for b in lasts]
    assert sum(map(sure, answers)) >= 0.75 * len(lasts)
    assert all(right(one, room.query_poses[b]) for one, b in zip(answers, lasts, strict=True) if sure(one))


def test_odometry_that_drifts_by_two_percent_changes_nothing(room, localizer, seen, pairs):
    answers = []
    for a, b in pairs:
        step = invert(room.query_poses[a]) @ room.query_poses[b]
        step[:3, 3] *= 1.02
        rig = [RigView(seen[a].sight, np.eye(4), SHIFT, TURN), RigView(seen[b].sight, step, SHIFT, TURN)]
        answers.append(localizer.together(rig))
    assert sum(map(sure, answers)) >= 2
    assert all(right(one, room.query_poses[b]) for one, (_, b) in zip(answers, pairs, strict=True) if sure(one))


@pytest.mark.parametrize("lie", [(0.5, 0, 0, 0, 0, 0), (0, 0, 0, 0, 0, 0.4), (0.2, 0.2, 0, 0.15, 0, 0)])
def test_a_way_that_is_a_lie_is_not_believed(room, localizer, seen, pairs, lie):
    for a, b in pairs:
        rig = [
            RigView(seen[a].sight, room.query_poses[a], SHIFT, TURN),
            RigView(seen[b].sight, disturbed(room.query_poses[b], np.array(lie, float)), SHIFT, TURN),
        ]
        assert not sure(localizer.together(rig))


def test_the_same_image_ten_times_is_worth_no_more_than_once(room, localizer, seen):
    for one, pose in zip(seen, room.query_poses, strict=True):
        again = localizer.together([RigView(one.sight, pose, SHIFT, TURN) for _ in range(10)])
        if one.state is not State.LOCALIZED:
            assert not sure(again)
        elif again is not None:
            assert again.evidence.landmark_inliers <= 1.2 * one.evidence.landmark_inliers


def test_the_last_image_has_to_speak_for_itself(room, localizer, seen):
    """Whatever others are sure of: the robot may have been carried away since."""
    clear = localizer.localize(room.query_images[0], room.camera)
    assert clear.state is State.LOCALIZED
    rng = np.random.default_rng(0)
    blank = localizer.localize(rng.integers(0, 255, room.query_images[0].shape).astype(np.uint8), room.camera)
    rig = [RigView(one.sight, room.query_poses[0], SHIFT, TURN) for one in (clear, blank)]
    assert not sure(localizer.together(rig))
    elsewhere = localizer.localize(room.query_images[10], room.camera)
    moved = RigView(elsewhere.sight, room.query_poses[0], SHIFT, TURN)
    found = localizer.together([rig[0], moved])
    assert not sure(found) or right(found, room.query_poses[10])


def test_a_mirrored_room_is_not_believed_from_many_sides(room, localizer):
    """Each image flipped, and the drive with it: much looks alike, and all of it agrees."""
    flip = np.diag([-1.0, 1.0, 1.0, 1.0])
    mirrored = [localizer.localize(image[:, ::-1].copy(), room.camera) for image in room.query_images]
    poses = [flip @ pose @ flip for pose in room.query_poses]
    assert not any(map(sure, mirrored))
    for last in range(1, len(poses)):
        numbers = range(max(0, last - 5), last + 1)
        assert not sure(localizer.together(views(mirrored, poses, numbers)))


def test_what_images_have_elsewhere_they_hold_against_a_pose(room, localizer):
    """Two images of one drive, and one of elsewhere that is said to be of it: whichever is the last, no."""
    answers = [localizer.localize(covered(room.query_images[k], 0.6), room.camera) for k in (3, 4, 11)]
    assert [one.state for one in answers].count(State.LOCALIZED) >= 2
    for order in ((0, 1, 2), (2, 0, 1), (0, 2, 1)):
        told = localizer.together(
            [RigView(answers[k].sight, room.query_poses[(3, 4, 4)[k]], SHIFT, TURN) for k in order]
        )
        assert not sure(told)


def test_twins_stay_twins_from_many_sides(room):
    """What two places have alike does not become one by looking at it again, but by what one of them has alone."""
    localizer = Localizer(half_twin(room.map), device="cpu")
    answers = [localizer.localize(image, room.camera) for image in room.query_images]
    twins = [k for k, one in enumerate(answers) if one.reason_code is Reason.AMBIGUOUS]
    unique = [k for k, one in enumerate(answers) if one.state is State.LOCALIZED]
    assert len(twins) >= 4 and unique
    told = localizer.together(views(answers, room.query_poses, twins))
    assert told.reason_code is Reason.AMBIGUOUS and {one.place for one in told.alternatives} == {0, 1}
    decided = localizer.together(views(answers, room.query_poses, [unique[-1], twins[0]]))
    assert not sure(decided) or (decided.place == 0 and right(decided, room.query_poses[twins[0]]))


def test_a_map_without_landmarks_says_as_much_of_one_image_as_of_many(room):
    (place,) = room.map.places
    bare = replace(room.map, places=(place.with_landmarks(slice(0)),))
    localizer = Localizer(bare, device="cpu")
    answers = [localizer.localize(image, room.camera) for image in room.query_images[:2]]
    assert localizer.together(views(answers, room.query_poses, range(2))) is None


# --- objections


def opinion(here, more=0.0, own=None, overruled=False):
    """``more``: than here, for a pose elsewhere."""
    return Opinion(here, here + more if own is None else own, more, overruled)


def test_images_that_have_nothing_elsewhere_hold_nothing_against_a_pose():
    assert objection([opinion(30), opinion(40)], 2) == objection([opinion(30, 3), opinion(40)], 2) == ""


@pytest.mark.parametrize(
    "opinions, speaking, sentence",
    [
        ([opinion(30, 10), opinion(40, 10)], 1, "no image but the last"),
        ([opinion(30, 10), opinion(40, 30)], 2, "for other poses"),
        ([opinion(0, 40), opinion(60)], 2, "for other poses"),  # also of one that has nothing to say for it
        ([opinion(30, own=60), opinion(40)], 2, "of its own"),
        ([opinion(200), opinion(20, 30, overruled=True)], 2, "is sure of another"),
    ],
)
def test_each_image_keeps_its_veto(opinions, speaking, sentence):
    assert sentence in objection(opinions, speaking)


# --- the chain


def chained(rng, poses, noise):
    """Links of the true ways with errors of their own."""
    links = []
    for a, b in pairwise(poses):
        off = np.concatenate([rng.normal(0, SHIFT, 3), rng.normal(0, TURN, 3)]) * noise
        links.append(Link(disturbed(invert(a) @ b, off), SHIFT, TURN))
    return links


def test_the_derivatives_of_a_link_are_those_of_numbers():
    rng = np.random.default_rng(0)
    first, second = (disturbed(np.eye(4), rng.normal(0, 0.7, 6)) for _ in range(2))
    link = Link(disturbed(invert(first) @ second, rng.normal(0, 1e-4, 6)), 0.3, 0.2)
    chain, told = Chain([link], 1.0), link.jacobian(first, second)
    for column in range(12):
        step = np.zeros(12)
        step[column] = 1e-6
        ahead, back = (
            chain.off([disturbed(first, sign * step[:6]), disturbed(second, sign * step[6:])])[0] for sign in (1, -1)
        )
        np.testing.assert_allclose((ahead - back) / 2e-6, told[:, column], atol=2e-3)


def test_the_covariance_of_a_chain_is_honest():
    """Each image sees ten points, too few in too small a part; links are as inexact as they say."""
    world, rng, values = make_world(), np.random.default_rng(1), []
    poses = [world.views[k].map_from_camera for k in (3, 5, 7, 9)]
    for _ in range(200):
        chain, observed = Chain(chained(rng, poses, 1.0), 1.0), []
        for k, pose in enumerate(poses):
            corner = world.points[(np.sign(world.points[:, :2]) == np.sign([(-1) ** k, 1])).all(1)]
            points = corner[rng.choice(len(corner), 10, replace=False)]
            pixels = CAMERA.project(transform(invert(pose), points)) + rng.normal(0, 1.0, (10, 2))
            observed.append(Observations(CAMERA.rays(pixels), points, np.ones(10)))
        start = chain.poses(disturbed(poses[-1], rng.normal(0, 0.02, 6)))
        found, _, information = chain.refine(start, observed, [CAMERA.focals(one.rays) for one in observed], steps=8)
        residual = pose_residual(found[-1], poses[-1])
        values.append(float(residual @ np.linalg.solve(covariance_from_information(information), residual)))
    # A Cauchy loss counts pairs for less than they are worth: a little too careful.
    assert 3.0 < np.mean(values) < 7.5


def test_a_chain_that_is_stretched_says_so():
    world = make_world()
    poses = [world.views[k].map_from_camera for k in (3, 5)]
    observed = []
    for pose in poses:
        pixels = CAMERA.project(transform(invert(pose), world.points[:100]))
        observed.append(Observations(CAMERA.rays(pixels), world.points[:100], np.ones(100)))
    for off, least, most in ((0.0, 0.0, 0.1), (0.1, 22.0, 200.0)):
        link = Link(disturbed(invert(poses[0]) @ poses[1], np.array([off, 0, 0, 0, 0, 0])), SHIFT, TURN)
        chain = Chain([link], 1.0)
        found, _, _ = chain.refine(
            chain.poses(poses[1]), observed, [CAMERA.focals(one.rays) for one in observed], steps=8
        )
        assert least <= chain.tension(found) <= most

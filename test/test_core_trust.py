"""What it takes to be believed."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from ace_ros.features.features import EncodedImage, Features
from ace_ros.generated import room_camera
from ace_ros.localization.estimate import Estimate, Evidence
from ace_ros.localization.state import Reason, State
from ace_ros.localization.trust import TrustModel
from ace_ros.localization.verdict import confidence_of, judge, support, support_of
from ace_ros.map.header import Calibration

CALIBRATION = Calibration(chance_landmarks=20, chance_head=0.03, landmark_weight=0.6)
GOOD = Evidence(
    contrast=50.0, keypoints=900, head_asked=500, landmark_inliers=200, head_inliers=150, coverage=0.8,
    well_conditioned=True,
)  # fmt: skip


def told(evidence: Evidence, calibration: Calibration) -> tuple[State, float, str]:
    verdict = judge(evidence, calibration)
    return verdict.state, verdict.confidence, verdict.sentence


def test_good_evidence_is_believed_without_a_reason():
    state, confidence, reason = told(GOOD, CALIBRATION)
    assert state is State.LOCALIZED and confidence > 0.99 and reason == ""


def test_what_chance_gives_is_lost():
    chance = replace(GOOD, landmark_inliers=20, head_inliers=15)
    assert support(chance, CALIBRATION) == pytest.approx(1)
    state, confidence, reason = told(chance, CALIBRATION)
    assert state is State.LOST and confidence < 0.05 and "20 landmarks, 15 head" in reason
    three = replace(GOOD, landmark_inliers=60, head_inliers=45)
    assert support(three, CALIBRATION) == pytest.approx(3) and told(three, CALIBRATION)[0] is State.LOCALIZED


@pytest.mark.parametrize("calibration", [CALIBRATION, Calibration(), Calibration(chance_head=0.3, landmark_weight=0.9)])
def test_more_inliers_never_lower_the_confidence(calibration):
    for name, steps in (("landmark_inliers", range(0, 1000, 7)), ("head_inliers", range(0, 500, 7))):
        for other in (0, 5, 50, 400):
            base = replace(GOOD, **{"landmark_inliers": other, "head_inliers": other})
            confidences = [told(replace(base, **{name: n}), calibration)[1] for n in steps]
            assert (np.diff(confidences) >= 0).all() and confidences[-1] > confidences[0]


def test_the_states_follow_the_confidence():
    seen = set()
    for landmarks, head in itertools.product(range(0, 300, 10), range(0, 200, 10)):
        evidence = replace(GOOD, landmark_inliers=landmarks, head_inliers=head)
        state, confidence, reason = told(evidence, CALIBRATION)
        seen.add(state)
        assert 0 <= confidence <= 1
        assert (state is State.LOCALIZED) == (confidence >= 0.9) == (reason == "")
        assert (state is State.LOST) == (confidence < 0.3)
    assert seen == set(State)


def test_a_corner_of_the_image_is_not_enough():
    state, confidence, reason = told(replace(GOOD, coverage=0.1), CALIBRATION)
    assert state is State.UNCERTAIN and confidence == 0.75 and reason == "inliers cover only 10% of the image"
    assert told(replace(GOOD, coverage=0.2), CALIBRATION)[0] is State.LOCALIZED


@pytest.mark.parametrize("play", [(0.045, 0.0), (0.0, 4.5)])
def test_poses_around_that_are_as_good_are_a_doubt(play):
    state, _, reason = told(replace(GOOD, play=play), CALIBRATION)
    assert state is State.UNCERTAIN and "poses around this one" in reason
    assert told(replace(GOOD, play=(0.035, 3.5)), CALIBRATION)[0] is State.LOCALIZED


def test_geometry_that_does_not_fix_the_pose_is_not_enough():
    state, confidence, reason = told(replace(GOOD, well_conditioned=False), CALIBRATION)
    assert state is State.UNCERTAIN and confidence == 0.75 and "does not fix the pose" in reason
    # A cap, not a gift.
    poor = replace(GOOD, landmark_inliers=3, head_inliers=2)
    assert told(replace(poor, well_conditioned=False, coverage=0.0), CALIBRATION)[1] <= told(poor, CALIBRATION)[1]


def test_the_reason_names_a_dark_image():
    dark = replace(GOOD, contrast=1.0, keypoints=40, landmark_inliers=0, head_inliers=0, coverage=0.0)
    state, _, reason = told(dark, CALIBRATION)
    assert state is State.LOST and reason == "the image is dark, blurred or covered (40 keypoints)"


def test_without_landmarks_the_head_alone_decides():
    alone = replace(GOOD, has_landmarks=False, landmark_inliers=0)
    assert told(alone, CALIBRATION)[0] is State.LOCALIZED
    assert told(replace(alone, head_inliers=15), CALIBRATION)[0] is State.LOST
    assert support(alone, CALIBRATION) == pytest.approx(150 / 15)


def test_nothing_at_all_is_lost():
    state, confidence, reason = told(Evidence(0.0, 0), CALIBRATION)
    assert state is State.LOST and 0 <= confidence < 0.01 and reason


def test_a_head_does_not_vouch_for_a_pose_by_itself():
    """It is wrong alike for a hundred keypoints; where a map has no landmarks it is all there is."""
    alone = Evidence(60.0, 1000, 500, 25, 400, True, 0.9, True)
    usual = Calibration()  # 20 landmarks by chance
    assert support(alone, usual) > 5 and judge(alone, usual).state is State.UNCERTAIN
    assert judge(replace(alone, landmark_inliers=50), usual).state is State.LOCALIZED
    assert judge(replace(alone, landmark_inliers=0, has_landmarks=False), usual).state is State.LOCALIZED


def test_a_pose_is_less_exact_where_few_landmarks_are_known_again():
    """Light, furniture or the way are others: what is known again is off together, and chance has a part in it."""
    trust = TrustModel(CALIBRATION, 0.25)  # chance gives 20
    strains = [trust.strain(20.0 * times, 1.0) for times in (0, 2, 5.5, 11, 22, 2000)]
    assert strains == pytest.approx([11**1.25, 11**1.25, 4**1.25, 2**1.25, 1, 1])


def test_a_pose_is_less_exact_where_landmarks_lie_farther_off_than_is_usual():
    """A smeared image shifts what it shows, all of it alike; a view that fits better than most is no more exact."""
    trust = TrustModel(CALIBRATION, 0.25)
    assert [trust.strain(2000, misfit) for misfit in (0.0, 0.8, 1.0, 4.0)] == pytest.approx([1, 1, 1, 32])
    assert trust.strain(220, 4.0) == pytest.approx(32 * 2**1.25)


def test_the_covariance_is_of_the_map_times_what_the_image_is_strained():
    trust = TrustModel(CALIBRATION, 0.25)
    image = EncodedImage(Features(torch.empty(0, 64), torch.empty(0, 2), torch.empty(0)), room_camera(), 525.0)
    floor = trust.lean_covariance(525.0)[3, 3] * (1 + 1 / 0.25**2)

    def variance(evidence):
        return trust.covariance(Estimate(image, evidence, {}, 0, information=1e4 * np.eye(6)))[3, 3] - floor

    own = CALIBRATION.covariance_scale * 1e-4
    assert variance(replace(GOOD, landmark_inliers=2000)) == pytest.approx(own, rel=1e-3)
    assert variance(replace(GOOD, landmark_inliers=110, misfit=4.0)) == pytest.approx(own * 128 * 2**0.5, rel=1e-3)
    led = TrustModel(replace(CALIBRATION, led_scale=CALIBRATION.covariance_scale / 2), 0.25)
    trust, many = led, replace(GOOD, landmark_inliers=2000)
    assert variance(many) == variance(replace(many, patches=23)) == pytest.approx(own, rel=1e-3)
    assert (
        variance(replace(many, patches=100)) == variance(replace(many, patches=400)) == pytest.approx(own / 2, rel=1e-3)
    )
    assert variance(replace(many, patches=25)) == pytest.approx(own / 2 * 4**1.25, rel=1e-3)  # fewer hold less
    head_alone = replace(GOOD, landmark_inliers=0, misfit=9.0, has_landmarks=False)
    assert variance(head_alone) == pytest.approx(own, rel=1e-3)


def test_confidence_grows_half_as_fast_beyond_what_is_believed():
    """Odds of nine at 2.6 times what chance gives; a thousand take what had ten thousand when they were a score."""
    odds = [confidence_of(times) / (1 - confidence_of(times)) for times in (2.0, 2 * 9 ** (1 / 8), 2 * 81 ** (1 / 8))]
    assert odds == pytest.approx([1, 9, 27])
    for confidence in (1e-6, 0.2, 0.5, 0.9, 0.99, 0.9999):
        assert confidence_of(support_of(confidence)) == pytest.approx(confidence)


def test_landmarks_alone_are_believed_sooner_where_matches_are_held_against_those_elsewhere():
    alone = replace(GOOD, landmark_inliers=61, head_inliers=0, matched=30)  # three times what chance gives
    told_of = replace(CALIBRATION, self_similar=40.0, self_matched=25.0)
    assert told(alone, told_of)[0] is State.LOCALIZED
    assert told(replace(alone, matched=24), told_of)[0] is told(alone, CALIBRATION)[0] is State.UNCERTAIN
    assert told(replace(alone, landmark_inliers=59), told_of)[0] is State.UNCERTAIN
    assert told(replace(alone, landmark_inliers=76), CALIBRATION)[0] is State.LOCALIZED


def test_many_matches_make_up_for_landmarks_that_chance_finds_too():
    street = Calibration(chance_landmarks=60, chance_head=0.03, self_similar=100.0, self_matched=20.0)
    dense = replace(GOOD, landmark_inliers=130, matched=60)
    assert told(dense, street)[0] is State.LOCALIZED
    assert told(replace(dense, matched=59), street)[0] is State.UNCERTAIN
    assert told(replace(dense, landmark_inliers=128), street)[0] is State.UNCERTAIN
    untold = replace(street, self_similar=0.0, self_matched=0.0)  # a map of before such maps
    assert told(replace(dense, matched=1000), untold)[0] is State.UNCERTAIN


def test_what_is_found_by_looking_around_a_pose_is_not_enough():
    """Where landmarks are dense a wrong pose has as many inliers as a right one; without looking around, it has not."""
    street = replace(CALIBRATION, self_similar=60.0, self_matched=25.0)
    assert told(replace(GOOD, matched=25), street)[0] is State.LOCALIZED
    state, confidence, reason = told(replace(GOOD, matched=24), street)
    assert state is State.UNCERTAIN and confidence == 0.75
    assert "60 landmarks and 25 matches agree elsewhere" in reason and "24 matches)" in reason


def test_a_pose_that_can_be_moved_with_most_of_its_landmarks_is_not_believed():
    assert told(replace(GOOD, slack=(0.95, 0.8)), CALIBRATION)[0] is State.LOCALIZED
    state, _, reason = told(replace(GOOD, slack=(1.0, 0.9)), CALIBRATION)
    assert state is State.UNCERTAIN and "100% of the landmarks agree 5 % of the depth aside" in reason
    state, _, reason = told(replace(GOOD, slack=(0.9, 0.85)), CALIBRATION)
    assert state is State.UNCERTAIN and "85% of the landmarks agree when it is turned by 5 degrees" in reason


def test_a_pose_that_is_as_likely_wrong_by_its_own_covariance_is_not_believed():
    trust = TrustModel(CALIBRATION, 0.25, depth=4.0)
    for shift, turn, believed in ((0.11, 2.9, True), (0.13, 2.9, False), (0.11, 3.1, False)):
        covariance = np.diag([shift**2, 1e-6, 1e-6, np.radians(turn) ** 2, 1e-6, 1e-6])
        verdict = trust.exact_enough(replace(judge(GOOD, CALIBRATION), covariance=covariance))
        assert (verdict.state is State.LOCALIZED) == believed and verdict.covariance is covariance
    assert verdict.sentence == "the pose is known to 2.8% of the depth and 3.1 degrees only"
    assert verdict.reason is Reason.DEGENERATE_GEOMETRY and verdict.confidence == 0.75
    anywhere = TrustModel(CALIBRATION, 0.25).exact_enough(replace(judge(GOOD, CALIBRATION), covariance=covariance))
    assert anywhere.state is State.UNCERTAIN  # 3.1 degrees are too many at any depth
    nothing = replace(judge(replace(GOOD, landmark_inliers=1, head_inliers=1), CALIBRATION), covariance=covariance)
    assert trust.exact_enough(nothing) is nothing


@pytest.mark.parametrize(
    ("depth", "shift", "believed"), [(2, 0.059, True), (2, 0.061, False), (20, 0.23, True), (20, 0.25, False)]
)
def test_where_there_is_a_scale_a_pose_is_as_exact_as_is_promised(depth, shift, believed):
    """Wrong is what is 10 cm and 2 % of the depth off: six tenths of it are too much for a standard deviation."""
    trust = TrustModel(CALIBRATION, 0.25, depth=depth, metric=True)
    covariance = np.diag([shift**2, 1e-6, 1e-6, 1e-6, 1e-6, 1e-6])
    verdict = trust.exact_enough(replace(judge(GOOD, CALIBRATION), covariance=covariance))
    assert (verdict.state is State.LOCALIZED) == believed
    assert believed or verdict.sentence == f"the pose is known to {100 * shift:.0f} cm and 0.1 degrees only"

"""A pose of few landmarks, held against another look at the same image."""

from dataclasses import replace

import numpy as np
import pytest
from core_making import small_room
from map_making import with_header

from ace_ros.geometry import pose_residual
from ace_ros.image import Image
from ace_ros.localization.localizer import Localizer
from ace_ros.localization.second_look import held_against, worth_another
from ace_ros.localization.trust import TrustModel
from ace_ros.localization.verdict import Reason, State


@pytest.fixture(scope="module")
def room():
    return small_room()


@pytest.fixture(scope="module")
def answer(room):
    localizer = Localizer(room.map, device="cpu")
    found = localizer.answer(localizer.encode(Image(room.query_images[3], room.camera)))
    assert found.state is State.LOCALIZED
    return found


@pytest.fixture(scope="module")
def trust(room):
    header = room.map.header
    return TrustModel(header.calibration, 0.25, header.median_depth, header.metric)


def another(answer, shift, landmarks=None):
    """What a look would say that finds the camera so far aside (m), with so many landmarks."""
    (best, *_) = answer.sight.found
    pose = best.estimate.map_from_camera.copy()
    pose[0, 3] += shift
    evidence = best.estimate.evidence
    evidence = evidence if landmarks is None else replace(evidence, landmark_inliers=landmarks)
    best = replace(best, estimate=replace(best.estimate, map_from_camera=pose, evidence=evidence))
    return replace(answer, map_from_camera=pose, sight=replace(answer.sight, found=(best,)))


def test_what_two_looks_differ_by_is_in_the_covariance(answer, trust):
    other = another(answer, 0.03)
    held = held_against(answer, other, trust)
    apart = pose_residual(other.map_from_camera, answer.map_from_camera)
    np.testing.assert_allclose(held.covariance, answer.covariance + np.outer(apart, apart))
    assert held.state is State.LOCALIZED and held.confidence == answer.confidence and not held.reason
    assert np.array_equal(held.map_from_camera, answer.map_from_camera)


def test_looks_that_differ_by_what_is_wrong_believe_nothing(answer, trust):
    held = held_against(answer, another(answer, 0.09), trust)
    assert held.state is State.UNCERTAIN and held.confidence == 0.5
    assert held.reason_code is Reason.DEGENERATE_GEOMETRY and "the pose is known to 9 cm" in held.reason


def test_a_look_that_is_elsewhere_counts_by_what_it_has(answer, trust):
    most = answer.evidence.landmark_inliers
    held = held_against(answer, another(answer, 3.0, round(0.7 * most)), trust)
    assert held.state is State.UNCERTAIN and held.reason_code is Reason.AMBIGUOUS
    assert f"another look at the image has another pose ({round(0.7 * most)} landmarks)" == held.reason
    weak = held_against(answer, another(answer, 3.0, round(0.3 * most)), trust)
    assert weak.state is State.LOCALIZED and np.array_equal(weak.covariance, answer.covariance)


def test_a_look_that_finds_nothing_says_nothing(answer, trust):
    nothing = replace(answer, state=State.LOST, sight=replace(answer.sight, found=()))
    assert held_against(answer, nothing, trust) is answer


@pytest.mark.parametrize("many", [False, True])
def test_only_what_few_landmarks_agree_with_is_looked_at_again(room, monkeypatch, many):
    """A map that finds many by chance takes a second look at the same image; its pose stays as the first has it."""
    (place,) = room.map.places
    known = place.header.calibration
    few = replace(known, chance_landmarks=known.chance_landmarks if many else 60.0)
    localizer = Localizer(with_header(room.map, calibration=few), device="cpu")
    looks, encode = [], localizer.encode
    monkeypatch.setattr(localizer, "encode", lambda image, look: looks.append(look) or encode(image, look))
    answer = localizer.localize(room.query_images[3], room.camera)
    alone = localizer.answer(encode(Image(room.query_images[3], room.camera)))
    assert answer.state is alone.state is State.LOCALIZED
    assert [look.scale for look in looks] == [1.0] if many else [1.0, 0.8]
    assert np.array_equal(answer.map_from_camera, alone.map_from_camera)
    assert worth_another(alone, TrustModel(few, 0.25)) is not many
    wider = np.linalg.eigvalsh(answer.covariance - alone.covariance)
    assert wider.max() == 0 if many else wider.max() > 0 and wider.min() > -1e-12

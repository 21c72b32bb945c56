"""The figures against numbers worked out by hand."""

import json

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from ace_ros.evaluation.metrics import FrameResult, errors, nees, nees_of, reliability, summarize


def pose(x=0.0, degrees=0.0, axis="z"):
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler(axis, degrees, degrees=True).as_matrix()
    matrix[0, 3] = x
    return matrix


def result(estimate, state="LOCALIZED", covariance=None, seconds=0.02, truth=None):
    return FrameResult(
        name="f", stamp=0, truth=np.eye(4) if truth is None else truth, state=state, reason="", estimate=estimate,
        covariance=covariance, confidence=0.5, inliers=10, candidates=20, seconds=seconds,
    )  # fmt: skip


def test_errors_are_distance_and_angle():
    table = errors([result(pose(0.03, 4.0)), result(None, "LOST")])
    assert table[0] == pytest.approx([0.03, 4.0])
    assert np.isinf(table[1]).all()
    assert errors([result(pose(0.03))], unit=3.0)[0, 0] == pytest.approx(0.01)


def test_summary_of_five_frames():
    results = [
        result(pose(0.005, 0.5)),  # within 1 cm 1 deg
        result(pose(0.015, 1.5), "UNCERTAIN"),  # within 2 cm 2 deg
        result(pose(0.04, 3.0)),  # within 5 cm 5 deg
        result(pose(0.001, 0.0), "LOST"),  # a good guess that was thrown away: no pose
        result(None, "LOST", seconds=0.1),
    ]
    summary = summarize(results, metric=True, median_depth=2.0)
    assert (summary["frames"], summary["localized"], summary["uncertain"], summary["lost"]) == (5, 2, 1, 2)
    assert summary["recall"] == {"10cm_5deg": 0.6, "5cm_5deg": 0.6, "2cm_2deg": 0.4, "1cm_1deg": 0.2}
    assert summary["median_translation"] == pytest.approx(0.04)  # sorted: .005 .015 .04 inf inf
    assert summary["median_rotation_deg"] == pytest.approx(3.0)
    assert summary["localized_among_5cm_5deg"] == pytest.approx(2 / 4)  # the thrown away guess counts here
    assert summary["query_ms"]["median"] == pytest.approx(20.0)
    assert summary["query_ms"]["p95"] == pytest.approx(20 + 0.8 * 80)
    assert summary["false_confident"] == 0
    json.dumps(summary, allow_nan=False)


def test_poses_are_counted_by_their_confidence():
    right = np.array([False, True, True, False, True])
    assert reliability([0.1, 0.5, 0.6999, 0.9, 1.0], right) == [
        {"from": 0.0, "to": 0.3, "frames": 1, "right": 0},
        {"from": 0.5, "to": 0.7, "frames": 2, "right": 2},
        {"from": 0.9, "to": 0.99, "frames": 1, "right": 0},
        {"from": 0.99, "to": 1.0, "frames": 1, "right": 1},
    ]
    off = [result(pose(0.2)), result(pose(0.01)), result(pose(0.01), "LOST"), result(None, "LOST")]
    (one,) = summarize(off, metric=True, median_depth=1.0)["reliability"]  # what is lost has no pose
    assert (one["frames"], one["right"]) == (2, 1)


def test_both_translation_and_rotation_must_be_within():
    summary = summarize([result(pose(0.001, 6.0)), result(pose(0.2, 0.0))], metric=True, median_depth=1.0)
    assert set(summary["recall"].values()) == {0.0}
    assert summary["false_confident"] == 2
    assert summary["localized_among_5cm_5deg"] is None


def test_what_is_far_off_depends_on_how_far_one_looks():
    """10 cm in a room, 2 % of the depth in a street, 5 % where there is no scale; and nowhere more than 5 degrees."""
    found = [result(pose(0.15)), result(pose(0.25)), result(pose(0.0, 6.0))]
    assert summarize(found, metric=True, median_depth=2.0)["false_confident"] == 3
    assert summarize(found, metric=True, median_depth=10.0)["false_confident"] == 2
    assert summarize(found, metric=True, median_depth=20.0)["false_confident"] == 1
    assert summarize(found, metric=False, median_depth=4.0)["false_confident"] == 2


def test_errors_of_a_scene_without_scale_are_relative_to_its_depth():
    summary = summarize([result(pose(0.4, 0.1))], metric=False, median_depth=10.0)
    assert summary["median_translation"] == pytest.approx(0.04)
    assert summary["recall"]["5cm_5deg"] == 1.0 and summary["recall"]["2cm_2deg"] == 0.0
    assert summary["metric"] is False


def test_a_run_that_is_mostly_lost_has_no_median():
    summary = summarize([result(None, "LOST"), result(None, "LOST"), result(pose())], True, 1.0)
    assert summary["median_translation"] is None and summary["median_rotation_deg"] is None
    assert summary["nees_mean"] is None
    json.dumps(summary, allow_nan=False)


def test_nees_weighs_each_axis_by_its_own_sigma():
    truth = pose(1.0, 30.0, "y")
    estimate = truth.copy()
    estimate[:3, 3] += (0.02, 0.0, -0.03)
    estimate[:3, :3] = Rotation.from_rotvec([0.0, 0.004, 0.0]).as_matrix() @ truth[:3, :3]
    covariance = np.diag([0.01, 1.0, 0.01, 1.0, 0.002, 1.0]) ** 2
    assert nees(estimate, truth, covariance) == pytest.approx(2**2 + 3**2 + 2**2)


def test_nees_of_samples_drawn_from_the_covariance_is_six_on_average():
    rng = np.random.default_rng(0)
    root = rng.normal(size=(6, 6)) * 1e-3
    covariance = root @ root.T
    truth = pose(0.5, 40.0, "x")
    results = []
    for _ in range(2000):
        error = root @ rng.normal(size=6)
        estimate = np.eye(4)
        estimate[:3, :3] = Rotation.from_rotvec(error[3:]).as_matrix() @ truth[:3, :3]
        estimate[:3, 3] = truth[:3, 3] + error[:3]
        results.append(result(estimate, covariance=covariance, truth=truth))
    assert nees_of(results).mean() == pytest.approx(6.0, abs=0.3)
    figures = summarize(results, True, 1.0)
    assert figures["ellipsoid"] == pytest.approx(0.95, abs=0.02)
    assert figures["nees_median"] == pytest.approx(5.35, abs=0.3)
    assert figures["nees_p95"] == pytest.approx(12.6, abs=0.9)


def test_nees_counts_localized_frames_only_and_survives_a_bad_covariance():
    covariance = np.eye(6)
    assert len(nees_of([result(pose(), "UNCERTAIN", covariance), result(pose())])) == 0
    bad = result(pose(0.1), covariance=np.zeros((6, 6)))
    assert np.isinf(nees_of([bad])).all()
    assert summarize([bad], True, 1.0)["nees_mean"] is None

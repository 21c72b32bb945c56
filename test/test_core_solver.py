"""From pairs to a pose: found among lies, refined to the optimum, and with a covariance that is true."""

import numpy as np
import pytest
from core_making import disturbed

from ace_ros.generated.trajectory import looking
from ace_ros.geometry import pose_error, pose_residual
from ace_ros.localization.solver import Observations, covariance_from_information, ransac, refine, reprojection_errors

FOCAL = 500.0
TRUTH = looking((1.0, -2.0, 0.5), 0.8, -0.1, 0.3)


def scene(count, rng, noise=0.0, pose=TRUTH):
    """Rays and points (count) before the camera, with noise in pixels."""
    local = np.column_stack([rng.uniform(-0.6, 0.6, count), rng.uniform(-0.45, 0.45, count), np.ones(count)])
    local *= rng.uniform(1.5, 6.0, (count, 1))
    plane = local[:, :2] / local[:, 2:] + noise / FOCAL * rng.standard_normal((count, 2))
    return bearing(plane), local @ pose[:3, :3].T + pose[:3, 3]


def bearing(plane):
    """Unit rays of x/z, y/z."""
    rays = np.pad(plane, ((0, 0), (0, 1)), constant_values=1.0)
    return rays / np.linalg.norm(rays, axis=1, keepdims=True)


def moved(rays, shift):
    """Rays whose x/z, y/z are shifted."""
    return bearing(rays[:, :2] / rays[:, 2:] + shift)


def refined(rays, points, sigma=1.0, start=TRUTH, steps=8):
    """By a pinhole, which has the more pixels for an angle the farther aside."""
    return refine(start, Observations(rays, points, np.full(len(points), sigma)), FOCAL * rays[:, 2] ** -1.5, steps)


@pytest.mark.parametrize("seed", range(8))
def test_refinement_recovers_a_pose(seed):
    rng = np.random.default_rng(seed)
    start = disturbed(TRUTH, np.concatenate([rng.normal(0, 0.02, 3), rng.normal(0, 0.01, 3)]))
    pose, _ = refined(*scene(80, rng), start=start, steps=30)
    translation, rotation = pose_error(pose, TRUTH)
    assert translation < 1e-4 and rotation < 1e-3
    np.testing.assert_allclose(pose[:3, :3] @ pose[:3, :3].T, np.eye(3), atol=1e-12)


def test_refinement_shrugs_off_outliers():
    rng = np.random.default_rng(1)
    rays, points = scene(200, rng, noise=0.5)
    rays[:60] = moved(rays[:60], rng.choice([-1, 1], (60, 2)) * rng.uniform(0.05, 0.3, (60, 2)))
    pose, _ = refined(rays, points, start=disturbed(TRUTH, np.full(6, 0.004)), steps=30)
    translation, rotation = pose_error(pose, TRUTH)
    assert translation < 0.005 and rotation < 0.1


def test_sharp_observations_count_more():
    rng = np.random.default_rng(2)
    rays, points = scene(100, rng)
    rays[50:] = moved(rays[50:], 1.5 / FOCAL)  # blunt ones, all off to one side
    sigmas = np.where(np.arange(100) < 50, 0.2, 4.0)
    pose, _ = refine(TRUTH, Observations(rays, points, sigmas), FOCAL, 30)
    even, _ = refine(TRUTH, Observations(rays, points, np.full(100, 1.0)), FOCAL, 30)
    assert pose_error(pose, TRUTH)[1] < 0.1 * pose_error(even, TRUTH)[1]


def test_the_jacobian_against_differences():
    """At the truth all weights are one: the information is J^T J, J by central differences of pose_residual's axes."""
    rng = np.random.default_rng(3)
    rays, points = scene(40, rng)
    sigmas = rng.uniform(0.5, 4.0, 40)
    _, information = refine(TRUTH, Observations(rays, points, sigmas), FOCAL)

    def residuals(pose):
        local = (points - pose[:3, 3]) @ pose[:3, :3]
        expected = local / np.linalg.norm(local, axis=1, keepdims=True)
        return ((expected - rays) * FOCAL / sigmas[:, None]).ravel()

    step = 1e-6
    columns = []
    for axis in range(6):
        error = np.zeros(6)
        error[axis] = step
        columns.append((residuals(disturbed(TRUTH, error)) - residuals(disturbed(TRUTH, -error))) / (2 * step))
    jacobian = np.array(columns).T
    np.testing.assert_allclose(information, jacobian.T @ jacobian, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize(("count", "sigma", "outliers"), [(60, 1.0, 0), (60, 3.0, 0), (300, 1.0, 60)])
def test_the_covariance_is_true(count, sigma, outliers):
    """The error squared, normalised by the covariance, has a mean of 6, give or take what a robust loss costs."""
    rng = np.random.default_rng(4)
    values, residuals = [], []
    for _ in range(300):
        rays, points = scene(count, rng, noise=sigma)
        rays[:outliers] = moved(rays[:outliers], rng.uniform(-0.3, 0.3, (outliers, 2)))
        pose, information = refined(rays, points, sigma)
        covariance = covariance_from_information(information)
        residual = pose_residual(pose, TRUTH)
        residuals.append(residual / np.sqrt(np.diag(covariance)))
        values.append(residual @ np.linalg.solve(covariance, residual))
    assert 4 < np.mean(values) < 8
    assert np.abs(np.mean(residuals, axis=0)).max() < 0.2  # no bias
    assert (np.abs(np.std(residuals, axis=0) - 1) < 0.25).all()  # each of the six by itself


def test_the_covariance_is_symmetric_and_positive_definite():
    _, information = refined(*scene(12, np.random.default_rng(5), noise=1.0))
    covariance = covariance_from_information(information)
    assert np.array_equal(covariance, covariance.T) and (np.linalg.eigvalsh(covariance) > 0).all()
    np.testing.assert_allclose(covariance @ information, np.eye(6), atol=1e-6)


def test_a_large_map_unit_does_not_make_it_degenerate():
    """The same scene in millimetres, or in units of a kilometre, is as well conditioned."""
    rays, points = scene(60, np.random.default_rng(6), noise=0.5)
    plain = covariance_from_information(refined(rays, points)[1])
    for unit in (1e3, 1e-3):
        pose = TRUTH.copy()
        pose[:3, 3] *= unit
        covariance = covariance_from_information(refined(rays, points * unit, start=pose)[1])
        np.testing.assert_allclose(np.sqrt(np.diag(covariance))[:3], unit * np.sqrt(np.diag(plain))[:3], rtol=1e-3)
        np.testing.assert_allclose(np.diag(covariance)[3:], np.diag(plain)[3:], rtol=1e-3)


def test_degenerate_geometry_has_no_covariance():
    rng = np.random.default_rng(7)
    rays, points = scene(50, rng)
    one_point = np.repeat(rays[:1], 50, 0), np.repeat(points[:1], 50, 0)
    two = np.repeat(rays[:2], 25, 0), np.repeat(points[:2], 25, 0)
    depth = rng.uniform(2, 5, (50, 1))
    one_line = np.column_stack([depth / 10, np.full(50, 0.3), depth])
    line = bearing(one_line[:, :2] / one_line[:, 2:]), one_line @ TRUTH[:3, :3].T + TRUTH[:3, 3]
    for degenerate in (one_point, two, line):
        pose, information = refined(*degenerate)
        assert np.isfinite(pose).all()
        assert covariance_from_information(information) is None
    assert covariance_from_information(np.zeros((6, 6))) is None
    assert covariance_from_information(np.full((6, 6), np.nan)) is None
    assert covariance_from_information(refined(rays[:2], points[:2])[1]) is None


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_ransac_finds_the_pose_among_sixty_percent_of_lies(seed, progressive):
    rng = np.random.default_rng(seed)
    rays, points = scene(300, rng, noise=0.5)
    lies = rng.permutation(300)[:180]
    points[lies] = points[rng.permutation(lies)]
    pose, inliers = ransac(rays, points, FOCAL, 5.0, 1000, progressive)
    assert 115 <= inliers <= 140
    translation, rotation = pose_error(pose, TRUTH)
    assert translation < 0.02 and rotation < 0.3
    again, _ = ransac(rays, points, FOCAL, 5.0, 1000, progressive)
    assert np.array_equal(pose, again)


def test_ransac_without_enough_pairs_finds_none():
    rays, points = scene(30, np.random.default_rng(8))
    for count in range(6):
        assert ransac(rays[:count], points[:count], FOCAL, 5.0, 100) is None
    assert ransac(np.empty((0, 3)), np.empty((0, 3)), FOCAL, 5.0, 100) is None
    broken = points.copy()
    broken[5:] = np.nan
    assert ransac(rays, broken, FOCAL, 5.0, 100) is None
    broken[5:20] = points[5:20]
    pose, inliers = ransac(rays, broken, FOCAL, 5.0, 100)
    assert inliers == 20 and pose_error(pose, TRUTH)[0] < 1e-6


def test_ransac_on_nonsense_is_none_or_poorly_supported():
    rng = np.random.default_rng(9)
    for _ in range(5):
        found = ransac(bearing(rng.uniform(-0.5, 0.5, (200, 2))), rng.uniform(-3, 3, (200, 3)), FOCAL, 5.0, 200)
        assert found is None or found[1] < 15
    same = np.zeros((20, 3))
    found = ransac(bearing(rng.uniform(-0.5, 0.5, (20, 2))), same, FOCAL, 5.0, 200)
    assert found is None or np.isfinite(found[0]).all()


def test_errors_are_pixels_and_largest_behind_the_camera():
    points = np.array([[0.0, 0.0, 2.0], [0.02, 0.0, 2.0], [0.03, 0.04, 1.0], [0, 0, -2.0], [0, 0, 0.0]])
    errors = reprojection_errors(np.eye(4), np.tile([0.0, 0.0, 1.0], (5, 1)), points, FOCAL)
    np.testing.assert_allclose(errors, [0, 5, 25, 2 * FOCAL, np.inf], rtol=2e-3)
    assert len(reprojection_errors(np.eye(4), np.empty((0, 3)), np.empty((0, 3)), FOCAL)) == 0


@pytest.mark.parametrize("seed", range(4))
def test_ransac_and_refinement_by_all_of_a_sphere(seed):
    """What lies aside of the camera and behind it counts as what lies before it, lies or not."""
    rng = np.random.default_rng(seed)
    local = rng.normal(size=(300, 3))
    local *= rng.uniform(1.5, 6.0, (300, 1)) / np.linalg.norm(local, axis=1, keepdims=True)
    points = local @ TRUTH[:3, :3].T + TRUTH[:3, 3]
    rays = local + np.linalg.norm(local, axis=1, keepdims=True) * rng.normal(0, 0.5 / FOCAL, local.shape)
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    lies = rng.permutation(300)[:150]
    points[lies] = points[rng.permutation(lies)]
    pose, inliers = ransac(rays, points, FOCAL, 5.0, 1000)
    assert 140 <= inliers <= 165 and pose_error(pose, TRUTH)[0] < 0.01
    near = reprojection_errors(pose, rays, points, FOCAL) < 5
    pose, information = refine(pose, Observations(rays[near], points[near], np.full(int(near.sum()), 0.5)), FOCAL)
    translation, rotation = pose_error(pose, TRUTH)
    assert translation < 0.004 and rotation < 0.06
    assert covariance_from_information(information) is not None

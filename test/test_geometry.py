"""Rigid transforms, their errors and covariances."""

import numpy as np
import pytest
from scene_making import pose
from scipy.spatial.transform import Rotation

from ace_ros.errors import InputError
from ace_ros.geometry import (
    check_pose,
    invert,
    move_covariance,
    pose_error,
    pose_from_quaternion,
    pose_residual,
    quaternion_xyzw,
    rotation_angle_deg,
    skew,
    transform,
)


def disturbed(matrix, error):
    """The pose that is off by ``error``, in the sense of pose_residual."""
    result = np.eye(4)
    result[:3, :3] = Rotation.from_rotvec(error[3:]).as_matrix() @ matrix[:3, :3]
    result[:3, 3] = matrix[:3, 3] + error[:3]
    return result


@pytest.mark.parametrize("index", range(5))
def test_quaternions_there_and_back(index):
    quaternion = quaternion_xyzw(pose(index))
    assert quaternion[3] >= 0 and np.linalg.norm(quaternion) == pytest.approx(1)
    for sign in (1, -1):
        back = pose_from_quaternion(pose(index)[:3, 3], sign * quaternion)
        np.testing.assert_allclose(back, pose(index), atol=1e-12)


def test_inverse_and_points():
    a, points = pose(1), np.random.default_rng(0).normal(size=(10, 3))
    np.testing.assert_allclose(invert(a) @ a, np.eye(4), atol=1e-12)
    np.testing.assert_allclose(transform(invert(a), transform(a, points)), points, atol=1e-12)
    homogeneous = np.c_[points, np.ones(10)] @ a.T
    np.testing.assert_allclose(transform(a, points), homogeneous[:, :3], atol=1e-12)


def test_skew_is_the_cross_product():
    a, b = pose(1)[:3, 3], pose(2)[:3, 3]
    np.testing.assert_allclose(skew(a) @ b, np.cross(a, b))


@pytest.mark.parametrize("degrees", [0.0, 0.01, 5.0, 90.0, 179.99])
def test_errors_of_a_pose(degrees):
    axis = np.array([1.0, 2, 2]) / 3
    error = np.array([0.1, -0.2, 0.2, *np.radians(degrees) * axis])
    estimate = disturbed(pose(), error)
    distance, angle = pose_error(estimate, pose())
    assert distance == pytest.approx(0.3)
    assert angle == pytest.approx(degrees, abs=1e-6) == rotation_angle_deg(pose(), estimate)
    np.testing.assert_allclose(pose_residual(estimate, pose()), error, atol=1e-9)


def test_rounded_rotations_are_repaired():
    rounded = np.round(pose(), 3)
    clean = check_pose(rounded, "here")
    np.testing.assert_allclose(clean[:3, :3] @ clean[:3, :3].T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(clean, rounded, atol=2e-3)


@pytest.mark.parametrize(
    ("matrix", "said"),
    [
        (np.eye(3), "4x4"),
        (np.diag([1.0, 1, np.nan, 1]), "NaN"),
        (np.diag([1.0, 1, np.inf, 1]), "NaN or infinity"),
        (np.diag([1.0, 1, -1, 1]), "not a rotation"),
        (np.diag([2.0, 2, 2, 1]), "not a rotation"),
        (np.zeros((4, 4)), "all zeros"),
        (np.eye(4) + np.eye(4, k=-3), "last row"),
    ],
)
def test_what_is_no_pose_is_refused(matrix, said):
    with pytest.raises(InputError, match=f"here: .*{said}"):
        check_pose(matrix, "here")


@pytest.mark.parametrize("quaternion", [(0, 0, 0, 0), (0, 0, 0, 2), (0, 0, 0, np.nan)])
def test_what_is_no_quaternion_is_refused(quaternion):
    with pytest.raises(InputError, match=r"here: the (quaternion|pose holds NaN)"):
        pose_from_quaternion((0, 0, 0), quaternion, "here")


def test_covariance_moves_with_the_lever_arm_as_samples_do():
    random = np.random.default_rng(3)
    map_from_camera, camera_from_body = pose(1), pose(2)
    root = random.normal(size=(6, 6)) * 1e-3
    covariance = root @ root.T
    truth = map_from_camera @ camera_from_body
    errors = random.multivariate_normal(np.zeros(6), covariance, size=20000)
    residuals = [pose_residual(disturbed(map_from_camera, e) @ camera_from_body, truth) for e in errors[:4000]]
    moved = move_covariance(covariance, map_from_camera, camera_from_body)
    np.testing.assert_allclose(moved, np.cov(np.array(residuals).T), atol=0.06 * np.abs(moved).max())


def test_covariance_moves_as_the_derivative_says():
    map_from_camera, camera_from_body = pose(3), pose(4)
    truth, step = map_from_camera @ camera_from_body, 1e-6
    jacobian = np.empty((6, 6))
    for column, direction in enumerate(np.eye(6) * step):
        jacobian[:, column] = pose_residual(disturbed(map_from_camera, direction) @ camera_from_body, truth) / step
    root = np.random.default_rng(5).normal(size=(6, 6))
    moved = move_covariance(root @ root.T, map_from_camera, camera_from_body)
    np.testing.assert_allclose(moved, jacobian @ root @ root.T @ jacobian.T, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(moved, moved.T)
    there_and_back = move_covariance(moved, truth, invert(camera_from_body))
    np.testing.assert_allclose(there_and_back, root @ root.T, atol=1e-9)

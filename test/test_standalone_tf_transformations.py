"""What we rely on in tf_transformations: passes on the stand-in and, unchanged, on the real one."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

pytest.importorskip("rclpy", reason="needs ROS 2")

import tf_transformations as tf

RANDOM = [Rotation.random(random_state=seed) for seed in range(10)]


def same_rotation(quaternion, rotation):
    return abs(np.dot(quaternion, rotation.as_quat())) == pytest.approx(1)


@pytest.mark.parametrize("rotation", RANDOM)
def test_quaternions_are_x_y_z_w(rotation):
    matrix = tf.quaternion_matrix(rotation.as_quat())
    np.testing.assert_allclose(matrix[:3, :3], rotation.as_matrix(), atol=1e-12)
    np.testing.assert_array_equal(matrix[3], [0, 0, 0, 1])
    assert same_rotation(tf.quaternion_from_matrix(matrix), rotation)


@pytest.mark.parametrize("rotation", RANDOM)
def test_euler_angles_are_about_the_fixed_axes(rotation):
    roll, pitch, yaw = rotation.as_euler("xyz")
    assert same_rotation(tf.quaternion_from_euler(roll, pitch, yaw), rotation)
    np.testing.assert_allclose(tf.euler_from_quaternion(rotation.as_quat()), [roll, pitch, yaw], atol=1e-9)
    np.testing.assert_allclose(tf.euler_matrix(roll, pitch, yaw)[:3, :3], rotation.as_matrix(), atol=1e-12)
    np.testing.assert_allclose(tf.euler_from_matrix(tf.euler_matrix(roll, pitch, yaw)), [roll, pitch, yaw], atol=1e-9)


def test_products_and_inverses():
    a, b = RANDOM[:2]
    assert same_rotation(tf.quaternion_multiply(a.as_quat(), b.as_quat()), a * b)
    assert same_rotation(tf.quaternion_inverse(a.as_quat()), a.inv())
    assert same_rotation(tf.quaternion_conjugate(a.as_quat()), a.inv())
    assert same_rotation(tf.quaternion_about_axis(0.7, [0, 0, 2]), Rotation.from_rotvec([0, 0, 0.7]))


def test_matrices():
    moved = tf.translation_matrix([1, 2, 3])
    np.testing.assert_array_equal(tf.translation_from_matrix(moved), [1, 2, 3])
    pose = tf.concatenate_matrices(moved, tf.quaternion_matrix(RANDOM[0].as_quat()))
    np.testing.assert_array_equal(pose[:3, 3], [1, 2, 3])
    np.testing.assert_allclose(tf.concatenate_matrices(pose, tf.inverse_matrix(pose)), tf.identity_matrix(), atol=1e-12)

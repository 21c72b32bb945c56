"""Pixels to rays and back, with all of OpenCV's distortions; resizing; cameras that are none. Lenses: test_lenses."""

import cv2
import numpy as np
import pytest

from ace_ros.camera import Camera
from ace_ros.errors import InputError

PINHOLE = Camera(640, 480, 525.5, 530.0, 320.3, 241.7)
DISTORTIONS = [
    (),
    (0.0, 0.0, 0.0, 0.0, 0.0),
    (0.0578421, -0.0805099, -0.000980296, 0.00015575),
    (0.2624, -0.9531, -0.0054, 0.0026, 1.1633),  # TUM freiburg1
    (0.6, 0.08, 1e-3, -2e-4, 3e-3, 0.95, 0.2, 0.02),  # rational, of a Kinect's kind
    (0.1, -0.05, 1e-3, 1e-3, 0.0, 0.0, 0.0, 0.0, 1e-3, 0.0, -1e-3, 0.0),
]


def camera_with(distortion):
    return Camera(640, 480, 525.5, 530.0, 320.3, 241.7, distortion)


def grid(camera, margin=0.0):
    x, y = np.meshgrid(
        np.linspace(margin, camera.width - 1 - margin, 17), np.linspace(margin, camera.height - 1 - margin, 13)
    )
    return np.stack([x.ravel(), y.ravel()], axis=1)


@pytest.mark.parametrize("distortion", DISTORTIONS)
def test_pixels_there_and_back(distortion):
    camera = camera_with(distortion)
    pixels = grid(camera)
    rays = camera.rays(pixels)
    assert rays.shape == (len(pixels), 3) and rays.dtype == np.float64
    np.testing.assert_allclose(camera.project(rays * np.linspace(0.5, 20, len(rays))[:, None]), pixels, atol=1e-9)


@pytest.mark.parametrize("distortion", DISTORTIONS)
def test_projection_is_opencvs(distortion):
    camera = camera_with(distortion)
    points = np.random.default_rng(0).uniform((-1, -0.8, 2), (1, 0.8, 4), size=(50, 3))
    expected, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), camera.matrix, np.array(distortion or (0.0,) * 4))
    np.testing.assert_allclose(camera.project(points), expected.reshape(-1, 2), atol=1e-9)


def test_a_pinhole_by_hand():
    half = np.sqrt(0.5)
    np.testing.assert_allclose(
        PINHOLE.rays(np.array([[320.3, 241.7], [845.8, 241.7]])), [[0, 0, 1], [half, 0, half]], atol=1e-15
    )
    np.testing.assert_allclose(PINHOLE.project(np.array([[2.0, -2.0, 2.0]])), [[320.3 + 525.5, 241.7 - 530.0]])


def test_points_that_are_not_in_front_have_no_pixel():
    pixels = PINHOLE.project(np.array([[0.0, 0, 1], [0, 0, 0], [0, 0, -1]]))
    assert np.isfinite(pixels[0]).all() and np.isnan(pixels[1:]).all()
    assert PINHOLE.project(np.empty((0, 3))).shape == (0, 2)


@pytest.mark.parametrize("distortion", DISTORTIONS)
def test_no_pixels_no_rays(distortion):
    assert camera_with(distortion).rays(np.empty((0, 2))).shape == (0, 3)


def test_a_resized_camera_sees_the_same_through_the_same_spot_of_the_image():
    camera = camera_with(DISTORTIONS[2])
    small = camera.resized(320, 160)
    pixels = grid(camera)
    moved = (pixels + 0.5) * (320 / 640, 160 / 480) - 0.5
    np.testing.assert_allclose(small.rays(moved), camera.rays(pixels), atol=1e-9)
    back = small.resized(640, 480)
    np.testing.assert_allclose(back.matrix, camera.matrix)
    assert small.focal == pytest.approx(np.sqrt(525.5 / 2 * 530 / 3))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ((640, 480, 0.0, 500.0, 320, 240), "focal lengths must be positive"),
        ((640, 480, 500.0, -1.0, 320, 240), "focal lengths must be positive"),
        ((640, 480, np.nan, 500.0, 320, 240), "finite"),
        ((640, 480, 500.0, 500.0, np.inf, 240), "finite"),
        ((0, 480, 500.0, 500.0, 320, 240), "size must be positive"),
        ((640, 480, 500.0, 500.0, 320, 240, (0.1, 0.2, 0.3)), "distortion takes"),
        ((640, 480, 500.0, 500.0, 320, 240, (0.1, np.nan, 0.0, 0.0)), "finite"),
    ],
)
def test_what_is_no_camera_is_refused(values, said):
    with pytest.raises(InputError, match=said):
        Camera(*values)


def test_rays_are_of_unit_length_and_lead_to_where_pixels_came_from():
    camera = Camera(640, 480, 500.0, 510.0, 310.0, 250.0, (-0.2, 0.05, 0.001, -0.001))
    pixels = np.array([[0.0, 0.0], [310.0, 250.0], [639.0, 479.0], [100.0, 400.0]])
    rays = camera.rays(pixels)
    assert np.linalg.norm(rays, axis=1) == pytest.approx(1)
    assert camera.project(7 * rays) == pytest.approx(pixels, abs=1e-6)

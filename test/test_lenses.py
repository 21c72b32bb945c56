"""Every lens: against OpenCV, COLMAP and the formulas of its paper; there and back up to the rim; where it ends."""

import math

import cv2
import numpy as np
import pytest
from scipy.optimize import brentq

from ace_ros.camera import Camera
from ace_ros.errors import InputError
from ace_ros.recordings.colmap_model import camera_of_line
from ace_ros.recordings.lenses import fault_of

# model, coefficients, angle from the axis up to which it is asked, degrees
LENSES = [
    ("pinhole", (), 80),
    ("pinhole", (0.0578421, -0.0805099, -0.000980296, 0.00015575), 45),
    ("pinhole", (0.6, 0.08, 1e-3, -2e-4, 3e-3, 0.95, 0.2, 0.02), 60),
    ("pinhole", (0.1, -0.05, 1e-3, 1e-3, 0, 0, 0, 0, 1e-3, 0, -1e-3, 0), 50),
    ("pinhole", (0.1, -0.05, 1e-3, 1e-3, 0, 0, 0, 0, 1e-3, 0, -1e-3, 0, 0.05, -0.03), 50),
    ("equidistant", (), 120),
    ("equidistant", (-0.0076, 0.0423, -0.0399, 0.0072), 70),  # a RealSense T265's kind
    ("equidistant", (-0.02, 0.003, -0.0005, 0.00002), 100),
    ("fov", (0.93,), 95),
    ("omni", (0.8,), 95),
    ("omni", (1.9, -0.1, 0.05, 1e-3, -5e-4), 95),
    ("double_sphere", (-0.2, 0.59), 95),
    ("double_sphere", (0.3, 0.4), 95),
    ("eucm", (0.62, 1.1), 95),
    ("eucm", (0.4, 0.9), 95),
    ("division", (-0.3,), 95),
    ("division", (0.2,), 45),
    ("thin_prism_fisheye", (-0.02, 0.01, 1e-3, -1e-3, -0.003, 1e-4, 1e-3, -1e-3), 95),
    ("rad_tan_thin_prism_fisheye", (-0.02, 0.01, -0.003, 1e-4, 0, 0, 1e-3, -1e-3, 1e-3, -1e-3, 1e-3, 1e-3), 95),
    ("equirectangular", (), 179),
]


def camera_of(model, coefficients, size=(640, 480)):
    return Camera(*size, 300.0, 305.0, 320.3, 241.7, tuple(map(float, coefficients)), model)


def rays_within(degrees, count=500, least=0.0):
    """Unit rays (N, 3) up to an angle from the axis, the axis and the widest circle included."""
    rng = np.random.default_rng(0)
    angle = np.radians(np.r_[least, rng.uniform(least, degrees, count), np.full(50, degrees)])
    turn = rng.uniform(0, 2 * np.pi, len(angle))
    return np.c_[np.sin(angle) * np.cos(turn), np.sin(angle) * np.sin(turn), np.cos(angle)]


@pytest.mark.parametrize(("model", "coefficients", "widest"), LENSES)
def test_there_and_back_up_to_the_rim(model, coefficients, widest):
    camera, rays = camera_of(model, coefficients), rays_within(widest)
    pixels = camera.project(3 * rays)
    assert np.isfinite(pixels).all()
    np.testing.assert_allclose(camera.rays(pixels), rays, atol=1e-9)
    np.testing.assert_allclose(camera.project(camera.rays(pixels)), pixels, rtol=0, atol=1e-9 * np.abs(pixels).max())


@pytest.mark.parametrize(("model", "coefficients", "widest"), LENSES)
def test_no_two_rays_come_to_one_pixel(model, coefficients, widest):
    """Up to where the lens ends; and there is nothing beyond."""
    camera = camera_of(model, coefficients)
    end = min(math.degrees(camera.lens.widest), 179.9)
    assert end >= widest
    for around in np.linspace(0, 2 * np.pi, 7):
        angle = np.radians(np.linspace(0.05, min(end, 75.0) if model == "pinhole" else end, 400)[:-1])
        side = np.c_[np.cos(around) * np.sin(angle), np.sin(around) * np.sin(angle), np.cos(angle)]
        out = camera.project(side) - camera.project(np.array([[0.0, 0.0, 1.0]]))
        if model != "equirectangular" and not (len(coefficients) > 8 or "prism" in model):
            assert (np.diff(np.linalg.norm(out, axis=1)) > 0).all()
    if end < 179:
        beyond = np.radians(end + 0.1)
        assert np.isnan(camera.project(np.array([[np.sin(beyond), 0.0, np.cos(beyond)]]))).all()


@pytest.mark.parametrize("coefficients", [(), (-0.0076, 0.0423, -0.0399, 0.0072), (-0.02, 0.003, -0.0005, 0.00002)])
def test_equidistant_is_opencvs_fisheye(coefficients):
    camera, rays = camera_of("equidistant", coefficients), rays_within(75)
    expected, _ = cv2.fisheye.projectPoints(
        (4 * rays)[:, None], np.zeros(3), np.zeros(3), camera.matrix, np.array(coefficients or (0.0,) * 4)
    )
    np.testing.assert_allclose(camera.project(4 * rays), expected[:, 0], atol=1e-9)


@pytest.mark.parametrize("coefficients", [(0.8,), (1.9, -0.1, 0.05, 1e-3, -5e-4)])
def test_omni_is_a_pinhole_behind_the_middle_of_the_sphere(coefficients):
    xi, *distortion = coefficients
    camera, rays = camera_of("omni", coefficients), rays_within(95)
    shifted = rays + np.array([0, 0, xi])
    expected, _ = cv2.projectPoints(
        (shifted / shifted[:, 2:])[:, None], np.zeros(3), np.zeros(3), camera.matrix, np.array(distortion or (0.0,) * 4)
    )
    np.testing.assert_allclose(camera.project(rays), expected[:, 0], atol=1e-9)


def by_formula(model, coefficients, x, y, z):
    """x/z, y/z of a pinhole that sees the same, from the papers, a point at a time."""
    d = math.sqrt(x * x + y * y + z * z)
    if model == "fov":
        (w,) = coefficients
        r = math.hypot(x, y)
        scale = math.atan2(2 * r * math.tan(w / 2), z) / w / r
        return scale * x, scale * y
    if model == "double_sphere":
        xi, alpha = coefficients
        d2 = math.sqrt(x * x + y * y + (xi * d + z) ** 2)
        below = alpha * d2 + (1 - alpha) * (xi * d + z)
    elif model == "eucm":
        alpha, beta = coefficients
        below = alpha * math.sqrt(beta * (x * x + y * y) + z * z) + (1 - alpha) * z
    else:
        (k,) = coefficients
        rho = math.hypot(x, y)
        # rho / z = r / (1 + k r^2), solved for the radius r.
        r = brentq(lambda r: rho * (1 + k * r * r) - z * r, 0, 1.5 if k > 0 else (1 / -k) ** 0.5 if z > 0 else 50)
        return r * x / rho, r * y / rho
    return x / below, y / below


@pytest.mark.parametrize(
    ("model", "coefficients", "widest"),
    [("fov", (0.93,), 95), ("double_sphere", (-0.2, 0.59), 95), ("double_sphere", (0.3, 0.4), 95),
     ("eucm", (0.62, 1.1), 95), ("division", (-0.3,), 85), ("division", (0.2,), 45)],
)  # fmt: skip
def test_the_others_are_as_their_papers_say(model, coefficients, widest):
    camera, rays = camera_of(model, coefficients), rays_within(widest, 100, 1.0)
    expected = [by_formula(model, coefficients, *(2.5 * ray)) for ray in rays]
    found = (camera.project(rays) - (camera.cx, camera.cy)) / (camera.fx, camera.fy)
    np.testing.assert_allclose(found, expected, atol=1e-9)


COLMAP = [
    "SIMPLE_PINHOLE 640 480 300 320 240",
    "PINHOLE 640 480 300 305 320 240",
    "SIMPLE_RADIAL 640 480 300 320 240 -0.05",
    "RADIAL 640 480 300 320 240 -0.05 0.01",
    "OPENCV 640 480 300 305 320 240 -0.05 0.01 0.001 -0.002",
    "OPENCV_FISHEYE 640 480 300 305 320 240 -0.02 0.003 -0.0005 0.00002",
    "FULL_OPENCV 640 480 300 305 320 240 0.6 0.08 0.001 -0.0002 0.003 0.95 0.2 0.02",
    "FOV 640 480 300 305 320 240 0.93",
    "SIMPLE_RADIAL_FISHEYE 640 480 300 320 240 -0.02",
    "RADIAL_FISHEYE 640 480 300 320 240 -0.02 0.003",
    "THIN_PRISM_FISHEYE 640 480 300 305 320 240 -0.02 0.01 0.001 -0.001 -0.003 0.0001 0.001 -0.001",
    "RAD_TAN_THIN_PRISM_FISHEYE 640 480 300 305 320 240 -.02 .01 -.003 .0001 0 0 .001 -.001 .001 -.001 .001 .001",
    "SIMPLE_DIVISION 640 480 300 320 240 -0.2",
    "DIVISION 640 480 300 305 320 240 -0.2",
    "SIMPLE_FISHEYE 640 480 300 320 240",
    "FISHEYE 640 480 300 305 320 240",
    "EUCM 640 480 300 305 320 240 0.62 1.1",
    "EQUIRECTANGULAR 640 320 640 320",
]


@pytest.mark.parametrize("line", COLMAP)
def test_colmaps_models_are_as_colmap_has_them(line):
    pycolmap = pytest.importorskip("pycolmap", reason="the benchmarks' requirement, never the package's")
    model, width, height, *values = line.split()
    if not hasattr(pycolmap.CameraModelId, model):
        pytest.skip(f"this pycolmap has no {model}")
    theirs = pycolmap.Camera(model=model, width=int(width), height=int(height), params=list(map(float, values)))
    rays = rays_within(50 if "FISHEYE" not in model else 85)
    expected = theirs.img_from_cam(rays) - 0.5  # COLMAP's pixels have their corner at zero
    np.testing.assert_allclose(camera_of_line(line, "line").project(rays), expected, atol=1e-9)


@pytest.mark.parametrize("line", COLMAP)
def test_colmaps_models_are_read(line):
    camera = camera_of_line(line, "line")
    middle = camera.project(np.array([[0.0, 0.0, 1.0]]))[0]
    np.testing.assert_allclose(middle, (319.5, 159.5 if "EQUI" in line else 239.5), atol=1e-9)
    assert camera.focal == pytest.approx(300, rel=0.03) or any(name in line for name in ("EQUI", "FOV"))


@pytest.mark.parametrize(("model", "coefficients", "widest"), LENSES)
def test_focal_lengths_are_pixels_for_a_radian(model, coefficients, widest):
    camera = camera_of(model, coefficients)
    assert camera.focals(np.array([[0.0, 0.0, 1.0]]))[0] == pytest.approx(camera.focal, rel=1e-2)
    rays = rays_within(0.8 * widest, 50, 1.0)
    found = camera.focals(rays)
    step = 1e-5
    for ray, focal in zip(rays, found, strict=True):
        across = np.linalg.svd(ray[None])[2][1:]  # two directions across the ray
        pixels = camera.project(np.stack([ray - step * across[0], ray + step * across[0], ray - step * across[1],
                                          ray + step * across[1]]))  # fmt: skip
        area = abs(np.linalg.det(np.stack([pixels[1] - pixels[0], pixels[3] - pixels[2]]) / (2 * step)))
        assert math.sqrt(area) == pytest.approx(focal, rel=1e-3)


def test_a_lens_says_where_it_ends():
    """theta (1 - 0.05 theta^2) grows up to sqrt(1 / 0.15), 148 degrees; the image is larger than that circle."""
    camera = Camera(1400, 1400, 300.0, 300.0, 699.5, 699.5, (-0.05, 0.0, 0.0, 0.0), "equidistant")
    end = math.sqrt(1 / 0.15)
    radius = 300 * end * (1 - 0.05 * end**2)
    assert camera.lens.widest == pytest.approx(end)
    inside, outside = camera.rays(np.array([[699.5 + radius - 0.01, 699.5], [699.5 + radius + 0.01, 699.5]]))
    assert np.degrees(np.arccos(inside[2])) == pytest.approx(math.degrees(end), abs=1)
    assert np.isnan(outside).all()
    assert camera.fold is None  # a lens of 296 degrees may end in its image


@pytest.mark.parametrize(
    ("model", "coefficients", "radius"),
    [
        ("pinhole", (-0.5, 0.0, 0.0, 0.0), 300 * math.sqrt(2 / 3) * (1 - 0.5 * 2 / 3)),
        ("equidistant", (-0.3, 0.0, 0.0, 0.0), 300 * math.sqrt(1 / 0.9) * (1 - 0.3 / 0.9)),
    ],
)
def test_coefficients_that_fold_the_image_are_told_by_the_radius(model, coefficients, radius):
    camera = Camera(640, 480, 300.0, 300.0, 319.5, 239.5, coefficients, model)
    assert camera.fold == pytest.approx(radius)
    assert f"the image folds {radius:.0f} px from its middle" in fault_of(camera)
    assert fault_of(camera.resized(64, 48)) == fault_of(camera).replace(f"{radius:.0f} px", f"{radius / 10:.0f} px")
    calm = Camera(640, 480, 300.0, 300.0, 319.5, 239.5, tuple(value / 10 for value in coefficients), model)
    assert calm.fold is None and fault_of(calm) == ""


@pytest.mark.parametrize(
    ("model", "coefficients", "said"),
    [
        ("wide", (), "lens model 'wide' is unknown; there are pinhole, equidistant"),
        ("equidistant", (0.1, 0.2), r"'equidistant' takes 0, 4 coefficients \(k1 k2 k3 k4\), got 2"),
        ("omni", (), "'omni' takes 1, 5, 6"),
        ("omni", (-1.5,), "xi must be above -1"),
        ("fov", (4.0,), "w must be between -3.14 and 3.14"),
        ("double_sphere", (0.1, 1.2), r"alpha must be in \[0, 1\]"),
        ("eucm", (0.5, -1.0), "beta must be above 0"),
        ("equirectangular", (1.0,), "takes no coefficients"),
    ],
)
def test_lenses_that_are_none_are_refused(model, coefficients, said):
    with pytest.raises(InputError, match=said):
        camera_of(model, coefficients)


def test_a_panorama_sees_all_around():
    camera = camera_of_line("EQUIRECTANGULAR 640 320 640 320", "line")
    pixels = camera.project(np.array([[1.0, 0, 0], [-1.0, 0, 0], [0, 1.0, 0], [1e-9, 0, -1.0]]))
    np.testing.assert_allclose(pixels[:3], [[479.5, 159.5], [159.5, 159.5], [319.5, 319.5]], atol=1e-9)
    assert pixels[3, 0] == pytest.approx(639.5)


def test_no_rays_no_pixels():
    for model, coefficients, _ in LENSES:
        camera = camera_of(model, coefficients)
        assert camera.rays(np.empty((0, 2))).shape == (0, 3) and camera.project(np.empty((0, 3))).shape == (0, 2)
        assert camera.focals(np.empty((0, 3))).shape == (0,)
        assert np.isnan(camera.project(np.zeros((1, 3)))).all()

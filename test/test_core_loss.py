"""The head and its loss: values worked out by hand, gradients that are always finite."""

import math

import numpy as np
import pytest
import torch

from ace_ros.map.head import Head, HeadShape
from ace_ros.mapping.loss import Batch, coordinate_loss, softclamp_threshold

NAN = float("nan")


def one(point, bearing=(0.0, 0.0), target=(NAN, NAN, NAN), focal=500.0, pose=None, threshold=10.0, supervision=1.0):
    """Loss and error of a single sample seen at x/z, y/z; the camera stands in the origin unless there is a pose."""
    pose = torch.eye(4) if pose is None else torch.as_tensor(pose, dtype=torch.float32)
    ray = torch.nn.functional.normalize(torch.tensor([[*bearing, 1.0]]), dim=1) @ pose[:3, :3].T
    batch = Batch(ray, pose[None, :3, 3], torch.tensor([focal]), torch.tensor([target]))
    loss, error = coordinate_loss(
        torch.tensor([point]), batch, torch.tensor(threshold), torch.tensor(supervision)
    )  # fmt: skip
    return loss.item(), error.item()


def clamped(error, width=10.0):
    return width * math.tanh(error / width) + 0.02 * min(error, 1000.0)


def test_a_valid_point_pays_its_clamped_reprojection_error():
    assert one((0.0, 0.0, 1.0)) == (0.0, 0.0)
    # 500 px times the length of (0.02 / 2 - 0, 0.01 / 2 - 0.001).
    loss, error = one((0.02, 0.01, 2.0), bearing=(0.0, 0.001))
    assert error == pytest.approx(500 * math.hypot(0.01, 0.004), rel=1e-3)
    assert loss == pytest.approx(clamped(error), rel=1e-5)
    # Far off pays hardly more than the width, but still a little more.
    near, far = one((0.2, 0.0, 1.0))[0], one((0.4, 0.0, 1.0))[0]
    assert near == pytest.approx(clamped(100.0), rel=1e-5) and far == pytest.approx(clamped(200.0), rel=1e-5)
    assert near < far < near + 3


def test_the_pose_is_map_from_camera():
    pose = np.eye(4)
    pose[:3, :3] = ((0, 0, 1), (-1, 0, 0), (0, -1, 0))  # looks along the map's x
    pose[:3, 3] = (1, 2, 3)
    assert one((3.0, 2.0, 3.0), pose=pose)[1] == pytest.approx(0, abs=1e-4)
    # 0.1 to the left of what it looks at, at 2: 25 px to the left.
    assert one((3.0, 2.1, 3.0), bearing=(-0.05, 0.0), pose=pose)[1] == pytest.approx(0, abs=1e-3)
    assert one((3.0, 2.1, 3.0), pose=pose)[1] == pytest.approx(25, rel=1e-4)


@pytest.mark.parametrize("point", [(0.0, 0.0, -2.0), (0.3, 0.0, 0.01), (5.0, 0.0, 1.0)])
def test_points_behind_or_too_near_or_far_off_are_pulled_to_their_ray(point):
    """50 px a unit of the distance to the point of the ray at median depth."""
    bearing = (0.1, -0.2)
    expected = 50 * np.linalg.norm(np.array(point) - np.array([*bearing, 1.0]) / np.linalg.norm([*bearing, 1.0]))
    assert one(point, bearing)[0] == pytest.approx(expected, rel=1e-5)


def test_the_pull_ends_a_thousand_units_away():
    assert one((0.0, 0.0, -5000.0))[0] == pytest.approx(50_000)


def test_a_ray_that_looks_backward_is_as_good_as_any():
    """A lens of more than 180 degrees sees behind its own plane."""
    back = np.diag([1.0, -1.0, -1.0, 1.0])
    for point in ((0.02, -0.01, 2.0), (0.0, 0.0, -2.0), (0.3, 0.1, 1.0)):
        turned = tuple(back[:3, :3] @ point)
        assert one(turned, pose=back) == pytest.approx(one(point), rel=1e-5)


def test_a_known_point_adds_its_distance_as_seen_from_the_camera():
    # On its ray, but at depth 2 instead of 4: 2 units at a depth of 4 are 250 px.
    plain, known = one((0.0, 0.0, 2.0))[0], one((0.0, 0.0, 2.0), target=(0.0, 0.0, 4.0))[0]
    assert plain == 0 and known == pytest.approx(clamped(250), rel=1e-5)
    assert one((0.0, 0.0, 2.0), target=(0.0, 0.0, 4.0), supervision=0.5)[0] == pytest.approx(known / 2, rel=1e-5)
    assert one((0.0, 0.0, 2.0), target=(0.0, 0.0, 4.0), supervision=0.0)[0] == 0
    assert one((0.0, 0.0, 4.0), target=(0.0, 0.0, 4.0))[0] == 0


def test_the_loss_is_the_mean_over_the_samples():
    points = torch.tensor([(0.0, 0.0, 1.0), (0.01, 0.0, 1.0), (0.0, 0.0, -1.0)])
    ahead = torch.tensor([0.0, 0.0, 1.0]).expand(3, 3)
    batch = Batch(ahead, torch.zeros(3, 3), torch.full((3,), 500.0), torch.full((3, 3), NAN))
    loss, _ = coordinate_loss(points, batch, torch.tensor(10.0), torch.tensor(1.0))
    assert loss.item() == pytest.approx((0 + clamped(5.0) + 100) / 3, rel=1e-5)


def test_the_curriculum_runs_from_fifty_pixels_to_one():
    assert softclamp_threshold(0.0) == 50 and softclamp_threshold(1.0) == 1
    assert softclamp_threshold(1.5) == 1  # a step after time is up
    widths = [softclamp_threshold(p) for p in np.linspace(0, 1, 50)]
    assert (np.diff(widths) < 0).all()
    assert softclamp_threshold(0.6) == pytest.approx(1 + 49 * 0.8)


def test_gradients_are_finite_wherever_a_prediction_lands():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(4000, 3)) * 10.0 ** rng.uniform(-6, 6, (4000, 1))
    rows[:5] = ((0, 0, 0), (0, 0, 0.02), (0, 0, 1), (1e6, -1e6, 0.0), (0, 0, -1e-9))
    points = torch.tensor(rows, dtype=torch.float32, requires_grad=True)
    n = len(points)
    targets = torch.tensor(rng.normal(size=(n, 3)), dtype=torch.float32)
    targets[::2] = NAN
    targets[1::4] = points.detach()[1::4]  # right on the target, where a norm has no derivative
    rays = torch.nn.functional.normalize(torch.tensor(rng.normal(size=(n, 3)), dtype=torch.float32), dim=1)
    rays[2] = torch.tensor([0.0, 0.0, 1.0])
    batch = Batch(rays, torch.zeros(n, 3), torch.full((n,), 500.0), targets)
    for width in (50.0, 1.0):
        points.grad = None
        loss, error = coordinate_loss(points, batch, torch.tensor(width), torch.tensor(0.5))
        loss.backward()
        assert loss.isfinite() and error.shape == (n,) and not error.requires_grad
        assert bool(points.grad.isfinite().all())


@pytest.mark.parametrize("shape", [HeadShape(), HeadShape(32, 48, 1), HeadShape(64, 128, 3)])
def test_a_head_of_any_shape(shape):
    torch.manual_seed(0)
    head = Head(shape)
    descriptors = torch.nn.functional.normalize(torch.randn(500, shape.dimensions), dim=1)
    points = head(descriptors)
    assert points.shape == (500, 3) and points.dtype == torch.float32 and bool(points.isfinite().all())
    assert head(descriptors[:0]).shape == (0, 3)
    assert len(head.hidden) == 3 * shape.blocks + 2
    assert all(matrix.shape == (shape.width, shape.width) for matrix in head.hidden)
    # Untrained, it answers near the origin: nobody starts behind the far wall.
    assert points.norm(dim=1).median() < 3
    torch.testing.assert_close(head.predict(descriptors), points, rtol=0.1, atol=0.05)


def test_the_output_is_homogeneous():
    """x y z over a weight that is always positive: 1 at zero, up to a thousand units away at the other end."""
    head = Head(HeadShape(8, 16, 1))
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.zero_()
        head.out.bias.copy_(torch.tensor([1.0, -2.0, 3.0, 0.0]))
        point = head(torch.ones(1, 8))
        torch.testing.assert_close(point, torch.tensor([[1.0, -2.0, 3.0]]), rtol=2e-3, atol=0)
        for weight in (-100.0, -1e4):
            head.out.bias[3] = weight
            torch.testing.assert_close(head(torch.ones(1, 8)), torch.tensor([[1000.0, -2000.0, 3000.0]]))
        head.out.bias[3] = 1e4
        assert head(torch.ones(1, 8)).norm() < 1e-3


def test_bfloat16_hidden_layers_are_close_to_float32():
    torch.manual_seed(1)
    head = Head(HeadShape())
    with torch.no_grad():
        head.out.weight.mul_(20)  # as far out as a trained one
    descriptors = torch.nn.functional.normalize(torch.randn(1000, 64), dim=1)
    with torch.no_grad():
        exact, fast = head(descriptors), head(descriptors, torch.bfloat16)
    assert fast.dtype == torch.float32
    assert (fast - exact).norm(dim=1).median() < 0.03 * exact.norm(dim=1).median()

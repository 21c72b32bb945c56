"""Poses that an image can hardly tell apart: of a plane seen the other way round, or held loosely by its pairs."""

import numpy as np
import pytest

from ace_ros.generated.trajectory import looking
from ace_ros.geometry import pose_error
from ace_ros.localization.ambiguity import beside, mirrored, slack, turned
from ace_ros.localization.solver import Observations, refine, reprojection_errors

FOCAL = 500.0
POSE = looking((0.3, -5.0, 0.5), np.radians(90 + 20), 0.05, 0.0)  # 20 degrees from the wall's normal, 5 m away


def wall(rng, width, thick=0.0, count=150):
    """Points (count, 3) of a wall of so many metres, about where POSE looks."""
    middle = POSE[:3, 3] + 5.0 * POSE[:3, 2]
    offsets = rng.uniform(-0.5, 0.5, (count, 3)) * [width, thick, width]
    return middle * [1, 0, 1] + offsets


def rays_of(pose, points):
    local = (points - pose[:3, 3]) @ pose[:3, :3]
    return local / np.linalg.norm(local, axis=1, keepdims=True)


def refined(pose, rays, points):
    return refine(pose, Observations(rays, points, np.ones(len(points))), FOCAL, steps=30)


def test_a_small_plane_looks_the_same_from_the_other_side():
    points = wall(np.random.default_rng(0), 0.8)
    rays, other = rays_of(POSE, points), mirrored(POSE, points)
    translation, rotation = pose_error(other, POSE)
    assert 2.5 < translation < 4.5 and 30 < rotation < 50  # about the wall's middle, by twice the angle
    assert np.median(reprojection_errors(other, rays, points, FOCAL)) < 3.0
    rested, _ = refined(other, rays, points)
    assert pose_error(rested, POSE)[1] > 20  # a minimum of its own
    assert np.median(reprojection_errors(rested, rays, points, FOCAL)) < 1.0
    back, _ = refined(mirrored(rested, points), rays, points)
    assert pose_error(back, POSE)[0] < 0.01


def test_a_few_points_beside_a_plane_do_not_hide_its_other_side():
    rng = np.random.default_rng(2)
    flat, far = wall(rng, 0.8), wall(rng, 0.8, thick=4.0, count=12)
    other = mirrored(POSE, np.concatenate([flat, far]))
    assert pose_error(other, mirrored(POSE, flat))[1] < 3
    assert mirrored(POSE, np.concatenate([flat, wall(rng, 0.8, thick=4.0, count=60)])) is None


@pytest.mark.parametrize(("width", "thick", "agrees"), [(0.4, 0.1, True), (3.0, 2.0, False)])
def test_what_is_small_looks_the_same_when_it_is_turned_a_little(width, thick, agrees):
    """Its depth alone tells how far: by less than a pixel or two where there is little of it."""
    points = wall(np.random.default_rng(3), width, thick)
    rays, others = rays_of(POSE, points), turned(POSE, points)
    assert [pose_error(one, POSE)[1] for one in others] == pytest.approx([5] * 4)
    middle = np.median(points, 0)
    distances = [np.linalg.norm(one[:3, 3] - middle) for one in others]
    assert distances == pytest.approx([np.linalg.norm(POSE[:3, 3] - middle)] * 4)
    shares = [slack(POSE, [one], rays, points, np.full(len(points), FOCAL), 2.0) for one in others]
    assert (min(shares) > 0.8) if agrees else (max(shares) < 0.5)


def test_what_is_thick_has_no_other_side_and_a_wall_seen_straight_on_is_its_own():
    rng = np.random.default_rng(1)
    assert mirrored(POSE, wall(rng, 2.0, thick=2.0)) is None
    assert mirrored(POSE, wall(rng, 2.0)[:5]) is None
    straight = looking((0.0, -5.0, 0.0), np.radians(90), 0.0, 0.0)
    grid = np.array([(x, 0.0, z) for x in (-1, 0, 1) for z in (-1, 0, 1)], float)
    other = mirrored(straight, grid)
    assert other is None or pose_error(other, straight)[0] < 1e-6


@pytest.mark.parametrize("seed", range(4))
def test_what_is_narrow_and_flat_holds_a_pose_loosely(seed):
    rng = np.random.default_rng(seed)

    def told(points):
        rays = rays_of(POSE, points)
        rays += rng.normal(scale=0.5 / FOCAL, size=rays.shape)
        rays /= np.linalg.norm(rays, axis=1, keepdims=True)
        pose, information = refined(POSE, rays, points)
        others = beside(pose, information, 5.0)
        assert [pose_error(one, pose)[0] for one in others] == pytest.approx([0.25, 0.25], rel=0.5)
        return slack(pose, others, rays, points, np.full(len(points), FOCAL), 2.0)

    narrow, wide = told(wall(rng, 0.4)), told(wall(rng, 4.0, thick=3.0))
    assert narrow > 0.9 and wide < 0.5


def test_no_pairs_no_slack():
    nothing = np.empty((0, 3))
    assert beside(POSE, np.zeros((6, 6)), 5.0) == []
    assert (
        slack(POSE, [POSE], nothing, nothing, np.empty(0), 2.0)
        == slack(POSE, [], nothing, nothing, np.empty(0), 2.0)
        == 0.0
    )

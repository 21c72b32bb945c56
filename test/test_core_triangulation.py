"""Views, matches, triangulated points and landmarks, on worlds whose points are known exactly."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from core_making import CAMERA, CPU, disturbed, make_world, true_tracks, unit

from ace_ros.features.features import EncodedImage, Features
from ace_ros.features.pairing import mutual_best, pairs_within
from ace_ros.generated.trajectory import looking
from ace_ros.geometry import invert, transform
from ace_ros.map.landmarks import Landmarks, quantize
from ace_ros.mapping import matching
from ace_ros.mapping.selection import select
from ace_ros.mapping.triangulation import Tracks, refine_points, triangulate
from ace_ros.mapping.views import PackedViews, View, spread

DEPTH = 5.5  # from the arc to the middle of the box


@pytest.fixture(scope="module")
def world():
    """Half a pixel of noise, and one keypoint in six looks like a point that is elsewhere; far from the origin."""
    return make_world(points=500, views=20, noise=0.5, liars=80, at=(1e5, -2e5, 300.0))


@pytest.fixture(scope="module")
def packed(world):
    return world.packed()


@pytest.fixture(scope="module")
def tracks(packed):
    return triangulate(packed, 100, DEPTH, 10000)


def closest(world, descriptors):
    return (descriptors @ torch.from_numpy(world.looks).T).argmax(1).numpy()


def test_packed_views_keep_poses_near_the_origin_and_pad(world, packed):
    centres = np.array([view.map_from_camera[:3, 3] for view in world.views])
    np.testing.assert_allclose(packed.origin, centres.mean(0), rtol=1e-15)
    np.testing.assert_allclose(packed.centres.numpy() + packed.origin, centres, rtol=0, atol=1e-6)
    assert packed.valid.sum(1).tolist() == list(map(len, world.ids))
    assert not packed.descriptors[~packed.valid].any() and not packed.scores[~packed.valid].any()
    few = PackedViews(world.views, 100, CPU)
    assert few.valid.all() and torch.equal(few.rays, packed.rays[:, :100])


def test_rays_point_at_what_is_seen(world, packed):
    for i in (0, 7):
        ids = world.ids[i]
        truth = world.points[ids[ids >= 0]] - packed.origin - packed.centres[i].numpy()
        rays = packed.rays[i, : len(ids)].numpy()[ids >= 0]
        cosine = (rays * truth).sum(1) / np.linalg.norm(truth, axis=1)
        assert np.degrees(np.arccos(np.clip(cosine, -1, 1))).max() < 0.3


def test_matches_are_true_and_lies_are_left_out(world, packed):
    others = torch.tensor([8, 12, 15])
    matches = matching.match(packed, 10, others)
    assert matches.shape == (3, packed.keypoints)
    for other, row in zip(others.tolist(), matches.numpy(), strict=True):
        here = np.flatnonzero(row >= 0)
        assert (here < len(world.ids[10])).all()
        a, b = world.ids[10][here], world.ids[other][row[here]]
        true = (a == b) & (a >= 0)
        shared = len(np.intersect1d(world.ids[10], world.ids[other])) - 1
        assert true.sum() > 0.9 * shared and true.mean() > 0.95


def test_a_match_off_its_epipolar_line_is_refused():
    """Two cameras side by side: epipolar lines run along x, and 3 px are 0.006 at a focal length of 500.

    They are so in the middle; up to 20 degrees aside the same angle is up to a seventh more on the plane.
    """
    rng = np.random.default_rng(0)
    points, looks = rng.uniform((-1, -1, 4), (1, 1, 8), (100, 3)), torch.from_numpy(unit(100, 64, rng))

    def matched(move):
        views = []
        for x, shift in ((0.0, (0.0, 0.0)), (0.5, move)):
            pose = np.eye(4)
            pose[0, 3] = x
            local = points - pose[:3, 3]
            normalised = torch.from_numpy(local[:, :2] / local[:, 2:] + shift).float()
            features = Features(looks, normalised * 500 + torch.tensor([CAMERA.cx, CAMERA.cy]), torch.ones(100))
            views.append(View("v", pose, EncodedImage(features, CAMERA, CAMERA.focal)))
        return matching.match(PackedViews(views, 100, CPU), 0, torch.tensor([1]))[0]

    everything = torch.arange(100)
    for move in ((0.0, 0.0), (0.2, 0.0), (0.0, 0.0055), (0.0, -0.0055)):
        assert torch.equal(matched(move), everything)
    for move in ((0.0, 0.0075), (0.2, -0.0075)):
        assert not torch.equal(matched(move), everything) and (matched(move) == everything).sum() == 0


def test_a_star_fixes_depths_and_names_its_outliers():
    world = make_world(points=300, views=11)
    packed = world.packed()
    others = torch.tensor([1, 3, 8, 9])
    matches = matching.match(packed, 5, others)
    matches[2] = torch.where(matches[2] >= 0, matches[2].roll(7), -1)  # one of the four lies throughout
    points, inliers = matching.triangulate_star(packed, 5, others, matches)
    good = (inliers.sum(0) >= 2).numpy()
    assert good.sum() > 150 and inliers[2].sum() < 0.05 * inliers[0].sum()
    ids = np.pad(world.ids[5], (0, packed.keypoints - len(world.ids[5])), constant_values=-1)
    error = np.linalg.norm(points.numpy()[good] + packed.origin - world.points[ids[good]], axis=1)
    assert error.max() < 0.01 * DEPTH and np.median(error) < 0.001 * DEPTH


def test_partners_overlap_and_stand_aside(packed):
    among = torch.arange(packed.count)
    partners = matching.overlapping_views(packed, 10, among, DEPTH, 6).tolist()
    assert len(partners) == 6 and 10 not in partners
    assert 9 not in partners or 8 in partners  # the very next has less of an angle than the one after
    neighbours = matching.neighbouring_views(packed, 10, among, 4).tolist()
    assert neighbours[0] in (9, 11) and {neighbours[0], neighbours[1]} == {9, 11}
    assert neighbours[2] in (8, 12, 7, 13) and neighbours[3] in (6, 14)  # the fourth and the eighth


def test_partners_look_the_same_way():
    world = make_world(points=50, views=6)
    turned = world.views[3].map_from_camera.copy()
    turned[:3, :3] = turned[:3, :3] @ np.diag([-1.0, 1.0, -1.0])  # faces away
    packed = PackedViews([*world.views[:3], replace(world.views[3], map_from_camera=turned), *world.views[4:]], 50, CPU)
    among = torch.arange(6)
    assert 3 not in matching.overlapping_views(packed, 2, among, DEPTH, 6).tolist()
    assert 3 not in matching.neighbouring_views(packed, 2, among, 6).tolist()
    assert not len(matching.overlapping_views(packed, 3, among, DEPTH, 6))


def test_the_depth_of_the_scene_is_found_without_being_told(world, packed):
    depth = matching.scene_depth(packed, np.arange(packed.count))
    truth = np.median([np.linalg.norm(world.points - v.map_from_camera[:3, 3], axis=1) for v in world.views])
    assert depth == pytest.approx(truth, rel=0.05)


@pytest.mark.parametrize("views", [12, 300])
def test_the_depth_of_the_scene_is_the_same_however_near_each_other_views_stand(views):
    """Of views a degree and less apart neighbours fix the depth of nothing, or of what is near alone."""
    world = make_world(points=300, views=views, noise=0.5)
    truth = np.median([np.linalg.norm(world.points - v.map_from_camera[:3, 3], axis=1) for v in world.views])
    depth = matching.scene_depth(PackedViews(world.views, 300, CPU), np.arange(views))
    assert depth == pytest.approx(truth, rel=0.05)


def test_views_from_one_spot_have_no_depth():
    """A tripod: nothing can be triangulated, and nobody pretends."""
    world = make_world(points=300, views=8)
    views = []
    for index, view in enumerate(world.views):
        pose = looking((0, -5.5, 0), np.pi / 2 + 0.03 * index, 0.0)
        pixels = CAMERA.project(transform(invert(pose), world.points))
        shown = ((pixels > 0) & (pixels < (639, 479))).all(1)
        features = Features(
            torch.from_numpy(world.looks[shown]), torch.from_numpy(pixels[shown]).float(), torch.ones(int(shown.sum()))
        )
        views.append(View(view.name, pose, EncodedImage(features, CAMERA, CAMERA.focal)))
    assert matching.scene_depth(PackedViews(views, 300, CPU), np.arange(8)) is None


def test_points_are_triangulated_below_a_percent(world, packed, tracks):
    ids = closest(world, tracks.descriptors)
    error = np.linalg.norm(tracks.points.numpy() + packed.origin - world.points[ids], axis=1) / DEPTH
    assert np.median(error) < 0.002 and np.quantile(error, 0.99) < 0.01
    seen_by_three = np.bincount(np.concatenate([i[i >= 0] for i in world.ids]), minlength=500) >= 3
    assert len(np.unique(ids)) > 0.95 * seen_by_three.sum()
    assert len(ids) < 1.02 * len(np.unique(ids))  # every point once


def test_observations_are_true(world, packed, tracks):
    shown = world.id_of(tracks.view, tracks.keypoint)
    ids = closest(world, tracks.descriptors)[tracks.track.numpy()]
    assert (shown == ids).mean() > 0.99
    assert len(tracks.track) > 0.9 * sum((i >= 0).sum() for i in world.ids)
    assert tracks.lengths.min() >= 3 and tracks.lengths.sum() == len(tracks.track)
    pairs = torch.stack([tracks.view, tracks.keypoint], 1)
    assert len(torch.unique(pairs, dim=0)) == len(pairs)  # a keypoint shows one point
    torch.testing.assert_close(tracks.descriptors.norm(dim=1), torch.ones(len(tracks)))
    # The mean over its views looks more like the point than any view of it.
    assert (tracks.descriptors * torch.from_numpy(world.looks)[closest(world, tracks.descriptors)]).sum(1).min() > 0.98


def test_triangulating_again_gives_the_same(packed, tracks):
    again = triangulate(packed, 100, DEPTH, 10000)
    assert torch.equal(again.points, tracks.points) and torch.equal(again.keypoint, tracks.keypoint)


def test_a_few_views_are_matched_and_all_are_searched(world, packed, tracks):
    reports = []
    few = triangulate(packed, 10, DEPTH, 10000, lambda done, total: reports.append((done, total)))
    assert len(few) > 0.8 * len(tracks) and len(torch.unique(few.view)) == packed.count
    done, total = np.array(reports).T
    assert done[0] == 0 and (np.diff(done) > 0).all() and (total == 40).all() and done[-1] < 40


def test_more_views_are_matched_where_a_few_give_too_few_landmarks(packed, tracks, monkeypatch):
    monkeypatch.setattr("ace_ros.mapping.triangulation._FEW_VIEWS", 6)
    reports = []
    few, all_of_them = (
        triangulate(packed, 100, DEPTH, enough, lambda *now: reports.append(now)) for enough in (1, 9999)
    )
    assert len(few) < len(tracks) and torch.equal(all_of_them.points, tracks.points)
    assert {total for _, total in reports} == {2 * 6 + 2 * packed.count + packed.count}
    assert max(done for done, _ in reports) == 2 * 6 + 3 * packed.count - 1


def test_triangulation_stops_when_asked(packed):
    def stop(done, total):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        triangulate(packed, 100, DEPTH, 10000, stop)


def test_views_that_share_nothing_give_no_points():
    rng = np.random.default_rng(0)
    world = make_world(points=200, views=10)
    strangers = []
    for view in world.views:
        looks = torch.from_numpy(unit(len(view.encoded), 64, rng))
        features = replace(view.encoded.features, descriptors=looks)
        strangers.append(replace(view, encoded=replace(view.encoded, features=features)))
    packed = PackedViews(strangers, 200, CPU)
    assert matching.scene_depth(packed, np.arange(10)) is None
    empty = triangulate(packed, 10, DEPTH, 10000)
    assert len(empty) == 0 and empty.points.shape == (0, 3) and len(empty.track) == 0


def test_refined_points_move_to_their_rays():
    world = make_world(points=100, views=8)
    packed = world.packed()
    true = true_tracks(world, packed)
    off = true.points + 0.05 * torch.randn(true.points.shape, generator=torch.Generator().manual_seed(0))
    before = refine_points(packed, off, true.view, packed.rays[true.view, true.keypoint], true.track, 0)[1]
    points, error = refine_points(packed, off, true.view, packed.rays[true.view, true.keypoint], true.track, 10)
    seen = true.lengths >= 3
    assert before.median() > 2 and error.median() < 0.01
    assert (points - true.points)[seen].norm(dim=1).median() < 1e-4
    behind = off - 20 * packed.rotations[0, :, 2]
    assert refine_points(packed, behind, true.view, packed.rays[true.view, true.keypoint], true.track, 0)[1].min() > 500


def test_mutual_best_and_pairs_within():
    a, b = np.array([0, 0, 1, 1, 2]), np.array([0, 1, 0, 2, 3])
    score = np.array([0.9, 0.8, 0.95, 0.5, -1.0])
    # 1-0 is the best of both; what 0 likes next is not looked at; 2-3 is below zero.
    assert mutual_best(a, b, score).tolist() == [2]
    assert len(mutual_best(a[:0], b[:0], score[:0])) == 0
    rows, columns = pairs_within(np.array([[0.0, 0], [10, 0]]), np.array([[0.0, 1], [0, 2.5], [9, 0], [50, 50]]), 2.0)
    assert list(zip(rows.tolist(), columns.tolist(), strict=True)) == [(0, 0), (1, 2)]
    assert pairs_within(np.empty((0, 2)), np.zeros((3, 2)), 1.0)[0].size == 0
    assert pairs_within(np.zeros((3, 2)), np.empty((0, 2)), 1.0)[0].size == 0


def test_spread_covers_places_and_directions(world):
    crowd = [looking((0.01 * i, 0, 0), 0.0, 0.0) for i in range(50)]
    remote = [looking((20.0 * np.cos(a), 20 * np.sin(a), 0), 0.0, 0.0) for a in range(4)]
    turned = [looking((0.2, 0, 0), np.pi, 0.0)]
    views = [View("v", p, world.views[0].encoded) for p in crowd + remote + turned]
    packed = PackedViews(views, 10, CPU)
    assert spread(packed, 100).tolist() == list(range(55))
    chosen = spread(packed, 6)
    assert len(set(chosen.tolist())) == 6 and (np.diff(chosen) > 0).all() and set(range(50, 55)) <= set(chosen.tolist())


@pytest.fixture(scope="module")
def landmarks(world, packed):
    return Landmarks((world.points - packed.origin).astype(np.float32), quantize(torch.from_numpy(world.looks)), CPU)


def test_codes_are_a_round_trip():
    looks = unit(2000, 64, np.random.default_rng(1))
    codes = quantize(torch.from_numpy(looks))
    assert codes.dtype == np.int8 and codes.shape == looks.shape
    back = codes / 254.0
    assert np.abs(back - looks)[np.abs(looks) < 0.5].max() <= 0.5 / 254 + 1e-6
    cosine = (back * looks).sum(1) / np.linalg.norm(back, axis=1)
    assert cosine.min() > 0.999
    assert quantize(torch.eye(4)).max() == 127  # larger ones than a half are cut off, not wrapped round


def test_every_keypoint_finds_its_landmark(world, landmarks):
    pairs = landmarks.match(world.views[4].encoded.features)
    truth = world.ids[4][pairs.keypoint]
    honest = truth >= 0
    assert (truth == pairs.point)[honest].all()
    assert honest.sum() > 0.7 * (world.ids[4] >= 0).sum()  # a liar may have come first
    cosine = np.einsum(
        "nd,nd->n", world.looks[pairs.point], world.views[4].encoded.features.descriptors.numpy()[pairs.keypoint]
    )
    assert cosine[:50].mean() >= cosine[-50:].mean()  # the likest first
    assert len(np.unique(pairs.point)) > 0.9 * len(pairs)  # ties at the precision of bfloat16


def test_near_matches_come_from_where_the_pose_says(world, packed, landmarks):
    view = world.views[4]
    pose = view.map_from_camera.copy()
    pose[:3, 3] -= packed.origin
    rays, focals = view.encoded.rays, view.encoded.focals
    looks = view.encoded.features.descriptors.numpy()
    pairs = landmarks.around(looks, rays, pose, focals, 4.0).best()
    truth = world.ids[4][pairs.keypoint]
    assert (truth == pairs.point).all() and len(pairs) > 0.98 * (world.ids[4] >= 0).sum()
    assert len(np.unique(pairs.keypoint)) == len(np.unique(pairs.point)) == len(pairs)
    # One degree off are 9 pixels: outside a radius of 4, inside one of 20.
    turned = disturbed(pose, np.array([0, 0, 0, 0, 0, np.radians(1)]))
    assert len(landmarks.around(looks, rays, turned, focals, 4.0).best()) < 0.05 * len(pairs)
    assert len(landmarks.around(looks, rays, turned, focals, 20.0).best()) > 0.95 * len(pairs)
    away = pose.copy()
    away[:3, :3] = pose[:3, :3] @ np.diag([-1.0, 1.0, -1.0])
    assert len(landmarks.around(looks, rays, away, focals, 20.0).best()) == 0


def test_strangers_match_nothing(landmarks):
    looks = torch.from_numpy(unit(500, 64, np.random.default_rng(3)))
    assert len(landmarks.match(Features(looks, torch.zeros(500, 2), torch.ones(500)))) == 0


def test_no_landmarks_and_no_keypoints_are_no_matches(world, landmarks):
    none = Landmarks(np.empty((0, 3), np.float32), np.empty((0, 64), np.int8), CPU)
    features = world.views[0].encoded.features
    rays, focals = world.views[0].encoded.rays, world.views[0].encoded.focals
    assert len(none.match(features)) == 0
    assert len(none.around(features.descriptors.numpy(), rays, np.eye(4), focals, 5.0).best()) == 0
    assert len(landmarks.match(features.best(0))) == 0
    assert len(landmarks.around(features.descriptors[:0].numpy(), rays[:0], np.eye(4), focals[:0], 5.0).best()) == 0


def test_selection_prefers_long_tracks_but_leaves_no_view_bare(world, packed, tracks):
    kept = select(tracks, packed, 100)
    assert len(kept) == len(torch.unique(kept)) == 100
    lengths = tracks.lengths[kept]
    assert (lengths.diff() <= 0).all() and lengths.float().mean() > tracks.lengths.float().mean()
    everything = select(tracks, packed, 10**6)
    assert sorted(everything.tolist()) == list(range(len(tracks)))
    # Views 0 to 8 share long tracks; view 9 and two more share short ones.
    long = [(v, t) for t in range(80) for v in range(9)]
    short = [(v, t) for t in range(80, 120) for v in (9, 10, 11)]
    view, track = torch.tensor(long + short).T
    made = Tracks(torch.zeros(120, 3), torch.zeros(120, 64), view, torch.zeros_like(view), track)
    twelve = make_world(points=50, views=12).packed()
    chosen = select(made, twelve, 40)
    assert len(chosen) == 40 and (chosen >= 80).sum() >= 8
    assert len(select(made, twelve, 0)) == 0

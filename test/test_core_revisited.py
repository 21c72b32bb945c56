"""A place as it would be had nobody stood where a view stands."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from core_making import make_world, true_tracks
from map_making import made_map

from ace_ros.features.xfeat import PROFILE
from ace_ros.map.landmarks import quantize
from ace_ros.map.patches import Patches
from ace_ros.mapping.revisited import Revisited
from ace_ros.mapping.sharpening import Seen, sharpened

DEPTH = 5.5  # from the arc to the middle of the box


@pytest.fixture(scope="module")
def world():
    """Thirty views: the poses of those about the tenth are off, and so are the landmarks, which believe them."""
    return make_world(points=300, views=30)


def made(world, kept=None):
    packed = world.packed()
    tracks = true_tracks(world, packed)
    kept = torch.arange(len(tracks)) if kept is None else kept
    place = made_map().places[0]
    origin = tuple(packed.origin.tolist())
    header = replace(place.header, origin=origin, median_depth=DEPTH)
    points = (tracks.points[kept] + 0.05).numpy()
    codes, patches = quantize(tracks.descriptors[kept]), Patches.none(len(points))
    return packed, tracks, replace(place, header=header, points=points, codes=codes, patches=patches)


def revisited(world, packed, tracks, place, kept=None):
    """Of views without pictures, so that keypoints alone hold the landmarks."""
    kept = torch.arange(len(tracks)) if kept is None else kept
    seen = Seen.of(tracks, kept, packed)
    exact = sharpened(torch.from_numpy(place.points), seen, packed, world.views, lambda done, total: None)
    return Revisited(tracks, kept, exact, packed, PROFILE)


def test_what_stood_there_is_forgotten_and_what_others_saw_is_found_by_them_alone(world):
    packed, tracks, place = made(world)
    pose = world.views[10].map_from_camera
    near = (packed.centres - packed.centres[10]).norm(dim=1) < 0.1 * DEPTH
    assert 2 < near.sum() < 10
    packed.rays[near] = packed.rays[near].roll(1, 1)  # whatever they say
    # One landmark is seen by nobody else, one by nobody there, one by two others.
    others = ~near[tracks.view]
    rows = torch.ones(len(tracks.track), dtype=torch.bool)
    rows[(tracks.track == 0) & others] = False
    rows[(tracks.track == 1) & ~others] = False
    two = torch.nonzero((tracks.track == 2) & others)[:2, 0]
    rows[(tracks.track == 2) & others] = False
    rows[two] = True
    tracks = replace(tracks, view=tracks.view[rows], keypoint=tracks.keypoint[rows], track=tracks.track[rows])
    seen_there = torch.zeros(len(tracks), dtype=torch.bool)
    seen_there[tracks.track[near[tracks.view]]] = True
    left = revisited(world, packed, tracks, place).without(place, pose)
    gone = 2 + int((torch.bincount(tracks.track[~near[tracks.view]], minlength=len(tracks)) < 3)[3:].sum())
    assert len(left.points) == len(place.points) - gone and len(left.codes) == len(left.points)
    untouched = place.points[~seen_there.numpy()]
    assert {point.tobytes() for point in untouched} <= {point.tobytes() for point in left.points}
    assert place.points[1].tobytes() in {point.tobytes() for point in left.points}
    assert place.points[0].tobytes() not in {point.tobytes() for point in left.points}
    truth = world.points - packed.origin
    found = [point for point in left.points if point.tobytes() not in {p.tobytes() for p in place.points}]
    distance = np.linalg.norm(np.array(found)[:, None] - truth, axis=2).min(1)
    assert len(found) > 100 and np.median(distance) < 1e-3 and (place.points == made(world)[2].points).all()


def test_where_nobody_stood_nothing_changes(world):
    packed, tracks, place = made(world)
    pose = world.views[10].map_from_camera.copy()
    pose[:3, 3] += (0, 0, 10.0)
    left = revisited(world, packed, tracks, place).without(place, pose)
    assert (left.points == place.points).all() and (left.codes == place.codes).all()


def test_landmarks_are_those_that_the_place_kept_in_its_order(world):
    kept = torch.tensor([7, 3, 250, 40])
    packed, tracks, place = made(world, kept)
    left = revisited(world, packed, tracks, place, kept).without(place, world.views[10].map_from_camera)
    truth = world.points[kept.numpy()] - packed.origin
    changed = (left.points != place.points).any(1)
    assert len(left.points) == 4 and changed.any()
    assert np.abs(left.points - truth)[changed].max() < 1e-3

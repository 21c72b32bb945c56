"""What views see through is forgotten, what is hidden from them stays: on points that are known exactly, and a room."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from core_making import CPU, make_world, small_room, true_tracks, unit
from map_making import made_map

from ace_ros.generated.renderer import Renderer
from ace_ros.generated.room import room_surfaces
from ace_ros.generated.sensor import exposed
from ace_ros.generated.trajectory import mapping_drive
from ace_ros.growing.newcomers import Newcomers
from ace_ros.growing.options import GrowOptions
from ace_ros.growing.outdated import outdated
from ace_ros.growing.repairing import repair
from ace_ros.growing.updating import Evidence
from ace_ros.map.landmarks import Landmarks, quantize
from ace_ros.map.patches import Patches

SHOWN, GONE, HIDDEN = 4000, 100, 100


@pytest.fixture(scope="module")
def world():
    """Views of a box of points, and a place that has these, some that hang before them, and some that lie behind."""
    rng = np.random.default_rng(0)
    world = make_world(points=SHOWN, views=12)
    eye = np.mean([view.map_from_camera[:3, 3] for view in world.views], 0)
    before = eye + (world.points[:GONE] * (0.5, 0.5, 0.2) - eye) * 0.5
    behind = eye + (world.points[-HIDDEN:] * (0.5, 0.5, 0.2) - eye) * 2.0
    points = np.concatenate([world.points, before, behind])
    looks = torch.from_numpy(np.concatenate([world.looks, unit(GONE + HIDDEN, 64, rng)]))
    place, patches = made_map().places[0], Patches.none(len(points))
    place = replace(place, points=points.astype(np.float32), codes=quantize(looks), patches=patches)
    place = replace(place, header=replace(place.header, origin=(0.0, 0.0, 0.0)))
    packed = world.packed()
    return place, Evidence(world.views, packed, true_tracks(world, packed), [])


def test_what_is_seen_through_is_gone_and_what_is_hidden_or_found_stays(world):
    place, evidence = world
    gone = outdated(place, evidence, Landmarks(place.points, place.codes, CPU))
    found, before, behind = np.split(gone, (SHOWN, SHOWN + GONE))
    assert not found.any() and not behind.any()
    assert before.mean() > 0.9


def test_without_tracks_nothing_is_known_to_be_gone(world):
    place, evidence = world
    none = type(evidence.tracks).none(evidence.views)
    evidence = Evidence(evidence.taught, evidence.views, none, [])
    assert not outdated(place, evidence, Landmarks(place.points, place.codes, CPU)).any()


@pytest.mark.slow
def test_a_room_whose_furniture_was_moved():
    """What stood where now is air is forgotten far more often than all else, and new things are learnt."""
    room, rng = small_room(), np.random.default_rng(1)
    renderer = Renderer(room_surfaces(moved=True))
    made = Newcomers(room.map, GrowOptions(device="cpu"))
    for pose in [pose for pose in mapping_drive(60) if pose[0, 2] < -0.1][:26]:  # they look west
        made.add(exposed(renderer.render(room.camera, pose)[0], rng), room.camera, pose)
    grown = repair(made, "moved")
    old, new = room.map.places[0].landmarks, grown.scene_map.places[0].landmarks
    assert grown.touched[0] > 300 and 20 < grown.forgotten[0] < 0.03 * len(old)
    cabinet = ((old > (-3.13, 0.55, 0.1)) & (old < (-2.72, 1.25, 1.1))).all(1)  # that part of it where nothing is now
    kept = {point.tobytes() for point in new.astype(np.float32)}
    gone = np.array([point.tobytes() not in kept for point in old.astype(np.float32)])
    assert cabinet.sum() > 50 and gone[cabinet].mean() > 10 * gone[~cabinet].mean()
    header = grown.scene_map.header
    assert header.frames > room.map.header.frames and header.sources[-1].command == "repair"

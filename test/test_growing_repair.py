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
    place = replace(made_map().places[0], points=points.astype(np.float32), codes=quantize(looks))
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
    """More of what stood where now is air is forgotten than of all else, and new things are learnt."""
    room, rng = small_room(), np.random.default_rng(1)
    renderer = Renderer(room_surfaces(moved=True))
    made = Newcomers(room.map, GrowOptions(device="cpu"))
    for pose in mapping_drive(44)[2:42]:
        made.add(exposed(renderer.render(room.camera, pose)[0], rng), room.camera, pose)
    grown = repair(made, "moved")
    old, new = room.map.places[0].landmarks, grown.scene_map.places[0].landmarks
    assert grown.touched[0] > 500 and 20 < grown.forgotten[0] < 0.05 * len(old)
    table = [np.array([-0.55, -0.4, 0.36]), np.array([0.55, 0.4, 0.66])]  # the coffee table with its things, once
    plant = [np.array([-3.2, -1.3, 0.2]), np.array([-2.3, -0.25, 1.2])]
    kept = {point.tobytes() for point in new}

    def lost(some):
        return np.mean([point.tobytes() not in kept for point in some])

    there = [((old > low) & (old < high)).all(1) for low, high in (table, plant)]
    moved = there[0] | there[1]
    assert lost(old[moved]) > 5 * lost(old[~moved])
    header = grown.scene_map.header
    assert header.frames > room.map.header.frames and header.sources[-1].command == "repair"

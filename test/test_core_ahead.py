"""Places that are built while frames still come: which, when, and that they are what they would have been."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from core_making import QUICK, contents, make_world, small_room

from ace_ros.features.encoder import USUAL_LIKENESS
from ace_ros.map.scene_map import SceneMap
from ace_ros.mapping import build
from ace_ros.mapping.covisibility import Covisibility
from ace_ros.mapping.mapper import Mapper
from ace_ros.mapping.places import cut, gone_since

AWAY = np.array([60.0, 0.0, 0.0])  # metres to the next room
_ONE, _OTHER = range(0, 48, 2), range(1, 48, 2)  # frames of the small room that are taken in two rooms


@pytest.fixture(scope="module")
def room():
    return small_room()


@pytest.fixture
def built(monkeypatch):
    """Own views and lent ones of each place that is built."""
    threads, calls = torch.get_num_threads(), []
    torch.set_num_threads(1)

    def counted(own, lent, *how):
        calls.append((len(own), len(lent)))
        return build.build_place(own, lent, *how)

    monkeypatch.setattr("ace_ros.mapping.mapper.build_place", counted)
    yield calls
    torch.set_num_threads(threads)


def drive(mapper, room, frames, shift):
    """Through a room that looks like the small one and stands elsewhere."""
    for index in frames:
        pose = room.poses[index].copy()
        pose[:3, 3] += shift
        mapper.add(room.images[index], room.camera, pose, f"{index}")


def test_a_place_is_built_when_the_camera_has_left_it(room, built):
    mapper, undisturbed = Mapper(QUICK), Mapper(QUICK)
    drive(mapper, room, _ONE, 0 * AWAY)
    assert not mapper.build_ahead() and not mapper.build_ahead(standing=True)  # it may be the only one
    drive(mapper, room, _OTHER[:12], AWAY)
    assert mapper.build_ahead() and built == [(24, 0)] and mapper.places_ahead == 1
    assert not mapper.build_ahead()  # the camera is in the other one
    drive(mapper, room, _OTHER[12:], AWAY)
    scene_map = mapper.build()
    assert built == [(24, 0), (24, 0)]
    drive(undisturbed, room, _ONE, 0 * AWAY)
    drive(undisturbed, room, _OTHER, AWAY)
    assert contents(scene_map) == contents(undisturbed.build()) and len(scene_map.places) == 2


def test_where_the_camera_stands_is_built_too_when_it_goes_nowhere(room, built):
    mapper = Mapper(QUICK)
    drive(mapper, room, _ONE, 0 * AWAY)
    drive(mapper, room, _OTHER, AWAY)
    while mapper.build_ahead(standing=True):
        pass
    assert mapper.places_ahead == 2 and len(built) == 2
    assert len(mapper.build().places) == 2 and len(built) == 2
    drive(mapper, room, [50], AWAY)  # it goes on: no frame of where it stood is left out
    assert [place.header.frames for place in mapper.build().places] == [22, 23] and len(built) == 3
    mapper.options = replace(QUICK, steps=25)
    assert mapper.build().places[0].header.training["steps"] == 25  # another map than was thought


def test_in_haste_the_place_where_the_camera_is_comes_first(room, built):
    mapper = Mapper(QUICK)
    drive(mapper, room, _ONE, 0 * AWAY)
    drive(mapper, room, _OTHER, AWAY)
    first, left = mapper.build_in_haste()
    assert left == 1 and len(first.places) == 1 and first.headers[0].extent[0][0] > AWAY[0] / 2
    both, left = mapper.build_in_haste()
    assert left == 0 and len(both.places) == 2 and len(built) == 2
    assert contents(SceneMap([both.places[1]], both.mapped)) == contents(first)
    again, left = mapper.build_in_haste()
    assert left == 0 and contents(again) == contents(both) and len(built) == 2
    assert len(mapper.build().places) == 2 and len(built) == 4  # takes nothing of it
    drive(mapper, room, [50], AWAY)  # the place is another one now
    assert mapper.build_in_haste()[1] == 0 and len(built) == 5


def test_frames_may_come_while_a_place_is_built(room, built):
    """They change nothing of the place."""
    mapper, undisturbed = Mapper(QUICK), Mapper(QUICK)
    left = list(_OTHER[12:])
    for one in (mapper, undisturbed):
        drive(one, room, _ONE, 0 * AWAY)
        drive(one, room, _OTHER[:12], AWAY)

    def meanwhile():
        drive(mapper, room, [left.pop(0)] if left else [], AWAY)
        return False

    assert mapper.build_ahead(cancelled=meanwhile) and not left and len(mapper) == 48
    drive(undisturbed, room, _OTHER[12:], AWAY)
    assert contents(mapper.build()) == contents(undisturbed.build())


def test_a_place_that_was_given_up_is_begun_anew(room, built):
    mapper = Mapper(QUICK)
    drive(mapper, room, _ONE, 0 * AWAY)
    drive(mapper, room, _OTHER, AWAY)
    assert not mapper.build_ahead(cancelled=lambda: True) and mapper.places_ahead == 0
    assert mapper.build_ahead() and mapper.places_ahead == 1


def test_a_place_that_is_driven_through_again_for_long_is_built_again(room, built):
    mapper = Mapper(QUICK)
    drive(mapper, room, _ONE, 0 * AWAY)
    drive(mapper, room, _OTHER, AWAY)
    assert mapper.build_ahead()
    drive(mapper, room, _OTHER[4:6], 0 * AWAY)  # two that show what is known
    assert [place.header.frames for place in mapper.build().places] == [22, 22]
    assert len(built) == 2
    drive(mapper, room, _OTHER[6:16], 0 * AWAY)
    assert [place.header.frames for place in mapper.build().places] == [34, 22]
    assert len(built) == 4


# How views are cut beside places that are settled.


def test_settled_places_stay_as_they_are_and_all_else_is_cut():
    rooms = [make_world(views=24, seed=seed, at=(60.0 * seed, 0.0, 0.0)).views for seed in range(3)]
    covisibility, centres = Covisibility(USUAL_LIKENESS), []
    settled = []
    for views in rooms:
        for view in views:
            covisibility.add(view)
            centres.append(view.map_from_camera[:3, 3])
        cuts = cut(covisibility, np.stack(centres), settled)
        assert cuts[: len(settled)] == settled  # the very same
        assert gone_since(covisibility, np.stack(centres), cuts[-1]) == 0
        settled = cuts
    assert [len(one.own) for one in settled] == [24, 24, 24]
    assert gone_since(covisibility, np.stack(centres), settled[0]) > 20
    # Three views that see nothing that is known are no place of their own: their neighbour takes them.
    for view in make_world(views=3, seed=9, at=(120.0, 0.5, 0.0)).views:
        covisibility.add(view)
        centres.append(view.map_from_camera[:3, 3])
    cuts = cut(covisibility, np.stack(centres), settled)
    assert cuts[:2] == settled[:2] and [len(one.own) for one in cuts] == [24, 24, 27]

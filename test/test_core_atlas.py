"""Maps of many places: how views are cut, how the file holds places, which place a query is asked of, and twins."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from core_making import CPU, OPTIONS, make_world, small_room
from map_making import made_map, moved, rewritten, together, with_header

from ace_ros.errors import MapFileError
from ace_ros.features.encoder import USUAL_LIKENESS
from ace_ros.features.features import Features
from ace_ros.geometry import pose_error
from ace_ros.localization.estimate import Evidence
from ace_ros.localization.localizer import Localizer
from ace_ros.localization.state import Reason, State
from ace_ros.localization.verdict import judge
from ace_ros.localization.votes import PlaceVotes
from ace_ros.map.scene_map import SceneMap
from ace_ros.mapping.calibration import calibrate
from ace_ros.mapping.covisibility import Covisibility
from ace_ros.mapping.mapper import Mapper
from ace_ros.mapping.places import cut

AWAY = np.array([30.0, -4.0, 2.5])


def at(pose, shift):
    there = pose.copy()
    there[:3, 3] += shift
    return there


@pytest.fixture(scope="module")
def room():
    return small_room()


@pytest.fixture(scope="module")
def twins(room):
    """Two rooms that are the same in everything."""
    return Localizer(together(room.map, moved(room.map, AWAY)), device="cpu")


# How views are cut.


def cut_of(views, scale=1.0):
    covisibility = Covisibility(USUAL_LIKENESS)
    views = [replace(view, map_from_camera=at(view.map_from_camera, (scale - 1) * view.map_from_camera[:3, 3]))
             for view in views]  # fmt: skip
    for view in views:
        covisibility.add(view)
    return cut(covisibility, np.stack([view.map_from_camera[:3, 3] for view in views]))


def owners(cuts):
    return [piece.own.tolist() for piece in cuts]


def test_what_sees_the_same_is_one_place_and_what_stands_apart_another():
    here, there = make_world(views=24, seed=3).views, make_world(views=20, seed=4, at=(60.0, 0.0, 0.0)).views
    assert owners(cut_of(here)) == [list(range(24))]
    assert owners(cut_of(here + there)) == [list(range(24)), list(range(24, 44))]
    # Neither the order of the frames nor the unit of the poses matters.
    mixed = [view for pair in zip(here, there, strict=False) for view in pair]
    assert owners(cut_of(mixed)) == [list(range(0, 40, 2)), list(range(1, 40, 2))]
    for scale in (1e-4, 1e4):
        assert owners(cut_of(here + there, scale)) == owners(cut_of(here + there))


def test_twins_are_not_taken_for_one_place():
    """What looks the same from poses far apart is not seen by both."""
    here, there = make_world(views=24, seed=3).views, make_world(views=24, seed=3, at=(60.0, 3.0, 0.0)).views
    assert owners(cut_of(here + there)) == [list(range(24)), list(range(24, 48))]


def test_a_few_views_that_see_nothing_join_their_neighbours():
    views = make_world(views=24, seed=3).views
    stray = [
        replace(view, map_from_camera=at(view.map_from_camera, (0, -0.5, 0)))
        for view in make_world(views=3, seed=9).views
    ]
    (place,) = cut_of(views[:12] + stray + views[12:])
    assert place.own.tolist() == list(range(27)) and not len(place.seam)


def test_a_long_way_is_cut_and_every_view_is_in_one_place_and_may_be_lent_to_its_neighbour():
    """A corridor: boxes of points one after the other, cameras that pass them."""
    views = long_way()
    cuts = cut_of(views)
    assert len(cuts) >= 3
    assert sorted(i for piece in cuts for i in piece.own.tolist()) == list(range(len(views)))
    for piece, neighbour in itertools.pairwise(cuts):
        assert len(piece.seam) <= 0.3 * len(piece.own) and not set(piece.seam.tolist()) & set(piece.own.tolist())
        assert set(neighbour.own.tolist()) & set(piece.seam.tolist())


def long_way(count=160, step=0.4):
    rng = np.random.default_rng(0)
    reach = count * step
    points = np.column_stack([rng.uniform(-4, reach + 4, 9000), rng.uniform(3, 5, 9000), rng.uniform(-2, 2, 9000)])
    looks = torch.nn.functional.normalize(torch.from_numpy(rng.standard_normal((9000, 64))).float(), dim=1)
    views = []
    model = make_world(views=1).views[0]
    camera = model.encoded.camera
    for index in range(count):
        eye = np.array([index * step, 0.2 * np.sin(index), 0.1 * np.cos(2 * index)])
        pose = np.eye(4)
        pose[:3, :3] = [[1, 0, 0], [0, 0, 1], [0, -1, 0]]  # looks along y, z up
        pose[:3, 3] = eye
        pixels = camera.project((points - eye) @ pose[:3, :3])
        shown = np.flatnonzero(((pixels > 0) & (pixels < (639, 479))).all(1))
        scores = torch.linspace(0.9, 0.2, len(shown))
        features = Features(looks[shown], torch.from_numpy(pixels[shown]).float(), scores)
        views.append(replace(model, map_from_camera=pose, encoded=replace(model.encoded, features=features)))
    return views


# How the file holds places.


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "building.safetensors"
    together(made_map(), moved(made_map(), AWAY), moved(made_map(), 2 * AWAY)).save(path)
    return path


def test_many_places_come_back_as_they_were(saved):
    back = SceneMap.load(saved)
    assert len(back.places) == 3 and len(back.mapped) == 393
    for index in range(3):
        place, original = back.places[index], made_map().places[0]
        assert place.header.origin == pytest.approx(tuple(original.header.origin + index * AWAY), abs=1e-9)
        np.testing.assert_array_equal(place.points, original.points)
        np.testing.assert_array_equal(place.codes, original.codes)
        assert place.head.shape == original.head.shape
    assert back.header.frames == 3 * 123 and back.header.held_back.localized == 21
    assert back.header.extent[1] == pytest.approx((63.0, 1.5, 7.25))
    assert "places       3" in back.describe() and "600" in back.describe()
    again = saved.with_name("again.safetensors")
    back.save(again)
    assert SceneMap.load(again).headers == back.headers


def test_a_place_may_stand_in_a_map_twice(tmp_path):
    SceneMap(made_map().places * 2).save(tmp_path / "twice.safetensors")
    assert len(SceneMap.load(tmp_path / "twice.safetensors").landmarks) == 400


def test_codes_are_read_without_their_place(saved):
    for places in (SceneMap.load(saved), together(made_map(), made_map())):
        codes = made_map().places[0].codes
        np.testing.assert_array_equal(places.codes(1, 50)[[0, -1]], codes[[0, -1]])  # of all, and not of the first
        assert len(places.codes(1, 50)) == 50 and all((codes == code).all(1).any() for code in places.codes(1, 50))
        assert places.codes(0, 10**6).shape == (200, 64)


def test_a_place_that_cannot_be_so_is_told_by_its_number_before_it_is_read(saved):
    for tensors, said in (
        ({"places.1.landmarks.codes": None}, "place 1: tensor landmarks.codes: is missing"),
        ({"places.2.head.out.bias": torch.zeros(5).half()}, "place 2: tensor head.out.bias: must be float16"),
    ):
        whole = saved.read_bytes()
        rewritten(saved, tensors)
        with pytest.raises(MapFileError, match=f"{saved}: {said}"):
            SceneMap.load(saved)
        saved.write_bytes(whole)
    rewritten(saved, places=[])
    with pytest.raises(MapFileError, match="header field places: must be a list of 1 to 100000 headers"):
        SceneMap.load(saved)


def test_what_a_place_holds_is_looked_at_when_it_is_asked_for(saved):
    rewritten(saved, {"places.1.landmarks.points": torch.full((200, 3), float("nan"))})
    places = SceneMap.load(saved).places
    assert len(places[0].points) == len(places[2].points) == 200
    with pytest.raises(MapFileError, match=r"place 1: tensor landmarks\.points: holds values that are not finite"):
        places[1]


@pytest.mark.parametrize(
    ("field", "value"),
    [("map_frame", "hall"), ("metric", False), ("encoder_sha256", "ab" * 32), ("encoder_size", 360)],
)
def test_places_that_do_not_go_together_are_no_map(tmp_path, field, value):
    other = with_header(made_map(), **{field: value})
    with pytest.raises(MapFileError, match=f"header field {field}: must be the same in all places"):
        together(made_map(), other).save(tmp_path / "m")
    assert not list(tmp_path.iterdir())


# Which place a query is asked of.


def test_each_keypoint_votes_for_the_place_of_the_landmark_it_resembles():
    rng = np.random.default_rng(1)
    places = [replace(made_map().places[0], codes=rng.integers(-127, 128, (200, 64)).astype(np.int8)) for _ in range(5)]
    votes = PlaceVotes(SceneMap(places), CPU, USUAL_LIKENESS)
    for number, place in enumerate(places):
        looks = torch.nn.functional.normalize(torch.from_numpy(place.codes[:80]).float(), dim=1)
        strangers = torch.nn.functional.normalize(torch.from_numpy(rng.standard_normal((40, 64))).float(), dim=1)
        features = Features(torch.cat([looks, strangers]), torch.zeros(120, 2), torch.linspace(1, 0, 120))
        assert votes.count(features).round().tolist() == [80 if k == number else 0 for k in range(5)]
    empty = Features(torch.zeros(0, 64), torch.zeros(0, 2), torch.zeros(0))
    assert votes.count(empty).tolist() == [0] * 5


def test_a_place_of_another_room_changes_no_answer(room):
    """A room of other looks beside it: its codes are dealt anew to its points."""
    (place,) = moved(room.map, AWAY).places
    order = np.random.default_rng(0).permutation(64)
    stranger = replace(place, codes=place.codes[:, order])
    alone = Localizer(room.map, device="cpu")
    beside = Localizer(SceneMap([stranger, *room.map.places]), device="cpu")
    for image in room.query_images:
        one, two = alone.localize(image, room.camera), beside.localize(image, room.camera)
        assert one.state is two.state and one.confidence == two.confidence
        assert two.place == 1 and not two.alternatives
        np.testing.assert_array_equal(one.map_from_camera, two.map_from_camera)


# Twins.


def test_twins_are_told_and_never_decided_by_a_coin(room, twins):
    alone, doubtful = Localizer(room.map, device="cpu"), 0
    for image, pose in zip(room.query_images, room.query_poses, strict=True):
        answer = twins.localize(image, room.camera)
        assert answer.state is not State.LOCALIZED
        if alone.localize(image, room.camera).state is not State.LOCALIZED:
            continue
        doubtful += 1
        assert answer.state is State.UNCERTAIN and answer.reason_code is Reason.AMBIGUOUS
        assert "2 poses" in answer.reason and "places 0, 1" in answer.reason
        here, there = sorted(answer.alternatives, key=lambda one: one.place)
        assert pose_error(here.map_from_camera, pose)[0] < 0.1
        assert pose_error(there.map_from_camera, at(pose, AWAY))[0] < 0.1
        assert here.probability + there.probability == pytest.approx(1)
        assert 0.3 < here.probability < 0.7 and here.covariance is not None
    assert doubtful > 10


def test_a_hint_does_not_decide_between_twins(room, twins):
    """Odometry may be wrong, and what decides has to be sure."""
    for image, pose in list(zip(room.query_images, room.query_poses, strict=True))[:5]:
        for shift in (np.zeros(3), AWAY):
            answer = twins.localize(image, room.camera, prior=at(pose, shift))
            assert answer.state is not State.LOCALIZED and len(answer.alternatives) == 2


def votes_of(monkeypatch, count):
    """Votes that are what ``count`` says of an image's features."""
    monkeypatch.setattr(PlaceVotes, "count", lambda _, features: np.array(count(features), np.float32))


def test_a_second_look_asks_the_places_that_the_first_has_found_something_in(room, twins, monkeypatch):
    """Smaller, an image may vote for one of two twins alone: the other is one all the same."""
    image, camera = room.query_images[0], room.camera
    votes_of(monkeypatch, lambda features: [40, 40])
    assert twins.localize(image, camera).reason_code is Reason.AMBIGUOUS
    looks = []

    def count(features):
        looks.append(features)
        return [40, 40] if len(looks) == 1 else [40, 0]

    votes_of(monkeypatch, count)
    answer = twins.localize(image, camera)
    assert len(looks) > 1 and len(answer.alternatives) == 2
    assert answer.state is State.UNCERTAIN and answer.reason_code is Reason.AMBIGUOUS


def test_places_about_the_expected_pose_do_not_take_a_twins_turn(room, monkeypatch):
    """However many places overlap where odometry has it, what looks alike is asked, too."""
    localizer = Localizer(together(*[room.map] * 7, moved(room.map, AWAY)), device="cpu")
    for votes in ([30] * 7 + [40], [8] * 7 + [9]):  # many votes, and few, which say little
        votes_of(monkeypatch, lambda _, votes=votes: votes)
        answer = localizer.localize(room.query_images[0], room.camera, prior=room.query_poses[0])
        assert answer.state is not State.LOCALIZED and len(answer.alternatives) == 2


def test_places_that_overlap_find_one_pose(room):
    """The same room twice in its own place: two places, but no doubt."""
    localizer = Localizer(together(room.map, room.map), device="cpu")
    alone = Localizer(room.map, device="cpu")
    for image in room.query_images[:5]:
        one, two = alone.localize(image, room.camera), localizer.localize(image, room.camera)
        assert one.state is two.state and not two.alternatives


def mapping_views(room):
    mapper = Mapper(OPTIONS)
    for image, pose in zip(room.images[::10], room.poses[::10], strict=True):
        mapper.add(image, room.camera, pose)
    return list(mapper.views)


def test_what_shows_one_of_two_equal_bays_calibrates_nothing(room):
    """A place that holds everything twice: its own views are right in one bay and wrong in the other, as it happens."""
    (place,) = room.map.places
    views = mapping_views(room)
    rng = np.random.default_rng(0)
    points = np.stack([place.points, place.points + AWAY.astype(np.float32)], axis=1).reshape(-1, 3)
    # No two look the same: what differs by less than bfloat16 tells is a tie, which the first of the two would win.
    codes = np.repeat(place.codes, 2, axis=0) + rng.integers(-4, 5, (2 * len(place.codes), 64))
    patches = place.patches.at(np.repeat(np.arange(len(place.points)), 2))
    twice = replace(place, points=points, codes=codes.clip(-127, 127).astype(np.int8), patches=patches)
    once, both = (calibrate(one, views, CPU, lambda done, total: None).header for one in (place, twice))
    assert once.held_back.localized == 6 and once.held_back.median_translation < 0.05
    assert both.held_back.localized == 0 and both.held_back.median_translation is None


def test_a_place_knows_how_much_of_itself_it_holds_again(room):
    """A fourth of a room stands somewhere else once more: no twin, but what a view finds without all that it shows."""
    (place,) = room.map.places
    views = mapping_views(room)
    again = np.random.default_rng(0).random(len(place.points)) < 0.25
    points = np.concatenate([place.points, place.points[again] + AWAY.astype(np.float32)])
    codes = np.concatenate([place.codes, place.codes[again]])
    partly = replace(place, points=points, codes=codes, patches=place.patches.followed_by(place.patches.at(again)))
    once, some = (calibrate(one, views, CPU, lambda done, total: None).header for one in (place, partly))
    assert some.held_back.localized == 6  # as well as ever
    assert once.calibration.self_similar < 3 * once.calibration.chance_landmarks
    assert some.calibration.self_similar > 6 * some.calibration.chance_landmarks
    elsewhere = Evidence(50.0, 900, 500, 150, 100, coverage=0.8, well_conditioned=True)  # what the copy may give
    elsewhere = replace(elsewhere, matched=60)
    assert judge(elsewhere, once.calibration).state is State.LOCALIZED
    verdict = judge(elsewhere, some.calibration)
    assert verdict.state is State.UNCERTAIN and "place resembles itself: " in verdict.sentence

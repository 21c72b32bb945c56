"""The generated building: read as it was made, twins alike and others not, every room visited, nothing left out."""

import filecmp
import json
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest

from ace_ros.errors import InputError
from ace_ros.generated import BuildingPlan, make_building, room_camera
from ace_ros.generated.building.drive import mapping_drive, query_drive
from ace_ros.generated.building.layout import plan_building
from ace_ros.generated.building.seen import Building, seen_from
from ace_ros.generated.sensor import exposed
from ace_ros.generated.trajectory import looking
from ace_ros.recordings import open_recording

ROOMS, MAPPING, QUERIES, SIZE = 4, 8, 4, (160, 120)


@pytest.fixture(scope="module")
def building() -> Building:
    return Building(ROOMS, seed=0)


@pytest.fixture(scope="module")
def small_building(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_building(tmp_path_factory.mktemp("small") / "building", ROOMS, MAPPING, QUERIES, SIZE)


def test_a_building_is_read_as_it_was_made(small_building, building):
    drives = {"train": mapping_drive(building.layout, MAPPING), "test": query_drive(building.layout, QUERIES)}
    plan = BuildingPlan.load(small_building)
    assert plan.rooms == building.layout.rooms
    for split, drive in drives.items():
        scene = open_recording(small_building, split=split)
        assert scene.metric
        assert [frame.name for frame in scene.frames] == [name for name in plan.frames if name.startswith(split)]
        for frame, pose in zip(scene.frames, drive, strict=True):
            np.testing.assert_allclose(frame.map_from_camera, pose, atol=1e-7)
            assert frame.camera == room_camera(SIZE)
            assert frame.read().shape == (SIZE[1], SIZE[0], 3)
            assert plan.frames[frame.name] == plan.room_of(frame.map_from_camera[:3, 3])
        assert {plan.frames[frame.name] for frame in scene.frames} == {room.name for room in plan.rooms}, (
            "every room is visited"
        )


def test_what_is_stored_is_what_the_pose_sees(small_building, building):
    """Every stored image is the picture drawn at its pose, with nothing of the building left out, and its own noise."""
    everything = building.renderer({room.name for room in building.layout.rooms})
    for part, split in enumerate(("train", "test")):
        for index, frame in list(enumerate(open_recording(small_building, split=split).frames))[::9]:
            image, depth = everything.render(frame.camera, frame.map_from_camera)
            assert np.isfinite(depth).all(), "no gap shows the outside"
            noisy = exposed(image, np.random.default_rng((0, part, index)))
            stored, noisy = (cv2.cvtColor(each, cv2.COLOR_RGB2GRAY).astype(int) for each in (frame.read(), noisy))
            assert np.abs(stored - noisy).mean() < 2.5, "JPEG takes less away"


def test_depth_carries_one_view_through_a_door_onto_another(building):
    camera = room_camera((320, 240))
    drive = mapping_drive(building.layout, 40)
    rooms = [BuildingPlan(building.layout.rooms, {}).room_of(pose[:3, 3]) for pose in drive]
    entering = next(k for k in range(len(drive)) if rooms[k] == "corridor-1" and rooms[k + 1] == "room-101")
    first, second = drive[entering], drive[entering + 1]
    (image, depth), (other, _) = (
        building.render(room, camera, pose) for room, pose in ((rooms[entering], first), (rooms[entering + 1], second))
    )
    row, column = np.indices(depth.shape)
    rays = camera.rays(np.stack([column, row], axis=-1).reshape(-1, 2))
    points = rays / rays[:, 2:] * depth.reshape(-1, 1) @ first[:3, :3].T + first[:3, 3]
    local = (points - second[:3, 3]) @ second[:3, :3]
    x, y = np.moveaxis(camera.project(local).reshape(*depth.shape, 2).astype(np.float32), 2, 0)
    inside = (x > 2) & (x < camera.width - 3) & (y > 2) & (y < camera.height - 3)
    warped = cv2.remap(other, x, y, cv2.INTER_LINEAR)
    difference = np.abs(warped.astype(int) - image).max(axis=2)[inside]
    shifted = np.abs(np.roll(warped, 4, axis=1).astype(int) - image).max(axis=2)[inside]
    assert inside.mean() > 0.3
    assert np.median(difference) < 8
    assert np.median(shifted) > 1.5 * np.median(difference), "a picture that would match anywhere says nothing"


def test_rooms_that_no_door_shows_are_left_out_and_no_others(building):
    """Drawn with everything, each image is the same to the last bit."""
    camera, plan = room_camera((160, 120)), BuildingPlan(building.layout.rooms, {})
    everything = building.renderer({room.name for room in plan.rooms})
    seen = []
    for pose in (*mapping_drive(building.layout, 40)[::9], *query_drive(building.layout, 20)[::5]):
        room = plan.room_of(pose[:3, 3])
        image, depth = building.render(room, camera, pose)
        whole, far = everything.render(camera, pose)
        np.testing.assert_array_equal(image, whole)
        np.testing.assert_array_equal(depth, far)
        seen.append(len(seen_from(room, building.layout.portals, camera, pose)))
    assert max(seen) >= 4
    assert np.mean(seen) < 3, "most see little of the building"


def test_cameras_keep_away_from_walls_and_furniture(building):
    """The nearest thing in any image is farther than 0.2 m."""
    camera, plan = room_camera((80, 60)), BuildingPlan(building.layout.rooms, {})
    for pose in (*mapping_drive(building.layout, 40), *query_drive(building.layout, 40)):
        room = plan.room_of(pose[:3, 3])
        assert building.render(room, camera, pose)[1].min() > 0.2, (room, pose)


def test_twins_look_the_same_from_the_same_place_and_others_do_not(building):
    """Over two floors: turned, raised, and the same to the last grey level but for what their doors show."""
    camera = room_camera((240, 180))
    cells = {cell.room.name: cell for cell in building.layout.cells}
    ((first, second),) = [
        (a, b) for a, b in combinations(cells, 2) if cells[a].room.twins is not None is not cells[b].room.twins
    ]
    assert cells[first].room.floor != cells[second].room.floor
    for yaw in np.arange(0, 2 * np.pi, 1.1):
        local = looking((0.3, -0.2, 1.4), yaw, -0.15)
        images, hidden = {}, {}
        for name, cell in cells.items():
            pose = cell.building_from_room @ local
            images[name] = building.render(name, camera, pose)[0].astype(int)
            hidden[name] = ~np.isfinite(building.renderer({name}).render(camera, pose)[1])  # seen through the door
        np.testing.assert_array_equal(hidden[first], hidden[second])
        same = ~cv2.dilate(hidden[first].astype(np.uint8), np.ones((3, 3))).astype(bool)
        assert same.mean() > 0.5
        # A sample on an edge falls to either side with the last digit of a float.
        assert (np.abs(images[first] - images[second]).max(axis=2)[same] > 2).mean() < 1e-3
        for a, b in combinations(cells, 2):
            if {a, b} != {first, second}:
                assert (np.abs(images[a] - images[b]).max(axis=2) > 20).mean() > 0.3, (a, b)


def test_the_default_building_has_three_pairs_of_twins_and_four_equal_bays():
    layout = plan_building(24, seed=0)
    groups = {}
    for cell in layout.cells:
        groups.setdefault(cell.room.twins, []).append(cell)
    assert sum(not cell.shape.bay for cell in layout.cells) == 24
    assert {len(cells) for name, cells in groups.items() if name and name.startswith("twins")} == {2}
    assert len(groups) == 5
    assert len(groups["bays"]) == 4
    pairs = [cells for name, cells in groups.items() if name and name != "bays"]
    assert sum(a.room.floor != b.room.floor for a, b in pairs) == 1
    for a, b in pairs:
        assert (a.room.floor, a.side) != (b.room.floor, b.side) or abs(a.column - b.column) > 1, "not side by side"
    assert len({cell.shape for cell in layout.cells}) == 24 - 3 + 1
    plan = BuildingPlan(layout.rooms, {})
    assert plan.twins_of("bay-2") == ("bay-1", "bay-3", "bay-4")
    for one, other in combinations(layout.rooms, 2):
        overlap = np.minimum(one.high, other.high) - np.maximum(one.low, other.low)
        assert overlap.min() < 1e-9, (one, other)


@pytest.mark.parametrize("rooms", [2, 3, 4, 6, 8, 16])
def test_buildings_of_any_size_hold_together(rooms):
    layout = plan_building(rooms, seed=3)
    plan = BuildingPlan(layout.rooms, {})
    for drive in (mapping_drive(layout, 8), query_drive(layout, 4)):
        assert {plan.room_of(pose[:3, 3]) for pose in drive} == {room.name for room in layout.rooms}
    for room in layout.rooms:
        assert (len(plan.twins_of(room.name)) > 0) == (room.twins is not None)


def test_the_query_drive_is_near_the_mapping_drive_but_not_on_it():
    layout = plan_building(24, seed=0)
    mapping, queries = np.array(mapping_drive(layout, 40)), np.array(query_drive(layout, 20))
    assert len(mapping) > 24 * 40
    distances = np.linalg.norm(queries[:, None, :3, 3] - mapping[None, :, :3, 3], axis=2)
    cosines = (np.einsum("qij,mij->qm", queries[:, :3, :3], mapping[:, :3, :3]) - 1) / 2
    angles = np.degrees(np.arccos(np.clip(cosines, -1, 1)))
    every = np.arange(len(queries))
    nearest = (distances + np.radians(angles) * 1.5).argmin(axis=1)
    assert 0.2 < np.median(distances[every, nearest]) < 0.6
    assert 8 < np.median(angles[every, nearest]) < 25
    assert np.median(mapping[:, 2, 3] % 3) - np.median(queries[:, 2, 3] % 3) > 0.1, "lower"
    assert not ((distances < 0.1) & (angles < 5)).any()


def test_corners_for_keypoints_are_in_every_query(small_building):
    for frame in open_recording(small_building, split="test").frames:
        pixels = cv2.goodFeaturesToTrack(cv2.cvtColor(frame.read(), cv2.COLOR_RGB2GRAY), 500, 0.01, 3)
        assert len(pixels) > 60, frame.name


def test_the_same_seed_makes_the_same_files_on_any_number_of_workers(small_building, tmp_path):
    again = make_building(tmp_path / "again", ROOMS, MAPPING, QUERIES, SIZE, workers=2)
    files = sorted(path.relative_to(small_building) for path in small_building.rglob("*.*"))
    assert (
        len(files)
        == 3
        * (len(list((small_building / "train/rgb").iterdir())) + len(list((small_building / "test/rgb").iterdir())))
        + 1
    )
    assert filecmp.cmpfiles(small_building, again, files, shallow=False)[0] == files


def test_what_cannot_be_made_or_read_is_refused_in_a_sentence(small_building, tmp_path):
    with pytest.raises(InputError, match="not empty"):
        make_building(small_building)
    with pytest.raises(InputError, match="rooms of at least 2, not 1"):
        make_building(tmp_path / "new", rooms=1)
    assert not (tmp_path / "new").exists()
    with pytest.raises(InputError, match="generated building FOLDER"):
        BuildingPlan.load(tmp_path)
    (tmp_path / "building.json").write_text(json.dumps({"rooms": [{"name": "a"}]}))
    with pytest.raises(InputError, match="can't be read as a building's plan"):
        BuildingPlan.load(tmp_path)
    with pytest.raises(InputError, match="no room 'attic'"):
        BuildingPlan.load(small_building).twins_of("attic")

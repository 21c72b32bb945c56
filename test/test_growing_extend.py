"""A map of half a room learns the other half; what it knows is not learnt again, what nobody saw stays as it was."""

from dataclasses import replace

import numpy as np
import pytest
from core_making import OPTIONS, map_of, small_room

from ace_ros.errors import InputError, MappingError
from ace_ros.geometry import pose_error
from ace_ros.growing.extending import extend
from ace_ros.growing.merging import merge
from ace_ros.growing.newcomers import Newcomers
from ace_ros.growing.options import GrowOptions
from ace_ros.growing.repairing import repair
from ace_ros.localization.localizer import Localizer
from ace_ros.map.scene_map import SceneMap

pytestmark = pytest.mark.slow
QUICK = GrowOptions(steps=100, device="cpu")
HALF = replace(OPTIONS, steps=100, width=64)


@pytest.fixture(scope="module")
def halves():
    """A map of what looks east, beside one of the same far away; and the frames that look west."""
    room = small_room()
    east = [pose[0, 2] > -0.2 for pose in room.poses]
    images, poses = zip(
        *[pair for pair, one in zip(zip(room.images, room.poses, strict=True), east, strict=True) if one], strict=True
    )
    near = map_of(images, poses, room.camera, HALF)
    place = near.places[0]
    far = replace(place, header=replace(place.header, origin=(500.0, 0.0, 0.0), extent=((499.0,) * 3, (501.0,) * 3)),
                  points=place.points.copy(), codes=place.codes.copy())  # fmt: skip
    scene_map, _ = merge([near, replace(near, places=(far,))], ["near", "far"])
    west = [pair for pair, one in zip(zip(room.images, room.poses, strict=True), east, strict=True) if not one]
    return scene_map, west


def newcomers(scene_map, frames, options=QUICK):
    made = Newcomers(scene_map, options)
    for index, (image, pose) in enumerate(frames):
        made.add(image, small_room().camera, pose, f"frame {index}", stamp=index)
    return made


def contents(place):
    weights = {name: value.half().numpy().tobytes() for name, value in place.head.state_dict().items()}
    return place.header, weights, place.points.tobytes(), place.codes.tobytes()


def localized(scene_map, near):
    """Queries found within 5 cm; of twins, which the far place is, those count that are here."""
    room, count = small_room(), 0
    localizer = Localizer(scene_map, device="cpu")
    for image, pose in zip(room.query_images, room.query_poses, strict=True):
        found = localizer.localize(image, room.camera, prior=near and pose)
        if found.map_from_camera is not None:
            count += pose_error(found.map_from_camera, pose)[0] < 0.05
    return count


def test_the_other_half_is_learnt(halves, tmp_path):
    scene_map, west = halves
    grown = extend(newcomers(scene_map, west), "west")
    assert grown.new_places and grown.known + grown.few < len(west) / 3
    grown.scene_map.save(tmp_path / "grown")
    back = SceneMap.load(tmp_path / "grown")
    assert len(back.places) == 2 + len(grown.new_places)
    assert contents(back.places[1]) == contents(scene_map.places[1])  # nobody was there
    for number in grown.touched:
        assert len(back.places[number].points) > len(scene_map.places[number].points)
        assert [s.command for s in back.headers[number].sources] == ["map", "extend"]
    assert [s.name for s in back.headers[grown.new_places[0]].sources] == ["west"]
    assert len(back.mapped) > len(scene_map.mapped) and back.mapped.holds(west[-1][0])
    only = SceneMap(tuple(back.places[i] for i in range(len(back.places)) if i != 1))
    before = localized(replace(scene_map, places=scene_map.places[:1]), near=None)
    assert before <= 10 and localized(only, near=None) >= 13


def test_what_the_map_knows_changes_nothing(halves, tmp_path):
    room = small_room()
    grown = extend(newcomers(room.map, zip(room.query_images, room.query_poses, strict=True)), "again")
    assert grown.known == len(room.query_poses) and not grown.touched and not grown.new_places
    assert grown.scene_map is room.map


def test_frames_that_were_mapped_are_counted(halves):
    room = small_room()
    made = newcomers(room.map, [(room.images[0], room.poses[0]), (room.query_images[0], room.query_poses[0])])
    assert made.repeated() == 1 and len(made) == 2


def test_too_few_frames_of_anywhere_are_left_out(halves):
    room = small_room()
    away = [
        (image, pose + np.outer((1, 0, 0, 0), (0, 0, 0, 80.0)))
        for image, pose in zip(room.images[:4], room.poses, strict=False)
    ]
    grown = extend(newcomers(room.map, away), "few")
    assert grown.few == 4 and grown.scene_map is room.map
    with pytest.raises(MappingError, match="none of the map's 1 places is seen by 10 of the 4 frames"):
        repair(newcomers(room.map, away), "few")


def test_an_unusable_frame_is_refused(halves):
    room = small_room()
    made = Newcomers(room.map, QUICK)
    with pytest.raises(InputError, match="odd"):
        made.add(room.images[0], room.camera, np.ones((4, 4)), "odd")
    assert not len(made)

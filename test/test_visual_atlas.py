"""Pictures of a map of places."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from map_making import made_map, with_header

from ace_ros.map.header import HeldBack
from ace_ros.map.scene_map import SceneMap
from ace_ros.visual.atlas import atlas_png, thin_places
from ace_ros.visual.cloud import landmark_cloud, place_colours

UP = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])  # a camera upright, z up


@dataclass(frozen=True)
class Result:
    truth: np.ndarray
    state: str
    pose: np.ndarray | None = None


def building():
    """Two rooms side by side, and one above."""
    places = []
    for corner in ((0.0, 0.0, 0.0), (12.0, 0.0, 0.0), (0.0, 0.0, 9.0)):
        origin = np.array(corner) + 2.0
        box = tuple(corner), tuple((np.array(corner) + 4.0).tolist())
        placed = with_header(made_map(), origin=tuple(origin.tolist()), extent=box)
        places.append(placed.places[0])
    return SceneMap(places)


def at(x, y, z, state="LOCALIZED"):
    truth = UP.copy()
    truth[:3, 3] = x, y, z
    return Result(truth, state)


def test_neighbours_in_number_look_different():
    colours = place_colours(40).astype(int)
    assert colours.shape == (40, 3)
    for apart in (1, 2, 3):
        assert np.abs(colours[apart:] - colours[:-apart]).sum(1).min() > 60


def test_landmarks_have_the_colour_of_their_place_and_a_room_is_grey():
    cloud = landmark_cloud(building())
    assert len(cloud) == 600 and len(np.unique(cloud.colours[:200], axis=0)) == 1
    assert len(np.unique(cloud.colours, axis=0)) == 3
    assert (landmark_cloud(made_map()).colours == 160).all()


def test_places_that_find_few_are_named_with_what_they_found():
    asked = [at(2, 2, 2), at(3, 2, 2), at(13, 2, 2, "LOST"), at(14, 2, 2), at(15, 3, 2, "UNCERTAIN"), at(2, 2, 11)]
    assert thin_places(building(), asked) == ["place 1 (1 of 3 queries)"]
    places = list(building().places)
    poor = replace(places[2].header, held_back=HeldBack(10, 3, 0.1, 1.0, 6.0))
    places[2] = replace(places[2], header=poor)
    told = thin_places(SceneMap(places), asked[:2])
    assert told == ["place 2 (3 of 10 views held back)"]


def test_a_picture_of_each_storey():
    asked = [at(2, 2, 2), at(13, 2, 2, "LOST"), at(2, 2, 11, "UNCERTAIN")]
    two = cv2.imdecode(np.frombuffer(atlas_png(building(), asked), np.uint8), cv2.IMREAD_COLOR)
    one = SceneMap(building().places[:2])
    flat = cv2.imdecode(np.frombuffer(atlas_png(one, asked[:2]), np.uint8), cv2.IMREAD_COLOR)
    assert two.shape[0] > 1.5 * flat.shape[0] and flat.shape[1] == two.shape[1]
    for colour in place_colours(3)[:2, ::-1]:
        assert (np.abs(flat.astype(int) - colour).sum(2) < 12).sum() > 100

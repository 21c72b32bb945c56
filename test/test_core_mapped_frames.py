"""A map knows the frames that it was made from by their pixels, and by their stamps where these mean something."""

import numpy as np
import pytest
from core_making import small_room
from map_making import made_map, rewritten

from ace_ros.errors import InputError
from ace_ros.evaluation.own_frames import from_this_drive, own_stamps
from ace_ros.evaluation.run import evaluate
from ace_ros.localization.localizer import Localizer
from ace_ros.map.mapped_frames import MappedFrames, pixel_digest
from ace_ros.map.scene_map import SceneMap
from ace_ros.mapping.mapper import Mapper
from ace_ros.mapping.options import MapOptions
from ace_ros.recordings import PosedFrame

DIGEST = -2108912502277613676  # of the image below, on whatever machine


def frames_of(images, stamps, room):
    return [
        PosedFrame(f"frame {index}", stamp, room.camera, np.eye(4), lambda image=image: image)
        for index, (image, stamp) in enumerate(zip(images, stamps, strict=True))
    ]


def test_a_digest_is_of_the_shape_and_the_pixels_on_any_machine():
    grey = np.arange(48, dtype=np.uint8).reshape(6, 8)
    assert pixel_digest(grey) == DIGEST
    assert pixel_digest(np.ascontiguousarray(grey.T).T) == DIGEST  # however it lies in memory
    noisy = grey + np.eye(6, 8, dtype=np.uint8)
    others = [grey.reshape(8, 6), grey[:5], grey[::-1], grey[..., None].repeat(3, 2), noisy]
    digests = {pixel_digest(other) for other in others}
    assert len(digests) == len(others) and DIGEST not in digests
    assert all(-(2**63) <= digest < 2**63 for digest in digests)


def test_a_map_knows_all_frames_that_it_was_made_from():
    """Those held back for the calibration as well, and none of the queries."""
    room = small_room()
    mapped = room.map.mapped
    assert len(mapped) == len(room.images) == room.map.header.frames + room.map.header.held_back.frames
    assert all(mapped.holds(image) for image in room.images) and len(mapped.stamps) == 0
    assert not any(mapped.holds(image) for image in room.query_images)


def test_frames_come_back_with_their_stamps(tmp_path):
    room = small_room()
    mapper = Mapper(MapOptions(steps=5, batch=256, samples=50, width=32, landmarks=100))
    for index in range(14):
        stamp = None if index < 3 else 10**18 - index
        mapper.add(room.images[index], room.camera, room.poses[index], stamp=stamp)
    with pytest.raises(InputError):
        mapper.add(room.images[14], room.camera, np.full((4, 4), np.nan), stamp=5)  # it is not taken
    mapper.build().save(tmp_path / "m")
    back = SceneMap.load(tmp_path / "m").mapped
    assert len(back) == 14 and all(back.holds(image) for image in room.images[:14])
    assert not back.holds(room.images[14])
    assert back.stamps.tolist() == [10**18 - index for index in range(13, 2, -1)]
    assert "14, with those held back, are known again" in SceneMap.load(tmp_path / "m").describe()


def test_what_the_map_was_made_from_is_left_out_and_counted():
    room = small_room()
    images = [*room.images[:5], *room.query_images[:4]]
    frames = frames_of(images, range(9), room)
    localizer = Localizer(room.map, device="cpu")
    seen = []
    found = evaluate(localizer, frames, seen.append)
    assert [result.name for result in found.results] == [f"frame {index}" for index in range(5, 9)]
    assert found.mapped == 5 and found.skipped == [] and len(seen) == 9
    found = evaluate(localizer, frames[3:6], include_mapped=True)
    assert len(found.results) == 3 and found.mapped == 2
    with pytest.raises(InputError, match=r"made from all 5 frames.*--include-mapped"):
        evaluate(localizer, frames[:5])
    assert own_stamps(frames, room.map.mapped) == set(range(5))
    assert own_stamps(frames, MappedFrames()) == set()


def test_whether_a_recording_is_of_the_drive_that_was_mapped():
    """Made-up stamps are the same for every recording; then the pixels decide."""
    room = small_room()
    stamps = [10**18 + index * 10**8 for index in range(10)]
    mine, other = frames_of(room.images[:10], stamps, room), frames_of(room.query_images[:10], stamps, room)
    mapped = MappedFrames.of([pixel_digest(image) for image in room.images[:10]], stamps)
    assert from_this_drive(mine, mapped) and not from_this_drive(other, mapped)
    between = frames_of(room.query_images[:9], [stamp + 5 for stamp in stamps[:9]], room)  # of another camera, say
    assert from_this_drive(between, mapped)
    later = frames_of(room.images[:10], [stamp + 10**12 for stamp in stamps], room)
    assert not from_this_drive(later, mapped)
    assert not from_this_drive(mine, MappedFrames())


def test_the_stamps_that_older_maps_of_bags_had_are_read(tmp_path):
    made_map().save(tmp_path / "m")
    gone = {"frames.digests": None, "frames.stamps": None}
    rewritten(tmp_path / "m", gone, training={"stamps": [10**18, 10**18 + 7]})
    mapped = SceneMap.load(tmp_path / "m").mapped
    assert mapped.meets(10**18 - 5, 10**18) and not mapped.meets(10**18 + 8, 10**18 + 9) and len(mapped) == 0
    room = small_room()
    assert from_this_drive(frames_of(room.images[:2], [10**18 + 1, 10**18 + 2], room), mapped)
    for odd in ("yesterday", [1], [1, "x"], [1, 2, 3], [True, 2]):
        rewritten(tmp_path / "m", training={"stamps": odd})
        assert not SceneMap.load(tmp_path / "m").mapped.meets(-(2**62), 2**62)

"""Maps merged and pruned: what stays is the same bit for bit, where it came from is kept, what can't be is told."""

from dataclasses import replace

import numpy as np
import pytest
from ace_command import ace_here, refused, succeeded
from map_making import made_map, with_header

from ace_ros.errors import InputError, MapFileError
from ace_ros.growing.merging import merge
from ace_ros.growing.provenance import Recorded, with_source
from ace_ros.growing.pruning import prune
from ace_ros.map.header import Source
from ace_ros.map.mapped_frames import MappedFrames
from ace_ros.map.scene_map import SceneMap


def other_map():
    """Of other frames, elsewhere."""
    made = with_header(made_map(), origin=(5.0, 6.0, 7.0), created="2025-01-01T00:00:00+00:00")
    return replace(made, mapped=MappedFrames.of(range(200), [7, 3]))


def contents(place):
    weights = {name: value.half().numpy().tobytes() for name, value in place.head.state_dict().items()}
    return place.header, weights, place.points.tobytes(), place.codes.tobytes()


def test_places_of_both_stand_side_by_side_as_they_were(tmp_path):
    a, b = made_map(), other_map()
    merged, twice = merge([a, b], ["a", "b"])
    assert twice == 0
    merged.save(tmp_path / "m")
    back = SceneMap.load(tmp_path / "m")
    assert [contents(place) for place in back.places] == [contents(a.places[0]), contents(b.places[0])]
    assert set(back.mapped.digests) == set(a.mapped.digests) | set(range(200))
    assert (np.diff(back.mapped.stamps) > 0).all() and {3, 7, 130} <= set(back.mapped.stamps.tolist())
    three, _ = merge([back, with_header(made_map(), origin=(0.0, 0.0, 0.0))], ["m", "c"])
    assert len(three.headers) == 3 and three.header.frames == 3 * 123


def test_frames_that_both_know_are_counted_and_kept_once(tmp_path):
    merged, twice = merge([made_map(), made_map()], ["a", "b"])
    assert twice == 131 and len(merged.mapped) == 131
    merged.save(tmp_path / "m")
    assert len(SceneMap.load(tmp_path / "m").places) == 2  # fewer frames known than taught the places


def test_a_map_that_knows_no_frames_merges_with_one_that_does(tmp_path):
    merged, _ = merge([replace(made_map(), mapped=MappedFrames()), other_map()], ["a", "b"])
    merged.save(tmp_path / "m")
    assert len(SceneMap.load(tmp_path / "m").mapped) == 200


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"encoder_sha256": "0" * 64}, "b was made with encoder weights 000000000000"),
        ({"map_frame": "cellar"}, "a is in frame 'kitchen', b is in frame 'cellar'"),
        ({"metric": False}, "a is in metres, b is of arbitrary scale"),
        ({"encoder_size": 240}, "a was made of images 480 pixels"),
    ],
)
def test_maps_that_do_not_go_together(change, said):
    with pytest.raises(MapFileError, match=said):
        merge([made_map(), with_header(other_map(), **change)], ["a", "b"])


def test_places_are_dropped_and_landmarks_thinned_the_least_seen_first(tmp_path):
    a, b = made_map(), other_map()
    merged, _ = merge([a, b, a], ["a", "b", "a"])
    pruned = prune(merged, drop={0, 2}, landmarks=50)
    pruned.save(tmp_path / "p")
    (place,) = SceneMap.load(tmp_path / "p").places
    assert place.header == b.header and len(place.points) == 50
    assert place.points.tobytes() == b.places[0].points[:50].tobytes()
    assert [contents(place) for place in prune(merged, {1}).places] == [contents(a.places[0])] * 2
    with pytest.raises(InputError, match="no place 3: the map has places 0 to 2"):
        prune(merged, {3})
    with pytest.raises(InputError, match="none of the map's 3 places"):
        prune(merged, {0, 1, 2})


def test_the_history_of_a_map_grows_and_is_kept(tmp_path):
    header = made_map().header
    assert header.history == (Source("", "map", header.created, 123, 8),)
    once = with_source(header, Recorded.now("a\ndrive.mcap", "extend").source(10, 2))
    twice = with_source(once, Recorded.now("today", "repair").source(7, 1))
    said = [(source.name, source.command, source.frames) for source in twice.sources]
    assert said == [("", "map", 123), ("adrive.mcap", "extend", 10), ("today", "repair", 7)]
    merged, _ = merge([with_header(made_map(), sources=twice.sources), other_map()], ["a", "b"])
    merged.save(tmp_path / "m")
    back = SceneMap.load(tmp_path / "m")
    assert back.headers[0].sources == twice.sources and back.headers[1].sources == ()
    assert {source.name for source in back.header.sources} == {"", "adrive.mcap", "today"}
    assert "extend adrive.mcap" in back.describe() and "repair today" in back.describe()


def test_the_commands(tmp_path):
    a, b, house, small = (tmp_path / name for name in ("a", "b", "house", "small"))
    made_map().save(a)
    other_map().save(b)
    assert "2 places from 246 frames" in succeeded(ace_here("merge", a, b, "-o", house)).stdout
    said = succeeded(ace_here("info", house)).stdout
    assert "2 places" in said and "days ago" in said and "m^2" in said
    done = succeeded(ace_here("prune", house, "--drop", "0", "--landmarks", "20", "-o", small))
    assert "1 place, 1 dropped" in done.stdout
    assert SceneMap.load(small).header.origin == (5.0, 6.0, 7.0)
    refused(ace_here("prune", house, "--older-than", "10", "-o", small), "none of the map's 2 places")
    refused(ace_here("prune", house, "--drop", "x", "-o", small), "--drop: takes numbers")
    refused(ace_here("prune", house, "-o", small), "say what to prune")
    refused(ace_here("merge", a, "-o", house), "two maps or more")
    assert "frames are in more than one" in succeeded(ace_here("merge", a, a, "-o", small)).stderr.replace("\n", " ")
    before = house.read_bytes()
    with_header(made_map(), map_frame="attic").save(b)
    refused(ace_here("merge", a, b, "-o", house), "attic", "kitchen")
    assert house.read_bytes() == before


def test_a_full_disk_leaves_the_old_map_whole(tmp_path, monkeypatch):
    path = tmp_path / "house"
    made_map().save(path)
    before = path.read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    refused(ace_here("prune", path, "--landmarks", "5", "-o", path), "No space left", "nothing was changed")
    assert path.read_bytes() == before and [path] == list(tmp_path.iterdir())

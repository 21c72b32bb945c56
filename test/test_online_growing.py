"""A drive and a map that is there, without ROS: aligned with it, learnt by it; and first maps, made in haste."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from core_making import OPTIONS, QUICK, contents, small_room
from online_making import pose, until

from ace_ros.camera import Camera
from ace_ros.errors import InputError
from ace_ros.geometry import invert, pose_error
from ace_ros.map.scene_map import SceneMap
from ace_ros.mapping.build import build_place
from ace_ros.mapping.mapper import Mapper
from ace_ros.mapping.options import HASTY_STEPS, PLACE_STEPS
from ace_ros.online.building import Result
from ace_ros.online.collecting import Candidate, Collector
from ace_ros.online.keyframes import KeyframeOptions, KeyframePicker
from ace_ros.online.mapping_session import MappingSession, MappingState, SessionOptions
from ace_ros.online.stepwise_build import MapBefore

pytestmark = pytest.mark.slow
TURNED = pose(x=3.0, yaw=40.0)  # map_from_drive of a drive with an origin of its own
NOT_AT_ALL = np.eye(4)
AGAIN = replace(OPTIONS, steps=60)


@pytest.fixture
def drive(tmp_path):
    """Starts a session with options of the mapper, and shows it frames. A map of the small room is there."""
    small_room().map.save(tmp_path / "room.safetensors")
    started = []

    def start(options, map_frame="map", metric=True):
        reported, built = [], []
        picker = KeyframePicker(KeyframeOptions(0.0, 0.0))
        collector = Collector(lambda: Mapper(options, map_frame, metric), picker, 1000, 0, reported.append, metric)
        session = MappingSession(collector, SessionOptions("drive", tmp_path), built.append)

        def show(poses, images, move=NOT_AT_ALL):
            for index, (image, where) in enumerate(zip(images, poses, strict=True)):
                camera: Camera = small_room().camera
                session.offer(Candidate(f"{index}", index, camera, move @ where, lambda image=image: image))
            until(lambda: session.counters.encoded == session.counters.taken)

        made = SimpleNamespace(session=session, collector=collector, reported=reported, built=built, show=show)
        started.append(made)
        return made

    yield start
    for one in started:
        one.session.close()
        assert not one.reported


def end_of(begin, *how, **more):
    """What a call of the session that takes ``on_done`` came to."""
    ends = []
    begin(*how, **more, on_done=ends.append)
    until(lambda: ends)
    return ends[0]


# --- a map that is there ---


def test_a_drive_with_an_origin_of_its_own_is_aligned_and_then_learnt(drive, tmp_path):
    room, one = small_room(), drive(AGAIN)
    one.show(room.query_poses, room.query_images, invert(TURNED))
    steps = []
    growth = end_of(one.session.align, "room", "as the units are", on_progress=steps.append)
    assert growth.outcome.result is Result.SUCCESS and growth.map_frame == "map", growth.outcome.message
    shift, turn = pose_error(growth.alignment.map_from_recording, TURNED)
    assert shift < 0.03 and turn < 0.5 and growth.alignment.scale == 1.0 and growth.alignment.of == 15
    assert {step.stage for step in steps} == {"localizing"}
    assert one.session.state()[0] is MappingState.COLLECTING  # no map was made

    old = (tmp_path / "room.safetensors").read_bytes()
    refused = end_of(one.session.extend, "room")
    assert refused.outcome.result is Result.INVALID_MAP and "origin of its own" in refused.outcome.message
    growth = end_of(one.session.extend, "room", "larger", aligned=False, drive="second")
    assert growth.outcome.result is Result.SUCCESS, growth.outcome.message
    assert growth.grown.known >= 10 and (tmp_path / "room.safetensors").read_bytes() == old
    assert one.session.state() == (MappingState.READY, growth.outcome.message)
    assert len(SceneMap.load(tmp_path / "larger.safetensors").places) == 1


def test_a_new_room_is_learnt_by_the_map_that_is_there(drive, tmp_path):
    room, one = small_room(), drive(AGAIN)
    one.show(room.poses[:30], room.images[:30], pose(x=60.0))
    growth = end_of(one.session.extend, "room", "both", drive="next door")  # it looks like the first: not in its place
    assert growth.outcome.result is Result.SUCCESS, growth.outcome.message
    assert "elsewhere" in growth.outcome.message
    grown = SceneMap.load(tmp_path / "both.safetensors")
    assert growth.grown.new_places == [1] and [s.name for s in grown.headers[1].sources] == ["next door"]
    assert contents(grown)[0][2:] == contents(room.map)[0][2:]  # the first room's landmarks
    assert one.session.save("copy")[0].exists()


def test_maps_and_drives_that_do_not_go_together(drive, tmp_path):
    room = small_room()

    def ends(options=AGAIN, name="room", **site):
        one = drive(options, **site)
        one.show(room.query_poses, room.query_images)
        return [end_of(one.session.extend, name).outcome, end_of(one.session.align, name, "one").outcome]

    (tmp_path / "torn.safetensors").write_bytes(b"no map")
    for name in ("torn", "none"):
        for outcome in ends(name=name):
            assert outcome.result is Result.INVALID_MAP and name in outcome.message
    for outcome in ends(replace(AGAIN, image_size=240)):
        assert outcome.result is Result.INVALID_MAP and "image_size" in outcome.message
    for site, word in (({"map_frame": "odom"}, "'odom'"), ({"metric": False}, "arbitrary scale")):
        extended, aligned = ends(**site)
        assert extended.result is Result.INVALID_MAP and word in extended.message
        assert aligned.result is Result.SUCCESS  # that is what it is for
    one = drive(AGAIN)
    for outcome in (end_of(one.session.extend, "room").outcome, end_of(one.session.align, "room", "one").outcome):
        assert outcome.result is Result.TOO_FEW_FRAMES
    one.show(np.random.default_rng(0).permutation(room.query_poses), room.query_images)
    outcome = end_of(one.session.align, "room", "one").outcome
    assert outcome.result is Result.NOT_ALIGNED and "agree" in outcome.message
    with pytest.raises(InputError, match="leads out"):
        one.session.extend("room", "../room")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["room.safetensors", "torn.safetensors"]


# --- first maps ---


def test_a_first_map_is_there_before_the_better_one(drive, tmp_path):
    room, one = small_room(), drive(replace(OPTIONS, steps=2 * HASTY_STEPS))
    one.show(room.poses, room.images)
    end_of(one.session.build)
    first, better = one.built
    assert first.first and not better.first and "first map" in first.message.lower()
    assert first.path == better.path == tmp_path / "drive.safetensors"
    steps = [outcome.scene_map.header.training["steps"] for outcome in one.built]
    assert steps == [HASTY_STEPS, 2 * HASTY_STEPS]
    held_back = first.scene_map.header.held_back
    assert held_back.localized >= 0.8 * held_back.frames
    end_of(one.session.build)
    assert len(one.built) == 3  # the drive has a map of that name
    assert sorted(path.name for path in tmp_path.iterdir()) == ["drive.safetensors", "room.safetensors"]


@pytest.mark.parametrize("before", [True, False])
def test_a_first_map_gives_way_to_the_one_before_if_there_is_no_better(drive, tmp_path, monkeypatch, before):
    """Also while a place is built ahead, which a build waits for, and a first map does not."""
    begun = []
    monkeypatch.setattr("ace_ros.mapping.mapper.build_place", lambda *how: begun.append(how) or build_place(*how))
    room, one = small_room(), drive(replace(QUICK, steps=1_000_000))
    path = tmp_path / "drive.safetensors"
    if before:
        path.write_bytes(b"the old map")
    one.show(room.poses[:24], room.images[:24])
    one.show(room.poses[24:48], room.images[24:48], pose(x=60.0))
    until(lambda: begun)
    ends = []
    one.session.build(on_done=ends.append)
    until(lambda: one.session.first_map is not None)
    assert one.session.state() == (MappingState.TRAINING, f"{path} is a first map, a better one is being built")
    until(lambda: len(one.session.last_map.places) == 2)
    first, both = one.built[0], SceneMap.load(path)  # where the camera is, and then the other one
    assert (first.places_left, first.scene_map.header.extent[0][0] > 30) == (
        1,
        True,
    ) and "lacks 1 place" in first.message
    assert len(both.places) == 2 and both.places[0].header.training["steps"] == HASTY_STEPS < PLACE_STEPS
    one.session.cancel()
    until(lambda: ends)
    assert ends[0].result is Result.CANCELED
    if before:
        assert path.read_bytes() == b"the old map" and "there before" in ends[0].message
    else:
        assert len(SceneMap.load(path).places) == 2 and "still the first map" in ends[0].message
    assert not path.with_name("drive.safetensors.before").exists()
    assert one.session.state()[0] is MappingState.FAILED


def test_a_place_built_ahead_is_not_made_in_haste(drive):
    room, one = small_room(), drive(replace(QUICK, steps=HASTY_STEPS + 20))
    one.show(room.poses[:24], room.images[:24])
    one.show(room.poses[24:48], room.images[24:48], pose(x=60.0))
    until(lambda: one.collector.places_ahead == 1)
    end_of(one.session.build)
    steps = [[place.header.training["steps"] for place in outcome.scene_map.places] for outcome in one.built]
    assert steps == [[HASTY_STEPS + 20, HASTY_STEPS], [HASTY_STEPS + 20] * 2]


def test_what_was_there_comes_back_on_disks_without_links(tmp_path, monkeypatch):
    path = tmp_path / "map"
    path.write_bytes(b"old")
    monkeypatch.setattr("os.link", lambda *of: (_ for _ in ()).throw(PermissionError()))
    before = MapBefore(path)
    before.keep()
    path.write_bytes(b"new")
    assert before.restore() and not before.restore() and path.read_bytes() == b"old"
    before.keep()
    before.drop()
    assert not before.restore() and list(tmp_path.iterdir()) == [path]
    monkeypatch.undo()
    before.keep()  # nothing was written since
    assert before.restore() and list(tmp_path.iterdir()) == [path]
    none = MapBefore(tmp_path / "none")
    none.keep()
    assert not none.restore() and not (tmp_path / "none").exists()

"""A drive on disk: its frames outlive the process that took them, and are never mixed with those of another drive."""

import threading

import numpy as np
import pytest
from core_making import QUICK, contents, small_room
from online_making import pose, until

from ace_ros.errors import MappingError
from ace_ros.map.scene_map import SceneMap
from ace_ros.mapping.mapper import Mapper
from ace_ros.mapping.workspace import Workspace
from ace_ros.online.building import Result
from ace_ros.online.collecting import Candidate, Collector
from ace_ros.online.drive_store import DriveStore
from ace_ros.online.keyframes import KeyframeOptions, KeyframePicker
from ace_ros.online.mapping_session import MappingSession, SessionOptions

pytestmark = pytest.mark.slow


class Drive:
    """A session with its store, as mapping_node has it."""

    def __init__(self, folder, goes_on=False, options=QUICK, most=0, queue=1000, metric=True):
        self.said = []

        def new_mapper(workspace=None):
            return Mapper(options, "map", metric, workspace)

        self.path = folder / "drive.safetensors"
        store = DriveStore(self.path, new_mapper, self.said.append, goes_on, map_frame="map", metric=metric)
        picker = KeyframePicker(KeyframeOptions(0.0, 0.0))
        self.collector = Collector(new_mapper, picker, queue, most, self.said.append, metric, store=store)
        self.session = MappingSession(self.collector, SessionOptions("drive", folder))

    def show(self, indices, *how, **more):
        self.offer(indices, *how, **more)
        until(lambda: self.session.counters.encoded == self.session.counters.taken)
        return self

    def offer(self, indices, move=np.eye(4), **more):  # noqa: B008 - nobody writes into it
        room = small_room()
        for index in indices:
            image = room.images[index]
            self.session.offer(
                Candidate(str(index), index, room.camera, move @ room.poses[index], lambda image=image: image, **more)
            )

    def built(self):
        ends = []
        self.session.build(on_done=ends.append)
        until(lambda: ends)
        assert ends[0].result is Result.SUCCESS, ends[0].message
        return ends[0].scene_map


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_frames_outlive_the_process(tmp_path):
    """The map of a drive in two processes is that of one."""
    whole = Drive(tmp_path / "whole").show(range(24))
    expected = contents(whole.built())
    assert whole.session.close() == "" and names(tmp_path / "whole") == ["drive.safetensors"]

    first = Drive(tmp_path / "parts").show(range(14))
    kept = first.session.close()
    assert kept == str(tmp_path / "parts" / "drive.safetensors.unfinished") and not first.said
    second = Drive(tmp_path / "parts", goes_on=True).show(range(14, 24))
    assert "14 frames of a drive that no map was made of" in second.said[0] and second.session.counters.taken == 24
    assert contents(second.built()) == expected
    second.session.close()
    assert names(tmp_path / "parts") == ["drive.safetensors"]


def test_what_was_left_can_be_built_and_is_not_mixed_with_another_drive(tmp_path):
    Drive(tmp_path).show(range(12)).session.close()
    again = Drive(tmp_path)
    assert again.session.state()[1] == "taking frames, 12 so far" and again.session.forsaken == 12
    assert again.built().header.frames == 10  # two are held back
    again.show(range(12, 24), pose(x=60.0))  # with a map, they are not needed any more
    assert len(again.collector._mapper) == 12
    again.session.close()

    other = Drive(tmp_path)
    assert other.session.counters.taken == 12
    other.show(range(30, 42), pose(x=60.0))
    assert other.session.counters.taken == 12 and len(other.collector._mapper) == 12
    assert "put aside in" in other.said[-1] and (tmp_path / "drive.safetensors.interrupted").is_dir()
    other.session.reset()
    other.session.close()
    assert names(tmp_path) == ["drive.safetensors", "drive.safetensors.interrupted"]
    back = Drive(tmp_path, goes_on=True)  # those that were put aside
    assert len(back.collector._mapper) == 12
    back.session.reset()
    back.session.close()
    assert names(tmp_path) == ["drive.safetensors"]


def test_frames_that_were_made_in_another_way_are_put_aside(tmp_path):
    Drive(tmp_path).show(range(12)).session.close()
    other = Drive(tmp_path, goes_on=True, metric=False)
    assert "was begun with metric True, now it is False" in other.said[0] and "put aside" in other.said[1]
    assert other.session.counters.taken == 0
    other.show(range(3)).session.close()
    assert names(tmp_path) == ["drive.safetensors.interrupted"]  # three are nothing


def test_where_the_disk_can_not_be_used_frames_stay_in_memory(tmp_path):
    one = Drive(tmp_path)
    two = Drive(tmp_path)
    assert "another process is making this map" in two.said[0] and "in memory alone" in two.said[1]
    two.show(range(12))
    assert two.session.close() == "" and two.session.forsaken == 12
    one.session.close()


def test_a_full_disk_and_too_many_frames_are_told(tmp_path, monkeypatch):
    drive = Drive(tmp_path, most=12).show(range(11))

    def full(store, view):
        raise MappingError("no more frames could be written (No space left on device)")

    with monkeypatch.context() as patch:
        patch.setattr("ace_ros.mapping.store.ViewStore.append", full)
        drive.session.offer(
            candidate := Candidate(
                "11", 11, small_room().camera, small_room().poses[11], lambda: small_room().images[11]
            )
        )
        until(lambda: drive.session.counters.full == 1)
    assert drive.session.counters.taken == 11 and "No space" in drive.collector.last_fault and not drive.said
    assert any("disk is full" in sentence for sentence in drive.session.advice())
    assert drive.session.offer(candidate) and not drive.session.offer(candidate)
    until(lambda: drive.session.counters.encoded == 12)
    assert drive.session.state()[1] == "taking no more frames than 12"
    assert SceneMap.load(drive.built() and drive.path).header.frames == 10
    drive.session.close()


def test_frames_that_wait_take_no_gigabytes(tmp_path):
    drive, read = Drive(tmp_path), threading.Event()

    def slow():
        read.wait(60)

    drive.collector._jobs.append(Candidate("slow", 0, small_room().camera, small_room().poses[0], slow))
    drive.offer(range(30), size=50_000_000)
    assert drive.session.counters.overload >= 24
    read.set()
    drive.show(range(30, 36), size=50_000_000)
    assert drive.session.counters.taken > 0
    drive.session.close()


def test_facts_of_a_workspace_are_kept(tmp_path):
    workspace = Workspace(tmp_path / "map")
    workspace.tell(built=3)
    workspace.close()
    assert Workspace(tmp_path / "map", resume=True).told("built") == 3

"""A mapping drive without ROS: keyframes, advice, frames on their way into the mapper, and builds."""

import threading
import time
from dataclasses import replace
from functools import partial

import cv2
import numpy as np
import pytest
from core_making import OPTIONS, QUICK, small_room
from online_making import SECOND, pose, until
from scipy.spatial.transform import Rotation

from ace_ros.camera import Camera
from ace_ros.errors import InputError, MapFileError, MappingError
from ace_ros.map.header import HeldBack
from ace_ros.map.scene_map import SceneMap
from ace_ros.mapping.build import build_place
from ace_ros.mapping.mapper import Mapper
from ace_ros.mapping.progress import Progress
from ace_ros.online.album import Album
from ace_ros.online.building import Result, overall
from ace_ros.online.collecting import Candidate, Collector, Counters
from ace_ros.online.drive_watch import DriveWatch
from ace_ros.online.keyframes import KeyframeOptions, KeyframePicker
from ace_ros.online.mapping_advice import Intake, advice
from ace_ros.online.mapping_session import MappingSession, MappingState, SessionOptions

ROBOT_FROM_OPTICAL = np.linalg.inv(np.array([[0.0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]]))

# --- keyframes ---


def test_keyframes_by_motion_and_time():
    picker = KeyframePicker(KeyframeOptions(0.1, 10.0, min_interval=0.5, max_interval=3.0))
    assert picker.wants(pose(), 0)
    picker.took(pose(), 0)
    assert not picker.wants(pose(x=1.0), SECOND // 4)  # too soon
    assert not picker.wants(pose(x=0.05, yaw=5.0), SECOND)
    assert picker.wants(pose(x=0.11), SECOND)
    assert picker.wants(pose(yaw=11.0), SECOND)
    assert picker.wants(pose(), 3 * SECOND)  # standing still
    assert picker.wants(pose(), -SECOND)  # the recording began again


CAMERA = Camera(640, 480, 525.0, 525.0, 319.5, 239.5)  # sees 63 degrees


def watched(poses, rate=30, camera=CAMERA, **more):
    """A drive of which every frame is taken."""
    watch = DriveWatch(**more)
    for index, place in enumerate(poses):
        watch.saw(place, index * SECOND // rate)
        watch.took(place, camera)
    return watch


def around(count, step=3.0, metres=0.02):
    """A walk through the room that looks in all directions; optical axes turn about y."""
    turn = [Rotation.from_euler("y", step * index, degrees=True).as_matrix() for index in range(count)]
    poses = np.tile(np.eye(4), (count, 1, 1))
    poses[:, :3, :3] = turn
    poses[:, 0, 3] = metres * np.arange(count)
    return list(poses)


def test_a_good_drive_needs_no_advice():
    watch = watched(around(120), rate=10)
    texture = np.random.default_rng(0).integers(0, 255, (120, 160), np.uint8)
    for _ in range(60):
        watch.looked_at(texture)
    assert watch.advice() == []


def test_jumps_and_fast_turns_are_told():
    jumpy = watched([place @ pose(x=1.0 if index > 30 else 0.0) for index, place in enumerate(around(60, 1.0))])
    assert jumpy.jumps == 1 and "jumped" in jumpy.advice()[0]
    fast = watched(around(60, 4.0))
    assert fast.jumps == 0 and "slowly" in fast.advice()[0]


def test_neighbours_that_share_too_little_are_told():
    assert "overlap too little" in watched(around(40, 40.0), rate=1).advice()[0]
    assert "overlap too little" in watched(around(40, 10.0, metres=1.5), rate=1).advice()[0]
    assert watched(around(40, 10.0, metres=1.5), rate=1, metric=False).advice() == []


def test_blurred_images_are_told():
    watch = DriveWatch()
    sharp = np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8)
    blurred = cv2.GaussianBlur(sharp, (0, 0), 6.0)
    for index in range(40):
        watch.looked_at(blurred if index % 4 == 3 else sharp)
    assert watch.blurred == 10 and "blurred" in watch.advice()[0]


def test_too_few_viewpoints_are_told():
    assert "moved by less than" in watched(around(60, 5.0, metres=0.0), rate=10).advice()[0]
    ahead = watched([pose(x=0.05 * index) for index in range(60)])
    assert "look one way" in ahead.advice()[0]
    there_and_back = watched([pose(x=0.05 * index, roll=180.0 * (index >= 30)) for index in range(60)], rate=0.1)
    assert "look two ways" in there_and_back.advice()[-1]


def test_advice_speaks_of_what_comes_in_and_of_the_map():
    intake = Intake(images=100, silence="", no_pose=0, bad_pose=0, pose_fault="", seconds=60.0)
    good = Counters(taken=100)
    assert advice(intake, good, DriveWatch(), HeldBack()) == []
    assert advice(intake, good, DriveWatch(), HeldBack(10, 9)) == []
    assert "Only 5 of 10" in advice(intake, good, DriveWatch(), HeldBack(10, 5))[0]
    assert "covered" in advice(intake, Counters(taken=60, blurred=30), DriveWatch(), HeldBack())[0]
    assert "faster than they can be encoded" in advice(intake, Counters(60, overload=40), DriveWatch(), HeldBack())[0]
    assert "at least 10" in advice(intake, Counters(taken=3), DriveWatch(), HeldBack())[0]
    unposed = replace(intake, no_pose=100, pose_fault="no message on /pose so far")
    assert "100 images got no pose: no message" in advice(unposed, Counters(), DriveWatch(), HeldBack())[0]


def test_an_album_keeps_a_few_images_of_the_whole_drive():
    album = Album()
    for index in range(500):
        grey = np.full((48, 64), index // 2, np.uint8)
        album.show(grey, CAMERA.resized(64, 48), pose(x=index), f"frame {index}")
    frames = album.frames()
    assert 30 <= len(frames) <= 61
    places = [frame.map_from_camera[0, 3] for frame in frames]
    assert places[0] == 0 and places[-1] > 450 and len(set(np.diff(places))) == 1
    assert all(abs(int(frame.read().mean()) - frame.map_from_camera[0, 3] // 2) <= 2 for frame in frames)


# --- frames on their way into the mapper, and builds ---


def candidate(index, **changes):
    """Frame ``index`` of the small room."""
    room = small_room()
    frame = Candidate(
        f"frame {index}", index * SECOND // 10, room.camera, room.poses[index], lambda: room.images[index]
    )
    return replace(frame, **changes)


@pytest.fixture
def collector():
    reported = []
    keyframes = KeyframePicker(KeyframeOptions(0.02, 2.0))
    made = Collector(lambda: Mapper(replace(OPTIONS, steps=30)), keyframes, 60, 30, reported.append)
    made.reported = reported
    yield made
    made.close()


def settled(collector):
    """Wait until every frame that was taken is encoded; returns the counters."""
    deadline = time.monotonic() + 60.0
    while collector.counters.encoded < collector.counters.taken and time.monotonic() < deadline:
        time.sleep(0.01)
    return collector.counters


def test_every_frame_that_is_offered_is_counted(collector):
    room = small_room()
    assert collector.offer(candidate(0))
    assert not collector.offer(candidate(0, stamp=1))  # from where one was taken
    assert not collector.offer(candidate(1, map_from_camera=np.full((4, 4), np.nan)))
    assert "NaN" in collector.last_fault
    collector.offer(candidate(2, decode=lambda: np.zeros_like(room.images[0])))

    def unreadable():
        raise InputError("image: truncated")

    collector.offer(candidate(4, decode=unreadable))
    deadline = time.monotonic() + 60.0
    while collector.counters.bad_image == 0 and time.monotonic() < deadline:
        time.sleep(0.01)
    counters = settled(collector)
    assert counters == Counters(taken=1, encoded=1, similar_view=1, bad_image=1, blurred=1, bad_pose=1)
    assert collector.reported == ["frame 4: image: truncated"]
    for index in range(5, 60):
        collector.offer(candidate(index))
    assert collector.counters.taken == 30 and collector.counters.full > 0
    collector.reset()
    assert collector.counters == Counters() and not collector.album.frames()


def test_a_session_from_the_first_frame_to_the_map(collector, tmp_path):
    """States, advice, a build that is too early, one that is cancelled, one that works, and the map once more."""
    outcomes, steps = [], []
    finished = threading.Event()

    def built(outcome):
        if not outcome.first:
            outcomes.append(outcome)
            finished.set()

    session = MappingSession(collector, SessionOptions("room", tmp_path), built)
    with pytest.raises(MappingError, match="no map was built"):
        session.save("again")
    assert session.state() == (MappingState.COLLECTING, "taking frames, 0 so far")

    def build(**how):
        finished.clear()
        session.build(**how)
        assert session.state()[0] is MappingState.TRAINING
        with pytest.raises(InputError, match="under way"):
            session.build()
        with pytest.raises(InputError, match="under way"):
            session.reset()
        if how.get("seconds") == 99.0:
            session.cancel()
        assert finished.wait(120.0)
        return outcomes[-1]

    for index in range(5):
        session.offer(candidate(index))
    assert session.forsaken == 5 and "at least 10" in session.advice(Intake(images=5))[0]
    assert build().result is Result.TOO_FEW_FRAMES and session.state()[0] is MappingState.FAILED
    for index in range(5, 28):
        session.offer(candidate(index))
    assert session.state()[0] is MappingState.COLLECTING  # for the next one
    assert build(seconds=99.0).result is Result.CANCELED and not list(tmp_path.iterdir())

    taken = session.counters.taken
    outcome = build(name="kitchen", steps=40, on_progress=lambda step: steps.append(overall(step)))
    assert outcome.result is Result.SUCCESS and outcome.frames == taken, outcome.message
    assert outcome.path == tmp_path / "kitchen.safetensors" and outcome.size == outcome.path.stat().st_size
    assert "held back" in outcome.message and session.map_name == "kitchen"
    assert SceneMap.load(outcome.path).header.training["steps"] == 40
    assert steps == sorted(steps) and 0 <= steps[0] < steps[-1] <= 1 and session.progress is None
    assert session.state() == (MappingState.READY, outcome.message) and session.forsaken == 0

    path, size = session.save("copies/again")
    assert size == path.stat().st_size == outcome.size
    with pytest.raises(InputError, match="leads out"):
        session.save("../again")
    (tmp_path / "file").touch()
    with pytest.raises(MapFileError, match="folder"):
        session.save("file/again")
    assert session.reset() == taken and session.counters.taken == 0


def quaternion_w_first(pose):
    x, y, z, w = Rotation.from_matrix(pose[:3, :3]).as_quat()
    turned = pose.copy()
    turned[:3, :3] = Rotation.from_quat([w, x, y, z]).as_matrix()
    return turned


@pytest.mark.parametrize(
    ("meant", "words"),
    [
        (np.linalg.inv, "poses look inverted"),
        (lambda pose: pose @ np.diag([1.0, -1, -1, 1]), "OpenGL's camera axes"),
        (lambda pose: pose @ ROBOT_FROM_OPTICAL, "a robot's axes"),
        (quaternion_w_first, "quaternion"),
        (lambda pose: pose, ""),
    ],
)
def test_poses_that_the_images_contradict_are_told_early_and_make_no_map(tmp_path, meant, words):
    """30 frames are enough to tell; the frames stay, and whoever knows better may build."""
    outcomes, finished = [], threading.Event()

    def built(outcome):
        outcomes.append(outcome)
        if not outcome.first:
            finished.set()

    new_mapper = partial(Mapper, replace(QUICK, keypoints=500))
    collector = Collector(new_mapper, KeyframePicker(KeyframeOptions(0.0, 0.0, min_interval=0.0)), 60, 0, print)
    session = MappingSession(collector, SessionOptions("room", tmp_path), built)
    try:
        for index in range(40):
            session.offer(candidate(index, map_from_camera=meant(small_room().poses[index])))
        settled(collector)
        told = [sentence for sentence in session.advice(Intake(images=40)) if "epipolar" in sentence]
        assert bool(told) == bool(words) and all(words in sentence for sentence in told), told
        session.build()
        assert finished.wait(120.0)
        if not words:
            assert outcomes[-1].result is Result.SUCCESS
            return
        assert outcomes[-1].result is Result.POSES_DO_NOT_FIT and words in outcomes[-1].message
        assert "check_poses" in outcomes[-1].message and session.counters.taken == 40
        assert not list(tmp_path.glob("*.safetensors"))
        finished.clear()
        session.use(replace(SessionOptions("room", tmp_path), check_poses=False))
        session.build()
        assert finished.wait(120.0) and outcomes[-1].result is not Result.POSES_DO_NOT_FIT
    finally:
        session.close()


def test_rooms_that_were_left_are_built_while_frames_come(tmp_path):
    """Two rooms that look the same, 60 m apart: when the drive is over, only the second is left to build."""
    reported, outcomes, steps = [], [], []
    picker = KeyframePicker(KeyframeOptions(0.02, 2.0))
    collector = Collector(lambda: Mapper(QUICK), picker, 60, 0, reported.append)
    session = MappingSession(collector, SessionOptions("rooms", tmp_path), outcomes.append)

    def drive(frames, x):
        for index in frames:
            session.offer(candidate(index, map_from_camera=pose(x=x) @ small_room().poses[index]))
        settled(collector)

    try:
        drive(range(0, 48, 2), 0.0)
        drive(range(1, 33, 2), 60.0)  # 40 in all, when it is looked what can be built
        until(lambda: collector.places_ahead == 1)
        assert session.state()[1].endswith("so far; 1 place is finished")
        drive(range(33, 48, 2), 60.0)
        session.build(on_progress=steps.append)
        until(lambda: outcomes and not outcomes[-1].first)
        assert {(step.place, step.places) for step in steps} == {(1, 2)} and overall(steps[0]) == 0.5
        assert [outcome.result for outcome in outcomes] == [Result.SUCCESS] * 2, outcomes[-1].message
        assert [len(outcome.scene_map.places) for outcome in outcomes] == [2, 2]
        session.reset()
        until(lambda: collector.places_ahead == 0)
    finally:
        session.close()
    assert not reported


def test_a_place_that_is_built_ahead_is_in_nobodys_way(tmp_path, monkeypatch):
    """Neither of a build that is cancelled, nor of a reset, nor of the end."""
    begun, outcomes, reported = [], [], []
    monkeypatch.setattr("ace_ros.mapping.mapper.build_place", lambda *how: begun.append(how) or build_place(*how))
    hours = replace(QUICK, steps=1_000_000)
    collector = Collector(lambda: Mapper(hours), KeyframePicker(KeyframeOptions(0.02, 2.0)), 60, 0, reported.append)
    session = MappingSession(collector, SessionOptions("rooms", tmp_path), outcomes.append)

    def drive(count):
        begun.clear()
        for index in range(count):
            shift = pose(x=0.0 if index < 12 else 60.0)
            session.offer(candidate(index, map_from_camera=shift @ small_room().poses[index]))
            until(lambda: collector.counters.encoded == collector.counters.taken)  # also while a place is built
        until(lambda: begun)

    try:
        drive(36)
        session.build()
        session.cancel()
        until(lambda: outcomes)
        assert outcomes[0].result is Result.CANCELED and collector.places_ahead == 0
        session.reset()
        drive(36)
        session.reset()
        drive(36)
    finally:
        session.close()
    assert len(outcomes) == 1 and not reported


def test_a_session_collects_when_it_is_told_to(collector, tmp_path):
    session = MappingSession(collector, SessionOptions(maps_dir=tmp_path), collecting=False)
    assert not session.offer(candidate(0))
    state, sentence = session.state()
    assert state is MappingState.COLLECTING and "told to collect" in sentence
    session.collecting = True
    assert session.offer(candidate(0)) and session.state()[1] == "taking frames, 1 so far"


def test_a_session_rests_once_the_robot_localizes_in_its_map(collector, tmp_path):
    """Frames that come after a build have poses by the map itself; where no map came of it, the drive goes on."""
    done = threading.Event()

    def built(outcome):
        if not outcome.first:
            done.set()

    session = MappingSession(collector, SessionOptions(maps_dir=tmp_path, keep_collecting=False), built)
    for index in range(5):
        session.offer(candidate(index))
    session.build()  # of too few frames
    assert done.wait(60.0) and session.offer(candidate(5))
    for index in range(6, 20):
        session.offer(candidate(index))
    taken = session.counters.taken
    done.clear()
    session.build()
    assert not session.offer(candidate(20)) and session.state()[0] is MappingState.TRAINING
    assert done.wait(120.0) and not session.offer(candidate(21))
    assert session.counters.taken == taken and session.state()[0] is MappingState.READY
    session.collecting = True  # ~/collect
    assert session.offer(candidate(22))


def test_maps_are_built_when_there_is_enough_for_one(collector, tmp_path):
    built = threading.Event()
    session = MappingSession(
        collector, SessionOptions(maps_dir=tmp_path, auto_build_frames=12), lambda outcome: built.set()
    )
    for index in range(11):
        session.offer(candidate(index))
    assert session.build_when_due() == ""
    session.offer(candidate(11))
    assert "12 frames" in session.build_when_due()
    assert session.build_when_due() == ""  # once is enough
    assert built.wait(120.0) and (tmp_path / "map.safetensors").exists()
    session.offer(candidate(12))
    assert session.build_when_due() == ""  # one more is not twelve more


def test_maps_are_built_when_the_drive_is_over(collector, tmp_path):
    session = MappingSession(collector, SessionOptions(maps_dir=tmp_path, auto_build_idle=3.0))
    for index in range(12):
        session.offer(candidate(index))
    assert session.build_when_due() == ""
    said = []
    until(lambda: any(said) or said.append(session.build_when_due()))
    assert "since the last one" in said[-1]
    session.cancel()


def test_a_bad_name_is_told_before_the_drive(tmp_path):
    with pytest.raises(InputError, match="map name"):
        SessionOptions("../room", tmp_path)


def test_the_progress_of_a_build_goes_from_0_to_1():
    stages = ("triangulating", "sharpening", "training", "calibrating")
    done = [overall(Progress(stage, part, 4)) for stage in stages for part in range(5)]
    assert done == sorted(done) and done[0] == 0 and done[-1] == 1 and overall(None) == 0

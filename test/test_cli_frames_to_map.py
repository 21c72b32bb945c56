"""Which frames of a long recording are mapped, and how far a map of many places is."""

import io

import numpy as np
from core_making import QUICK, small_room
from rich.console import Console

from ace_ros.cli import frames_to_map
from ace_ros.cli.build_progress import BuildProgress
from ace_ros.cli.frames_to_map import add_frames, thinned
from ace_ros.cli.progress import progress
from ace_ros.generated.trajectory import looking
from ace_ros.mapping.mapper import Mapper
from ace_ros.mapping.progress import Progress
from ace_ros.recordings import PosedFrame, Recording


def recording(repeated):
    """The small room, each frame ``repeated`` times: a camera that stood still now and then."""
    room, frames = small_room(), []
    for index in range(12 * repeated):
        image, pose = room.images[index // repeated], room.poses[index // repeated]
        frames.append(PosedFrame(f"{index}", index, room.camera, pose, lambda image=image: image))
    return Recording("room", frames, metric=True)


def added(scene):
    mapper = Mapper(QUICK)
    with progress(Console(file=io.StringIO())) as stages:
        return mapper, add_frames(mapper, scene, stamped=False, stages=stages)


def test_of_a_long_recording_frames_that_show_nothing_new_are_left_out(monkeypatch):
    scene = recording(3)
    mapper, counts = added(scene)
    assert len(mapper) == 36 and counts == {"skipped": 0, "redundant": 0}
    monkeypatch.setattr(frames_to_map, "FEW_FRAMES", 30)
    mapper, counts = added(scene)
    # Each new one is taken, and all until the depth of the scene is known.
    assert 12 <= len(mapper) <= 18 and counts == {"skipped": 0, "redundant": 36 - len(mapper)}
    assert {int(view.name) // 3 for view in mapper.views} == set(range(12))


def test_no_more_frames_than_a_building_has(monkeypatch, capsys):
    monkeypatch.setattr(frames_to_map, "_MOST", 50)
    poses = [looking((0.1 * index, 0.0, 0.0), 0.0, 0.0) for index in range(200)]
    frames = [PosedFrame(f"{i}", i, small_room().camera, pose, lambda: None) for i, pose in enumerate(poses)]
    kept = thinned(Recording("hall", frames, metric=True)).frames
    assert len(kept) == 50 and "50 of 200 frames are used" in capsys.readouterr().err
    assert np.diff([frame.stamp for frame in kept]).max() <= 8
    assert len(thinned(Recording("hall", frames[:50], metric=True)).frames) == 50


def test_many_places_are_one_bar_with_the_time_for_all():
    told, now = io.StringIO(), [0.0]

    def clock():
        return now[0]

    with progress(Console(file=told, width=100), clock) as stages:
        show = BuildProgress(stages, metric=True, clock=clock)
        for place in range(4):
            for stage, done in (("triangulating", 0), ("training", 500), ("calibrating", 10)):
                show(Progress(stage, done, 1000 if stage == "training" else 10, place=place, places=4))
                now[0] += 20.0
    lines = told.getvalue().splitlines()
    assert lines[-1].startswith("places 4/4, in ")
    assert "places 2/4, 2:00 left, place 3 of 4: triangulating" in lines

"""Evaluation through the nodes, without nodes: what is played of which bag, and what a record says."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scene_making import STAMPS, START, BagMaker, ace_scene, camera_messages, pose

from ace_ros.camera import Camera
from ace_ros.cli.evaluate_command import live_rows
from ace_ros.errors import InputError
from ace_ros.evaluation.metrics import nees_of
from ace_ros.geometry import invert, quaternion_xyzw
from ace_ros.live.judging import judged, live_figures
from ace_ros.live.plan import LOCALIZER, PLAYER, Run, as_bag, plan
from ace_ros.live.record import RecordWriter, growing, read_record
from ace_ros.recordings import PosedFrame, SplitOptions, open_recording

MOUNT = pose(99)  # base_from_camera


class Header:
    metric, map_frame = True, "map"


def planned(bag, options=None, header=Header, **more):
    return plan(bag, options or SplitOptions(), bag / "m", header, bag / "record.jsonl", **more)


def robot_bag(path, edges, **kind):
    """A camera on a base, and TF above it: (parent, child) that move."""
    with BagMaker(path, **kind) as bag:
        bag.tf(START, "base_link", "camera", MOUNT, static=True)
        for index, stamp in enumerate(STAMPS):
            for parent, child in edges:
                bag.tf(stamp, parent, child, pose(index))
        camera_messages(bag)
    return path


@pytest.mark.parametrize(
    ("edges", "mode", "played"),
    [
        ([("odom", "base_link")], "map_to_odom", {"/tf", "/tf_static"}),
        ([], "map_to_base", {"/tf_static"}),
        ([("map", "odom"), ("odom", "base_link")], "map_to_base", {"/tf_static"}),  # the truth is not given away
        ([("map", "base_link")], "map_to_base", {"/tf_static"}),
    ],
)
def test_tf_is_played_as_far_as_it_does_not_tell_the_pose(tmp_path, edges, mode, played):
    run = planned(robot_bag(tmp_path / "bag", edges))
    assert run.parameters[LOCALIZER]["tf_mode"] == mode
    assert run.parameters[LOCALIZER]["base_frame"] == "base_link"
    assert run.parameters[LOCALIZER]["odom_frame"] == ("odom" if mode == "map_to_odom" else "")
    topics = set(run.parameters[PLAYER]["topics"].split(","))
    both = sorted({"/camera/camera_info"} | played)  # localizer and recorder listen to them
    waited = ["/camera/image_raw/compressed", "/clock", *both, *both]
    assert sorted(run.parameters[PLAYER]["wait_for_subscribers"].split(",")) == sorted(waited)
    assert topics == {"/camera/image_raw/compressed", "/camera/camera_info"} | played
    np.testing.assert_allclose(run.pose_from_camera, MOUNT, atol=1e-9)


def test_a_camera_alone_or_a_map_without_scale_gives_the_cameras_pose(tmp_path):
    with BagMaker(tmp_path / "bag") as bag:
        bag.tf(START, "map", "camera", pose(3))
        camera_messages(bag)

    class Scaleless(Header):
        metric = False

    robot = robot_bag(tmp_path / "robot", [("odom", "base_link")])
    for run in (planned(tmp_path / "bag"), planned(robot, header=Scaleless)):
        parameters = run.parameters[LOCALIZER]
        assert (parameters["tf_mode"], parameters["base_frame"], parameters["odom_frame"]) == ("map_to_camera", "", "")
        assert "/tf" not in run.parameters[PLAYER]["topics"]
        np.testing.assert_array_equal(run.pose_from_camera, np.eye(4))


def test_raw_images_and_what_the_user_wants(tmp_path):
    with BagMaker(tmp_path / "bag", "sqlite3") as bag:
        bag.raw(START, np.zeros((48, 64, 3), np.uint8), "rgb8", topic="/front/image_rect")
        bag.info(START, topic="/front/camera_info")
    run = planned(tmp_path / "bag", rate=0.5, localizer={"tf_mode": "none", "threads": 1})
    parameters = run.parameters[LOCALIZER]
    assert parameters["image_transport"] == "raw" and parameters["rectified"] and parameters["tf_mode"] == "none"
    assert run.remappings[LOCALIZER] == {"image": "/front/image_rect", "camera_info": "/front/camera_info"}
    assert run.parameters[PLAYER]["rate"] == 0.5


def test_recordings_that_cannot_be_played_as_they_are_become_bags(tmp_path):
    robot = robot_bag(tmp_path / "bag", [])
    scene = open_recording(robot, "all")
    assert as_bag(robot, scene, SplitOptions(), tmp_path)[0] == robot
    folder = ace_scene(tmp_path / "room")
    with BagMaker(tmp_path / "unstamped") as bag:
        for index, stamp in enumerate(STAMPS):
            bag.info(0, frame="camera")
            bag.compressed(0, index, log_time=stamp)
    given = SplitOptions(intrinsics="60 60 32 24")
    cases = ((folder, SplitOptions()), (tmp_path / "unstamped", SplitOptions()), (robot, given))
    for number, (path, options) in enumerate(cases):
        (tmp_path / str(number)).mkdir()
        scene = open_recording(path, "all", options)
        bag, reading = as_bag(path, scene, options, tmp_path / str(number))
        assert bag != path
        again = open_recording(bag, "all", reading)
        assert [frame.stamp for frame in again.frames] == [frame.stamp for frame in scene.frames]
        assert again.frames[0].camera == scene.frames[0].camera


def write(path, lines):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def frame_line(stamp, state="LOCALIZED", **more):
    usual = {"reason": "", "confidence": 0.99, "inliers": 100, "candidates": 200, "processing_time": 0.04}
    return {"kind": "frame", "stamp": stamp, "state": state, "latency": 0.05, **usual, **more}


def pose_line(kind, stamp, matrix, **more):
    place = {"position": matrix[:3, 3].tolist(), "orientation": quaternion_xyzw(matrix).tolist()}
    return {"kind": kind, "stamp": stamp, **place, **more}


COUNTS = {"received": 7, "processed": 4, "localized": 2, "dropped": 2, "rejected": 1}
END = {"kind": "end", **COUNTS, "no_tf": "TF has no map"}


def test_a_record_is_judged_by_what_was_published(tmp_path):
    """The pose of the base, carried over to the camera; frames that nobody worked on are not asked for."""
    truth = [pose(index) for index in range(8)]
    camera = Camera(64, 48, 60, 60, 32, 24)
    frames = [PosedFrame(str(i), STAMPS[i], camera, truth[i], lambda: None) for i in range(8)]
    off = np.eye(4)
    off[0, 3] = 0.02
    covariance = (np.eye(6) * 1e-4).ravel().tolist()
    bases = [off @ truth[i] @ invert(MOUNT) for i in range(8)]
    path = write(
        tmp_path / "record.jsonl",
        [
            {"kind": "ready"},
            frame_line(STAMPS[0]),
            pose_line("pose", STAMPS[0], bases[0], covariance=covariance, age=0.06),
            frame_line(STAMPS[2], "UNCERTAIN", reason="too few inliers", confidence=0.4, place=2),
            frame_line(STAMPS[3], "LOST", processing_time=None, place=-1),
            pose_line("pose", STAMPS[5], bases[5], covariance=covariance, age=None),
            frame_line(STAMPS[5]),
            pose_line("tf", STAMPS[2], truth[2]),
            END,
        ],
    )
    record = read_record(path)
    run = Run(None, MOUNT, {}, {})
    results, notes = judged(record, frames, run)
    assert not notes and [r.name for r in results] == ["0", "2", "3", "5"]
    assert [r.state for r in results] == ["LOCALIZED", "UNCERTAIN", "LOST", "LOCALIZED"]
    assert [r.place for r in results] == [None, 2, None, None]
    for result, index in ((results[0], 0), (results[3], 5)):
        np.testing.assert_allclose(result.estimate, off @ truth[index], atol=1e-9)
    assert results[1].estimate is None and results[0].age == 0.06 and results[3].age is None
    assert len(nees_of(results)) == 2 and (nees_of(results) > 0).all()
    figures = live_figures(record, frames, 8)
    assert figures["frames_not_received"] == 1 and figures["frames_dropped"] == 2 and figures["poses"] == 2
    assert figures["images_hz"] == pytest.approx(10) and figures["longest_gap_s"] == pytest.approx(0.5)
    assert figures["latency_ms"] == pytest.approx({"median": 60, "p95": 60, "max": 60})
    assert figures["tf"]["frames"] == 4 and figures["tf"]["known"] == 1 and figures["tf"]["missing"] == "TF has no map"
    silent = live_figures(replace(record, transforms={}), frames, 8)
    assert ("TF at the stamps of the images", "0 of 4: TF has no map") in live_rows(silent)
    assert figures["tf"]["median_translation"] == pytest.approx(0, abs=1e-9)
    with pytest.raises(InputError, match="not one of 2 frames"):
        judged(record, frames[6:], run)


def test_a_record_that_was_written_is_read(tmp_path):
    """It is in its place only when it is whole, and holds no NaN, which JSON has not."""
    path = tmp_path / "record.jsonl"
    writer = RecordWriter(path)
    writer.write("frame", stamp=STAMPS[0], state="LOST", processing_time=float("nan"))
    assert not path.exists() and growing(path).read_text().count("\n") == 1
    writer.finish(received=1)
    record = read_record(path)
    assert not growing(path).exists() and record.counts["received"] == 1
    assert record.frames[STAMPS[0]]["processing_time"] is None and record.frames[STAMPS[0]]["state"] == "LOST"
    with pytest.raises(InputError, match="can't be written"):
        RecordWriter(tmp_path / "nowhere" / "record.jsonl")


def test_records_that_are_none(tmp_path):
    with pytest.raises(InputError, match="can't be read"):
        read_record(tmp_path / "missing")
    with pytest.raises(InputError, match="not completed"):
        read_record(write(tmp_path / "half", [{"kind": "ready"}, frame_line(1)]))
    (tmp_path / "other").write_text("hello\n")
    with pytest.raises(InputError, match="not a record"):
        read_record(tmp_path / "other")
    with pytest.raises(InputError, match="not a record"):
        read_record(write(tmp_path / "list", [[1, 2]]))

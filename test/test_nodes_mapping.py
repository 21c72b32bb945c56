"""mapping_node over DDS: from a bag to poses, pose sources, bad input, builds that fail or are cancelled."""

import json
import math
import resource
from dataclasses import replace

import cv2
import numpy as np
import pytest
from ace_command import ace, refused, succeeded
from drive import camera_info, jpeg_image
from geometry_msgs.msg import Pose, PoseStamped
from mapping import COUNTERS, Mapping, extent
from rclpy.time import Time
from ros_harness import Probe, Process, own_domain
from sensor_msgs.msg import PointCloud2

from ace_ros.action import BuildMap
from ace_ros.geometry import invert, pose_error
from ace_ros.map.scene_map import SceneMap
from ace_ros.msg import LocalizationStatus, MappingStatus
from ace_ros.nodes.conversions import nanoseconds, pose_matrix, time_message, transform_matrix
from ace_ros.recordings import open_recording, write_bag
from ace_ros.srv import SaveMap

RESULT = BuildMap.Result


@pytest.fixture
def domain():
    with own_domain() as number:
        yield number


def at_30_hz(scene, step, name):
    """Every ``step``-th frame, as a camera would have sent them."""
    frames = [replace(f, stamp=10**18 + i * 10**9 // 30) for i, f in enumerate(scene.frames[::step])]
    return replace(scene, frames=frames, name=name)


def cloud_of(message):
    """Points (N, 3) and colours (N,) of a PointCloud2."""
    table = np.frombuffer(message.data, "<f4").reshape(-1, 4)
    return table[:, :3], np.ascontiguousarray(table[:, 3]).view("<u4")


def accounted(status):
    """Frames that were taken, or not for a reason."""
    return status.frames_taken + sum(getattr(status, name) for name in COUNTERS if name.startswith("rejected_"))


def worked_off(status):
    """Whether something came, and no frame is on its way any more."""
    return 0 < status.frames_received == status.frames_processed + status.frames_dropped


def test_the_main_job_through_ros(room, domain, tmp_path):
    """A bag is replayed, a map is built by action with feedback; with it, the queries of another bag become poses."""
    drive, queries = (at_30_hz(open_recording(room, split), step, split) for split, step in (("train", 2), ("test", 2)))
    write_bag(drive, tmp_path / "drive")
    write_bag(queries, tmp_path / "queries")
    camera = {"image": "/camera/image_raw", "camera_info": "/camera/camera_info"}
    usual = {"use_sim_time": True, "image_transport": "compressed", "image_reliability": "reliable"}
    waiting = {"wait_for_subscribers": "/camera/image_raw/compressed,/camera/camera_info,/tf"}
    probe = Probe(domain)
    processes = []

    def start(name, parameters, remaps):
        processes.append(Process(name, domain, tmp_path / f"{name}_{len(processes)}.log", parameters, remaps))
        return processes[-1]

    try:
        mapping_statuses = probe.hear(MappingStatus, "/mapping_node/status")
        clouds = probe.hear(PointCloud2, "/mapping_node/map_cloud", latched=True)
        mapping = start(
            "mapping_node",
            usual
            | {"maps_dir": str(tmp_path), "min_translation": 0.01, "min_rotation": 1.0, "steps": 500}
            | {"queue_size": 1000, "tf_timeout": 10.0},  # whatever else the machine has to do
            camera,
        )
        probe.needed.append(mapping)
        probe.until(lambda: mapping_statuses, "mapping_node")
        assert (
            start("replay_node", {"bag": str(tmp_path / "drive"), "start_delay": 1.0, "rate": 0.5} | waiting, {}).wait(
                120
            )
            == 0
        )
        probe.until(lambda: accounted(mapping_statuses[-1]) == len(drive.frames), "all frames")
        told = mapping_statuses[-1]
        assert told.frames_received == len(drive.frames) and told.frames_taken >= 0.7 * len(drive.frames)

        feedback = []
        handle = probe.goal(BuildMap, "/mapping_node/build_map", feedback)
        built = probe.result(handle.get_result_async(), "the map", timeout=300.0).result
        assert built.result == RESULT.RESULT_SUCCESS and built.frames == told.frames_taken, built.message
        assert {"triangulating", "training"} <= {message.stage for message in feedback}
        assert any(not math.isnan(message.held_back_miss) for message in feedback if message.stage == "training")
        progress = [message.progress for message in feedback]
        assert progress == sorted(progress) and 0 <= progress[0] < progress[-1] <= 1
        assert built.steps == 500 and built.map_bytes > 10_000 and built.held_back_frames > 0
        assert SceneMap.load(built.map_path).header.map_frame == "map"
        assert 0.5 < built.held_back_localized <= 1 and built.held_back_translation < 0.05
        assert f"of {built.held_back_frames} mapping views" in built.message
        ready = MappingStatus.STATE_READY
        after = probe.until(lambda: mapping_statuses[-1].state == ready and mapping_statuses[-1], "its accuracy")
        assert after.held_back_translation == built.held_back_translation
        expected = ("No image on", "The camera turned faster")  # all it can say of this drive, which turns in a hurry
        assert all(sentence.startswith(expected) for sentence in after.advice), after.advice
        probe.until(lambda: clouds and len(np.unique(cloud_of(clouds[-1])[1])) > 100, "a coloured map", timeout=120.0)
        points, _ = cloud_of(clouds[-1])
        assert len(points) > 1000 and clouds[-1].header.frame_id == "map"
        low, high = SceneMap.load(built.map_path).header.extent
        assert np.all(np.abs(points - np.add(low, high) / 2) < 10.0)  # in the room, and not on the horizon
        probe.needed.clear()
        assert mapping.interrupt() == 0

        scored = ("--split", "all", "--json", tmp_path / "e.json")
        judged = ace("evaluate", built.map_path, tmp_path / "drive", *scored)
        if built.frames == len(drive.frames):
            refused(judged, f"made from all {built.frames} frames")
        else:
            succeeded(judged)
            figures = json.loads((tmp_path / "e.json").read_text())
            assert (figures["left_out_mapped"], figures["frames"]) == (built.frames, len(drive.frames) - built.frames)
        assert f"{built.frames} frames" in judged.stderr

        poses = probe.hear(PoseStamped, "/localization_node/pose")
        statuses = probe.hear(LocalizationStatus, "/localization_node/status")
        buffer = probe.listen_to_tf()
        settings = usual | {"map": built.map_path, "tf_mode": "map_to_camera", "max_age": 0.0}
        localization = start("localization_node", settings, camera)
        probe.needed.append(localization)
        probe.until(lambda: statuses and statuses[-1].state != LocalizationStatus.STATE_INACTIVE, "localization_node")
        topics = {"topics": "/camera/image_raw/compressed,/camera/camera_info", "start_delay": 1.0, "rate": 0.3}
        listened = {"wait_for_subscribers": topics["topics"]}
        assert start("replay_node", {"bag": str(tmp_path / "queries")} | topics | listened, {}).wait(120) == 0
        probe.until(lambda: worked_off(statuses[-1]) and len(poses) == statuses[-1].frames_localized, "the last pose")
        truth = {frame.stamp: frame.map_from_camera for frame in queries.frames}
        errors = [pose_error(pose_matrix(m.pose, "pose"), truth[nanoseconds(m.header.stamp)]) for m in poses]
        worked = statuses[-1].frames_processed
        assert worked >= 3 and len(errors) >= 0.7 * worked  # how many are too many is the machine's affair
        assert np.median([e[0] for e in errors]) < 0.02 and np.median([e[1] for e in errors]) < 0.5
        last, when = poses[-1], Time.from_msg(poses[-1].header.stamp)
        probe.until(lambda: buffer.can_transform("map", "camera_optical_frame", when), "TF of the last pose")
        found = buffer.lookup_transform("map", "camera_optical_frame", when).transform
        assert np.allclose(transform_matrix(found, "TF"), pose_matrix(last.pose, "pose"))
        probe.needed.clear()
        assert localization.interrupt() == 0
        assert not any("Traceback" in process.text() for process in processes)
    finally:
        for process in processes:
            process.interrupt()
        probe.close()


def test_odometry_of_the_base_becomes_poses_of_the_camera(mapped_room, domain, tmp_path):
    """nav_msgs/Odometry and a static transform; the map says in its extent where the cameras were."""
    with Mapping(mapped_room, domain, tmp_path, pose_source="odometry", map_frame="odom") as node:
        chosen = range(0, 48, 4)
        node.drive(chosen)
        node.taken(len(chosen))
        header = SceneMap.load(node.build().map_path).header
        assert header.map_frame == "odom"
        least, greatest = extent([mapped_room.mapping[i][2] for i in chosen])
        assert np.all(header.extent[0] >= least - 1e-4) and np.all(header.extent[1] <= greatest + 1e-4)
        assert np.all(np.array(header.extent[1]) - header.extent[0] >= 0.5 * (greatest - least))


def test_bad_frames_are_counted_with_reasons(mapped_room, domain, tmp_path):
    """NaN, no rotation, another frame, no camera_info that fits, truncated, black; the good ones are taken."""
    with Mapping(mapped_room, domain, tmp_path) as node:
        pixels, camera, _ = mapped_room.mapping[0]
        broken, zeros = Pose(), Pose()
        broken.position.x, zeros.orientation.w = float("nan"), 0.0
        node.drive([1], pose=broken)
        node.drive([1], pose=zeros)
        node.drive([1], parent="odom")
        node.probe.until(lambda: node.since_ready("rejected_bad_pose") >= 3, "three bad poses")
        assert any("'odom'" in sentence and "map_frame" in sentence for sentence in node.statuses[-1].advice)

        def picture(image, info=None):
            stamp = node.send(1)
            node.rover.send_pose(mapped_room.mapping[1][2], stamp + 1_000)
            image.header.stamp = time_message(stamp + 1_000)
            image.header.frame_id = node.rover.frame
            node.rover.images.publish(image)
            node.rover.infos.publish(camera_info(camera, stamp + 1_000) if info is None else info(stamp + 1_000))

        good = jpeg_image(pixels, 0)
        truncated = jpeg_image(pixels, 0)
        truncated.data = good.data[: len(good.data) // 2]
        picture(truncated)
        node.probe.until(lambda: node.since_ready("rejected_bad_image") >= 1, "a truncated image")
        picture(jpeg_image(np.zeros_like(pixels), 0))
        node.probe.until(lambda: node.since_ready("rejected_blurred") >= 1, "a black image")
        picture(jpeg_image(cv2.resize(pixels, (320, 240)), 0))
        node.probe.until(lambda: node.since_ready("rejected_bad_image") >= 2, "an image of another size")
        picture(good, lambda stamp: replace_k(camera_info(camera, stamp)))
        node.probe.until(lambda: node.since_ready("rejected_no_camera_info") >= 1, "an uncalibrated camera")
        told = node.settled()
        assert told.frames_taken == 4  # the good one that goes before each of the bad ones
        assert node.build().result == RESULT.RESULT_TOO_FEW_FRAMES
        assert node.settled().state == MappingStatus.STATE_FAILED and "10" in node.statuses[-1].message


def replace_k(info):
    info.k = np.zeros(9)
    return info


def test_builds_that_fail_and_builds_that_are_cancelled(mapped_room, domain, tmp_path):
    """Names that leave the folder, cancelling, files in the way: frames and the old map stay; saving again."""
    with Mapping(mapped_room, domain, tmp_path) as node:
        node.drive(range(0, 60, 4))
        node.taken(15)
        for name in ("../elsewhere", "/etc/map", "a/.."):
            assert node.build(map_name=name).result == RESULT.RESULT_INVALID_NAME
        assert node.probe.call(SaveMap, "/mapping_node/save_map", map_name="x").result == SaveMap.Response.RESULT_NO_MAP

        built = node.build()
        assert (built.result, built.frames) == (RESULT.RESULT_SUCCESS, 15), built.message
        least, greatest = extent([mapped_room.mapping[i][2] for i in range(0, 60, 4)])
        header = SceneMap.load(built.map_path).header
        assert np.all(header.extent[0] >= least - 1e-4) and np.all(header.extent[1] <= greatest + 1e-4)
        old = (node.maps / "room.safetensors").read_bytes()

        feedback = []
        handle = node.probe.goal(BuildMap, "/mapping_node/build_map", feedback, steps=1_000_000)
        node.probe.until(lambda: any(m.stage == "training" for m in feedback), "the training", timeout=120.0)
        busy = node.build()  # a second one meanwhile
        assert busy.result == RESULT.RESULT_UNDEFINED_FAILURE and "under way" in busy.message
        node.probe.result(handle.cancel_goal_async(), "the cancelling")
        cancelled = node.probe.result(handle.get_result_async(), "the end").result
        assert cancelled.result == RESULT.RESULT_CANCELED
        assert (node.maps / "room.safetensors").read_bytes() == old
        assert node.taken(15).frames_taken == 15

        (node.maps / "file").write_text("in the way")
        blocked = node.build(map_name="file/room")
        assert blocked.result == RESULT.RESULT_WRITE_FAILED and "file" in blocked.message

        saved = node.probe.call(SaveMap, "/mapping_node/save_map", map_name="copies/again")
        assert saved.result == SaveMap.Response.RESULT_SUCCESS, saved.message
        assert SceneMap.load(saved.map_path).header == header
        outside = node.probe.call(SaveMap, "/mapping_node/save_map", map_name="../again")
        assert outside.result == SaveMap.Response.RESULT_INVALID_NAME
        assert finished(node.maps) == ["copies", "file", "room.safetensors"]

        handle = node.probe.goal(BuildMap, "/mapping_node/build_map", feedback, steps=1_000_000)
        node.probe.until(lambda: node.statuses[-1].stage == "training", "the training again", timeout=120.0)
    # Ctrl-C in the middle of it, by the end of the block: exit code 0, and no trace
    assert (node.maps / "room.safetensors").read_bytes() == old
    assert sorted(path.name for path in node.maps.iterdir()) == ["copies", "file", "room.safetensors"]


def on_disk(node, count):
    """Wait until so many frames are encoded."""
    log = node.maps / "room.safetensors.unfinished" / "views.jsonl"
    node.probe.until(lambda: log.read_bytes().count(b"\n") == count, f"{count} frames on the disk")


def finished(folder):
    """All but the frames of the drive."""
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".unfinished")


def test_poses_that_are_meant_otherwise_are_told_and_make_no_map(mapped_room, domain, tmp_path):
    with Mapping(mapped_room, domain, tmp_path) as mapping:
        for index in range(40):
            mapping.drive([index], pose=invert(mapped_room.mapping[index][2]))
        mapping.probe.until(
            lambda: any("poses look inverted" in sentence for sentence in mapping.statuses[-1].advice), "the advice"
        )
        result = mapping.build()
        assert result.result == BuildMap.Result.RESULT_POSES_DO_NOT_FIT and "poses look inverted" in result.message
        assert "check_poses" in result.message and not list(mapping.maps.glob("*.safetensors"))


def test_a_full_disk_keeps_the_old_map(mapped_room, domain, tmp_path):
    """No file may grow beyond 20 kB: the map can't be written, nothing is left of it, and the old one is as it was."""
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "room.safetensors").write_bytes(b"the old map")
    with Mapping(mapped_room, domain, tmp_path) as node:
        node.drive(range(0, 48, 4))
        on_disk(node, 12)
        resource.prlimit(node.process.process.pid, resource.RLIMIT_FSIZE, (20_000, 20_000))
        built = node.build()
        assert built.result == RESULT.RESULT_WRITE_FAILED and "nothing was changed" in built.message
        assert node.settled().state == MappingStatus.STATE_FAILED
        assert finished(node.maps) == ["room.safetensors"]
        assert (node.maps / "room.safetensors").read_bytes() == b"the old map"


def test_too_many_frames_and_a_build_by_itself(mapped_room, domain, tmp_path):
    """What comes faster than it can be encoded is not taken, and counted; what was taken is in the map."""
    with Mapping(mapped_room, domain, tmp_path, queue_size=2, auto_build_idle=3.0, steps=20) as node:
        sent = 0
        while sent < 60 or node.statuses[-1].frames_taken < 12:  # how many are too many is the machine's affair
            node.send(sent % 60)
            node.probe.spin(0.02)
            sent += 1
        node.probe.until(lambda: accounted(node.statuses[-1]) - accounted(node.before) >= sent, "all frames")
        told = node.probe.until(
            lambda: node.statuses[-1].state == MappingStatus.STATE_READY and node.statuses[-1],
            "a map by itself", timeout=200.0,
        )  # fmt: skip
        assert accounted(told) - accounted(node.before) == sent
        header = SceneMap.load(node.maps / "room.safetensors").header
        assert header.frames + header.held_back.frames == told.frames_taken


def test_a_room_that_was_left_is_built_before_the_drive_is_over(mapped_room, domain, tmp_path):
    """Two rooms that look the same, 60 m apart."""
    with Mapping(mapped_room, domain, tmp_path) as node:
        for x in (0.0, 60.0):
            for index in range(0, 120, 6):
                pose = mapped_room.mapping[index][2].copy()
                pose[0, 3] += x
                node.drive([index], pose=pose)
        node.probe.until(lambda: "1 place is finished" in node.statuses[-1].message, "the first room", timeout=120.0)
        feedback = []
        built = node.build(feedback)
        assert built.result == RESULT.RESULT_SUCCESS and built.frames == 40, built.message
        assert len(SceneMap.load(built.map_path).places) == 2
        assert all(told.progress >= 0.5 for told in feedback)  # none, where the second one is done as well


def test_a_drive_outlives_a_node_that_is_killed(mapped_room, domain, tmp_path):
    """kill -9 in the midst of a drive: the next start has every frame that was encoded, and builds their map."""
    with Mapping(mapped_room, domain, tmp_path) as node:
        node.drive(range(0, 60, 4))
        on_disk(node, 15)
        node.probe.needed.clear()
        node.process.process.kill()
        node.process.process.wait(10)
        node.process = Process("mapping_node", domain, tmp_path / "again.log", node.parameters, node.remaps)
        count = len(node.statuses)
        node.probe.until(lambda: len(node.statuses) > count and node.statuses[-1].frames_taken == 15, "the frames")
        node.probe.until(lambda: "15 frames of a drive" in node.process.text(), "a word on them")
        built = node.build()
        assert (built.result, built.frames) == (RESULT.RESULT_SUCCESS, 15), built.message
    assert [path.name for path in node.maps.iterdir()] == ["room.safetensors"]


def test_a_limit_that_is_reached_is_told(mapped_room, domain, tmp_path):
    with Mapping(mapped_room, domain, tmp_path, max_frames=3) as node:
        node.drive(range(0, 20, 4))
        node.probe.until(lambda: node.since_ready("rejected_full") == 2, "two frames too many")
        told = node.settled()
        assert told.message == "taking no more frames than 3" and any("max_frames" in text for text in told.advice)
        node.probe.until(lambda: "max_frames is reached" in node.process.text(), "a warning in the log")

"""localization_node over DDS: its life cycle, parameters that are refused, other maps while it is at work, cameras."""

import itertools
import threading
import time
from dataclasses import replace

import cv2
import numpy as np
import pytest
from drive import BEST_EFFORT, camera_info, raw_image
from in_process import InThisProcess
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from localizing import Localizing, base_pose, near
from map_making import with_header
from rcl_interfaces.msg import ParameterDescriptor
from rcl_interfaces.srv import DescribeParameters, SetParameters
from rclpy.parameter import Parameter
from ros_harness import PATIENCE, Process, own_domain
from sensor_msgs.msg import PointCloud2

from ace_ros.geometry import pose_error
from ace_ros.map.scene_map import SceneMap
from ace_ros.msg import LocalizationStatus as Status
from ace_ros.nodes.conversions import nanoseconds, pose_matrix
from ace_ros.nodes.load_service import load_map
from ace_ros.srv import LoadMap

LOCALIZED = Status.STATE_LOCALIZED


@pytest.fixture
def domain():
    with own_domain() as number:
        yield number


def change(node, transition):
    """Ask for a transition as nav2's lifecycle manager does; returns whether it succeeded, and the state after it."""
    request = Transition(id=transition)
    success = node.probe.call(ChangeState, f"{node.name}/change_state", transition=request).success
    return success, node.probe.call(GetState, f"{node.name}/get_state").current_state.label


def set_parameter(node, name, value):
    parameters = [Parameter(name, value=value).to_parameter_msg()]
    return node.probe.call(SetParameters, f"{node.name}/set_parameters", parameters=parameters).results[0]


def test_life_cycle_and_parameters(mapped_room, domain, tmp_path):
    """Unconfigured until its map can be loaded; refuses bad values with a reason; silent when it is not active."""
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(mapped_room.map.read_bytes()[:5000])
    with Localizing(mapped_room, domain, tmp_path, autostart=False, map=str(broken)) as node:
        assert change(node, Transition.TRANSITION_CONFIGURE) == (False, "unconfigured")
        told = node.wait_status(lambda m: m.reason, "the reason")
        assert told.state == Status.STATE_INACTIVE
        assert "broken.safetensors" in told.reason and "truncated" in told.reason

        refused = set_parameter(node, "tf_rate", 1000.0)
        assert not refused.successful and "1000" in refused.reason
        refused = set_parameter(node, "tf_mode", "odom")
        assert not refused.successful and "map_to_odom" in refused.reason
        assert set_parameter(node, "map", str(mapped_room.map)).successful

        assert change(node, Transition.TRANSITION_CONFIGURE) == (True, "inactive")
        clouds = node.probe.hear(PointCloud2, f"{node.name}/map_cloud", latched=True)
        cloud = node.probe.until(lambda: clouds and clouds[-1], "the map's landmarks, before it is active")
        assert cloud.header.frame_id == "map" and cloud.width == len(SceneMap.load(mapped_room.map).landmarks)
        refused = set_parameter(node, "base_frame", "base")
        assert not refused.successful and "clean it up first" in refused.reason
        assert change(node, Transition.TRANSITION_ACTIVATE) == (True, "active")
        node._ready()
        assert node.frame(1).state == LOCALIZED

        assert change(node, Transition.TRANSITION_DEACTIVATE) == (True, "inactive")
        assert node.probe.until(lambda: not node.rover.images.get_subscription_count(), "it to unsubscribe")
        node.wait_status(lambda m: m.state == Status.STATE_INACTIVE, "its word that it is inactive")
        node.probe.spin(1.0)  # what was sent before has come by then
        sent, published = len(node.corrections()), len(node.poses)
        node.wait_status(lambda m: m.state == Status.STATE_INACTIVE, "the same again")
        assert (len(node.corrections()), len(node.poses)) == (sent, published)

        node.sent = 0
        assert change(node, Transition.TRANSITION_ACTIVATE) == (True, "active")
        node._ready()
        assert 0 < node.statuses[-1].frames_received <= node.sent  # counted since activation
        assert change(node, Transition.TRANSITION_DEACTIVATE) == (True, "inactive")
        assert change(node, Transition.TRANSITION_CLEANUP) == (True, "unconfigured")
        node.probe.until(lambda: not clouds[-1].width, "the landmarks to go")
        assert change(node, Transition.TRANSITION_UNCONFIGURED_SHUTDOWN) == (True, "finalized")

        names = ["tf_rate", "tf_mode", "kidnap_frames"]
        rate, mode, frames = node.probe.call(
            DescribeParameters, f"{node.name}/describe_parameters", names=names
        ).descriptors
        assert isinstance(rate, ParameterDescriptor) and "Hz" in rate.description
        assert (rate.floating_point_range[0].from_value, rate.floating_point_range[0].to_value) == (1.0, 200.0)
        assert "map_to_base" in mode.additional_constraints and frames.integer_range[0].from_value == 2


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"tf_rate": 0.0}, "tf_rate"),
        ({"tf_mode": "sideways"}, "map_to_odom"),
        ({"kidnap_frames": "many"}, "whole number"),
    ],
)
def test_bad_values_at_the_start_end_the_node_with_a_sentence(domain, tmp_path, parameters, words):
    process = Process("localization_node", domain, tmp_path / "node.log", parameters)
    assert process.wait() == 1
    assert words in process.text() and "Traceback" not in process.text()


def test_other_maps_while_it_works(mapped_room, domain, tmp_path):
    """Maps are swapped whole or not at all; nothing of the old one after the answer."""
    maps = tmp_path / "maps"
    maps.mkdir()
    original = SceneMap.load(mapped_room.map)
    shift = np.array([10.0, 0.0, 0.0])
    header = original.header
    original.save(maps / "here.safetensors")
    with_header(original, origin=tuple(header.origin + shift)).save(maps / "there.safetensors")
    with_header(original, metric=False).save(maps / "scaleless.safetensors")
    with_header(original, format_version=99).save(maps / "future.safetensors")
    (maps / "broken.safetensors").write_bytes((maps / "here.safetensors").read_bytes()[:3000])
    (maps / "pickle.safetensors").write_bytes(b"\x80\x04pickle")
    refused = {
        "nowhere": LoadMap.Response.RESULT_MAP_DOES_NOT_EXIST,
        "broken": LoadMap.Response.RESULT_INVALID_MAP_DATA,
        "pickle": LoadMap.Response.RESULT_INVALID_MAP_DATA,
        "future": LoadMap.Response.RESULT_INVALID_MAP_METADATA,
        "scaleless": LoadMap.Response.RESULT_INVALID_MAP_METADATA,
        "../maps/here/../../x": LoadMap.Response.RESULT_INVALID_NAME,
        "": LoadMap.Response.RESULT_INVALID_NAME,
    }
    with Localizing(mapped_room, domain, tmp_path, map="here", maps_dir=str(maps)) as node:
        index = 1
        assert node.frame(index).state == LOCALIZED
        old = node.statuses[-1].map_id
        for name, result in refused.items():
            answer = node.probe.call(LoadMap, f"{node.name}/load_map", map_name=name)
            assert (answer.result, answer.map_id) == (result, old), answer.message
            assert answer.message
        stamp = node.send(index)
        assert node.answer(stamp).state == LOCALIZED and near(node.pose_of(stamp), node.truth(index))

        swap = node.probe.ask(LoadMap, f"{node.name}/load_map", map_name="there.safetensors")
        while not swap.done():  # images keep coming
            node.send(index)
            node.probe.spin(0.05)
        assert swap.result().result == LoadMap.Response.RESULT_SUCCESS and swap.result().map_id != old
        for index in range(2, 6):
            stamp = node.send(index)
            status = node.answer(stamp)
            assert (status.state, status.map_id, status.map_name) == (LOCALIZED, swap.result().map_id, "there")
            moved = node.truth(index)
            moved[:3, 3] += shift
            assert near(node.pose_of(stamp), moved)
        assert node.statuses[-1].kidnap_count == 0
        ids = [message.map_id for message in node.statuses if message.map_id]
        assert ids == sorted(ids, key=lambda name: name != old)  # the old one never again

        asked = [node.probe.ask(LoadMap, f"{node.name}/load_map", map_name=name) for name in ("here", "there", "here")]
        first, second, last = (node.probe.result(one, "an answer") for one in asked)  # each its own; the last one wins
        overtaken = LoadMap.Response.RESULT_UNDEFINED_FAILURE
        assert (first.result, second.result) == (overtaken, overtaken) and "'there' was not taken" in second.message
        assert (last.result, last.map_id) == (LoadMap.Response.RESULT_SUCCESS, old)


def test_a_map_without_a_scale_is_told_as_such(mapped_room, domain, tmp_path):
    """Whoever shows lengths has to know whether they are metres."""
    scaleless = tmp_path / "scaleless.safetensors"
    with_header(SceneMap.load(mapped_room.map), metric=False).save(scaleless)
    with Localizing(
        mapped_room, domain, tmp_path, odometry=False, tf_mode="map_to_camera", base_frame="", maps_dir=str(tmp_path)
    ) as node:
        assert node.frame(1).metric
        answer = node.probe.call(LoadMap, f"{node.name}/load_map", map_name="scaleless")
        assert answer.result == LoadMap.Response.RESULT_SUCCESS, answer.message
        status = node.frame(2)
        assert (status.state, status.metric) == (LOCALIZED, False)


def test_a_map_that_grows_while_the_robot_drives(mapped_room, domain, tmp_path):
    """Its file is followed without a gap in poses or TF; a broken one is told of, and the old map goes on."""
    whole = SceneMap.load(mapped_room.map)
    (place,) = whole.places
    file, new = tmp_path / "room.safetensors", tmp_path / "new"
    replace(whole, places=(place.with_landmarks(slice(None, None, 2)),)).save(file)

    with Localizing(mapped_room, domain, tmp_path, map=str(file)) as node:
        indices = itertools.cycle([*range(1, 20), *range(20, 1, -1)])

        def drive_until(done):
            end = time.monotonic() + PATIENCE
            while not done():
                assert time.monotonic() < end
                index = next(indices)
                stamp = node.send(index)
                status = node.answer(stamp)
                assert (status.state, status.kidnapped) == (LOCALIZED, False), status.reason
                assert near(node.pose_of(stamp), node.truth(index))

        def told(word):
            return [s for m in node.diagnostics for s in m.status if word in s.message]

        half = node.statuses[-1].map_id
        new.write_bytes(file.read_bytes()[:5000])
        new.replace(file)
        drive_until(lambda: told("can't be used"))
        assert "room.safetensors" in told("can't be used")[0].message and node.statuses[-1].map_id == half

        corrections = len(node.corrections())
        whole.save(file)
        drive_until(lambda: node.statuses[-1].map_id != half)
        assert node.statuses[-1].map_name == "room"
        node.diagnostics.clear()
        drive_until(lambda: [s for m in node.diagnostics for s in m.status])
        assert not told("can't be used")
        stamps = [nanoseconds(t.header.stamp) for t in node.corrections()[corrections - 1 :]]
        assert len(stamps) > 2 and np.diff(stamps).max() < 1_000_000_000  # 20 Hz, on a busy machine


def test_camera_info_is_honoured(mapped_room, domain, tmp_path):
    """Region of interest, binning, distortion, grey and raw images, best effort: and all that changes while it runs."""
    pixels, camera, map_from_camera = mapped_room.queries[3]
    truth = base_pose(map_from_camera)
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    cut = np.ascontiguousarray(grey[40:440, 60:600])
    binned = cv2.resize(grey, (320, 240), interpolation=cv2.INTER_AREA)
    bent_camera = replace(camera, distortion=(-0.2, 0.05, 0.001, -0.001, 0.0))
    grid = np.stack(np.meshgrid(np.arange(640.0), np.arange(480.0)), axis=-1).reshape(-1, 2)
    straight = camera.project(bent_camera.rays(grid))
    bent = cv2.remap(grey, straight.astype(np.float32).reshape(480, 640, 2), None, cv2.INTER_LINEAR)

    def info(stamp, used=camera, **fields):
        message = camera_info(used, stamp)
        for name, value in fields.items():
            setattr(message, name, value)
        return message

    def roi(stamp):
        message = info(stamp)
        message.roi.x_offset, message.roi.y_offset, message.roi.width, message.roi.height = 60, 40, 540, 400
        return message

    cases = {
        "as it is": (grey, info),
        "cut": (cut, roi),
        "binned": (binned, lambda stamp: info(stamp, binning_x=2, binning_y=2)),
        "distorted": (bent, lambda stamp: info(stamp, bent_camera)),
        "again": (grey, info),
    }
    with Localizing(
        mapped_room, domain, tmp_path, odometry=False, tf_mode="none", image_transport="raw", image_reliability="auto"
    ) as node:
        for name, (image, make_info) in cases.items():
            for _ in range(2):
                stamp = node.next_stamp()
                node.rover.images.publish(raw_image(image, stamp))
                node.rover.infos.publish(make_info(stamp))
                status = node.answer(stamp)
                assert status.state == LOCALIZED, f"{name}: {status.reason}"
                translation, rotation = pose_error(node.pose_of(stamp), truth)
                assert translation < 0.05 and rotation < 1.0, name
        full = pose_matrix(node.poses[-1].pose, "pose")
        assert near(full, truth)


def test_cameras_that_send_best_effort(mapped_room, domain, tmp_path):
    """Drivers with sensor_data QoS, which a reliable subscription would not hear."""
    with Localizing(
        mapped_room, domain, tmp_path, odometry=False, tf_mode="none", qos=BEST_EFFORT, image_reliability="auto"
    ) as node:
        for index in (1, 2, 3):

            def localized(index=index):  # nothing promises that each arrives
                stamp = node.send(index)
                node.probe.spin(0.3)
                status = node.status_of(stamp)
                return stamp if status and status.state == LOCALIZED else 0

            stamp = node.probe.until(localized, "a frame that gets through")
            assert near(node.pose_of(stamp), node.truth(index))


def held(monkeypatch, where):
    """Let the loading of maps in that module begin, and go on when it is told to: two events."""
    began, go_on = threading.Event(), threading.Event()

    def slowly(path, options):
        began.set()
        assert go_on.wait(PATIENCE)
        return load_map(path, options)

    monkeypatch.setattr(f"ace_ros.nodes.{where}.load_map", slowly)
    return began, go_on


def test_a_map_that_takes_its_time_keeps_nobody_waiting(mapped_room, domain, tmp_path, monkeypatch):
    """While it is loaded the node answers, says what it does, and takes no parameter that would come too late."""
    began, go_on = held(monkeypatch, "localization_node")
    with Localizing(mapped_room, domain, tmp_path, autostart=False, start=InThisProcess) as node:
        request = Transition(id=Transition.TRANSITION_CONFIGURE)
        asked = node.probe.ask(ChangeState, f"{node.name}/change_state", transition=request)
        node.probe.until(began.is_set, "the map to be asked for")
        assert node.probe.call(GetState, f"{node.name}/get_state").current_state.label == "configuring"
        node.wait_status(lambda m: "is being loaded" in m.reason and "room" in m.reason, "what it does")
        refused = set_parameter(node, "base_frame", "base")
        assert not refused.successful and "being loaded" in refused.reason
        again = node.probe.call(ChangeState, f"{node.name}/change_state", transition=request)
        assert not again.success and not asked.done()
        response = node.probe.call(LoadMap, f"{node.name}/load_map", map_name="room")
        assert response.result == LoadMap.Response.RESULT_UNDEFINED_FAILURE and "configure" in response.message
        go_on.set()
        assert node.probe.result(asked, "the answer").success
        assert change(node, Transition.TRANSITION_ACTIVATE) == (True, "active")
        node._ready()


@pytest.mark.parametrize("then", ["activate", "clean up"])
def test_a_map_that_is_asked_for_while_the_node_changes_its_state(mapped_room, domain, tmp_path, monkeypatch, then):
    """What is asked for last wins, and each has an answer that is true."""
    began, go_on = held(monkeypatch, "load_service")
    (tmp_path / "other.safetensors").write_bytes(mapped_room.map.read_bytes())
    maps = {"map": str(mapped_room.map), "maps_dir": str(tmp_path)}
    with Localizing(mapped_room, domain, tmp_path, autostart=False, start=InThisProcess, **maps) as node:
        assert change(node, Transition.TRANSITION_CONFIGURE) == (True, "inactive")
        asked = node.probe.ask(LoadMap, f"{node.name}/load_map", map_name="other")
        node.probe.until(began.is_set, "the map to be asked for")
        if then == "activate":
            assert change(node, Transition.TRANSITION_ACTIVATE) == (True, "active")
            node._ready()
            assert node.statuses[-1].map_name == "room"
        else:
            assert change(node, Transition.TRANSITION_CLEANUP) == (True, "unconfigured")
        go_on.set()
        answer = node.probe.result(asked, "the answer")
        if then == "activate":
            assert answer.result == LoadMap.Response.RESULT_SUCCESS
            assert node.frame(1).state == LOCALIZED and node.statuses[-1].map_name == "other"
        else:
            assert answer.result == LoadMap.Response.RESULT_UNDEFINED_FAILURE and "a cleanup" in answer.message
            assert not answer.map_id and node.process.node.loaded is None

"""Whose pose is published, and in which frame: never another one than the parameters say."""

from types import SimpleNamespace

import pytest
from drive import camera_info, jpeg_image
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from localizing import Localizing, near
from mapping import Mapping
from ros_harness import own_domain

from ace_ros.errors import InputError
from ace_ros.msg import LocalizationStatus as Status
from ace_ros.nodes.frame_names import camera_fault, check_frames
from ace_ros.nodes.options import LocalizationNodeOptions
from ace_ros.online.reasons import OnlineReason


@pytest.fixture
def domain():
    with own_domain() as number:
        yield number


@pytest.mark.parametrize(
    ("header", "options", "words"),
    [
        ({"map_frame": "odom"}, {}, "odom_frame: the poses of this map are in 'odom' as well"),
        ({"map_frame": "odom"}, {"tf_mode": "none"}, "odom_frame: the poses of this map"),
        ({}, {"map_frame": "base_link", "tf_mode": "map_to_base"}, "base_frame: the poses of this map"),
        ({"map_frame": ""}, {}, "map_frame: the map names no frame"),
        ({"map_frame": "/map"}, {}, "begins with a slash"),
        ({}, {"base_frame": "/base_link"}, "base_frame: '/base_link' begins with a slash"),
        ({}, {"odom_frame": ""}, "odom_frame: it is empty, and tf_mode map_to_odom"),
        ({}, {"base_frame": "", "tf_mode": "map_to_base"}, "base_frame: it is empty"),
        ({}, {"odom_frame": "base_link"}, "odom_frame: it is 'base_link', as base_frame"),
        ({"metric": False}, {"tf_mode": "none"}, "no metric scale"),
        ({}, {"cameras": 2, "tf_mode": "map_to_camera"}, "2 cameras have one pose, that of the robot"),
        ({}, {"cameras": 2, "tf_mode": "none", "base_frame": ""}, "2 cameras have one pose"),
        ({}, {"cameras": 3, "camera_frame": "optical"}, "camera_frame: 3 cameras can't be in one frame"),
    ],
)
def test_frames_that_would_give_wrong_poses_are_refused(header, options, words):
    told = SimpleNamespace(**{"map_frame": "map", "metric": True} | header)
    with pytest.raises(InputError, match=words):
        check_frames(told, LocalizationNodeOptions(**options))


def test_frames_that_nobody_publishes_are_not_asked_for():
    odom = SimpleNamespace(map_frame="odom", metric=False)
    check_frames(odom, LocalizationNodeOptions(tf_mode="map_to_camera"))
    alone = LocalizationNodeOptions(tf_mode="none", base_frame="")
    check_frames(odom, alone)
    assert not camera_fault("", "odom", alone)
    for frame, words in (("", "no frame_id"), ("/camera", "slash"), ("map", "as the map's frame")):
        fault = camera_fault(frame, "map", LocalizationNodeOptions())
        assert fault.reason is OnlineReason.NO_TRANSFORM and words in fault.sentence


def test_no_pose_before_tf_knows_the_camera(mapped_room, domain, tmp_path):
    """Nobody says where the camera is on the robot: not one pose, however long it takes; what is awaited is said."""
    with Localizing(mapped_room, domain, tmp_path, odometry=False, tf_mode="none", autostart=False) as node:
        for transition in (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE):
            request = Transition(id=transition)
            assert node.probe.call(ChangeState, f"{node.name}/change_state", transition=request).success
        node.probe.subscribed(node.rover.images)
        node.probe.subscribed(node.rover.infos)

        def told(words, frame="camera_optical"):
            stamp = node.next_stamp()
            pixels, camera, _ = mapped_room.queries[1]
            node.rover.images.publish(jpeg_image(pixels, stamp, frame))
            node.rover.infos.publish(camera_info(camera, stamp, frame))
            node.probe.spin(0.3)
            return [m for m in node.statuses if m.reason_code == Status.REASON_NO_TRANSFORM and words in m.reason]

        node.probe.until(lambda: told("nobody publishes base_link or camera_optical"), "what is awaited")
        assert "no pose of base_link" in told("nobody publishes")[-1].reason
        node.probe.until(lambda: told("no frame_id", frame=""), "a word on an empty frame_id")
        node.probe.spin(3.0)
        told("")
        assert not node.poses and not any(m.state == Status.STATE_LOCALIZED for m in node.statuses)
        node.rover.mount_camera()
        stamp = node.probe.until(lambda: node.frame_if_any(2), "the robot's pose")
        assert near(node.pose_of(stamp), node.truth(2))
        assert all(
            near(node.pose_of(m.header.stamp.sec * 10**9 + m.header.stamp.nanosec), node.truth(2)) for m in node.poses
        )


def test_odometry_that_does_not_say_what_moves_is_refused(mapped_room, domain, tmp_path):
    """An empty child_frame_id is not taken for the camera's."""
    with Mapping(mapped_room, domain, tmp_path, pose_source="odometry", map_frame="odom") as node:
        before = node.statuses[-1].frames_taken
        pixels, camera, pose = mapped_room.mapping[4]

        def refused():
            stamp = node.stamp = node.stamp + 10**6
            node.rover.send_odometry(pose, stamp, child="")
            node.rover.send(pixels, camera, stamp)
            node.probe.spin(0.2)
            return [text for text in node.statuses[-1].advice if "child_frame_id" in text and "body_frame" in text]

        node.probe.until(refused, "a word on it")
        assert node.statuses[-1].frames_taken == before

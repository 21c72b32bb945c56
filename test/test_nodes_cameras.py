"""localization_node with two cameras that look elsewhere from one robot: whichever sees more tells where it is."""

import time

import numpy as np
import pytest
from drive import BASE_FROM_CAMERA, Rover
from localizing import Localizing, near
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from ros_harness import own_domain

from ace_ros.generated.renderer import Renderer
from ace_ros.generated.room import room_surfaces
from ace_ros.generated.sensor import exposed
from ace_ros.geometry import invert
from ace_ros.localization.localizer import Localizer
from ace_ros.localization.sight import RigView
from ace_ros.localization.state import State
from ace_ros.map.scene_map import SceneMap
from ace_ros.msg import LocalizationStatus as Status
from ace_ros.nodes.conversions import nanoseconds, pose_matrix

# The other camera looks to the left, above the middle of the base.
BASE_FROM_SIDE = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0.1], [0, -1, 0, 0.5], [0, 0, 0, 1]])
SIDE = "side_optical"
INDICES = (0, 4, 8, 12)


@pytest.fixture
def domain():
    with own_domain() as number:
        yield number


def covered(image, share):
    """The image with so much of it behind something dark."""
    shown = image.copy()
    shown[:, : round(share * image.shape[1])] = 40
    return shown


class TwoCameras(Localizing):
    """Images of both at once; ``sees`` says which of the two sees the room, the others look at a blank wall."""

    def __init__(self, room, domain, folder, **more):
        remaps = {
            "image_0": "/camera/image", "camera_info_0": "/camera/camera_info",
            "image_1": "/side/image", "camera_info_1": "/side/camera_info",
        }  # fmt: skip
        super().__init__(room, domain, folder, remaps=remaps, cameras=2, **more)
        self.side = Rover(self.probe, "/side", compressed=True, frame=SIDE)
        renderer = Renderer(room_surfaces(0))
        self.views = {
            index: exposed(
                renderer.render(room.queries[index][1], self.truth(index) @ BASE_FROM_SIDE)[0],
                np.random.default_rng(index),
            )
            for index in INDICES
        }

    def _ready(self):
        self.probe.subscribed(self.side.images)
        self.side.mount_camera(BASE_FROM_SIDE)
        return super()._ready()

    def send(self, index, odometry=None):
        """What the harness sends until the first pose."""
        return self.both(index)

    def both(self, index, sees=("camera_optical", SIDE), silent=(), hidden=0.0):
        """Both cameras' images of a moment, so much of each of them covered; returns their stamps."""
        pixels, camera, map_from_camera = self.room.queries[index]
        stamp = self.next_stamp()
        self.rover.send_tf("odom", "base_link", self.odom.follow(map_from_camera @ invert(BASE_FROM_CAMERA)), stamp)
        for rover, image in ((self.rover, pixels), (self.side, self.views[index])):
            if rover.frame not in silent:
                shown = image if rover.frame in sees else np.full_like(image, 90)
                rover.send(covered(shown, hidden), camera, stamp)
        return stamp

    def drive(self, seconds, least=0, **how):
        """Go on for a while, and until there are so many poses; statuses and poses of this time, the truth by stamp."""
        truths = {}

        def send():
            index = INDICES[len(truths) // 8 % len(INDICES)]
            truths[self.both(index, **how)] = self.truth(index)
            self.probe.spin(0.15)

        return *go_on(self, seconds, least, send), truths


def go_on(node, seconds, least, send):
    """Send for a while, and on a busy machine until there are ``least`` poses; statuses and poses of this time."""
    statuses, poses, end = len(node.statuses), len(node.poses), time.monotonic() + seconds

    def enough():
        send()
        return time.monotonic() >= end and len(node.poses) >= poses + least

    node.probe.until(enough, f"{least} poses")
    node.probe.spin(0.5)
    return node.statuses[statuses:], node.poses[poses:]


def localized_by(statuses):
    return {status.camera for status in statuses if status.state == Status.STATE_LOCALIZED and status.camera}


def test_whichever_camera_sees_tells_the_pose(mapped_room, domain, tmp_path):
    with TwoCameras(mapped_room, domain, tmp_path) as node:
        seen = node.drive(3.0, least=7)
        assert localized_by(seen[0]) and len(seen[1]) > 6
        for blind, other in ((SIDE, "camera_optical"), ("camera_optical", SIDE)):
            node.drive(1.5, sees=(other,))  # the lead may have to change
            statuses, poses, truths = node.drive(4.0, least=11, sees=(other,))
            assert localized_by(statuses) == {other}, blind
            lost = [m for m in statuses if m.state in (Status.STATE_LOST, Status.STATE_WAITING)]
            assert not lost and len(poses) > 10, [m.reason for m in lost]
            for pose in poses:
                stamp = nanoseconds(pose.header.stamp)
                assert pose.header.frame_id == "map" and (
                    stamp not in truths or near(pose_matrix(pose.pose, ""), truths[stamp])
                )
        neither, poses, _ = node.drive(3.0, sees=())
        assert neither[-1].state == Status.STATE_LOST and {m.camera for m in neither[-8:]} == {"camera_optical", SIDE}
        for dead, other in ((SIDE, "camera_optical"), ("camera_optical", SIDE)):
            node.drive(1.5, silent=(dead,))
            statuses, poses, truths = node.drive(4.0, least=11, silent=(dead,))
            assert localized_by(statuses) == {other} and len(poses) > 10
            topic = "/side/image/compressed" if dead == SIDE else "/camera/image/compressed"
            told = [m for m in statuses if f"no image on {topic}" in m.reason]
            assert told and {m.state for m in told} == {Status.STATE_LOCALIZED}, [m.reason for m in statuses[-3:]]
            assert told[-1].reason_code == Status.REASON_NO_IMAGE
        named = {v.key: v.value for m in node.diagnostics for s in m.status for v in s.values if "camera /" in v.key}
        assert set(named) == {"camera /camera/image/compressed", "camera /side/image/compressed"}
        assert "localizing in 'room' with images on /camera/image/compressed" in node.process.text()
        assert any("no image on /side/image" in line for line in node.process.text().splitlines())


def test_a_camera_without_its_place_on_the_robot_is_named_and_the_other_works(mapped_room, domain, tmp_path):
    class Unmounted(TwoCameras):
        def _ready(self):
            self.probe.subscribed(self.side.images)
            self.probe.subscribed(self.rover.images)
            self.rover.mount_camera()
            self.probe.until(lambda: self.drive(0.5) and localized_by(self.statuses), "the first pose")
            return self

    with Unmounted(mapped_room, domain, tmp_path) as node:
        statuses, poses, _ = node.drive(4.0, least=9)
        assert localized_by(statuses) == {"camera_optical"} and len(poses) > 8
        last = [m for m in statuses if m.state == Status.STATE_LOCALIZED][-1]
        assert last.reason_code == Status.REASON_NO_TRANSFORM and SIDE in last.reason
        node.side.mount_camera(BASE_FROM_SIDE)
        statuses, _, _ = node.drive(4.0)
        assert not [m for m in statuses if m.state == Status.STATE_LOCALIZED][-1].reason
        node.side.frame = "camera_optical"  # a driver that is started twice with the same names
        statuses, poses, _ = node.drive(4.0, least=9)
        last = [m for m in statuses if m.state == Status.STATE_LOCALIZED][-1]
        assert "each camera needs an optical frame of its own" in last.reason and len(poses) > 8


def half_seen(room, views):
    """Of which query so much can be covered that neither camera alone is enough, but both together are."""
    localizer = Localizer(SceneMap.load(room.map), device="cpu")
    for share in (0.85, 0.8, 0.9, 0.75):
        for index in INDICES:
            pixels, camera, _ = room.queries[index]
            ahead, side = (localizer.localize(covered(image, share), camera) for image in (pixels, views[index]))
            mounts = RigView(side.sight, BASE_FROM_SIDE), RigView(ahead.sight, BASE_FROM_CAMERA)
            told = [localizer.together(order) for order in (mounts, mounts[::-1])]
            alone = State.LOCALIZED in (ahead.state, side.state)
            if not alone and all(one is not None and one.state is State.LOCALIZED for one in told):
                return index, share
    raise AssertionError("no query is half seen")


def test_two_cameras_that_are_half_covered_see_together(mapped_room, domain, tmp_path):
    with TwoCameras(mapped_room, domain, tmp_path) as node:
        index, share = half_seen(mapped_room, node.views)
        for seconds, enough in ((3.0, True), (0.0, False)):
            value = Parameter("window_seconds", value=seconds).to_parameter_msg()
            node.probe.call(SetParameters, f"{node.name}/set_parameters", parameters=[value])
            stand(node, index, share, 4.0)  # what was seen before is too old
            statuses, poses = stand(node, index, share, 4.0, least=6 if enough else 0)
            sure = [m for m in statuses if m.state == Status.STATE_LOCALIZED]
            assert (len(sure) >= 0.8 * len(statuses) > 4) if enough else not sure, [m.reason for m in statuses]
            assert len(poses) > 4 if enough else not poses
            assert all(near(pose_matrix(one.pose, ""), node.truth(index), (0.15, 3.0)) for one in poses)


def stand(node, index, share, seconds, least=0):
    """Statuses and poses of a while at one place, of so many poses at least."""

    def send():
        node.both(index, hidden=share)
        node.probe.spin(0.2)

    return go_on(node, seconds, least, send)

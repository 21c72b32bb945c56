"""localization_node over DDS when things go wrong: cameras unplugged, clocks that jump, odometry that is missing, late
frames, rivals on TF, places that are not in the map."""

import time

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from drive import camera_info, jpeg_image, transform
from localizing import Localizing, near
from ros_harness import own_domain

from ace_ros.geometry import invert
from ace_ros.msg import LocalizationStatus as Status
from ace_ros.nodes.conversions import nanoseconds, time_message, transform_matrix

LOCALIZED = Status.STATE_LOCALIZED


@pytest.fixture
def domain():
    with own_domain() as number:
        yield number


def worst_diagnosis(node):
    """The last diagnosis of the node, as soon as there is one from now on."""
    seen = len(node.diagnostics)
    node.probe.until(lambda: len(node.diagnostics) > seen, "/diagnostics")
    return max((status for status in node.diagnostics[-1].status), key=lambda status: status.level)


def test_foreign_images_and_a_camera_that_is_unplugged(mapped_room, domain, tmp_path):
    """Black, white, noise, a covered lens: not one pose, TF stays. No images: said within seconds; then it goes on."""
    camera = mapped_room.queries[0][1]
    shape = (camera.height, camera.width, 3)
    rng = np.random.default_rng(0)
    covered = np.clip(rng.normal(12, 2, shape), 0, 255).astype(np.uint8)
    noise = rng.integers(0, 255, shape, dtype=np.uint8)
    with Localizing(mapped_room, domain, tmp_path) as node:
        assert node.frame(1).state == LOCALIZED
        correction = node.correction_from_now()
        published = node.statuses[-1].frames_localized
        for picture in (np.zeros(shape, np.uint8), np.full(shape, 255, np.uint8), noise, covered):
            stamp = node.next_stamp()
            node.rover.send(picture, camera, stamp)
            status = node.answer(stamp)
            assert status.state in (Status.STATE_LOST, Status.STATE_UNCERTAIN)
            assert status.reason and status.reason_code != Status.REASON_NONE
        still = transform_matrix(node.correction_from_now(), "map <- odom")
        assert np.allclose(still, transform_matrix(correction, "map <- odom"))
        assert node.statuses[-1].frames_localized == published

        unplugged = node.wait_status(lambda m: m.state == Status.STATE_WAITING, "a word that no images come")
        assert unplugged.reason_code == Status.REASON_NO_IMAGE and "/camera/image/compressed for" in unplugged.reason
        node.probe.until(lambda: worst_diagnosis(node).level == DiagnosticStatus.ERROR, "a bad diagnosis")
        assert "no image" in worst_diagnosis(node).message
        stamp = node.send(2)
        assert node.answer(stamp).state == LOCALIZED and near(node.pose_of(stamp), node.truth(2))


def test_bad_images_and_cameras_are_told(mapped_room, domain, tmp_path):
    """Truncated and empty images, other sizes, K[0] = 0, a lens that is none: each told, and it goes on after each."""
    pixels, camera, _ = mapped_room.queries[1]
    with Localizing(mapped_room, domain, tmp_path) as node:
        good = jpeg_image(pixels, 0)
        truncated, empty = jpeg_image(pixels, 0), jpeg_image(pixels, 0)
        truncated.data, empty.data = good.data[: len(good.data) // 2], good.data[:0]
        small = jpeg_image(np.ascontiguousarray(pixels[::2, ::2]), 0)
        for image, words in ((truncated, "truncated"), (empty, "empty"), (small, "320 x 240")):
            stamp = node.next_stamp()
            for message, publisher in ((image, node.rover.images), (camera_info(camera, stamp), node.rover.infos)):
                message.header.stamp = camera_info(camera, stamp).header.stamp
                message.header.frame_id = node.rover.frame
                publisher.publish(message)
            status = node.answer(stamp)
            assert status.reason_code == Status.REASON_BAD_IMAGE and words in status.reason, status.reason
        folded = {"distortion_model": "equidistant", "d": [-5.0, 0.0, 0.0, 0.0]}
        for change, words in (({"k": np.zeros(9)}, "not calibrated"), (folded, "the image folds")):

            def wrong(change=change, words=words):
                stamp = node.next_stamp()
                info = camera_info(camera, stamp)
                for name, value in change.items():
                    setattr(info, name, value)
                image = jpeg_image(pixels, stamp)
                node.rover.images.publish(image)
                node.rover.infos.publish(info)
                node.probe.spin(0.1)
                return [m for m in node.statuses if m.reason_code == Status.REASON_UNCALIBRATED and words in m.reason]

            node.probe.until(wrong, f"the reason: {words}")
        assert node.statuses[-1].frames_rejected >= 5
        assert node.frame(1).state == LOCALIZED


def test_late_and_out_of_order_frames_are_dropped(mapped_room, domain, tmp_path):
    """A frame older than one before gives no pose; frames that are too old when they come are told."""
    with Localizing(mapped_room, domain, tmp_path, odometry=False, tf_mode="none", max_age=5.0) as node:
        early = node.next_stamp()
        node.probe.spin(0.01)
        assert node.frame(1).state == LOCALIZED
        dropped = node.statuses[-1].frames_dropped
        node.rover.send(*mapped_room.queries[2][:2], early)
        node.wait_status(lambda m: m.frames_dropped > dropped, "a count of the late frame")
        assert node.frame(3).state == LOCALIZED
        assert node.status_of(early) is None

        def old():
            node.rover.send(*mapped_room.queries[4][:2], node.next_stamp() - 60_000_000_000)
            node.probe.spin(0.2)
            return node.statuses[-1].reason_code == Status.REASON_STALE

        node.probe.until(old, "a word on old images")
        assert "60." in node.statuses[-1].reason and "max_age" in node.statuses[-1].reason
        assert all(nanoseconds(m.header.stamp) > early for m in node.poses[-2:])


def test_clock_jumps_back(mapped_room, domain, tmp_path):
    """A bag that loops: nothing of the first round counts in the second, though the odometry begins anew."""
    with Localizing(mapped_room, domain, tmp_path, simulated=True) as node:
        for index in range(1, 6):
            assert node.frame(index).state == LOCALIZED
        node.stamp = 900_000_000_000
        node.odom.odom_from_base = np.eye(4) @ invert(node.odom.odom_from_base) @ node.odom.odom_from_base
        node.odom.odom_from_base[0, 3] += 7.0  # as if it had started elsewhere
        node.odom.carried_to(node.truth(20))
        node.next_stamp()
        node.probe.until(lambda: "starting over" in node.process.text(), "the jump to be noticed")
        before = len(node.corrections())
        stamps = []
        for index in range(20, 26):
            stamp = node.send(index)
            assert node.answer(stamp).state == LOCALIZED, node.answer(stamp).reason
            stamps.append((stamp, index))
        assert node.statuses[-1].kidnap_count == 0
        for stamp, index in stamps:
            assert near(node.pose_of(stamp), node.truth(index))
        node.probe.until(lambda: len(node.corrections()) > before, "map -> odom")
        times = [nanoseconds(t.header.stamp) for t in node.corrections()[before:]]
        assert min(times) >= stamps[0][0]
        heard = len(node.diagnostics), len(node.statuses)  # and while the clock stands still
        node.probe.until(lambda: len(node.diagnostics) >= heard[0] + 2, "/diagnostics")
        node.probe.until(lambda: len(node.statuses) >= heard[1] + 2, "~/status")


def test_without_odometry_poses_come_and_tf_is_silent(mapped_room, domain, tmp_path):
    """tf_mode map_to_odom, and nobody publishes odom -> base_link."""
    with Localizing(mapped_room, domain, tmp_path, odometry=False) as node:
        for index in range(1, 4):
            stamp = node.send(index)
            status = node.answer(stamp)
            assert status.state == LOCALIZED and status.reason_code == Status.REASON_NO_TRANSFORM
            assert "odom <- base_link" in status.reason
            assert near(node.pose_of(stamp), node.truth(index))
        assert node.corrections() == []
        node.probe.until(lambda: "odom <- base_link" in worst_diagnosis(node).message, "a word in /diagnostics")
        node.odometry = True  # and then somebody does

        def corrected():
            node.frame(4)
            return node.corrections()

        node.probe.until(corrected, "map -> odom")


def test_a_second_publisher_of_map_to_odom(mapped_room, domain, tmp_path):
    """AMCL runs as well: TF is left to it, and that is said; when it has gone, TF is published again."""
    with Localizing(mapped_room, domain, tmp_path) as node:
        rival = transform("map", "odom", np.eye(4), 0)
        rival.transform.translation.z = 77.0

        def publish():
            rival.header.stamp = time_message(time.time_ns())
            node.rover.tf.sendTransform(rival)

        def ours():
            return [t for t in node.corrections() if t.transform.translation.z != 77.0]

        rivalry = node.probe.create_timer(0.1, publish)
        node.probe.until(lambda: node.frame(1).reason_code == Status.REASON_TF_CONFLICT, "the conflict to be noticed")
        assert "map -> odom" in node.statuses[-1].reason and "/probe" in node.statuses[-1].reason
        node.probe.spin(1.0)  # what was sent before has come by then
        before = ours()
        for index in range(1, 12):
            stamp = node.send(index)
            assert node.answer(stamp).state == LOCALIZED and near(node.pose_of(stamp), node.truth(index))
        assert ours() == before
        node.probe.until(lambda: worst_diagnosis(node).level == DiagnosticStatus.ERROR, "a bad diagnosis")
        assert "keeps silent" in worst_diagnosis(node).message
        node.probe.destroy_timer(rivalry)
        node.probe.until(lambda: node.frame(3) and len(ours()) > len(before), "TF again after the rival has gone")


@pytest.mark.parametrize("mode", ["map_to_base", "map_to_camera"])
def test_other_tf_modes(mapped_room, domain, tmp_path, mode):
    """Robots without odometry, and cameras without a robot: one transform, stamped as the image."""
    with Localizing(mapped_room, domain, tmp_path, odometry=False, tf_mode=mode) as node:
        child = "base_link" if mode == "map_to_base" else "camera_optical"
        for index in range(1, 5):
            stamp = node.send(index)
            assert node.answer(stamp).state == LOCALIZED
            truth = node.truth(index) if mode == "map_to_base" else mapped_room.queries[index][2]
            assert near(node.lookup("map", child, stamp), truth)
            assert near(node.pose_of(stamp), truth)


def test_two_cameras_on_one_robot(mapped_room, domain, tmp_path):
    """One node each, by namespace, with the same map: both tell where the robot is; one of them has TF."""
    front = Localizing(mapped_room, domain, tmp_path, namespace="/front", topic="/front")
    with (
        front as one,
        Localizing(
            mapped_room, domain, tmp_path, namespace="/rear", topic="/rear", odometry=False, tf_mode="none"
        ) as two,
    ):
        for index in range(1, 6):
            first, second = one.send(index), two.send(index + 2)
            for node, stamp, at in ((one, first, index), (two, second, index + 2)):
                assert node.answer(stamp).state == LOCALIZED
                assert near(node.pose_of(stamp), node.truth(at))
        assert one.corrections()
        assert not [m for m in two.statuses if m.reason_code == Status.REASON_TF_CONFLICT]

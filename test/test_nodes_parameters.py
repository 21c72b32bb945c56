"""Parameters of nodes at work: what can change does, the rest says why not; QoS overrides; names that nobody knows."""

import pytest
from localizing import Localizing
from mapping import Mapping
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from rclpy.qos import ReliabilityPolicy
from ros_harness import Process, own_domain

from ace_ros.msg import LocalizationStatus as Status

LOCALIZED = Status.STATE_LOCALIZED


@pytest.fixture
def domain():
    with own_domain() as number:
        yield number


def change(node, name, **values):
    """Set parameters one by one; the reasons of those that were refused."""
    wanted = [Parameter(key, value=value).to_parameter_msg() for key, value in values.items()]
    results = node.probe.call(SetParameters, f"{name}/set_parameters", parameters=wanted).results
    return [result.reason for result in results if not result.successful]


def test_what_can_change_while_it_localizes_does(mapped_room, domain, tmp_path):
    with Localizing(mapped_room, domain, tmp_path) as node:
        assert node.frame(1).state == LOCALIZED
        for values, words in (
            ({"base_frame": "camera"}, "clean it up first"),
            ({"image_transport": "raw"}, "clean it up first"),
            ({"tf_mode": "map_to_camera"}, "whose pose"),
            ({"tf_rate": 1000.0}, "out of range"),
        ):
            (reason,) = change(node, node.name, **values)
            assert words in reason, reason
        assert not change(node, node.name, base_frame="base_link")  # as it is

        assert not change(node, node.name, tf_mode="none", planar=True, kidnap_frames=3)
        node.probe.until(
            lambda: "kidnap_frames is 3, planar is True, tf_mode is none" in node.process.text(), "the log"
        )
        sent = len(node.corrections())
        stamp = node.send(2)
        assert node.answer(stamp).state == LOCALIZED
        pose = node.pose_of(stamp)
        assert pose[2, 3] == 0.0 and pose[2, 2] == pytest.approx(1.0)
        assert len(node.corrections()) == sent
        assert not change(node, node.name, tf_mode="map_to_odom", planar=False, tf_rate=100.0)
        node.probe.until(lambda: "tf_rate is 100.0" in node.process.text(), "the log")

        def corrected():
            node.frame(3)
            return len(node.corrections()) > sent + 10

        node.probe.until(corrected, "TF again")
        far = node.far_from(3)  # after three frames, not five, the robot is believed to have been moved
        node.odom.carried_to(node.truth(far))
        states = [node.frame(far + index).kidnapped for index in range(6)]
        assert states.index(True) <= 3, states
        node.probe.spin(0.2)
        assert not change(node, node.name, max_rate=0.5)
        node.probe.until(lambda: "max_rate is 0.5" in node.process.text(), "the log")
        dropped = node.statuses[-1].frames_dropped
        for index in range(5):
            node.send(index)
            node.probe.spin(0.1)
        node.probe.until(lambda: node.statuses[-1].frames_dropped >= dropped + 3, "frames that are left out")


def test_what_can_change_while_it_maps_does(mapped_room, domain, tmp_path):
    with Mapping(mapped_room, domain, tmp_path) as node:
        (reason,) = change(node, "/mapping_node", map_frame="odom")
        assert "restart the node" in reason
        assert not change(node, "/mapping_node", min_translation=5.0, min_rotation=170.0)
        node.probe.until(lambda: "other parameters" in node.process.text(), "the log")
        node.drive([1])
        taken = node.settled().frames_taken
        node.drive([5, 9, 13])
        node.probe.until(lambda: node.since_ready("rejected_similar_view") >= 3, "frames that bring nothing")
        assert node.settled().frames_taken == taken


def test_qos_overrides_are_honoured_and_unknown_names_are_told(mapped_room, domain, tmp_path):
    overrides = {
        "qos_overrides./localization_node/pose.publisher.reliability": "best_effort",
        "qos_overrides./camera/image/compressed.subscription.depth": 17,
        "qos_overrides./camera/image/compressed.subscription.reliability": "reliable",
        "tf_mod": "none",
    }
    with Localizing(mapped_room, domain, tmp_path, image_reliability="auto", **overrides) as node:
        assert node.frame(1).state == LOCALIZED
        for topic, reliability in (("pose", ReliabilityPolicy.BEST_EFFORT), ("status", ReliabilityPolicy.RELIABLE)):
            (info,) = node.probe.get_publishers_info_by_topic(f"/localization_node/{topic}")
            assert info.qos_profile.reliability == reliability
        infos = node.probe.get_subscriptions_info_by_topic("/camera/image/compressed")
        assert {i.qos_profile.reliability for i in infos} == {ReliabilityPolicy.RELIABLE}
        text = node.process.text()
        assert "there is no parameter tf_mod" in text and "there is tf_mode" in text
        assert "no parameter qos" not in text and "no parameter use_sim_time" not in text


def test_qos_overrides_that_make_no_sense_are_told(domain, tmp_path):
    process = Process(
        "mapping_node", domain, tmp_path / "m.log", {"qos_overrides./camera_info.subscription.depth": "deep"}
    )
    assert process.wait() == 1
    assert "qos_overrides" in process.text() and "Traceback" not in process.text()

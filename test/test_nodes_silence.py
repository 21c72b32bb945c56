"""Topics on which nothing comes: why, and which one may have been meant, on ~/status and in the log within seconds."""

import time

import numpy as np
import pytest
import rclpy
from drive import BEST_EFFORT, camera_info, raw_image
from nav_msgs.msg import Odometry
from rclpy.context import Context
from rclpy.node import Node
from rclpy.topic_endpoint_info import TopicEndpointInfo
from ros_harness import Probe, Process, own_domain
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from ace_ros.camera import Camera
from ace_ros.msg import LocalizationStatus, MappingStatus
from ace_ros.nodes.image_input import ImageInput
from ace_ros.nodes.options import ImageOptions
from ace_ros.nodes.topic_search import node_names


@pytest.fixture
def domain():
    with own_domain() as number:
        yield number


def test_a_node_whose_name_has_not_come_yet_is_not_named():
    """DDS knows a publisher a moment earlier than its node."""
    unknown = TopicEndpointInfo(node_name="_NODE_NAME_UNKNOWN_", node_namespace="_NODE_NAMESPACE_UNKNOWN_")
    known = TopicEndpointInfo(node_name="camera", node_namespace="/")
    assert node_names([unknown, known]) == ["/camera"] and node_names([unknown]) == []


def test_another_type_another_qos_no_camera_info(mapped_room, domain, tmp_path):
    probe = Probe(domain)
    process = None
    try:
        other = probe.create_publisher(CompressedImage, "/image", 10)
        statuses = probe.hear(LocalizationStatus, "/localization_node/status")
        settings = {"map": str(mapped_room.map), "image_reliability": "reliable", "max_age": 0.0, "threads": 1}
        process = Process("localization_node", domain, tmp_path / "log", settings)
        probe.needed.append(process)

        def told(words):
            return probe.until(lambda: statuses and words in statuses[-1].reason and statuses[-1], words)

        told("/image carries sensor_msgs/msg/CompressedImage, not sensor_msgs/msg/Image")
        probe.destroy_publisher(other)
        told("nobody publishes /image (sensor_msgs/msg/Image); there is no topic with")
        for name in ("/else", "/cam/image"):
            probe.create_publisher(Image, name, 10)
        told("there are /cam/image (sensor_msgs/msg/Image), /else (sensor_msgs/msg/Image)")
        unreliable = probe.create_publisher(Image, "/image", BEST_EFFORT)
        told("/probe publishes /image best_effort, and a reliable subscription gets nothing of it")
        probe.destroy_publisher(unreliable)
        images = probe.create_publisher(Image, "/image", 10)
        told("/probe publishes /image (sensor_msgs/msg/Image), but nothing comes")
        probe.create_publisher(CameraInfo, "/camera/info", 10)
        small = np.zeros((48, 64), np.uint8)
        sender = probe.create_timer(0.1, lambda: images.publish(raw_image(small, time.time_ns())))
        told("no camera_info on /camera_info: nobody publishes /camera_info (sensor_msgs/msg/CameraInfo); there is /c")
        infos = probe.create_publisher(CameraInfo, "/camera_info", 10)
        told("/probe publishes /camera_info (sensor_msgs/msg/CameraInfo), but nothing comes")
        probe.destroy_timer(sender)
        camera = Camera(64, 48, 60.0, 60.0, 31.5, 23.5)

        def odd():
            stamp = time.time_ns()
            image = raw_image(small, stamp)
            image.encoding, image.step, image.data = "32FC9", 64, image.data
            images.publish(image)
            infos.publish(camera_info(camera, stamp))

        probe.create_timer(0.1, odd)
        told("32FC9")
        text = process.text()
        assert text.count("carries sensor_msgs/msg/CompressedImage") == 1  # each is told, once
        assert text.count("'32FC9' can't be used") == 1 and text.count("best_effort, and a reliable") == 1
    finally:
        if process is not None:
            process.interrupt()
        probe.close()


def test_odometry_that_nobody_publishes(mapped_room, domain, tmp_path):
    probe = Probe(domain)
    process = None
    try:
        probe.create_publisher(Odometry, "/wheels/odom", 10)
        statuses = probe.hear(MappingStatus, "/mapping_node/status")
        images, infos = (
            probe.create_publisher(Image, "/image", 10),
            probe.create_publisher(CameraInfo, "/camera_info", 10),
        )
        settings = {"pose_source": "odometry", "maps_dir": str(tmp_path)}
        process = Process("mapping_node", domain, tmp_path / "log", settings)
        probe.needed.append(process)
        camera = Camera(64, 48, 60.0, 60.0, 31.5, 23.5)

        def send():
            stamp = time.time_ns()
            images.publish(raw_image(np.zeros((48, 64), np.uint8), stamp))
            infos.publish(camera_info(camera, stamp))

        probe.create_timer(0.1, send)
        words = "nobody publishes /odom (nav_msgs/msg/Odometry); there is /wheels/odom (nav_msgs/msg/Odometry)"
        probe.until(lambda: statuses and any(words in text for text in statuses[-1].advice), "a word on /odom")
        probe.until(lambda: words in process.text(), "the same in the log")
        assert process.text().count(words) == 1
    finally:
        if process is not None:
            process.interrupt()
        probe.close()


@pytest.mark.parametrize(
    ("name", "rectified", "straight", "warned"),
    [
        ("image_raw", False, False, False),
        ("image_rect", True, True, False),
        ("image_rect_color", False, True, True),
        ("image_raw", True, True, True),
    ],
)
def test_what_is_rectified_is_not_undistorted_again(domain, name, rectified, straight, warned):
    """K and D of a raw image, P of a rectified one: by the name of its topic, or because the parameter says so."""
    context = Context()
    rclpy.init(context=context, domain_id=domain)
    node = Node("camera_user", context=context, cli_args=["--ros-args", "-r", f"image:=/camera/{name}"])
    try:
        images = ImageInput(node, ImageOptions(rectified=rectified), 5)
        frames, warnings = [], []
        images.registerCallback(frames.append)
        node.get_logger = lambda: type("Log", (), {"warning": lambda _, text: warnings.append(text)})()
        bent = Camera(64, 48, 60.0, 60.0, 31.5, 23.5, (-0.2, 0.05, 0.0, 0.0, 0.0))
        for stamp in (1_000_000_000, 2_000_000_000):
            info = camera_info(bent, stamp)
            info.p = np.array([[50.0, 0, 30.0, 0], [0, 50.0, 20.0, 0], [0, 0, 1.0, 0]]).ravel()
            images._on_info(info)
            images._on_image(raw_image(np.zeros((48, 64), np.uint8), stamp))
        assert len(frames) == 2
        assert frames[-1].camera.fx == (50.0 if straight else 60.0)
        assert any(frames[-1].camera.distortion) != straight
        assert len(warnings) == warned and all("P of camera_info" in text for text in warnings)
    finally:
        node.destroy_node()
        rclpy.shutdown(context=context)

"""A robot that drives through a scene: publishes its camera, odometry that drifts, TF, and the truth."""

from __future__ import annotations

import array

import cv2
import numpy as np
from geometry_msgs.msg import PoseStamped, TransformStamped
from nav_msgs.msg import Odometry
from rclpy.qos import QoSProfile, ReliabilityPolicy
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from tf2_ros import StaticTransformBroadcaster, TransformBroadcaster

from ace_ros.geometry import invert
from ace_ros.nodes.conversions import pose_message, time_message, transform_message
from ace_ros.recordings.lens_names import name_in_ros

# The camera looks ahead, 0.3 m in front of the base and 0.5 m above it (REP 103 axes to optical axes).
BASE_FROM_CAMERA = np.array([[0.0, 0, 1, 0.3], [-1, 0, 0, 0], [0, -1, 0, 0.5], [0, 0, 0, 1]])
RELIABLE = QoSProfile(depth=10)
BEST_EFFORT = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)


def moved(x=0.0, y=0.0, yaw=0.0):
    """A motion on the ground; degrees."""
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_euler("z", yaw, degrees=True).as_matrix()
    pose[:2, 3] = x, y
    return pose


def transform(parent, child, parent_from_child, stamp):
    message = TransformStamped()
    message.header.frame_id, message.child_frame_id = parent, child
    message.header.stamp = time_message(stamp)
    message.transform = transform_message(parent_from_child)
    return message


def camera_info(camera, stamp, frame="camera_optical"):
    message = CameraInfo(width=camera.width, height=camera.height)
    message.header.stamp, message.header.frame_id = time_message(stamp), frame
    message.distortion_model, message.d = name_in_ros(camera.model, camera.distortion, "the camera")
    message.k = camera.matrix.ravel()
    message.r = np.eye(3).ravel()
    message.p = np.hstack([camera.matrix, np.zeros((3, 1))]).ravel()
    return message


def raw_image(pixels, stamp, frame="camera_optical"):
    message = Image(height=pixels.shape[0], width=pixels.shape[1], encoding="mono8" if pixels.ndim == 2 else "rgb8")
    message.header.stamp, message.header.frame_id = time_message(stamp), frame
    message.step = pixels.shape[1] * (1 if pixels.ndim == 2 else 3)
    message.data = array.array("B", pixels.tobytes())
    return message


def jpeg_image(pixels, stamp, frame="camera_optical"):
    message = CompressedImage(format="jpeg")
    message.header.stamp, message.header.frame_id = time_message(stamp), frame
    encoded = cv2.imencode(".jpg", pixels if pixels.ndim == 2 else pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1]
    message.data = array.array("B", encoded.tobytes())
    return message


class Drifting:
    """Odometry of a robot whose true poses are given: starts at the origin and drifts in heading and scale."""

    def __init__(self, heading_per_metre=2.0, scale=1.05):
        self._heading, self._scale = heading_per_metre, scale
        self._true = None
        self.odom_from_base = np.eye(4)

    def follow(self, map_from_base):
        """Go on to the next true pose; returns odom_from_base."""
        if self._true is not None:
            step = invert(self._true) @ map_from_base
            metres = float(np.linalg.norm(step[:3, 3]))
            step[:3, 3] *= self._scale
            self.odom_from_base = self.odom_from_base @ step @ moved(yaw=self._heading * metres)
        self._true = map_from_base
        return self.odom_from_base

    def carried_to(self, map_from_base):
        """The robot is lifted and put down elsewhere: the wheels did not turn."""
        self._true = map_from_base


class Rover:
    """Publishes what a robot's drivers would, for frames (image, camera, map_from_camera), one call each."""

    def __init__(self, probe, topic="/camera", compressed=False, qos=RELIABLE, frame="camera_optical"):
        self.probe, self.compressed, self.frame = probe, compressed, frame
        kind, name = (CompressedImage, "/image/compressed") if compressed else (Image, "/image")
        self.images = probe.create_publisher(kind, topic + name, qos)
        self.infos = probe.create_publisher(CameraInfo, topic + "/camera_info", qos)
        self.tf = TransformBroadcaster(probe)
        self.static_tf = StaticTransformBroadcaster(probe)
        self.poses = probe.create_publisher(PoseStamped, "/pose", RELIABLE)
        self.odometry = probe.create_publisher(Odometry, "/odom", RELIABLE)

    def mount_camera(self, base_from_camera=BASE_FROM_CAMERA, stamp=0):
        self.static_tf.sendTransform(transform("base_link", self.frame, base_from_camera, stamp))

    def send(self, pixels, camera, stamp):
        """The image with its camera_info."""
        make = jpeg_image if self.compressed else raw_image
        self.images.publish(make(pixels, stamp, self.frame))
        self.infos.publish(camera_info(camera, stamp, self.frame))

    def send_tf(self, parent, child, parent_from_child, stamp):
        self.tf.sendTransform(transform(parent, child, parent_from_child, stamp))

    def send_pose(self, pose, stamp, parent="map"):
        message = PoseStamped(pose=pose if not isinstance(pose, np.ndarray) else pose_message(pose))
        message.header.stamp, message.header.frame_id = time_message(stamp), parent
        self.poses.publish(message)

    def send_odometry(self, odom_from_base, stamp, parent="odom", child="base_link"):
        message = Odometry(child_frame_id=child)
        message.header.stamp, message.header.frame_id = time_message(stamp), parent
        message.pose.pose = pose_message(odom_from_base)
        self.odometry.publish(message)

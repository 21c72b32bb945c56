"""The topic ~/map_cloud: what a map looks like, for RViz and Foxglove."""

from __future__ import annotations

import array
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import PointCloud2, PointField

from ace_ros.errors import Cancelled
from ace_ros.localization.localizer import Localizer
from ace_ros.map.scene_map import SceneMap
from ace_ros.online.collecting import Collector
from ace_ros.visual.cloud import landmark_cloud, map_cloud


class CloudPublisher:
    """Publishes clouds on ~/map_cloud, latched: who subscribes later gets the last one."""

    def __init__(self, node: Node) -> None:
        self._node = node
        qos = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        # No lifecycle publisher: a map that is configured can be looked at before the node is active.
        self._publisher = node.create_publisher(PointCloud2, "~/map_cloud", qos)

    def publish(self, points: NDArray[Any], colours: NDArray[np.uint8], frame: str) -> None:
        """Send points (N, 3), in the map frame ``frame``, with their colours (N, 3) RGB."""
        message = cloud_message(points, colours)
        message.header.stamp = self._node.get_clock().now().to_msg()
        message.header.frame_id = frame
        self._publisher.publish(message)

    def publish_landmarks(self, scene_map: SceneMap, frame: str) -> None:
        """Send the landmarks: all that the map's file can show. They have no colours but those of their places."""
        cloud = landmark_cloud(scene_map)
        self.publish(cloud.points, cloud.colours, frame)

    def publish_coloured(self, localizer: Localizer, collector: Collector, frame: str) -> None:
        """Send what the mapping views are localized by, in their colours, if anything.

        Raises:
            Cancelled: the collector is to close.
        """

        def go_on() -> None:
            if collector.closing:
                raise Cancelled("the node is to end")

        cloud = map_cloud(localizer, collector.album.frames(), on_frame=go_on)
        if len(cloud):
            self.publish(cloud.points, cloud.colours, frame)

    def clear(self, frame: str) -> None:
        """There is no map any more."""
        self.publish(np.zeros((0, 3)), np.zeros((0, 3), np.uint8), frame)


def cloud_message(points: NDArray[Any], colours: NDArray[np.uint8]) -> PointCloud2:
    """x, y, z and rgb, packed into a float's bits as RViz and PCL have it."""
    table = np.zeros(len(points), dtype=[("xyz", "<f4", 3), ("rgb", "<u4")])
    red, green, blue = np.asarray(colours, dtype=np.uint32).reshape(-1, 3).T
    table["xyz"], table["rgb"] = points, red << 16 | green << 8 | blue
    message = PointCloud2(height=1, width=len(points), point_step=table.itemsize, is_dense=True)
    message.row_step = message.point_step * message.width
    for index, name in enumerate(("x", "y", "z", "rgb")):
        message.fields.append(PointField(name=name, offset=4 * index, datatype=PointField.FLOAT32, count=1))
    message.data = array.array("B", table.tobytes())
    return message

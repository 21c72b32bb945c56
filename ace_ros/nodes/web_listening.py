"""What the page shows of the topics of the other nodes. It listens while somebody looks, and not else."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from geometry_msgs.msg import Pose, PoseWithCovarianceStamped
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import PointCloud2

from ace_ros.errors import InputError
from ace_ros.msg import LocalizationStatus, MappingStatus
from ace_ros.nodes.conversions import pose_matrix
from ace_ros.nodes.web_pictures import Pictures
from ace_ros.web.options import PageOptions
from ace_ros.web.pictures import points_seen_from_above
from ace_ros.web.view import Heard, Localization, Mapping, PlanarPose, Trail, heading

_LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
_CLOUD = np.dtype([("xyz", "<f4", 3), ("rgb", "u1", 4)])  # as map_cloud.py packs it: blue, green, red, nothing


class Listening:
    """Subscriptions to the mapper, the localizer and the camera. Close it when nobody looks any more.

    Args:
        show: gets what goes to the page beside the view: a kind and its content.

    Attributes:
        pose: the last one, None before there was one in this map. since: when it began (time.monotonic).
    """

    def __init__(self, node: Node, options: PageOptions, show: Callable[[str, str | bytes], None]) -> None:
        self._node, self._options, self._show = node, options, show
        self.since = time.monotonic()
        self.pose: PlanarPose | None = None
        self._trail = Trail()
        self._localization: Localization | None = None
        self._mapping: Mapping | None = None
        self._heard = {options.localizer: self.since, options.mapper: self.since}
        self._clouds = {options.localizer: b"", options.mapper: b""}  # empty: nothing to be shown
        self._trail_shown = -1  # points
        self._pictures = Pictures(node, options, lambda picture: show("image", picture))
        usual = QoSProfile(depth=10)
        self._subscriptions = [
            node.create_subscription(*what)
            for what in (
                (LocalizationStatus, f"{options.localizer}/status", self._on_localization, usual),
                (MappingStatus, f"{options.mapper}/status", self._on_mapping, usual),
                (PoseWithCovarianceStamped, f"{options.localizer}/pose_with_covariance", self._on_pose, _LATCHED),
                *((PointCloud2, f"{name}/map_cloud", self._on_cloud(name), _LATCHED) for name in self._clouds),
            )
        ]

    def close(self) -> None:
        """Unsubscribe."""
        self._pictures.close()
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)

    def look_after(self) -> None:
        """Call it about once a second."""
        self._pictures.look_after()
        if self._trail.count != self._trail_shown:  # between two of these the page goes on by the poses
            self._trail_shown = self._trail.count
            self._show("trail", self._trail.json())

    @property
    def picture(self) -> str:
        """What the picture is, or why there is none."""
        return self._pictures.caption

    def localization(self) -> Heard[Localization]:
        """The localizer."""
        return self._state_of(self._options.localizer, self._localization)

    def mapping(self) -> Heard[Mapping]:
        """The mapper."""
        return self._state_of(self._options.mapper, self._mapping)

    def _state_of(self, name: str, said: Any) -> Heard[Any]:
        there = self._node.count_publishers(f"{name}/status") > 0
        return Heard(name, there, time.monotonic() - self._heard[name], said)

    # --- topics ---

    def _on_localization(self, message: LocalizationStatus) -> None:
        self._heard[self._options.localizer] = time.monotonic()
        before, self._localization = self._localization, localization_of(message)
        if before and (before.map_name, before.map_frame) != (message.map_name, message.header.frame_id):
            self.pose, self._trail = None, Trail()  # of another map

    def _on_mapping(self, message: MappingStatus) -> None:
        self._heard[self._options.mapper] = time.monotonic()
        self._mapping = mapping_of(message)

    def _on_pose(self, message: PoseWithCovarianceStamped) -> None:
        pose = planar_pose(message.pose.pose, covariance=message.pose.covariance)
        if pose is not None:
            self.pose = pose
            self._trail.add(pose)

    def _on_cloud(self, name: str) -> Callable[[PointCloud2], None]:
        def show(message: PointCloud2) -> None:
            if message.point_step != _CLOUD.itemsize:
                raise InputError(f"map_cloud: {message.point_step} bytes a point, {_CLOUD.itemsize} expected")
            table = np.frombuffer(message.data, _CLOUD)
            points = points_seen_from_above(table["xyz"], table["rgb"][:, 2::-1])
            self._clouds[name] = points if len(table) else b""
            localizers, mappers = self._clouds.values()
            self._show("cloud", localizers or mappers or points)  # poses are in the localizer's map

        return show


def planar_pose(pose: Pose, covariance: Any = None, **more: Any) -> PlanarPose | None:
    """Seen from above; None where it is no pose. ``covariance``: 36 numbers."""
    try:
        matrix = pose_matrix(pose, "pose")
    except InputError:
        return None
    x, y, z = (float(value) for value in matrix[:3, 3])
    planar = () if covariance is None else tuple(float(covariance[index]) for index in (0, 1, 7))
    return PlanarPose(x, y, z, heading(matrix[:3, :3]), planar, **more)


def localization_of(message: LocalizationStatus) -> Localization:
    """What the page tells of a status."""
    found = (planar_pose(a.pose, place=a.place, probability=float(a.probability)) for a in message.alternatives)
    return Localization(
        state=_state(message),
        reason=message.reason,
        rotation_stddev=math.degrees(message.rotation_stddev),
        map_frame=message.header.frame_id,
        alternatives=tuple(pose for pose in found if pose is not None),
        **_same(
            message,
            "confidence inliers candidates reprojection_error translation_stddev place latency frames_received "
            "frames_localized map_name map_id metric",
        ),
    )


def mapping_of(message: MappingStatus) -> Mapping:
    """What the page tells of a status."""
    built = message.state == MappingStatus.STATE_READY or message.held_back_frames or message.first_map_path
    return Mapping(
        state=_state(message),
        first_map=bool(message.first_map_path),
        built=message.map_name if built else "",
        advice=tuple(message.advice),
        **_same(
            message,
            "message frames_received frames_taken map_name stage progress seconds_left places places_done "
            "held_back_frames held_back_localized held_back_translation metric",
        ),
    )


def _state(message: Any) -> str:
    """The name of the constant STATE_... that the state is, lower case."""
    names = [name for name in dir(type(message)) if name.startswith("STATE_")]
    return {getattr(message, name): name[6:].lower() for name in names}.get(message.state, "unknown")


def _same(message: Any, names: str) -> dict[str, Any]:
    return {name: getattr(message, name) for name in names.split()}

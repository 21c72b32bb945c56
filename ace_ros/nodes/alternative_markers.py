"""The topic ~/alternatives: the poses that an image may have been taken from, for RViz and Foxglove."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Point, Vector3
from rclpy.qos import QoSProfile
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from ace_ros.nodes.conversions import pose_message
from ace_ros.online.placing import PlacedAlternative

_AXIS = 0.15  # depths of the scene: as large as a robot in a room; set by hand
_LASTING = Duration(sec=2)  # so that nothing stays where the node has ended; set by hand
_RED_GREEN_BLUE = np.eye(3)  # of x, y and z, as everywhere


class AlternativeMarkers:
    """Publishes axes with the place and the probability of each alternative, and takes them away again."""

    def __init__(self, node: Any) -> None:
        self._publisher = node.create_lifecycle_publisher(MarkerArray, "~/alternatives", QoSProfile(depth=10))
        self._shown = False

    def publish(self, header: Header, alternatives: Sequence[PlacedAlternative], depth: float) -> None:
        """Show these instead of those of before; ``depth`` of the scene, in units of the map."""
        if alternatives or self._shown:
            self._publisher.publish(markers(header, alternatives, _AXIS * depth))
        self._shown = bool(alternatives)


def markers(header: Header, alternatives: Sequence[PlacedAlternative], axis: float) -> MarkerArray:
    """What there was before is deleted, then axes of that length and a text for each alternative."""
    found = MarkerArray(markers=[Marker(header=header, action=Marker.DELETEALL)])
    for index, one in enumerate(alternatives):
        common = {"header": header, "id": index, "pose": pose_message(one.map_from_frame), "lifetime": _LASTING}
        lines = Marker(ns="poses", type=Marker.LINE_LIST, scale=Vector3(x=axis / 10), **common)
        for end in _RED_GREEN_BLUE:
            red, green, blue = end.tolist()
            lines.points += [Point(), Point(x=axis * red, y=axis * green, z=axis * blue)]
            lines.colors += [ColorRGBA(r=red, g=green, b=blue, a=1.0)] * 2
        text = Marker(ns="texts", type=Marker.TEXT_VIEW_FACING, scale=Vector3(z=axis / 2), **common)
        text.color = ColorRGBA(r=1.0, g=1.0, b=1.0, a=1.0)
        text.text = f"place {one.place}: {one.probability:.0%}"
        found.markers += [lines, text]
    return found

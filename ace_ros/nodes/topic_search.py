"""Why nothing comes on a topic, and which one may have been meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

from rclpy.node import Node
from rclpy.qos import ReliabilityPolicy
from rclpy.topic_endpoint_info import TopicEndpointInfo

_NEAREST = 3  # topics that are named
_UNKNOWN = "_NODE_NAME_UNKNOWN_"  # as rmw calls a node whose name has not come yet


def why_silent(node: Node, topic: str, kind: type[Any], reliable: bool, kin: Sequence[type[Any]] = ()) -> str:
    """A sentence about a topic, resolved, on which no message came.

    Args:
        kind: of the messages. reliable: whether the subscription is. kin: other types that are worth naming.
    """
    wanted = type_name(kind)
    publishers = node.get_publishers_info_by_topic(topic)
    kinds = sorted({info.topic_type for info in publishers})
    if publishers and wanted not in kinds:
        return f"{topic} carries {', '.join(kinds)}, not {wanted}"
    if not publishers:
        return f"nobody publishes {topic} ({wanted}); {_nearest(node, topic, {wanted, *map(type_name, kin)})}"
    names = ", ".join(node_names(publishers)) or "somebody"
    if reliable and any(info.qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT for info in publishers):
        return f"{names} publishes {topic} best_effort, and a reliable subscription gets nothing of it"
    return f"{names} publishes {topic} ({wanted}), but nothing comes"


def node_names(infos: Iterable[TopicEndpointInfo]) -> list[str]:
    """Nodes that publish or subscribe, without those that DDS knows no name of yet."""
    known = [info for info in infos if info.node_name != _UNKNOWN]
    return sorted({f"{info.node_namespace.rstrip('/')}/{info.node_name}" for info in known})


def type_name(kind: type[Any]) -> str:
    """As ROS has it: sensor_msgs/msg/Image."""
    return f"{kind.__module__.split('.')[0]}/msg/{kind.__name__}"


def _nearest(node: Node, topic: str, wanted: set[str]) -> str:
    found = {}
    for name, kinds in node.get_topic_names_and_types():
        ours = name.startswith(f"{node.get_fully_qualified_name()}/")  # as ~/debug_image
        if name != topic and not ours and wanted.intersection(kinds) and node.count_publishers(name):
            found[name] = ", ".join(kinds)
    if not found:
        return f"there is no topic with {' or '.join(sorted(wanted))}"
    near = sorted(found, key=lambda name: difflib.SequenceMatcher(None, name, topic).ratio(), reverse=True)
    return f"there {'is' if len(near) == 1 else 'are'} " + ", ".join(f"{n} ({found[n]})" for n in near[:_NEAREST])

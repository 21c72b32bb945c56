"""Poses of a bag: pose topics and TF, at the times of images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from rosbags.interfaces import Connection

from ace_ros.geometry import Matrix, invert, pose_from_quaternion
from ace_ros.recordings.bag_file import Bag, stamp_of
from ace_ros.recordings.left_out import LeftOut
from ace_ros.recordings.posed_frame import stamp_text
from ace_ros.recordings.trajectory import Trajectory

POSE_TYPES = ("geometry_msgs/msg/PoseStamped", "geometry_msgs/msg/PoseWithCovarianceStamped")
ODOMETRY = "nav_msgs/msg/Odometry"
TF = ("tf2_msgs/msg/TFMessage", "tf/msg/tfMessage")  # the latter of old ROS 1 bags
BASES = ("base_link", "base_footprint")  # REP 105 and 120: frames of a robot's body
_SLOW_EDGE = 3.0  # of a transform's usual spacing: gaps that are interpolated; set by hand


@dataclass(frozen=True)
class PoseTopic:
    """Poses of ``body`` (empty: not said) in ``frame``.

    Attributes:
        fault: why the topic can't be used at all. left_out: its poses that can't be.
    """

    topic: str
    frame: str
    body: str
    trajectory: Trajectory
    fault: str
    left_out: LeftOut


@dataclass
class Tree:
    """TF of a bag: of each frame its parent, and the poses in it; a static one has no times."""

    parents: dict[str, str] = field(default_factory=dict)
    moving: dict[str, Trajectory] = field(default_factory=dict)
    fixed: dict[str, Matrix] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    left_out: LeftOut = field(default_factory=LeftOut)

    def chain(self, frame: str) -> list[str]:
        """The frame, its parent, and so on to the root."""
        found = [frame]
        while (parent := self.parents.get(found[-1])) is not None and parent not in found:
            found.append(parent)
        return found

    def moves(self, chain: Sequence[str]) -> bool:
        """Whether anything between the first and the last frame of a chain changes in time."""
        return any(frame in self.moving for frame in chain[:-1])

    def at(self, target: str, source: str, stamps: Sequence[int], max_gap: float) -> list[Matrix | None]:
        """``target_from_source`` at each stamp; None where TF does not tell."""
        up, down = self.chain(source), self.chain(target)
        common = next((frame for frame in up if frame in down), None)
        if common is None:
            return [None] * len(stamps)
        source_poses = self._climb(up[: up.index(common)], stamps, max_gap)
        target_poses = self._climb(down[: down.index(common)], stamps, max_gap)
        return [
            None if a is None or b is None else invert(b) @ a for a, b in zip(source_poses, target_poses, strict=True)
        ]

    def _climb(self, frames: Sequence[str], stamps: Sequence[int], max_gap: float) -> list[Matrix | None]:
        poses: list[Matrix | None] = [np.eye(4)] * len(stamps)
        for frame in frames:
            if frame in self.fixed:
                steps: list[Matrix | None] = [self.fixed[frame]] * len(stamps)
            else:
                edge = self.moving[frame]
                # map -> odom is often corrected once in seconds only, and hardly changes in between.
                steps = edge.at(stamps, max(max_gap, _SLOW_EDGE * edge.spacing if len(edge.stamps) > 1 else 0.0))
            poses = [None if a is None or b is None else b @ a for a, b in zip(poses, steps, strict=True)]
        return poses


def pose_topics(bag: Bag) -> list[PoseTopic]:
    """All pose topics, PoseStamped and PoseWithCovarianceStamped before Odometry."""
    return [_pose_topic(bag, c) for c in (*bag.of_type(*POSE_TYPES), *bag.of_type(ODOMETRY))]


def _pose_topic(bag: Bag, connection: Connection) -> PoseTopic:
    samples = []
    left_out = LeftOut()
    fault = ""
    frames: dict[str, int] = {}
    body = ""
    for _, log_time, message in bag.messages([connection], left_out):
        pose = message.pose if connection.msgtype == POSE_TYPES[0] else message.pose.pose
        frame = message.header.frame_id.lstrip("/")
        frames[frame] = frames.get(frame, 0) + 1
        body = getattr(message, "child_frame_id", "").lstrip("/")
        stamp = stamp_of(message.header) or log_time
        where = f"{connection.topic} at {stamp_text(stamp)}"
        left_out.listed["pose"] += 1
        with left_out.trying(where, "pose"):
            samples.append((stamp, _matrix(pose.position, pose.orientation, where)))
    if len(frames) > 1:
        fault = f"the poses on {connection.topic} are given in several frames: {', '.join(sorted(frames))}"
    main = max(frames, key=lambda frame: frames[frame], default="")
    return PoseTopic(connection.topic, main, body, Trajectory.of(samples), fault, left_out)


def read_tree(bag: Bag, near: str = "") -> Tree:
    """TF and static TF of one robot; of a frame with several parents the one that was heard of most is kept.

    Args:
        near: the topic of the images: of the trees of several robots the one in its namespace is read.
    """
    left_out = LeftOut()
    heard: dict[str, dict[str, list[tuple[int, Matrix]]]] = {}
    static: dict[str, tuple[str, Matrix]] = {}
    connections, notes = _one_robot(bag.of_type(*TF), near)
    for connection, log_time, message in bag.messages(connections, left_out):
        for item in message.transforms:
            parent, child = item.header.frame_id.lstrip("/"), item.child_frame_id.lstrip("/")
            stamp = stamp_of(item.header) or log_time
            where = f"{connection.topic}, {parent} -> {child} at {stamp_text(stamp)}"
            left_out.listed["transform"] += 1
            with left_out.trying(where, "transform"):
                pose = _matrix(item.transform.translation, item.transform.rotation, where)
                if connection.topic.endswith("/tf_static"):
                    static[child] = parent, pose
                else:
                    heard.setdefault(child, {}).setdefault(parent, []).append((stamp, pose))
    tree = Tree(notes=notes, left_out=left_out)
    for child, by_parent in heard.items():
        parent = max(by_parent, key=lambda name: len(by_parent[name]))
        if len(by_parent) > 1:
            tree.notes.append(f"TF gives {child} several parents ({', '.join(sorted(by_parent))}): {parent} is used")
        tree.parents[child], tree.moving[child] = parent, Trajectory.of(by_parent[parent])
    for child, (parent, pose) in static.items():
        if child not in tree.moving:
            tree.parents[child], tree.fixed[child] = parent, pose
    return tree


def _one_robot(connections: Sequence[Connection], near: str) -> tuple[list[Connection], list[str]]:
    """TF of one namespace, and a note on the others: frames of two robots often have the same names."""
    by_namespace: dict[str, list[Connection]] = {}
    for connection in connections:
        by_namespace.setdefault(connection.topic.rsplit("/", 1)[0], []).append(connection)
    if len(by_namespace) < 2:
        return list(connections), []
    around = [name for name in by_namespace if near.startswith(name + "/")]
    chosen = (
        max(around, key=len) if around else max(by_namespace, key=lambda n: sum(c.msgcount for c in by_namespace[n]))
    )
    others = ", ".join(f"{name}/tf" for name in sorted(by_namespace) if name != chosen)
    return by_namespace[chosen], [f"TF is read of {chosen}/tf, and not of {others}, which may be another robot's"]


def _matrix(position: Any, orientation: Any, where: str) -> Matrix:
    translation = position.x, position.y, position.z
    return pose_from_quaternion(translation, (orientation.x, orientation.y, orientation.z, orientation.w), where)

"""Which of a bag's poses are those of the camera, and how they are carried over to it.

Without a choice by the user, the first of these that covers half of the images: TF from the optical frame up to a map
frame; PoseStamped and PoseWithCovarianceStamped; Odometry; TF up to an odometry frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ace_ros.errors import InputError
from ace_ros.geometry import Matrix
from ace_ros.recordings.bag_file import Bag
from ace_ros.recordings.bag_poses import BASES, PoseTopic, Tree, pose_topics, read_tree
from ace_ros.recordings.left_out import LeftOut
from ace_ros.recordings.options import BagOptions

_ENOUGH = 0.5  # of the images, for a source of poses to be preferred to a later one; set by hand
_MAP_FRAMES = ("map", "world", "earth")  # REP 105, and what motion capture calls it


@dataclass
class GroundTruth:
    """Poses of the camera at the images' stamps, in ``frame``; None where there is none."""

    frame: str
    poses: list[Matrix | None]
    source: str = ""
    rank: int = 0
    fault: str = ""
    notes: list[str] = field(default_factory=list)
    left_out: LeftOut = field(default_factory=LeftOut)

    @property
    def covered(self) -> int:
        return sum(pose is not None for pose in self.poses)


def find_poses(
    bag: Bag, image_topic: str, camera: str, stamps: Sequence[int], options: BagOptions, left_out: LeftOut
) -> GroundTruth:
    """Poses of the camera, whose optical frame is ``camera``, at the stamps.

    Raises:
        InputError: what the user named is not there or gives no poses, or several sources could be meant.
    """
    tree = read_tree(bag, image_topic)
    topics = pose_topics(bag)
    if options.pose_topic and options.pose_topic not in ("/tf", "tf"):
        topics = [topic for topic in topics if topic.topic == options.pose_topic]
        if not topics:
            raise InputError(f"{bag.path}: no poses on {options.pose_topic} (PoseStamped, ..., Odometry)")
    found = [_of_topic(bag, topic, tree, image_topic, camera, stamps, options) for topic in topics]
    if options.pose_topic in ("", "/tf", "tf"):
        tf = _of_tf(bag, tree, camera, stamps, options)
        found = [tf] if options.pose_topic else [*found, tf]
    if options.map_frame:
        elsewhere = sorted({truth.frame for truth in found if truth.frame} - {options.map_frame})
        found = [truth for truth in found if truth.frame == options.map_frame]
        if not found:
            raise InputError(f"{bag.path}: no poses in the frame {options.map_frame}, only in: {', '.join(elsewhere)}")
    best = _best(bag, found, len(stamps))
    if best is None:
        if faults := [truth.fault for truth in found if truth.fault]:
            raise InputError(f"{bag.path}: {faults[0]}")
        if options.pose_topic:
            reasons = "; ".join(note for truth in found for note in truth.notes)
            raise InputError(
                f"{bag.path}: {options.pose_topic} gives no pose for any image: {reasons or 'see its stamps'}"
            )
        for truth in found:
            if truth.left_out.names("pose"):
                raise InputError(f"{bag.path}: no pose can be used ({truth.left_out.reasons()})")
        reasons = "; ".join(f"{truth.source}: {'; '.join(truth.notes) or 'none near the images'}" for truth in found)
        return GroundTruth("map", [None] * len(stamps), notes=[f"no poses of the camera were found ({reasons})"])
    left_out.take(best.left_out)
    missing = len(stamps) - best.covered
    notes = [f"poses: {best.source}, given in '{best.frame}'", *best.notes, *tree.notes]
    if missing:
        notes.append(f"{missing} of {len(stamps)} images have no pose near their time")
    if others := [truth.source for truth in found if truth is not best and truth.covered]:
        notes.append(f"not used: {', '.join(others)} (--pose-topic chooses)")
    best.notes = notes
    return best


def _best(bag: Bag, found: list[GroundTruth], count: int) -> GroundTruth | None:
    usable = [truth for truth in found if truth.covered >= _ENOUGH * count] or [t for t in found if t.covered]
    if not usable:
        return None
    first = min(truth.rank for truth in usable)
    candidates = [truth for truth in usable if truth.rank == first]
    if len(candidates) > 1:
        names = ", ".join(truth.source for truth in candidates)
        raise InputError(f"{bag.path}: several topics could give the poses: say which by --pose-topic: {names}")
    return candidates[0]


def _of_tf(bag: Bag, tree: Tree, camera: str, stamps: Sequence[int], options: BagOptions) -> GroundTruth:
    chain = tree.chain(camera)
    named = options.map_frame or next((frame for frame in _MAP_FRAMES if frame in chain[1:]), chain[-1])
    if not tree.parents:
        return GroundTruth("", [None] * len(stamps), "/tf", notes=["the bag holds no TF"])
    if named not in chain or not tree.moves(chain[: chain.index(named) + 1]):
        reason = f"TF leads from the images' frame '{camera}' to {' -> '.join(chain[1:]) or 'nowhere'} only"
        return GroundTruth("", [None] * len(stamps), "/tf", notes=[reason + ", nothing in it moves" * (len(chain) > 1)])
    chain = chain[: chain.index(named) + 1]
    poses = tree.at(named, camera, stamps, options.max_pose_gap)
    source, rank = f"/tf, {' -> '.join(reversed(chain))}", 3 if "odom" in named else 0
    return GroundTruth(named, poses, source, rank, left_out=tree.left_out)


def _of_topic(
    bag: Bag, topic: PoseTopic, tree: Tree, image_topic: str, camera: str, stamps: Sequence[int], options: BagOptions
) -> GroundTruth:
    poses = topic.trajectory.at(stamps, options.max_pose_gap)
    odometry = bool(topic.body)
    truth = GroundTruth(topic.frame, poses, topic.topic, rank=2 if odometry else 1, left_out=topic.left_out)
    if topic.fault:
        return GroundTruth(topic.frame, [None] * len(stamps), topic.topic, fault=topic.fault, left_out=topic.left_out)
    if not topic.trajectory.stamps.size or not truth.covered:
        truth.notes.append(f"none of its {len(topic.trajectory.stamps)} poses is near an image's time")
        return truth
    body = options.body_frame or topic.body or _body(topic, tree, image_topic, camera)
    if body == camera:
        if not odometry and not options.body_frame:
            truth.notes.append(f"{topic.topic} is taken as the camera's optical frame (--body-frame names another)")
        return truth
    mount = tree.at(body, camera, stamps, options.max_pose_gap)
    if all(pose is None for pose in mount):
        reason = f"{topic.topic} gives the pose of '{body}', and TF does not lead from there to the camera ('{camera}')"
        if options.pose_topic == topic.topic:
            raise InputError(f"{bag.path}: {reason}: record /tf_static along, or say what it gives by --body-frame")
        truth.poses = [None] * len(stamps)
        truth.notes.append(reason)
        return truth
    truth.poses = [None if a is None or b is None else a @ b for a, b in zip(poses, mount, strict=True)]
    truth.notes.append(f"{topic.topic} gives the pose of '{body}', carried over to '{camera}' by TF")
    return truth


def _body(topic: PoseTopic, tree: Tree, image_topic: str, camera: str) -> str:
    """A pose message does not say of what. In the camera's namespace: of the camera; on a robot: of its base."""
    namespace = image_topic.removesuffix("/compressed").rsplit("/", 1)[0]
    if namespace and topic.topic.startswith(namespace + "/"):
        return camera
    return next((frame for frame in tree.chain(camera) if frame in BASES), camera)

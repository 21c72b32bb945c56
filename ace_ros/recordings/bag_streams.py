"""What of a bag a robot would hear: the topics to play to a localizer, and how its camera sits in TF."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rosbags.interfaces import Connection, QosReliability

from ace_ros.recordings.bag_file import Bag, stamp_of
from ace_ros.recordings.bag_images import COMPRESSED
from ace_ros.recordings.bag_poses import BASES, TF, Tree, read_tree
from ace_ros.recordings.options import SplitOptions
from ace_ros.recordings.rosbag import base_topic, find_images, find_info


@dataclass(frozen=True)
class Streams:
    """Topics and frames of a bag.

    Attributes:
        images: base topic, without the transport's suffix. compressed: their transport. count: how many there are.
        reliable: whether they were published so. stamped: whether the first of them says when it was taken.
        camera_info: topic. camera_frame: optical frame.
        tf: topics of TF that can be played without giving away where the robot is.
        base_frame, odom_frame: of the robot; empty where TF does not tell, or where telling gives away the poses.
        tree: TF of the bag.
    """

    images: str
    compressed: bool
    count: int
    reliable: bool
    stamped: bool
    camera_info: str
    camera_frame: str
    tf: tuple[str, ...]
    base_frame: str
    odom_frame: str
    tree: Tree

    @property
    def image_topic(self) -> str:
        """The topic that the images are on."""
        return f"{self.images}/compressed" if self.compressed else self.images


def streams(path: Path, options: SplitOptions, map_frame: str) -> Streams:
    """What to play of a bag to a localizer whose map is in ``map_frame``.

    TF that leads up to the map, or beyond the odometry, holds the answer: then only what is fixed on the robot is
    played.

    Raises:
        InputError: as for reading the bag; or TF and camera don't go together.
    """
    bag = Bag(path)
    images = find_images(bag, options.bag)
    first = bag.first(images)
    frame = first.header.frame_id.lstrip("/")
    tree = read_tree(bag, images.topic)
    base, odom = _robot(tree, frame, map_frame)
    topics = sorted(connection.topic for connection in bag.of_type(*TF))
    fixed = tuple(topic for topic in topics if topic.endswith("/tf_static"))
    if not base and not odom:
        fixed = ()
    return Streams(
        images=base_topic(images.topic),
        compressed=images.msgtype == COMPRESSED,
        count=images.msgcount,
        reliable=not _best_effort(images),
        stamped=bool(stamp_of(first.header)),
        camera_info=find_info(bag, images, frame, options.bag).topic,
        camera_frame=frame,
        tf=tuple(topics) if odom else fixed,
        base_frame=base,
        odom_frame=odom,
        tree=tree,
    )


def _robot(tree: Tree, camera: str, map_frame: str) -> tuple[str, str]:
    """Base and odometry frame: none of the latter where TF goes on beyond it, none at all where the camera pans."""
    chain = tree.chain(camera)
    moving = next((frame for frame in chain[:-1] if frame in tree.moving), "")
    base = next((frame for frame in chain if frame in BASES), moving)
    if not base or base == camera or tree.moves(chain[: chain.index(base) + 1]):
        return "", ""
    odom = tree.parents.get(base, "")
    while odom in BASES:  # base_footprint below base_link, or the reverse
        base, odom = odom, tree.parents.get(odom, "")
    alone = base in tree.moving and odom not in tree.parents and odom != map_frame and map_frame not in chain
    return base, odom if alone else ""


def _best_effort(connection: Connection) -> bool:
    offered = getattr(connection.ext, "offered_qos_profiles", None) or []
    return any(qos.reliability == QosReliability.BEST_EFFORT for qos in offered)

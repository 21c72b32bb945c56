"""What a user can say about a recording that its files don't."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class BagOptions:
    """Which topics and frames of a bag to use, where it holds several. Empty: found by type."""

    image_topic: str = ""
    """Topic of the images (sensor_msgs Image or CompressedImage)."""
    camera_info_topic: str = ""
    """Topic of their CameraInfo."""
    pose_topic: str = ""
    """Topic of the poses (PoseStamped, PoseWithCovarianceStamped, Odometry), or /tf."""
    map_frame: str = ""
    """Frame that the poses are to be given in, of those in TF."""
    body_frame: str = ""
    """Frame whose pose the pose topic gives. Empty: child_frame_id of odometry; else base_link, where TF mounts the
    camera on it and the topic is not in the camera's namespace; else the camera's optical frame."""
    max_pose_gap: float = 0.25
    """Poses further apart than this (s) are not interpolated."""


@dataclass(frozen=True)
class SplitOptions:
    """Which frames are queries, never mapped, and what a recording leaves unsaid."""

    test_list: Path | None = None
    """File that names the queries, one a line; without it test.txt beside the data, or every 8th frame."""
    test_every: int | None = None
    """Take every N-th frame as a query; 0: none, map them all."""
    test_offset: int = 0
    """The first of those."""
    intrinsics: str = ""
    """fx,fy,cx,cy[,k1,k2,p1,p2[,k3...]] in pixels, for a TUM folder or a bag that has no calibration."""
    bag: BagOptions = field(default_factory=BagOptions)

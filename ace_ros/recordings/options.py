"""What a user can say about a recording that its files don't."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ace_ros.errors import InputError
from ace_ros.options import OptionError, Options, option
from ace_ros.recordings.readings import AS_NAMED

_FOUND = "found by type"


@dataclass(frozen=True)
class BagOptions(Options):
    """Which topics and frames of a bag are used, where it holds several."""

    image_topic: str = option("", "Topic of the images (Image or CompressedImage).", without=_FOUND, metavar="TOPIC")
    camera_info_topic: str = option("", "Topic of their CameraInfo.", without=_FOUND, metavar="TOPIC")
    pose_topic: str = option(
        "",
        "Topic of the poses (PoseStamped, PoseWithCovarianceStamped, Odometry), or /tf.",
        without=_FOUND,
        metavar="TOPIC",
    )
    map_frame: str = option(
        "", "Frame that the poses are to be given in, of those in TF.", without="found in TF", metavar="FRAME"
    )
    body_frame: str = option(
        "",
        "Frame whose pose the pose topic gives.",
        without="child_frame_id of odometry; else base_link, where TF mounts the camera on it and the topic is not in "
        "the camera's namespace; else the camera's optical frame",
        metavar="FRAME",
    )
    max_pose_gap: float = option(0.25, "Poses further apart than this are not interpolated.", unit="s", low=0.0)


@dataclass(frozen=True)
class SplitOptions(Options):
    """Which frames are queries, never mapped, and what a recording leaves unsaid."""

    test_every: int | None = option(
        None, "Every N-th frame is a query; 0: none is, all are mapped.", low=0,
        without="those that test.txt beside the data names, else every 8th",
    )  # fmt: skip
    test_offset: int = option(0, "The first of those, counted from 0; not negative.", low=0)
    test_list: Path | None = option(
        None, "File that names the queries, one a line, instead of --test-every.", metavar="FILE"
    )
    intrinsics: str = option(
        "",
        "fx,fy,cx,cy[,k1,k2,p1,p2[,k3...]] in pixels, for a TUM folder or a bag that has no calibration.",
        metavar="NUMBERS",
    )
    poses: str = option(
        "", f"File of the poses, for a video or images alone; or what they are: {', '.join(AS_NAMED)}.",
        metavar="FILE|HOW", without="as the layout says, and checked against the images",
    )  # fmt: skip
    focal_scale: float | None = option(
        None, "Focal lengths are multiplied by it; 1 takes them as they are.", low=0.1, high=10.0,
        without="as given, and checked against the images",
    )  # fmt: skip
    layout: str = option(
        "", "Layout of the recording, where it could be several.", without="told by what is in it", metavar="NAME"
    )
    strict: bool = option(False, "A frame that can't be used is an error, instead of being left out.")
    bag: BagOptions = field(default_factory=BagOptions)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.test_every == 1:
            raise OptionError("test_every", "takes at least 2, or 0 for no queries at all, got 1")
        for word in self.poses.split(","):
            if word and word not in AS_NAMED and not Path(word).expanduser().is_file():
                raise OptionError("poses", f"'{word}' is no file, and none of {', '.join(AS_NAMED)}")
        if self.test_list is not None and self.test_every is not None:
            raise InputError("--test-list and --test-every exclude each other: give one")


def poses_file(options: SplitOptions) -> Path | None:
    """The file that ``--poses`` names."""
    return next((Path(word).expanduser() for word in options.poses.split(",") if word and word not in AS_NAMED), None)


def poses_as(options: SplitOptions) -> str:
    """What ``--poses`` says that they are; empty where it does not say."""
    return next((word for word in options.poses.split(",") if word in AS_NAMED), "")

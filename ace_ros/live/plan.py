"""Evaluation through the nodes: what to play to whom, and what the record of it says. No ROS here.

A recording is played by replay_node into localization_node, while evaluation_node writes down what comes out. Only
poses that were published count, and only frames that the node worked on: one that was overtaken by a newer image never
asked for a pose. How many those were is told beside the figures.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ace_ros.errors import InputError
from ace_ros.evaluation.metrics import FrameResult
from ace_ros.geometry import Matrix, move_covariance, pose_error, pose_from_quaternion
from ace_ros.recordings import Recording, SplitOptions, write_bag
from ace_ros.recordings.bag_streams import Streams, streams
from ace_ros.recordings.options import BagOptions
from ace_ros.recordings.posed_frame import PosedFrame
from ace_ros.recordings.rosbag import matches as is_bag

if TYPE_CHECKING:
    from ace_ros.map.header import MapHeader

_SETTLING = 0.5  # s: one subscriber is heard of before the next
RECORDER, LOCALIZER, PLAYER = "evaluation_node", "localization_node", "replay_node"


@dataclass(frozen=True)
class Run:
    """Three nodes with what they are started with: parameters and remappings by name of the node.

    The player is to be started when the recorder is ready, and the recorder ends by itself. ``pose_from_camera`` leads
    from the camera to the frame whose pose is published.
    """

    streams: Streams
    pose_from_camera: Matrix
    parameters: dict[str, dict[str, Any]]
    remappings: dict[str, dict[str, str]]


def as_bag(path: Path, scene: Recording, options: SplitOptions, folder: Path) -> tuple[Path, SplitOptions]:
    """The recording as a bag that can be played, and how to read it: itself, or written into ``folder``.

    Written are the frames of ``scene``; bags are written anew only where images have no stamps, or where the camera is
    not the one in the bag.
    """
    if is_bag(path) and not options.intrinsics and streams(path, options, scene.map_frame).stamped:
        return path, options
    bag = folder / "bag"
    write_bag(scene, bag)
    return bag, replace(options, bag=BagOptions(), intrinsics="")


def plan(
    bag: Path,
    options: SplitOptions,
    map_path: Path,
    header: MapHeader,
    record: Path,
    rate: float = 1.0,
    localizer: dict[str, Any] | None = None,
) -> Run:
    """What to start for a bag and a map.

    Parameters
    ----------
    rate
        of the replay; 2 is twice as fast as recorded.
    localizer
        more parameters of localization_node, or others than would be chosen.
    """
    heard = streams(bag, options, header.map_frame)
    robot = header.metric and bool(heard.base_frame)
    mode = "map_to_odom" if robot and heard.odom_frame else "map_to_base" if robot else "map_to_camera"
    topics = [heard.image_topic, heard.camera_info, *(heard.tf if robot else ())]
    parameters: dict[str, dict[str, Any]] = {
        LOCALIZER: {
            "map": str(map_path.resolve()),
            "use_sim_time": True,
            "image_transport": "compressed" if heard.compressed else "raw",
            "image_reliability": "reliable" if heard.reliable else "best_effort",
            "rectified": "rect" in heard.images.rsplit("/", 1)[-1],
            "tf_mode": mode,
            "base_frame": heard.base_frame if robot else "",
            "odom_frame": heard.odom_frame if robot else "",
            **(localizer or {}),
        },
        RECORDER: {"record": str(record.resolve()), "camera_frame": heard.camera_frame},
        PLAYER: {
            "bag": str(bag.resolve()),
            "rate": float(rate),
            "topics": ",".join(topics),
            "wait_for_subscribers": f"{heard.image_topic},{heard.camera_info}",
            "start_delay": _SETTLING,
        },
    }
    camera = {"image": heard.images, "camera_info": heard.camera_info}
    mount = heard.tree.at(heard.base_frame, heard.camera_frame, [0], 0.0)[0] if robot else None
    remappings = {LOCALIZER: camera, RECORDER: camera, PLAYER: {}}
    return Run(heard, np.eye(4) if mount is None else mount, parameters, remappings)


@dataclass(frozen=True)
class Record:
    """What evaluation_node wrote down.

    Attributes:
        frames: status of each image that was worked on, by its stamp (ns). poses: published ones, map_from_frame with
            covariance. ages: seconds from an image to its pose, both seen by the recorder. transforms:
            map_from_camera as TF told it. counts: of the localizer, at the end.
    """

    frames: dict[int, dict[str, Any]]
    poses: dict[int, tuple[Matrix, Matrix]]
    ages: dict[int, float]
    transforms: dict[int, Matrix]
    counts: dict[str, Any]


def read_record(path: Path) -> Record:
    """Read what evaluation_node wrote.

    Raises:
        InputError: no such file, not complete, or something else.
    """
    record = Record({}, {}, {}, {}, {})
    try:
        for line in lines(path.read_text(encoding="utf-8")):
            kind = line["kind"]
            if kind == "frame":
                record.frames[line["stamp"]] = line
            elif kind in ("pose", "tf"):
                pose = pose_from_quaternion(line["position"], line["orientation"], f"{path}: {kind}")
                if kind == "tf":
                    record.transforms[line["stamp"]] = pose
                else:
                    record.poses[line["stamp"]] = pose, np.array(line["covariance"]).reshape(6, 6)
                    if line["age"] is not None:
                        record.ages[line["stamp"]] = line["age"]
            elif kind == "end":
                record.counts.update(line)
    except OSError as error:
        raise InputError(f"{path}: can't be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not a record of evaluation_node") from error
    if "received" not in record.counts:
        raise InputError(f"{path}: a record that was not completed: let evaluation_node end by itself, or by Ctrl-C")
    return record


def lines(text: str) -> Iterator[dict[str, Any]]:
    """The lines of a record that are whole."""
    for line in text[: text.rfind("\n") + 1].splitlines():
        yield json.loads(line)


def judged(record: Record, frames: Sequence[PosedFrame], run: Run) -> tuple[list[FrameResult], list[str]]:
    """Results of the frames that were worked on, as :func:`ace_ros.evaluation.run.evaluate` gives them, and notes.

    Raises:
        InputError: the record tells of none of the frames that have a true pose.
    """
    known = [frame for frame in frames if frame.map_from_camera is not None]
    notes = [f"{len(frames) - len(known)} frames have no true pose"] if len(known) < len(frames) else []
    results = []
    for frame in known:
        status = record.frames.get(frame.stamp)
        if status is None:
            continue
        estimate, covariance = None, None
        if frame.stamp in record.poses and status["state"] == "LOCALIZED":
            pose, of_base = record.poses[frame.stamp]
            estimate = pose @ run.pose_from_camera
            covariance = move_covariance(of_base, pose, run.pose_from_camera)
        assert frame.map_from_camera is not None
        results.append(
            FrameResult(
                name=frame.name,
                stamp=frame.stamp,
                truth=frame.map_from_camera,
                state=status["state"],
                reason=status["reason"],
                estimate=estimate,
                covariance=covariance,
                confidence=status["confidence"] or 0.0,
                inliers=status["inliers"],
                candidates=status["candidates"],
                seconds=status["processing_time"] or 0.0,
                age=record.ages.get(frame.stamp),
            )
        )
    if not results:
        raise InputError(
            f"not one of {len(known)} frames with a true pose is among the {len(record.frames)} that the node worked on"
        )
    return results, notes


def live_figures(record: Record, frames: Sequence[PosedFrame], played: int, rate: float = 1.0) -> dict[str, Any]:
    """What came out besides poses: counts of frames, rates in Hz of recorded time, ages, and how TF did.

    Parameters
    ----------
    frames
        those of the recording that are judged. played: how many images the recording holds.
    """
    stamps = sorted(record.frames)
    counts = {name: int(record.counts[name]) for name in ("received", "processed", "dropped", "rejected", "localized")}
    ages = np.array(list(record.ages.values())) * 1e3
    posed = np.sort(np.array(list(record.poses), dtype=np.int64)) * 1e-9
    seconds = (max(f.stamp for f in frames) - min(f.stamp for f in frames)) * 1e-9
    span = max(seconds, (stamps[-1] - stamps[0]) * 1e-9) if stamps else seconds
    return {
        "rate": rate,
        "seconds": span,
        "frames_played": played,
        "frames_not_received": max(0, played - counts["received"]),
        **{f"frames_{name}": count for name, count in counts.items()},
        "images_hz": _per_second(played, span),
        "poses": len(posed),
        "poses_hz": _per_second(len(posed), span),
        "longest_gap_s": float(np.diff(posed).max()) if len(posed) > 1 else None,
        "latency_ms": {
            "median": float(np.median(ages)),
            "p95": float(np.percentile(ages, 95)),
            "max": float(ages.max()),
        }
        if len(ages)
        else None,
        "tf": _tf_figures(record, frames),
    }


def _per_second(count: int, seconds: float) -> float | None:
    return (count - 1) / seconds if count > 1 and seconds > 0 else None


def _tf_figures(record: Record, frames: Sequence[PosedFrame]) -> dict[str, Any]:
    """map_from_camera as TF gives it at the stamps of the frames that were worked on, localized or not."""
    asked = [f for f in frames if f.map_from_camera is not None and f.stamp in record.frames]
    errors = np.array(
        [
            pose_error(record.transforms[frame.stamp], frame.map_from_camera)
            for frame in asked
            if frame.stamp in record.transforms and frame.map_from_camera is not None
        ]
    ).reshape(-1, 2)
    figures: dict[str, Any] = {"frames": len(asked), "known": len(errors)}
    for name, column in (("translation", 0), ("rotation_deg", 1)):
        figures[f"median_{name}"] = float(np.median(errors[:, column])) if len(errors) else None
        figures[f"p95_{name}"] = float(np.percentile(errors[:, column], 95)) if len(errors) else None
    return figures


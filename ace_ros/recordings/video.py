"""A video and its trajectory: ``ace map walk.mp4 --poses trajectory.txt --intrinsics fx,fy,cx,cy``; decoded by OpenCV.

Frames are read one after the other; to go back begins anew. A trajectory whose clock is another than the video's is
taken to begin with it.
"""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from ace_ros.errors import FrameError, InputError
from ace_ros.geometry import Matrix
from ace_ros.image import Pixels
from ace_ros.recordings.images import to_rgb8
from ace_ros.recordings.images_and_trajectory import camera_of
from ace_ros.recordings.left_out import LeftOut
from ace_ros.recordings.listing import made_up_stamp
from ace_ros.recordings.options import SplitOptions, poses_file
from ace_ros.recordings.posed_frame import PosedFrame, Recording
from ace_ros.recordings.splits import Split, choose
from ace_ros.recordings.trajectory import MAX_GAP
from ace_ros.recordings.trajectory_files import holds_matrices, read_matrices, read_trajectory

NAME = "video"
FILES = "*.mp4, *.mov, *.avi, *.mkv, *.webm with --poses FILE (video)"
_UNREADABLE = "no frame of this video can be decoded: convert it, 'ffmpeg -i IN out.mp4' for one"
SUFFIXES = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v")


def matches(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in SUFFIXES


def read(path: Path, split: Split, options: SplitOptions) -> Recording:
    file = poses_file(options) or _beside(path)
    if file is None:
        raise InputError(f"{path}: a video alone says nothing of where it was taken: give its trajectory, --poses FILE")
    camera_for = camera_of(path.parent, options)
    video = Video(path)
    left_out = LeftOut(options.strict)
    left_out.listed["frame"] += len(video.times)
    poses, notes = _poses(file, video, left_out)
    camera = camera_for(*video.size)
    frames = []
    for index, pose in enumerate(poses):
        name = f"frame {index}"
        with left_out.trying(name):
            if pose is None:
                raise FrameError(name, f"no pose in {file.name} near its time")
            frames.append(
                PosedFrame(name, made_up_stamp(0) + video.times[index], camera, pose, partial(video.read, index))
            )
    if not frames:
        raise InputError(f"{path} with {file}: no frame has a pose ({left_out.reasons()})")
    chosen, more = choose(frames, split, options, None)
    return Recording(path.stem, chosen, metric=True, map_frame="world", notes=[*notes, *more], left_out=left_out)


def _beside(path: Path) -> Path | None:
    return next((file for suffix in (".txt", ".csv", ".tum") if (file := path.with_suffix(suffix)).is_file()), None)


def _poses(file: Path, video: Video, left_out: LeftOut) -> tuple[list[Matrix | None], list[str]]:
    count = len(video.times)
    if holds_matrices(file):
        poses = read_matrices(file, left_out)
        if len(poses) != count:
            raise InputError(f"{file}: {len(poses)} poses without times for {count} frames: which belongs to which?")
        return poses, []
    trajectory = read_trajectory(file, left_out)
    found = trajectory.at(video.times, MAX_GAP)
    if any(pose is not None for pose in found):
        return found, []
    start = int(trajectory.stamps[0])
    notes = [
        f"{file.name} has another clock than the video: its first pose, at {start * 1e-9:.3f} s, is the first frame's"
    ]
    return trajectory.at([start + time for time in video.times], MAX_GAP), notes


class Video:
    """The frames of a video file.

    Attributes:
        times: of each frame since the first, ns. size: width and height.

    Raises:
        InputError: it can't be decoded.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()
        self._capture, self._next = self._opened(), 0
        self.size = (
            int(self._capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
            int(self._capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
        )
        self.times: list[int] = []
        while self._capture.grab():
            self.times.append(round(self._capture.get(cv2.CAP_PROP_POS_MSEC) * 1e6))
        if not self.times:
            raise InputError(f"{path}: {_UNREADABLE}")
        if len(set(self.times)) < len(self.times):  # some containers tell no times
            rate = self._capture.get(cv2.CAP_PROP_FPS) or 30.0
            self.times = [round(index * 1e9 / rate) for index in range(len(self.times))]
        self.times = [time - self.times[0] for time in self.times]
        self._capture, self._next = self._opened(), 0

    def read(self, index: int) -> Pixels:
        """Pixels of a frame, uint8 RGB; any thread may ask."""
        with self._lock:
            if index < self._next:
                self._capture, self._next = self._opened(), 0
            while self._next <= index:
                if not self._capture.grab():
                    raise FrameError(f"{self._path}: frame {index}", "a frame that can't be decoded")
                self._next += 1
            done, image = self._capture.retrieve()
            if not done:
                raise FrameError(f"{self._path}: frame {index}", "a frame that can't be decoded")
            return to_rgb8(np.asarray(image), f"{self._path}: frame {index}")

    def _opened(self) -> cv2.VideoCapture:
        capture = cv2.VideoCapture(str(self._path))
        if not capture.isOpened():
            raise InputError(f"{self._path}: {_UNREADABLE}")
        return capture

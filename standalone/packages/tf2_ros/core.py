"""The tree of frames over time."""

from __future__ import annotations

import math
import threading
from typing import Any

from geometry_msgs.msg import TransformStamped
from rclpy.logging import get_logger
from rclpy.time import Time

from tf2_ros.cache import Entry, StaticCache, TimeCache
from tf2_ros.exceptions import (
    ConnectivityException,
    ExtrapolationException,
    InvalidArgumentException,
    LookupException,
    TransformException,
)
from tf2_ros.rigid import IDENTITY, Rigid, compose, invert

_MAX_DEPTH = 1000


def nanoseconds(time: Any) -> int:
    """Nanoseconds of a builtin_interfaces or rclpy time or duration.

    Raises:
        TypeError: it is neither.
    """
    if hasattr(time, "sec") and hasattr(time, "nanosec"):
        return int(time.sec) * 10**9 + int(time.nanosec)
    if hasattr(time, "nanoseconds"):
        return int(time.nanoseconds)
    raise TypeError("time must have sec and nanosec, or nanoseconds.")


class BufferCore:
    """Keeps transforms and answers for them; knows nothing of topics."""

    def __init__(self, cache_time: Any = None) -> None:
        self._storage = 10 * 10**9 if cache_time is None else nanoseconds(cache_time)
        self._lock = threading.RLock()
        self._names: set[str] = set()  # every frame that was ever heard of, roots included
        self._caches: dict[str, StaticCache | TimeCache] = {}

    # --- Taking in ---

    def set_transform(self, transform: TransformStamped, authority: str) -> None:
        self._insert(transform, authority, static=False)

    def set_transform_static(self, transform: TransformStamped, authority: str) -> None:
        self._insert(transform, authority, static=True)

    def clear(self) -> None:
        """Forget everything but static transforms, and the names of frames."""
        with self._lock:
            for cache in self._caches.values():
                cache.clear()

    def _insert(self, transform: TransformStamped, authority: str, static: bool) -> None:
        parent, child = transform.header.frame_id.removeprefix("/"), transform.child_frame_id.removeprefix("/")
        t, q = transform.transform.translation, transform.transform.rotation
        norm = math.hypot(q.x, q.y, q.z, q.w) or math.nan  # any length will do, but none
        pose = Rigid((t.x, t.y, t.z), (q.x / norm, q.y / norm, q.z / norm, q.w / norm))
        fault = _fault(parent, child, pose)
        if fault:
            get_logger("tf2").error(f"Ignoring transform of frame '{child}' from authority '{authority}': {fault}")
            return
        stamp = nanoseconds(transform.header.stamp)
        with self._lock:
            self._names |= {parent, child}
            cache = self._caches.get(child)
            if cache is None or cache.static != static:
                cache = self._caches[child] = StaticCache() if static else TimeCache(self._storage)
            if not cache.insert(Entry(stamp, parent, pose)):
                get_logger("tf2").warning(
                    f"TF_OLD_DATA ignoring data from the past for frame {child} at time {stamp / 1e9:.6f} "
                    f"according to authority {authority}"
                )

    # --- Answering ---

    def lookup_transform_core(self, target_frame: str, source_frame: str, time: Any) -> TransformStamped:
        with self._lock:
            stamp, pose = self._lookup(target_frame, source_frame, nanoseconds(time), "lookupTransform")
        return _message(target_frame, source_frame, stamp, pose)

    def lookup_transform_full_core(
        self, target_frame: str, target_time: Any, source_frame: str, source_time: Any, fixed_frame: str
    ) -> TransformStamped:
        with self._lock:
            for role, frame in (("target", target_frame), ("source", source_frame), ("fixed", fixed_frame)):
                self._validate(f"lookupTransform argument {role}_frame", frame)
            _, fixed_from_source = self._lookup(fixed_frame, source_frame, nanoseconds(source_time), "lookupTransform")
            stamp, target_from_fixed = self._lookup(
                target_frame, fixed_frame, nanoseconds(target_time), "lookupTransform"
            )
        return _message(target_frame, source_frame, stamp, compose(target_from_fixed, fixed_from_source))

    def can_transform_core(self, target_frame: str, source_frame: str, time: Any) -> tuple[bool, str]:
        try:
            with self._lock:
                self._lookup(target_frame, source_frame, nanoseconds(time), "canTransform")
        except TransformException as error:
            return False, str(error)
        return True, ""

    def can_transform_full_core(
        self, target_frame: str, target_time: Any, source_frame: str, source_time: Any, fixed_frame: str
    ) -> tuple[bool, str]:
        try:
            self.lookup_transform_full_core(target_frame, target_time, source_frame, source_time, fixed_frame)
        except TransformException as error:
            return False, str(error)
        return True, ""

    def get_latest_common_time(self, target_frame: str, source_frame: str) -> Time:
        with self._lock:
            if not {target_frame, source_frame} <= self._names:
                raise TransformException("Source or target frame is not yet defined")
            if target_frame == source_frame:
                return Time(nanoseconds=self._latest(target_frame))
            return Time(nanoseconds=self._latest_common(target_frame, source_frame))

    def all_frames_as_string(self) -> str:
        with self._lock:
            latest = {name: cache.latest() for name, cache in sorted(self._caches.items())}
        return "".join(
            f"Frame {name} exists with parent {entry.parent if entry else 'NO_PARENT'}.\n"
            for name, entry in latest.items()
        )

    def _validate(self, role: str, frame: str) -> None:
        if not frame:
            raise InvalidArgumentException(f"Invalid argument passed to {role} in tf2 frame_ids cannot be empty")
        if frame.startswith("/"):
            raise InvalidArgumentException(
                f"Invalid argument \"{frame}\" passed to {role} in tf2 frame_ids cannot start with a '/'"
            )
        if frame not in self._names:
            raise LookupException(f'"{frame}" passed to {role} does not exist. ')

    def _latest(self, frame: str) -> int:
        cache = self._caches.get(frame)
        entry = cache.latest() if cache else None
        return entry.stamp if entry else 0

    def _lookup(self, target: str, source: str, stamp: int, function: str) -> tuple[int, Rigid]:
        """(stamp, target_from_source). A frame in itself is the identity, whether or not it exists."""
        if target == source:
            return stamp or self._latest(target), IDENTITY
        self._validate(f"{function} argument target_frame", target)
        self._validate(f"{function} argument source_frame", source)
        stamp = stamp or self._latest_common(target, source)
        return stamp, self._walk(target, source, stamp)

    def _walk(self, target: str, source: str, stamp: int) -> Rigid:
        where = f", when looking up transform from frame [{source}] to frame [{target}]"
        top, top_from_source = source, IDENTITY
        out_of_range: ExtrapolationException | None = None
        for _ in range(_MAX_DEPTH):
            cache = self._caches.get(top)
            if cache is None:
                break
            try:
                entry = cache.at(stamp)
            except ExtrapolationException as error:
                out_of_range = error  # the target may still be below this frame
                break
            if top == target:
                return top_from_source
            top_from_source = compose(entry.parent_from_child, top_from_source)
            top = entry.parent
        else:
            raise LookupException("The tf tree is invalid because it contains a loop.")

        frame, frame_from_target = target, IDENTITY
        for _ in range(_MAX_DEPTH):
            if frame == top:
                return compose(invert(frame_from_target), top_from_source)
            cache = self._caches.get(frame)
            if cache is None:
                break
            try:
                entry = cache.at(stamp)
            except ExtrapolationException as error:
                raise ExtrapolationException(f"{error}{where}") from None
            if frame == source:
                return invert(frame_from_target)
            frame_from_target = compose(entry.parent_from_child, frame_from_target)
            frame = entry.parent
        else:
            raise LookupException("The tf tree is invalid because it contains a loop.")
        if out_of_range is not None:
            raise ExtrapolationException(f"{out_of_range}{where}")
        raise _unconnected(target, source)

    def _latest_common(self, target: str, source: str) -> int:
        """The latest time at which every moving link between two frames is known; 0 where all are static."""
        up_from_source, up_from_target = self._ancestry(source), self._ancestry(target)
        shared = next((frame for frame in up_from_source if frame in up_from_target), None)
        if shared is None:
            raise _unconnected(target, source)
        times = [*_links_below(up_from_source, shared), *_links_below(up_from_target, shared)]
        return min((time for time in times if time), default=0)

    def _ancestry(self, frame: str) -> dict[str, int]:
        """A frame and what is above it, each with the latest time of the link by which it was reached."""
        chain = {frame: 0}
        while True:
            cache = self._caches.get(frame)
            entry = cache.latest() if cache else None
            if entry is None:
                return chain
            if entry.parent in chain:
                raise LookupException("The tf tree is invalid because it contains a loop.")
            frame = entry.parent
            chain[frame] = entry.stamp


def _links_below(ancestry: dict[str, int], ancestor: str) -> list[int]:
    frames = list(ancestry)
    return [ancestry[frame] for frame in frames[: frames.index(ancestor) + 1]]


def _unconnected(target: str, source: str) -> ConnectivityException:
    return ConnectivityException(
        f"Could not find a connection between '{target}' and '{source}' because they are not part of the same tree."
        "Tf has two or more unconnected trees."
    )


def _fault(parent: str, child: str, pose: Rigid) -> str:
    if parent == child:
        return "TF_SELF_TRANSFORM: frame_id and child_frame_id are the same"
    if not child:
        return "TF_NO_CHILD_FRAME_ID: child_frame_id is not set"
    if not parent:
        return "TF_NO_FRAME_ID: frame_id is not set"
    if any(math.isnan(value) for value in (*pose.translation, *pose.rotation)):
        return "TF_NAN_INPUT: a nan value in the transform, or a quaternion of zeros"
    return ""


def _message(target: str, source: str, stamp: int, pose: Rigid) -> TransformStamped:
    message = TransformStamped()
    message.header.frame_id, message.child_frame_id = target, source
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp, 10**9)
    norm = math.sqrt(sum(value * value for value in pose.rotation))
    t, q = message.transform.translation, message.transform.rotation
    t.x, t.y, t.z = pose.translation
    q.x, q.y, q.z, q.w = (value / norm for value in pose.rotation)
    return message

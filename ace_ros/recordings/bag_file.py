"""A bag: connections by type, headers without decoding, single messages later."""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rosbags.interfaces import Connection

from ace_ros.errors import FrameError, InputError
from ace_ros.recordings.bag_storage import Storages
from ace_ros.recordings.left_out import LeftOut
from ace_ros.recordings.posed_frame import stamp_text

# Both set by hand: to start anew costs a chunk, to read on costs all that lies between.
_NEAR = 10**9 // 2  # ns; images between are passed over by reading them
_REACH = 60 * 10**9  # ns; a reader prepares all chunks up to its end
METRIC_KEY = "ace_ros.metric"  # in the custom data of bags written here: false where the source had no metric scale


@dataclass(frozen=True)
class Header:
    """Where a message is in the bag, and its std_msgs/Header.

    Attributes:
        log_time, ordinal: time of recording (ns), and which of its topic's messages with that time it is.
        stamp: ns; zero when the sender set none.
        frame: frame_id without a leading slash.
    """

    log_time: int
    ordinal: int
    stamp: int
    frame: str


class _Cursor:
    """Reads a topic on from a time: the next images are mostly those that are asked for next.

    To start anew costs an mcap file the decompression of a chunk, and the reading of all before where it has no index.
    """

    def __init__(self, storages: Storages, connection: Connection, start: int) -> None:
        self._stop = start + _REACH if storages.chunked else None
        self._connection = connection
        self._messages = storages.messages([connection], start=start, stop=self._stop)
        self._last = start, -1  # time of recording and ordinal

    def is_near(self, connection: Connection, header: Header) -> bool:
        """Whether it is quicker to read on to a message than to start there."""
        if connection != self._connection or (header.log_time, header.ordinal) <= self._last:
            return False
        return self._stop is None or header.log_time < min(self._stop, self._last[0] + _NEAR)

    def advance(self, header: Header) -> bytes:
        """The message of the header, which lies ahead."""
        for _, log_time, data in self._messages:
            self._last = log_time, self._last[1] + 1 if log_time == self._last[0] else 0
            if self._last == (header.log_time, header.ordinal):
                return bytes(data)
        raise InputError("a message that was there is gone")


class Bag:
    """An open bag; messages are decoded with the definitions that all releases of ROS 2 share.

    Raises:
        InputError: here and in all methods, when the bag is damaged or was not closed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._cursor: _Cursor | None = None
        try:
            self._storages = Storages(path)
        except InputError:
            raise
        except Exception as error:  # rosbags and what it builds on raise many kinds on damaged files
            raise self._damaged(error) from error
        self.connections = self._storages.connections
        self.notes = self._storages.notes
        if not self.connections:
            raise InputError(f"{path}: the bag holds no messages")

    def of_type(self, *types: str) -> list[Connection]:
        """Connections with messages of these types, by topic."""
        found = [connection for connection in self.connections if connection.msgtype in types]
        return sorted(found, key=lambda connection: connection.topic)

    @property
    def metric(self) -> bool:
        """Whether poses are in metres: always in ROS, but for bags made from recordings without scale."""
        return self._storages.custom.get(METRIC_KEY) != "false"

    def raw(self, connections: list[Connection]) -> Iterator[tuple[Connection, int, bytes]]:
        """All messages of the connections, undecoded, with the time of recording."""
        if not connections:
            return
        self._cursor = None  # both would read from one place in the file
        try:
            yield from self._storages.messages(connections)
        except InputError:
            raise
        except Exception as error:
            raise self._damaged(error) from error

    def messages(
        self, connections: list[Connection], left_out: LeftOut | None = None
    ) -> Iterator[tuple[Connection, int, Any]]:
        """All messages of the connections, decoded; where ``left_out`` is given, it takes those that can't be."""
        for connection, log_time, data in self.raw(connections):
            if left_out is None:
                yield connection, log_time, self._decode(connection, data, log_time)
                continue
            message = None
            left_out.listed["message"] += 1
            with left_out.trying(f"{connection.topic} at {stamp_text(log_time)}", "message"):
                message = self._decode(connection, data, log_time)
            if message is not None:
                yield connection, log_time, message

    def first(self, connection: Connection) -> Any:
        """First message of a topic."""
        for _, _, message in self.messages([connection], LeftOut()):  # the first that can be decoded
            return message
        raise InputError(f"{self.path}: {connection.topic} holds no messages")

    def headers(self, connection: Connection, left_out: LeftOut) -> list[Header]:
        """Headers of all messages of a topic whose type begins with one."""
        found: list[Header] = []
        last, ordinal = -1, 0
        for _, log_time, data in self.raw([connection]):
            ordinal = ordinal + 1 if log_time == last else 0
            last = log_time
            left_out.listed["frame"] += 1
            where = f"{connection.topic} at {stamp_text(log_time)}"
            with left_out.trying(where):
                try:
                    stamp, frame = _header(data, self._storages.ros1)
                except (struct.error, IndexError, UnicodeDecodeError):
                    raise FrameError(where, "a message that can't be decoded") from None
                found.append(Header(log_time, ordinal, stamp, frame))
        return found

    def at(self, connection: Connection, header: Header) -> Any:
        """The message that the header was taken from; any thread may ask."""
        try:
            with self._lock:
                if self._cursor is None or not self._cursor.is_near(connection, header):
                    self._cursor = _Cursor(self._storages, connection, header.log_time)
                data = self._cursor.advance(header)
        except Exception as error:
            self._cursor = None
            raise self._damaged(error) from error
        return self._decode(connection, data, header.stamp)

    def _decode(self, connection: Connection, data: bytes, time: int) -> Any:
        try:
            return self._storages.decode(connection, data)
        except Exception as error:
            where = f"{self.path}: {connection.topic} at {stamp_text(time)}"
            raise FrameError(where, "a message that can't be decoded", f"can't be decoded ({error})") from error

    def _damaged(self, error: Exception) -> InputError:
        reason = str(error).rstrip(".") or type(error).__name__
        return InputError(
            f"{self.path}: not a bag that can be read: {reason}. Was the recording cut off? 'mcap recover' (mcap) "
            "or 'ros2 bag reindex' may help"
        )


def stamp_of(header: Any) -> int:
    """Stamp of a decoded std_msgs/Header, ns; zero when the sender set none."""
    return int(header.stamp.sec) * 10**9 + int(header.stamp.nanosec)


def frame_name(topic: str, stamp: int) -> str:
    """What the frame with this stamp (ns) is called."""
    return f"{topic}/{stamp_text(stamp)}"


def _header(data: bytes, ros1: bool) -> tuple[int, str]:
    """Stamp (ns) and frame_id of a message that begins with std_msgs/Header, of ROS 2 in CDR."""
    order = "<" if ros1 or data[1] & 1 else ">"
    seconds, nanoseconds, length = struct.unpack_from(order + ("III" if ros1 else "iII"), data, 4)
    name = bytes(data[16 : 16 + (length if ros1 else max(length - 1, 0))])
    return seconds * 10**9 + nanoseconds, name.decode().lstrip("/")

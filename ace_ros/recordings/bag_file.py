"""A rosbag2, mcap or sqlite3, by ``rosbags``: connections by type, headers without decoding, single messages later."""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rosbags.interfaces import Connection
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, get_typestore

from ace_ros.errors import InputError
from ace_ros.recordings.posed_frame import stamp_text

FILES = ("*.mcap", "*.db3")
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

    def __init__(self, reader: Reader, connection: Connection, start: int) -> None:
        storage = reader.storage
        files = getattr(storage, "storages", [storage])
        self._indexed = all(getattr(file, "chunks", True) for file in files)  # only mcap has chunks
        self._stop = start + _REACH if self._indexed else None
        self._connection = connection
        self._messages = reader.messages([connection], start=start, stop=self._stop)
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
        self._types = get_typestore(Stores.LATEST)
        try:
            self._reader = Reader(_storage(path))
            self._reader.open()
        except InputError:
            raise
        except Exception as error:  # rosbags and what it builds on raise many kinds on damaged files
            raise self._damaged(error) from error
        self.connections = [connection for connection in self._reader.connections if connection.msgcount]
        if not self.connections:
            raise InputError(f"{path}: the bag holds no messages")

    def of_type(self, *types: str) -> list[Connection]:
        """Connections with messages of these types, by topic."""
        found = [connection for connection in self.connections if connection.msgtype in types]
        return sorted(found, key=lambda connection: connection.topic)

    @property
    def metric(self) -> bool:
        """Whether poses are in metres: always in ROS, but for bags made from recordings without scale."""
        return (self._reader.storage.metadata.custom or {}).get(METRIC_KEY) != "false"

    def raw(self, connections: list[Connection]) -> Iterator[tuple[Connection, int, bytes]]:
        """All messages of the connections, undecoded, with the time of recording."""
        if not connections:
            return
        self._cursor = None  # both would read from one place in the file
        try:
            yield from self._reader.messages(connections)
        except InputError:
            raise
        except Exception as error:
            raise self._damaged(error) from error

    def messages(self, connections: list[Connection]) -> Iterator[tuple[Connection, int, Any]]:
        """All messages of the connections, decoded."""
        for connection, log_time, data in self.raw(connections):
            yield connection, log_time, self._decode(connection, data)

    def first(self, connection: Connection) -> Any:
        """First message of a topic."""
        for _, _, message in self.messages([connection]):
            return message
        raise InputError(f"{self.path}: {connection.topic} holds no messages")

    def headers(self, connection: Connection) -> list[Header]:
        """Headers of all messages of a topic whose type begins with one."""
        found: list[Header] = []
        for _, log_time, data in self.raw([connection]):
            ordinal = found[-1].ordinal + 1 if found and found[-1].log_time == log_time else 0
            try:
                stamp, frame = _header(data)
            except (struct.error, IndexError, UnicodeDecodeError) as error:
                raise self._damaged(error) from error
            found.append(Header(log_time, ordinal, stamp, frame))
        return found

    def at(self, connection: Connection, header: Header) -> Any:
        """The message that the header was taken from; any thread may ask."""
        try:
            with self._lock:
                if self._cursor is None or not self._cursor.is_near(connection, header):
                    self._cursor = _Cursor(self._reader, connection, header.log_time)
                data = self._cursor.advance(header)
        except Exception as error:
            self._cursor = None
            raise self._damaged(error) from error
        return self._decode(connection, data)

    def _decode(self, connection: Connection, data: bytes) -> Any:
        try:
            return self._types.deserialize_cdr(data, connection.msgtype)
        except Exception as error:
            raise InputError(f"{self.path}: a message on {connection.topic} can't be decoded ({error})") from error

    def _damaged(self, error: Exception) -> InputError:
        reason = str(error).rstrip(".") or type(error).__name__
        return InputError(
            f"{self.path}: not a rosbag2 that can be read: {reason}. Was the recording cut off? 'mcap recover' (mcap) "
            "or 'ros2 bag reindex' may help"
        )


def stamp_of(header: Any) -> int:
    """Stamp of a decoded std_msgs/Header, ns; zero when the sender set none."""
    return int(header.stamp.sec) * 10**9 + int(header.stamp.nanosec)


def frame_name(topic: str, stamp: int) -> str:
    """What the frame with this stamp (ns) is called."""
    return f"{topic}/{stamp_text(stamp)}"


def storage_files(path: Path) -> list[Path]:
    """Storage files in a folder, sorted."""
    return sorted(file for pattern in FILES for file in path.glob(pattern))


def _storage(path: Path) -> Path:
    """What to open: a folder with metadata.yaml, or a storage file."""
    if path.is_file():
        if path.suffix == ".bag":
            raise InputError(f"{path}: a ROS 1 bag: convert it with 'rosbags-convert --src {path.name} --dst NEW'")
        whole = path.name == "metadata.yaml" or (
            (path.parent / "metadata.yaml").is_file() and storage_files(path.parent) == [path]
        )
        return path.parent if whole else path
    if (path / "metadata.yaml").is_file():
        return path
    files = storage_files(path)
    if len(files) > 1:
        raise InputError(f"{path}: {len(files)} storage files without metadata.yaml: run 'ros2 bag reindex' on it")
    return files[0]


def _header(data: bytes) -> tuple[int, str]:
    """Stamp (ns) and frame_id of a CDR message that begins with std_msgs/Header."""
    order = "<" if data[1] & 1 else ">"
    seconds, nanoseconds, length = struct.unpack_from(order + "iII", data, 4)
    return seconds * 10**9 + nanoseconds, bytes(data[16 : 16 + max(length - 1, 0)]).decode().lstrip("/")

"""An mcap file read from its first record to its last whole one: for those that were not closed, have no profile, or
carry channels of other systems beside those of ROS 2."""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from rosbags.interfaces import Connection, ConnectionExtRosbag2, MessageDefinition, MessageDefinitionFormat
from rosbags.rosbag2.storage_mcap import DECOMPRESSORS

from ace_ros.errors import InputError

_MAGIC = b"\x89MCAP0\r\n"
_SCHEMA, _CHANNEL, _MESSAGE, _CHUNK = 3, 4, 5, 6  # records' opcodes, from mcap's specification
_LOCATION = tuple[int, int, int, int, int]  # time, channel, chunk (-1: none), offset, size


class ScannedMcap:
    """The ROS 2 channels of a file; as rosbags' reader of mcap.

    Attributes:
        notes: what was found to be wrong with it.

    Raises:
        InputError: it is no mcap file, or holds no channel of ROS 2.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notes: list[str] = []
        self.chunks: list[tuple[int, int, str, int]] = []  # offset, size, compression, inflated size
        self._schemas: dict[int, tuple[str, str]] = {}
        self._channels: dict[int, tuple[str, str, str]] = {}
        self._locations: list[_LOCATION] = []
        self._inflated: tuple[int, bytes] = -1, b""
        try:
            self._file = path.open("rb")
        except OSError as error:
            raise InputError(f"{path}: can't be read ({error.strerror})") from None
        if self._file.read(8) != _MAGIC:
            raise InputError(f"{path}: not an mcap file (it does not begin as one), or an empty one")
        whole = self._scan(self._file, path.stat().st_size, -1)
        self._locations.sort(key=lambda location: location[0])
        if not whole:
            self.notes.append(f"{path.name} was not closed by its recorder; all whole messages in it are read")
        counts: dict[int, int] = {}
        for _, channel, *_ in self._locations:
            counts[channel] = counts.get(channel, 0) + 1
        foreign = sorted({topic for topic, encoding, _ in self._channels.values() if encoding != "cdr"})
        if foreign:
            self.notes.append(f"{path.name}: {', '.join(foreign)} are not messages of ROS 2 and are passed over")
        self.connections = [
            Connection(
                number, topic, kind, MessageDefinition(MessageDefinitionFormat.NONE, ""), "", counts.get(number, 0),
                ConnectionExtRosbag2(encoding, []), self,
            )
            for number, (topic, encoding, kind) in self._channels.items()
            if encoding == "cdr"
        ]  # fmt: skip
        if not self.connections:
            if not foreign and not whole:
                raise InputError(f"{path}: breaks off before its first whole chunk. Was the recording cut off?")
            held = f"only {', '.join(foreign)}, of other systems (JSON, protobuf)" if foreign else "nothing at all"
            raise InputError(f"{path}: holds no messages of ROS 2, {held}: record it with 'ros2 bag record'")

    def messages(
        self, connections: Collection[Connection], start: int | None = None, stop: int | None = None
    ) -> Iterator[tuple[Connection, int, bytes]]:
        """As of :class:`ace_ros.recordings.bag_storage.Storage`."""
        by_channel = {connection.id: connection for connection in connections}
        for time, channel, chunk, offset, size in self._locations:
            if channel in by_channel and (start is None or time >= start) and (stop is None or time < stop):
                yield by_channel[channel], time, self._data(chunk, offset, size)

    def _data(self, chunk: int, offset: int, size: int) -> bytes:
        if chunk >= 0:
            return self._chunk(chunk)[offset : offset + size]
        self._file.seek(offset)
        return self._file.read(size)

    def _chunk(self, number: int) -> bytes:
        if self._inflated[0] != number:
            offset, size, compression, inflated = self.chunks[number]
            self._file.seek(offset)
            self._inflated = number, DECOMPRESSORS[compression](self._file.read(size), inflated)
        return self._inflated[1]

    def _scan(self, file: BinaryIO | bytes, end: int, chunk: int) -> bool:
        """Note what the records hold; False where they break off."""
        at = 8 if chunk < 0 else 0
        while at + 9 <= end:
            opcode, size = struct.unpack("<BQ", self._read(file, at, 9))
            at += 9
            if at + size > end:
                return False
            if opcode in (2, 15) and chunk < 0:  # the footer, or the end of the data
                return True
            if opcode in (_SCHEMA, _CHANNEL, _MESSAGE, _CHUNK):
                with suppress(struct.error, UnicodeDecodeError):
                    self._record(opcode, file, at, size, chunk)
            at += size
        return chunk >= 0 and at == end

    def _record(self, opcode: int, file: BinaryIO | bytes, at: int, size: int, chunk: int) -> None:
        if opcode == _MESSAGE:
            channel, _, time, _ = struct.unpack("<HIQQ", self._read(file, at, 22))
            self._locations.append((time, channel, chunk, at + 22, size - 22))
            return
        if opcode == _CHUNK:
            inflated, _ = struct.unpack("<QI", self._read(file, at + 16, 12))
            compression, used = _text(self._read(file, at + 28, min(size - 28, 64)), 0)
            self.chunks.append((at + 28 + used + 8, size - 28 - used - 8, compression, inflated))
            try:
                content = self._chunk(len(self.chunks) - 1)
            except Exception:  # whatever the codecs raise on damaged data
                self.notes.append(f"{self.path.name}: a damaged chunk was left out")
                return
            self._scan(content, len(content), len(self.chunks) - 1)
            return
        body = self._read(file, at, size)
        (number,) = struct.unpack_from("<H", body)
        if opcode == _SCHEMA:
            name, used = _text(body, 2)
            self._schemas[number] = name, _text(body, 2 + used)[0]
        else:
            (schema,) = struct.unpack_from("<H", body, 2)
            topic, used = _text(body, 4)
            encoding, _ = _text(body, 4 + used)
            kind, form = self._schemas.get(schema, ("", ""))
            known = encoding if form in ("ros2msg", "ros2idl", "omgidl") or (not form and encoding == "cdr") else form
            self._channels[number] = topic, known, kind

    def _read(self, file: BinaryIO | bytes, at: int, size: int) -> bytes:
        if isinstance(file, bytes):
            return file[at : at + size]
        file.seek(at)
        return file.read(size)


def _text(body: bytes, at: int) -> tuple[str, int]:
    """A string and how many bytes it takes."""
    (size,) = struct.unpack_from("<I", body, at)
    return body[at + 4 : at + 4 + size].decode(), 4 + size

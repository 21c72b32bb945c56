"""The files of a bag as one: rosbag2 (mcap, sqlite3) and ROS 1, by ``rosbags``, and by their content alone where their
metadata is wrong or they were not closed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from rosbags.interfaces import Connection
from rosbags.rosbag1 import Reader as Ros1Reader
from rosbags.rosbag2 import Reader
from rosbags.rosbag2.storage_mcap import DECOMPRESSORS, McapReader
from rosbags.rosbag2.storage_sqlite3 import Sqlite3Reader
from rosbags.typesys import Stores, get_typestore
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from ace_ros.errors import InputError
from ace_ros.recordings.listing import natural, read_text
from ace_ros.recordings.mcap_scan import ScannedMcap

FILES = ("*.mcap", "*.db3")
METADATA = "metadata.yaml"
_KEY = "rosbag2_bagfile_information"
_WAL_HEADER = 32  # bytes; a write-ahead log without rows has no more

Message = tuple[Connection, int, bytes]


class Storage(Protocol):
    """A file of a bag."""

    connections: Any

    def messages(self, connections: Any, start: int | None = None, stop: int | None = None) -> Iterator[Message]:
        """Messages in order of the time of recording (ns), from ``start`` to before ``stop``."""


class Storages:
    """All files of a bag; a topic is one connection, however many the files have of it.

    Attributes:
        connections: those with messages. chunked: whether to begin anew costs no more than a chunk.
        custom: what whoever wrote the bag noted in it. notes: sentences for the user.

    Raises:
        InputError: the files are none, or not to be read.
    """

    def __init__(self, path: Path) -> None:
        self.notes: list[str] = []
        self.ros1 = path.suffix.lower() == ".bag"
        self._types = get_typestore(Stores.ROS1_NOETIC if self.ros1 else Stores.LATEST)
        self._mode = ""
        self.custom: dict[str, str] = {}
        self._storages: list[Any] = [_ros1(path)] if self.ros1 else self._ros2(path)
        self.chunked = all(getattr(storage, "chunks", True) for storage in self._storages)  # only mcap has chunks
        self._parts: dict[tuple[str, str], list[tuple[int, Connection]]] = {}
        for number, storage in enumerate(self._storages):
            for connection in storage.connections:
                if connection.msgcount:
                    self._parts.setdefault(_key(connection), []).append((number, connection))
        self.connections = [
            parts[0][1]._replace(msgcount=sum(part.msgcount for _, part in parts)) for parts in self._parts.values()
        ]

    def messages(
        self, connections: Sequence[Connection], start: int | None = None, stop: int | None = None
    ) -> Iterator[Message]:
        """As of a :class:`Storage`, file after file."""
        for number, storage in enumerate(self._storages):
            known = {
                id(part): whole
                for whole in connections
                for at, part in self._parts[_key(whole)]
                if at == number
            }  # fmt: skip
            parts = [part for whole in connections for at, part in self._parts[_key(whole)] if at == number]
            if not parts:
                continue
            by_key = {_key(part): known[id(part)] for part in parts}
            for part, log_time, data in storage.messages(parts, start, stop):
                yield by_key[_key(part)], log_time, self._inflated(data)

    def decode(self, connection: Connection, data: bytes) -> Any:
        """A message, with the names of fields that ROS 2 has."""
        if not self.ros1:
            return self._types.deserialize_cdr(data, connection.msgtype)
        message = self._types.deserialize_ros1(data, connection.msgtype)
        return _Lower(message) if hasattr(message, "K") else message

    def _inflated(self, data: bytes) -> bytes:
        if self._mode != "message":
            return data
        return DECOMPRESSORS["zstd"](data, 0)

    def _ros2(self, path: Path) -> list[Any]:
        folder = path if path.is_dir() else path.parent
        stated = _metadata(folder)
        self._mode = str(stated.get("compression_mode") or "").lower()
        custom = stated.get("custom_data")
        self.custom = dict(custom) if isinstance(custom, dict) else {}
        if self._mode == "file":
            whole = Reader(folder)
            whole.open()
            return list(whole.storage.storages)  # type: ignore[attr-defined]
        files = [path] if path.is_file() and path.name != METADATA else self._files(folder, stated)
        if path.is_file() and files == [path] and storage_files(folder) != [path]:
            self._mode, self.custom = "", {}  # one file of several, or of another bag
        return [self._opened(file) for file in files]

    def _files(self, folder: Path, stated: dict[str, Any]) -> list[Path]:
        listed = [folder / Path(str(name)).name for name in stated.get("relative_file_paths") or ()]
        there = [file for file in listed if file.is_file()]
        if missing := [file.name for file in listed if file not in there]:
            self.notes.append(f"{', '.join(missing)} of metadata.yaml are not there; the other files are read")
        files = there or sorted(storage_files(folder), key=lambda file: natural(file.name))
        if not files:
            raise InputError(f"{folder}: metadata.yaml is there, but no file of the bag (*.mcap, *.db3)")
        return files

    def _opened(self, file: Path) -> Any:
        if file.suffix == ".db3":
            wal = file.with_name(file.name + "-wal")
            pending = wal.is_file() and wal.stat().st_size > _WAL_HEADER
            storage: Any = Sqlite3Reader(_Live(file) if pending else _Quoted(file))
            storage.open()
            return storage
        try:
            storage = McapReader(file)
            storage.open()
        except Exception:  # no profile, a foreign channel, no footer: rosbags raises many kinds
            storage = ScannedMcap(file)
            self.notes += storage.notes
        return storage


def storage_files(path: Path) -> list[Path]:
    """Storage files in a folder, sorted."""
    return sorted(file for pattern in FILES for file in path.glob(pattern))


def is_bag(path: Path) -> bool:
    """Whether there is a bag, by its files: a metadata.yaml alone may be anybody's."""
    if path.is_file():
        return path.suffix.lower() in (".mcap", ".db3", ".bag") or (
            path.name == METADATA and bool(_metadata(path.parent))
        )
    return bool(storage_files(path)) or bool(_metadata(path))


def _metadata(folder: Path) -> dict[str, Any]:
    """What metadata.yaml says of a bag; empty where it is not one's, or damaged: the files tell as much."""
    with suppress(YAMLError, InputError, AttributeError, TypeError, ValueError):
        content = YAML(typ="safe", pure=True).load(read_text(folder / METADATA)).get(_KEY)
        return content if isinstance(content, dict) else {}
    return {}


def _key(connection: Connection) -> tuple[str, str]:
    return connection.topic, connection.msgtype


def _ros1(path: Path) -> Ros1Reader:
    reader = Ros1Reader(path)
    reader.open()
    return reader


class _Quoted(type(Path())):  # type: ignore[misc]
    """A path as it stands in a URI, in which rosbags opens databases: # ? and % mean something there."""

    def __str__(self) -> str:
        return quote(super().__str__())


class _Live(_Quoted):
    """The same, for a database with rows in its write-ahead log: the rest of the URI, ``immutable``, is cut off."""

    def __str__(self) -> str:
        return super().__str__() + "#"


class _Lower:
    """A message of ROS 1, whose CameraInfo has D, K, R and P in capitals."""

    def __init__(self, message: Any) -> None:
        self._message = message

    def __getattr__(self, name: str) -> Any:
        return getattr(self._message, name.upper() if name in "dkrp" else name)

"""Mapping views on disk, so that ten thousand of them take no more memory than those that are looked at.

``views.bin`` holds the keypoints, one record a view, and is mapped into memory; ``views.jsonl`` has a line a view with
all else. The line is written when the record is there, and tells its checksum: a view is whole, or it was never taken.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch

from ace_ros.camera import Camera
from ace_ros.errors import MappingError
from ace_ros.features.features import EncodedImage, Features
from ace_ros.mapping.views import View

RECORDS, LOG = "views.bin", "views.jsonl"
_ALIGNED = 64  # bytes; tensors want numbers at multiples of their size
_TOGETHER = 200  # views read in a row, after which the memory that shows them is given back: 30 MB


@dataclass(frozen=True)
class _Entry:
    """A line of the log, and where its record begins."""

    line: bytes
    told: dict[str, Any]
    start: int

    @property
    def size(self) -> int:
        """Bytes of the record: scores (N,), pixels (N, 2) in float32, descriptors (N, D) in half precision, picture."""
        size = _of_keypoints(self.told) + self.told.get("picture", 0)
        return int(-(-size // _ALIGNED) * _ALIGNED)


class ViewStore(Sequence[View]):
    """Views in a folder; each is read when it is asked for, and not kept.

    Args:
        folder: where its two files are or shall be. writing: whether views may be appended; one process only. Then
            what a process left half-written when it ended is cut off.

    Raises:
        MappingError: the files can't be read or made.
    """

    def __init__(self, folder: Path, writing: bool = True) -> None:
        self.folder = folder
        self._mapped: bytes | mmap.mmap = b""
        self._entries: list[_Entry] = []
        self._log_end = 0
        try:
            flags = os.O_RDWR | os.O_CREAT if writing else os.O_RDONLY
            self._records = os.open(folder / RECORDS, flags, 0o666)
            self._log = os.open(folder / LOG, flags, 0o666)
            self._read((folder / LOG).read_bytes(), checked=writing)
            if writing:
                os.ftruncate(self._records, self._end)
                os.ftruncate(self._log, self._log_end)
        except OSError as error:
            raise MappingError(f"{folder}: the views there can't be used ({error.strerror})") from None

    def __len__(self) -> int:
        return len(self._entries)

    @overload
    def __getitem__(self, index: int) -> View: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[View]: ...
    def __getitem__(self, index: int | slice) -> View | Sequence[View]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        entry = self._entries[index]
        return _view(entry.told, self._record(entry))

    def __iter__(self) -> Iterator[View]:
        for index in range(len(self)):
            yield self[index]
            if index % _TOGETHER == 0:
                self.release()
        self.release()

    def identity(self, index: int) -> bytes:
        """What no other view has: its line of the log, with the checksum of its keypoints."""
        return self._entries[index].line

    def append(self, view: View) -> None:
        """Take a view.

        Raises:
            MappingError: there is no room for it; those before it are untouched.
        """
        record, told = _packed(view)
        line = json.dumps(told).encode() + b"\n"
        entry = _Entry(line, json.loads(line), self._end)
        try:
            _write(self._records, record, entry.start)
            _write(self._log, line, self._log_end)
        except OSError as error:
            raise MappingError(
                f"{self.folder}: no more frames could be written ({error.strerror}) after {len(self)}; make room there"
            ) from None
        self._entries.append(entry)
        self._log_end += len(line)

    def release(self) -> None:
        """Give back the memory through which views were read; they are read again where they are still used."""
        if isinstance(self._mapped, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
            self._mapped.madvise(mmap.MADV_DONTNEED)

    def close(self) -> None:
        for file in (self._records, self._log):
            with contextlib.suppress(OSError):
                os.close(file)

    @property
    def _end(self) -> int:
        return self._entries[-1].start + self._entries[-1].size if self._entries else 0

    def _record(self, entry: _Entry) -> memoryview:
        if len(self._mapped) < entry.start + entry.size:
            # A private copy, in which nobody writes: what is only read is shared with the file.
            self._mapped = mmap.mmap(self._records, 0, access=mmap.ACCESS_COPY)
        return memoryview(self._mapped)[entry.start : entry.start + entry.size]

    def _read(self, log: bytes, checked: bool) -> None:
        """The views up to the first that is not whole."""
        size = os.fstat(self._records).st_size
        for line in log.splitlines(keepends=True):
            try:
                entry = _Entry(line, json.loads(line), self._end)
                if not line.endswith(b"\n") or entry.start + entry.size > size:
                    break
                if checked and zlib.crc32(self._record(entry)) != entry.told["checksum"]:
                    break
            except (ValueError, KeyError, TypeError):
                break
            self._entries.append(entry)
            self._log_end += len(line)
            if checked and len(self) % _TOGETHER == 0:
                self.release()


def _of_keypoints(told: dict[str, Any]) -> int:
    return int(told["keypoints"] * (12 + 2 * told["dimensions"]))


def _packed(view: View) -> tuple[bytes, dict[str, Any]]:
    """The record, and what the log tells of the view."""
    features = view.encoded.features
    arrays = (features.scores.float(), features.pixels.float(), features.descriptors.half())
    record = b"".join(array.cpu().numpy().tobytes() for array in arrays) + view.stored
    record += bytes(-len(record) % _ALIGNED)
    return record, {
        "name": view.name,
        "pose": view.map_from_camera.ravel().tolist(),
        "camera": asdict(view.encoded.camera),
        "focal": float(view.encoded.focal),
        "contrast": float(view.encoded.contrast),
        "digest": view.digest,
        "stamp": view.stamp,
        "keypoints": len(features),
        "dimensions": features.descriptors.shape[1],
        "picture": len(view.stored),
        "checksum": zlib.crc32(record),
    }


def _view(told: dict[str, Any], record: memoryview) -> View:
    n, d = told["keypoints"], told["dimensions"]

    def numbers(dtype: torch.dtype, start: int, *shape: int) -> torch.Tensor:
        if not n:  # a buffer of nothing is refused
            return torch.empty(shape, dtype=dtype)
        return torch.frombuffer(record, dtype=dtype, offset=start, count=int(np.prod(shape))).view(shape)

    scores, pixels = numbers(torch.float32, 0, n), numbers(torch.float32, 4 * n, n, 2)
    features = Features(numbers(torch.half, 12 * n, n, d), pixels, scores)
    camera = Camera(**{**told["camera"], "distortion": tuple(told["camera"]["distortion"])})
    encoded = EncodedImage(features, camera, told["focal"], told["contrast"])
    start = _of_keypoints(told)
    stored = bytes(record[start : start + told.get("picture", 0)])  # older stores kept none
    return View(told["name"], np.array(told["pose"]).reshape(4, 4), encoded, told["digest"], told["stamp"], stored)


def _write(file: int, data: bytes, at: int) -> None:
    """All of it, at that place: what a write that failed left there is overwritten by the next."""
    left = memoryview(data)
    while left:
        written = os.pwrite(file, left, at)
        left, at = left[written:], at + written

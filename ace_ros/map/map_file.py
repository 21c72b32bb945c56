"""The map's file: safetensors, with the header as JSON in its metadata."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from ace_ros.errors import MapFileError
from ace_ros.files import write_whole

_FORMAT = "ace_ros map"
_TYPES = {
    "F16": torch.float16,
    "F32": torch.float32,
    "I8": torch.int8,
    "U8": torch.uint8,
    "I64": torch.int64,
}  # that maps have


class StoredTensors:
    """Tensors of an open file, mapped into memory: what is not looked at costs none."""

    def __init__(self, file: Any) -> None:
        self._file, self.names = file, tuple(file.keys())

    def of(self, prefix: str, names: Sequence[str] | None = None) -> dict[str, Tensor]:
        """Those whose names begin with ``prefix``, by the rest of their names, which may have to be among ``names``."""
        return {name: self._file.get_tensor(prefix + name) for name in self._below(prefix, names)}

    def length(self, name: str) -> int:
        """How many rows one of them has."""
        return int(self._file.get_slice(name).get_shape()[0])

    def shapes(self, prefix: str) -> dict[str, Tensor]:
        """The same without their numbers: tensors on the meta device, for shapes and types."""
        held = {}
        for name in self._below(prefix, None):
            found = self._file.get_slice(prefix + name)
            # A type that no map has is another one than is wanted, whichever that is.
            dtype = _TYPES.get(found.get_dtype(), torch.float64)
            held[name] = torch.empty(found.get_shape(), dtype=dtype, device="meta")
        return held

    def _below(self, prefix: str, names: Sequence[str] | None) -> list[str]:
        below = [name.removeprefix(prefix) for name in self.names if name.startswith(prefix)]
        return [name for name in below if names is None or name in names]


def write_map(path: Path, header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> int:
    """Write a map, whole or not at all; returns its size in bytes.

    Raises:
        MapFileError: the folder is missing, read-only or full.
    """
    metadata = {"format": _FORMAT, "header": json.dumps(header, allow_nan=False)}
    data = safetensors.torch.save(_apart(tensors), metadata)
    try:
        write_whole(path, data)
    except OSError as error:
        raise MapFileError(f"{path}: could not be written ({error.strerror}); nothing was changed") from None
    return len(data)


def _apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Each with memory of its own: a place may stand in a map twice, and safetensors takes that for a mistake."""
    apart: dict[str, Tensor] = {}
    known: set[int] = set()
    for name, value in tensors.items():
        apart[name] = value.clone() if value.data_ptr() in known else value
        known.add(value.data_ptr())
    return apart


def open_map(path: Path) -> tuple[str, StoredTensors]:
    """The header's JSON and the tensors; what is in them is not looked at.

    Raises:
        MapFileError: no such file, not a map, or truncated.
    """
    if not path.exists():
        raise MapFileError(f"{path}: there is no such map; make one with: ace map SCENE -o {path}")
    if not path.is_file():
        raise MapFileError(f"{path}: not a file; a map is one file")
    try:
        # Not closed: tensors are read from it as long as the map is used.
        file = safetensors.safe_open(path, framework="pt")
        metadata, held = file.metadata() or {}, StoredTensors(file)  # type: ignore[no-untyped-call]
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise MapFileError(f"{path}: {_not_a_map(path)} ({error})") from None
    if metadata.get("format") != _FORMAT:
        raise MapFileError(f"{path}: a safetensors file, but not a map of ace_ros")
    return metadata.get("header", ""), held


def _not_a_map(path: Path) -> str:
    with contextlib.suppress(OSError), path.open("rb") as file:
        start = file.read(16)
        if not start:
            return "the file is empty"
        if start[:2] == b"PK" or start[:1] == b"\x80":
            return "a pickle or PyTorch checkpoint, not a map; it was not loaded, because pickles can run code"
        if start[8:9] == b"{":
            return "the map is truncated or damaged; copy it again or map again"
    return "not a map of ace_ros"

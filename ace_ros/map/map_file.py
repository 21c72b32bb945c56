"""The map's file: safetensors, with the header as JSON in its metadata."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import safetensors
import safetensors.torch
from torch import Tensor

from ace_ros.errors import MapFileError
from ace_ros.files import write_whole
from ace_ros.map.header import MapHeader

_FORMAT = "ace_ros map"


def write_map(path: Path, header: MapHeader, tensors: Mapping[str, Tensor]) -> int:
    """Write a map, whole or not at all; returns its size in bytes.

    Raises:
        MapFileError: the folder is missing, read-only or full.
    """
    metadata = {"format": _FORMAT, "header": json.dumps(asdict(header), allow_nan=False)}
    data = safetensors.torch.save(dict(tensors), metadata)
    try:
        write_whole(path, data)
    except OSError as error:
        raise MapFileError(f"{path}: could not be written ({error.strerror}); nothing was changed") from None
    return len(data)


def read_map(path: Path) -> tuple[str, dict[str, Tensor]]:
    """The header's JSON and the tensors by their names; what is in them is not looked at.

    Raises:
        MapFileError: no such file, not a map, or truncated.
    """
    if not path.exists():
        raise MapFileError(f"{path}: there is no such map; make one with: ace map SCENE -o {path}")
    if not path.is_file():
        raise MapFileError(f"{path}: not a file; a map is one file")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise MapFileError(f"{path}: {_not_a_map(path)} ({error})") from None
    if metadata.get("format") != _FORMAT:
        raise MapFileError(f"{path}: a safetensors file, but not a map of ace_ros")
    return metadata.get("header", ""), tensors


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

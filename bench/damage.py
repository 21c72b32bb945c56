"""Map files damaged in one place or several: what a field may not hold, what a tensor may not be, bytes that flip.

Every choice is made by a function that is given (a random generator's, or hypothesis').
"""

from __future__ import annotations

import copy
import json
import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import safetensors
import safetensors.torch
import torch
from torch import Tensor

T = TypeVar("T")
Choose = Callable[[Sequence[T]], T]
Path_ = tuple[Any, ...]  # keys and indices that lead to a value in the header

VALUES: list[Any] = [
    None, True, False, "", "x", "7", "NaN", "\x00\n", "\ud800", "é" * 300, "a" * 100_000, "ace", "ours", "ab" * 32,
    [], [1], [[], []], [None] * 3, [0.0, 0.0, 0.0], [[0, 0, 0], [0, 0, 0]], [[1, 1, 1], [0, 0, 0]], {}, {"frames": 1},
    -1, 0, 1, 2, 3, 32, 64, 512, 10**9, 10**12, 10**13, 2**63, -(2**63), 10**400,
    1000, 0.5, 1.5, -0.5, 1e-320, 1e-9, 1e-6, 1e-3, 1e6, 1e9, 1e300, math.nan, math.inf, -math.inf,
]  # fmt: skip
_OTHERWISE: list[Callable[[Any], Any]] = [
    lambda value: value * 2 if isinstance(value, (int, float)) else value,
    lambda value: value / 3 if isinstance(value, float) else value,
    lambda value: -value if isinstance(value, (int, float)) else value,
    lambda value: value + 1 if isinstance(value, (int, float)) else value,
    lambda value: str(value)[:100],
    lambda value: [value],
    lambda value: {"value": value},
    lambda value: value[:-1] if isinstance(value, (list, str)) else value,
    lambda value: value + value if isinstance(value, (list, str)) else value,
    lambda value: value[::-1] if isinstance(value, (list, str)) else value,
]
_TEXTS: list[Callable[[str], str]] = [
    lambda text: "", lambda text: "null", lambda text: "[]", lambda text: "{}", lambda text: '{"format_version": 1}',
    lambda text: text[: len(text) // 2], lambda text: text + "}", lambda text: text[1:], lambda text: f"[{text}]",
    lambda text: "[" * 100_000, lambda text: '{"a":' * 100_000, lambda text: "1" * 5000, lambda text: "\x00" + text,
    lambda text: text.replace(": ", ": 1" + "0" * 5000, 1), lambda text: text[:-1] + ', "frames": []}',
    lambda text: text[:-1] + ', "mood": "sunny"}',
]  # fmt: skip
_TYPES = [
    torch.float16, torch.bfloat16, torch.float32, torch.float64,
    torch.int8, torch.uint8, torch.int16, torch.int32, torch.int64, torch.bool,
]  # fmt: skip
_SHAPES: list[Callable[[Tensor], Tensor]] = [
    lambda t: t[:-1], lambda t: t[1:], lambda t: t[:0], lambda t: t[:1], lambda t: torch.cat([t, t]), lambda t: t[None],
    lambda t: t[..., None], lambda t: t.flatten(), lambda t: t.T if t.ndim == 2 else t, lambda t: t[..., :-1],
    lambda t: torch.cat([t, t], -1), lambda t: t.flip(0), lambda t: t.flatten()[0],
]  # fmt: skip
_FILLINGS = [0.0, -1.0, 1.0, 127.0, 65504.0, 1e-7, 1e11, 1e13, 3e38, math.nan, math.inf, -math.inf]


@dataclass
class Contents:
    """What is in a map file, and where it was damaged: names of which an error has to hold one."""

    header: dict[str, Any]
    tensors: dict[str, Tensor]
    text: str | None = None  # instead of the header
    touched: tuple[str, ...] = ()

    def data(self) -> bytes:
        """The file."""
        metadata = {"format": "ace_ros map", "header": json.dumps(self.header) if self.text is None else self.text}
        return safetensors.torch.save({name: t.contiguous().clone() for name, t in self.tensors.items()}, metadata)


def contents(path: Path) -> Contents:
    """Of a map that is whole."""
    with safetensors.safe_open(path, framework="pt") as file:
        return Contents(json.loads(file.metadata()["header"]), {key: file.get_tensor(key) for key in file.keys()})  # noqa: SIM118


def damaged(whole: Contents, choose: Choose[Any]) -> tuple[bytes, tuple[str, ...]]:
    """A file with one to three damages, and names of which an error has to hold one; none if it may be any."""
    found = Contents(copy.deepcopy(whole.header), dict(whole.tensors))
    for _ in range(choose((1, 1, 1, 1, 2, 3))):
        choose((*[_in_header] * 5, *[_in_tensors] * 4, _in_text))(found, choose)
    data = found.data()
    if choose(range(20)) == 0:
        return _in_bytes(data, choose), ()
    return data, found.touched


def paths(value: Any, before: Path_ = ()) -> list[Path_]:
    """Ways to all values of a header, the ones that hold others among them."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [*([before] if before else []), *(path for key, child in children for path in paths(child, (*before, key)))]


def replace_value(header: dict[str, Any], path: Path_, change: Callable[[Any], Any] | None) -> None:
    """Put something else in a value's place, or take it away."""
    *above, last = path
    inner: Any = header
    for key in above:
        inner = inner[key]
    if change is None:
        del inner[last]
    else:
        inner[last] = change(inner[last])


def names_of(path: Path_) -> tuple[str, ...]:
    """What an error about this value of the header may name."""
    first = str(path[0])
    if first == "head":  # another shape is one that the tensors don't have
        return "header field head", "tensor head.", "tensor landmarks.codes"
    if first.startswith("encoder"):  # other weights are told by the encoder
        return f"header field {first}", "encoder"
    if first == "format_version":
        return "format version", "header field format_version", "header field places"
    return (f"header field {first}",)


def _in_header(found: Contents, choose: Choose[Any]) -> None:
    path = choose(paths(found.header) or [("frames",)])
    kind = choose(("value", "value", "other", "missing"))
    if kind == "value":
        value = choose(VALUES)
        change: Callable[[Any], Any] | None = lambda _: copy.deepcopy(value)  # noqa: E731
    else:
        change = choose(_OTHERWISE) if kind == "other" else None
    if path[0] in found.header:
        replace_value(found.header, path, change)
    found.touched += names_of(path)


def _in_text(found: Contents, choose: Choose[Any]) -> None:
    found.text = choose(_TEXTS)(json.dumps(found.header))
    found.touched += ("header",)


def _in_tensors(found: Contents, choose: Choose[Any]) -> None:
    if not found.tensors:
        return
    name = choose(sorted(found.tensors))
    value = found.tensors[name]
    kind = choose(("missing", "renamed", "type", "shape", "filled", "one value"))
    if kind in ("missing", "renamed"):
        del found.tensors[name]
        if kind == "renamed":
            other = choose((f"{name}x", "head.out", "landmarks", f"head.{name}"))
            found.tensors[other] = value
            found.touched += (f"tensor {other}",)
    elif kind == "type":
        found.tensors[name] = value.to(choose(_TYPES))
    elif kind == "shape":
        change = choose(_SHAPES)
        found.tensors[name] = change(value) if value.ndim and len(value) else value
    elif value.numel():
        filling = torch.full((), choose(_FILLINGS), dtype=torch.float64).nan_to_num(7.0, 1e4, -1e4)
        if value.dtype.is_floating_point:
            filling = torch.full((), choose(_FILLINGS))
        found.tensors[name] = value.clone(memory_format=torch.contiguous_format)
        flat = found.tensors[name].view(-1)
        flat[choose(range(len(flat))) if kind == "one value" else slice(None)] = filling.to(value.dtype)
    found.touched += (f"tensor {name.partition('.')[0]}.",)


def _in_bytes(data: bytes, choose: Choose[Any]) -> bytes:
    """Cut off, or some bytes others, mostly in what describes the rest."""
    if choose(range(2)):
        return data[: choose(range(len(data)))]
    start = 8 + struct.unpack("<Q", data[:8])[0]
    changed = bytearray(data)
    for _ in range(choose((1, 2, 5))):
        changed[choose(range(choose((8, start, start, len(data)))))] = choose(range(256))
    return bytes(changed)

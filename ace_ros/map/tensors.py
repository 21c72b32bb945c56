"""The tensors of a map: what there is besides the header, and whether it is what the header says."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ace_ros.errors import MapFileError
from ace_ros.map.head import Head, HeadShape
from ace_ros.map.header import FARTHEST, MapHeader
from ace_ros.map.heads import make_head
from ace_ros.map.mapped_frames import MappedFrames
from ace_ros.map.patches import AREA, Patches
from ace_ros.map.place import Place

Tensors = Mapping[str, Tensor]
_HEAD = "head."
POINTS, CODES = "landmarks.points", "landmarks.codes"
PATCHES = tuple(f"patches.{name}" for name in ("landmarks", "pixels", "axes", "spacing"))
DIGESTS, STAMPS = FRAMES = "frames.digests", "frames.stamps"


def packed(place: Place, mapped: MappedFrames) -> dict[str, Tensor]:
    """A place's tensors by their names in the file: the head in half precision, the others as they are."""
    tensors = {_HEAD + name: value.half() for name, value in place.head.state_dict().items()}
    tensors |= {POINTS: torch.from_numpy(place.points), CODES: torch.from_numpy(place.codes)}
    if place.patches.known.any():
        which = np.nonzero(place.patches.known)[0]
        some = place.patches.at(which)
        held = (which, some.pixels, some.axes, some.spacing)
        tensors |= {name: torch.from_numpy(values) for name, values in zip(PATCHES, held, strict=True)}
    tensors |= packed_frames(mapped)
    return {name: value.contiguous() for name, value in tensors.items()}


def packed_frames(mapped: MappedFrames) -> dict[str, Tensor]:
    """The frames that a map was made from as tensors, if any are known."""
    if not len(mapped) and not len(mapped.stamps):
        return {}
    return {DIGESTS: torch.from_numpy(mapped.digests), STAMPS: torch.from_numpy(mapped.stamps)}


def check_shapes(header: MapHeader, tensors: Tensors) -> None:
    """Are there a head and landmarks as the header has them, whatever they hold? Raises as :func:`read_head`."""
    _head_state(header, tensors)
    _landmarks(header, tensors)
    _patches(tensors)


def read_head(header: MapHeader, tensors: Tensors) -> Head:
    """The head, on the CPU, float32.

    Raises:
        MapFileError: a tensor is missing, too many, of another shape, or holds what it can't.
    """
    head = _untrained(header)
    state = {}
    for name, half in _head_state(header, tensors).items():
        value = half.float()
        if not bool(value.isfinite().all()):
            raise MapFileError(f"tensor {_HEAD}{name}: holds values that are not finite")
        if name in head.POSITIVE and not bool((value > 0).all()):
            raise MapFileError(f"tensor {_HEAD}{name}: must be positive")
        state[name] = value
    head.load_state_dict(state, assign=True)
    return head.requires_grad_(False).eval()


def _untrained(header: MapHeader) -> Head:
    with torch.device("meta"):  # shapes without memory: the header may ask for more than there is
        return make_head(header.head)


@lru_cache(maxsize=64)
def _shapes(shape: HeadShape) -> dict[str, tuple[int, ...]]:
    """Of a head's tensors; the places of a map mostly have heads of one shape."""
    with torch.device("meta"):
        return {name: tuple(value.shape) for name, value in make_head(shape).state_dict().items()}


def _head_state(header: MapHeader, tensors: Tensors) -> dict[str, Tensor]:
    expected = _shapes(header.head)
    for name in tensors:
        if name.startswith(_HEAD) and name.removeprefix(_HEAD) not in expected:
            raise MapFileError(f"tensor {name}: is not of a head as header field head has it")
    return {name: _checked(tensors, _HEAD + name, torch.float16, shape) for name, shape in expected.items()}


def read_landmarks(header: MapHeader, tensors: Tensors) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """Points (L, 3) and codes (L, D) of the landmarks. Raises as :func:`read_head`."""
    points, codes = _landmarks(header, tensors)
    if not bool((points.abs() <= FARTHEST).all()):
        raise MapFileError(f"tensor {POINTS}: holds values that are not finite, or beyond {FARTHEST:g}")
    return points.numpy(), codes.numpy()


def _landmarks(header: MapHeader, tensors: Tensors) -> tuple[Tensor, Tensor]:
    points = _checked(tensors, POINTS, torch.float32, (None, 3))
    return points, _checked(tensors, CODES, torch.int8, (len(points), header.head.dimensions))


def read_patches(count: int, tensors: Tensors) -> Patches:
    """Of so many landmarks, of which some have one, and none in older maps. Raises as :func:`read_head`."""
    patches = Patches.none(count)
    if (held := _patches(tensors)) is None:
        return patches
    which, pixels, axes, spacing = held
    if len(which) and not (which[0] >= 0 and which[-1] < count and bool((which[1:] > which[:-1]).all())):
        raise MapFileError(f"tensor {PATCHES[0]}: must be numbers of the {count} landmarks, in their order")
    if not bool(((spacing >= 0) & (spacing <= FARTHEST)).all()):
        raise MapFileError(f"tensor {PATCHES[3]}: holds values that are not finite, negative or beyond {FARTHEST:g}")
    some = which.numpy()
    patches.pixels[some], patches.axes[some], patches.spacing[some] = pixels, axes, spacing
    return patches


def _patches(tensors: Tensors) -> tuple[Tensor, Tensor, Tensor, Tensor] | None:
    if not any(name in tensors for name in PATCHES):
        return None
    which = _checked(tensors, PATCHES[0], torch.int64, (None,))
    pixels = _checked(tensors, PATCHES[1], torch.uint8, (len(which), AREA))
    axes = _checked(tensors, PATCHES[2], torch.int8, (len(which), 2, 3))
    return which, pixels, axes, _checked(tensors, PATCHES[3], torch.float32, (len(which),))


def read_frames(frames: int, training: Mapping[str, Any], tensors: Tensors) -> MappedFrames:
    """Which frames the map was made from, as far as it knows. Raises as :func:`read_head`.

    ``frames``: how many taught it; ``training``: as the header of a map of one place has it.
    """
    if DIGESTS not in tensors and STAMPS not in tensors:
        return MappedFrames(stamps=_old_stamps(training))
    digests = _checked(tensors, DIGESTS, torch.int64, (None,))
    stamps = _checked(tensors, STAMPS, torch.int64, (None,))
    if len(digests) and len(digests) < frames:
        raise MapFileError(f"tensor {DIGESTS}: knows {len(digests)} frames, header field frames says {frames}")
    if not bool((stamps[1:] >= stamps[:-1]).all()):
        raise MapFileError(f"tensor {STAMPS}: must be sorted")
    return MappedFrames(digests.numpy(), stamps.numpy())


def _old_stamps(training: Mapping[str, Any]) -> NDArray[np.int64]:
    """Of the first and the last frame: what older maps of bags knew, among the figures of their training."""
    stamps = training.get("stamps")
    known = isinstance(stamps, list) and len(stamps) == 2 and all(type(stamp) is int for stamp in stamps)
    return np.sort(np.array(stamps if known else [], np.int64))


def _checked(tensors: Tensors, name: str, dtype: torch.dtype, shape: tuple[int | None, ...]) -> Tensor:
    """The tensor of that name; None stands for any size."""
    if name not in tensors:
        raise MapFileError(f"tensor {name}: is missing")
    value = tensors[name]
    fits = value.ndim == len(shape) and all(b in (a, None) for a, b in zip(value.shape, shape, strict=True))
    if value.dtype != dtype or not fits:
        wanted = ", ".join("any" if size is None else str(size) for size in shape)
        found = ", ".join(map(str, value.shape))
        raise MapFileError(
            f"tensor {name}: must be {_plain(dtype)} of shape ({wanted}) to go with the header, "
            f"it is {_plain(value.dtype)} of shape ({found})"
        )
    return value


def _plain(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")

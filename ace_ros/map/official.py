"""Files that ACE (Brachmann et al., CVPR 2023) publishes: heads as our maps, our maps as such heads.

Written from the description of the format. A published head is a state dict in half precision: 1x1
convolutions ``res3_conv1..3`` (the first residual block), ``0c0 0c1 0c2``, ``1c0`` ... (the others) and
``fc1..fc3``, the scene's ``mean`` (1, 3, 1, 1), and five numbers that bound the homogeneous output.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ace_ros.errors import InputError
from ace_ros.map.head import Head, HeadShape
from ace_ros.map.scene_map import MapHeader, SceneMap

DIMENSIONS = 512  # of the encoder's features and of every hidden layer
_LARGEST = 1000.0  # scale that a head of ours may give its output, units of median depth
_SMALLEST = 0.01


class AceHead(Head):
    """The published layout: raw 512-d features straight into residual blocks, a divisor with two bounds.

    Buffers, (1,) each, by their published names: the output is scaled by at least ``min_scale`` and at most
    ``max_scale``, whose inverses are ``min_inv_scale`` and ``max_inv_scale``; ``h_beta`` is the softplus's.
    """

    h_beta: Tensor
    max_inv_scale: Tensor
    min_inv_scale: Tensor

    def __init__(self, shape: HeadShape) -> None:
        if (shape.dimensions, shape.width) != (DIMENSIONS, DIMENSIONS):
            raise ValueError(f"a published head is {DIMENSIONS} wide, not {shape.dimensions} -> {shape.width}")
        super().__init__(shape)
        self.first = nn.Identity()
        for name, value in _bounds().items():
            self.register_buffer(name, torch.tensor([value]).half().float())

    def _enter(self, descriptors: Tensor) -> Tensor:
        return descriptors

    def _weight(self, w: Tensor) -> Tensor:
        # F.softplus takes beta as a number, which would have to be fetched from the device.
        return (F.softplus(w * self.h_beta) / self.h_beta + self.max_inv_scale).minimum(self.min_inv_scale)


def _bounds() -> dict[str, float]:
    return {
        "max_scale": _LARGEST,
        "min_scale": _SMALLEST,
        "max_inv_scale": 1 / _LARGEST,
        "h_beta": float(np.log(2)) / (1 - 1 / _LARGEST),  # divides by one at zero
        "min_inv_scale": 1 / _SMALLEST,
    }


def import_head(path: Path, encoder_sha256: str, encoder_size: int = 480, map_frame: str = "map") -> SceneMap:
    """A map of a published head. Its errors are unknown, so the usual calibration stands.

    Args:
        encoder_sha256: of the weights' file that the head was trained with. encoder_size: short side, pixels.

    Raises:
        InputError: not a published head.
    """
    state = read_state_dict(path)
    blocks = sum(name.endswith("c0.weight") for name in state) + 1
    shapes: dict[str, tuple[int, ...]] = {"mean": (1, 3, 1, 1), **dict.fromkeys(_bounds(), (1,))}
    for name in _layers(blocks):
        outputs = 4 if name == "fc3" else DIMENSIONS
        shapes |= {f"{name}.weight": (outputs, DIMENSIONS, 1, 1), f"{name}.bias": (outputs,)}
    # Single numbers may come without a dimension.
    state = {name: value.reshape(1) if value.ndim == 0 else value for name, value in state.items()}
    check_shapes(path, state, shapes, "a head as ACE publishes it")
    if not all(bool(value.half().isfinite().all()) for value in state.values()):
        raise InputError(f"{path}: the head holds values that are not finite in half precision")
    if any(float(state[name]) <= 0 for name in _bounds()):
        raise InputError(f"{path}: the bounds of the head's output ({', '.join(_bounds())}) are not positive")
    shape = HeadShape(DIMENSIONS, DIMENSIONS, blocks, "ace")
    head = AceHead(shape)
    loaded = {name: state[name] for name in _bounds()}
    for theirs, ours in _layers(blocks).items():
        loaded[f"{ours}.weight"] = state[f"{theirs}.weight"][:, :, 0, 0]
        loaded[f"{ours}.bias"] = state[f"{theirs}.bias"]
    head.load_state_dict({name: value.half().float() for name, value in loaded.items()})
    head.requires_grad_(False).eval()
    x, y, z = state["mean"].double().flatten().tolist()
    header = MapHeader(
        encoder="ace",
        encoder_sha256=encoder_sha256,
        encoder_size=encoder_size,
        head=shape,
        origin=(x, y, z),
        median_depth=1.0,  # unknown; one, so that the head's output is in units of the map
        map_frame=map_frame,
        metric=True,  # the published method's limits on depth are metres
        extent=((x, y, z), (x, y, z)),
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        frames=0,
        training={"imported": path.name},
    )
    return SceneMap(header, head, np.empty((0, 3), np.float32), np.empty((0, DIMENSIONS), np.int8))


def export_head(scene_map: SceneMap) -> tuple[dict[str, Tensor], float]:
    """The published state dict of a map, and how far its half-precision ``mean`` is off, units of the map.

    Our maps keep their origin in float64; at a kilometre from the frame's origin the published format may be
    off by a quarter of a metre along each axis.

    Raises:
        InputError: the map was not made with the ACE encoder, or its scale exceeds half precision.
    """
    header, head = scene_map.header, scene_map.head
    if not isinstance(head, AceHead):
        raise InputError(
            f"only maps that were made with the official encoder (--encoder ace:PATH) can become ACE heads; "
            f"this one was made with {header.encoder}"
        )
    ours = head.state_dict()
    state = {name: ours[name] for name in _bounds()}
    for theirs, name in _layers(header.head.blocks).items():
        state[f"{theirs}.weight"] = ours[f"{name}.weight"][:, :, None, None]
        state[f"{theirs}.bias"] = ours[f"{name}.bias"]
    # From the unit frame to units of the map; the divisor stays.
    units = torch.tensor([header.median_depth] * 3 + [1.0])
    state["fc3.weight"] = state["fc3.weight"] * units[:, None, None, None]
    state["fc3.bias"] = state["fc3.bias"] * units
    origin = torch.tensor(header.origin, dtype=torch.float64)
    state["mean"] = origin.reshape(1, 3, 1, 1)
    state = {name: value.half() for name, value in state.items()}
    if not all(bool(value.isfinite().all()) for value in state.values()):
        raise InputError(
            f"the map lies too far from the origin of its frame, or its unit is too small, for half precision "
            f"(origin {header.origin}, median depth {header.median_depth:.4g}): ACE's format can't hold it"
        )
    return state, float((state["mean"].double().flatten() - origin).norm())


def head_bytes(state: Mapping[str, Tensor]) -> bytes:
    """A state dict as the file that ACE loads."""
    buffer = io.BytesIO()
    torch.save({name: value.contiguous() for name, value in state.items()}, buffer)
    return buffer.getvalue()


def _layers(blocks: int) -> dict[str, str]:
    """Published name of every layer to ours; ``blocks`` counts the ``res3`` one."""
    names = {f"res3_conv{i + 1}": f"blocks.0.{i}" for i in range(3)}
    names |= {f"{block}c{i}": f"blocks.{block + 1}.{i}" for block in range(blocks - 1) for i in range(3)}
    return names | {"fc1": "last.0", "fc2": "last.1", "fc3": "out"}


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """The tensors of a PyTorch file, float32, by name. Never runs code that a file may bring.

    Raises:
        InputError: missing, or not a file of named tensors.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about pickles that are refused anyway
            state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise InputError(f"{path}: could not be read ({error.strerror or error})") from None
    except Exception:  # a damaged pickle can fail in any way
        raise InputError(
            f"{path}: not a PyTorch file of named tensors; it was not loaded, because other pickles can run code"
        ) from None
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) and v.is_floating_point() for v in state.values()):
        raise InputError(f"{path}: a PyTorch file, but not one of named tensors (a state dict)")
    return {str(name): value.float() for name, value in state.items()}


def check_shapes(path: Path, state: dict[str, Tensor], expected: dict[str, tuple[int, ...]], kind: str) -> None:
    """Compare a state dict with the one that it must be.

    Raises:
        InputError: an entry is missing, unknown, or of another shape.
    """
    for name, shape in expected.items():
        if name not in state:
            raise InputError(f"{path}: not {kind}: it has no '{name}'")
        if tuple(state[name].shape) != shape:
            raise InputError(f"{path}: not {kind}: '{name}' is {tuple(state[name].shape)}, it should be {shape}")
    for name in state:
        if name not in expected:
            raise InputError(f"{path}: not {kind}: '{name}' is unknown")

"""Files that ACE (Brachmann et al., CVPR 2023) publishes: heads as our maps, our maps as such heads.

Written from the description of the format. A published head is a state dict in half precision: 1x1
convolutions ``res3_conv1..3`` (the first residual block), ``0c0 0c1 0c2``, ``1c0`` ... (the others) and
``fc1..fc3``, the scene's ``mean`` (1, 3, 1, 1), and five numbers that bound the homogeneous output.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ace_ros.errors import InputError
from ace_ros.features.ace_files import DIMENSIONS, check_shapes, read_state_dict
from ace_ros.map.ace_head import OUTPUT_BOUNDS, AceHead
from ace_ros.map.head import HeadShape
from ace_ros.map.header import MapHeader
from ace_ros.map.patches import Patches
from ace_ros.map.place import Place
from ace_ros.map.scene_map import SceneMap


def import_head(path: Path, encoder_sha256: str, encoder_size: int = 480, map_frame: str = "map") -> SceneMap:
    """A map of a published head. Its errors are unknown, so the usual calibration stands.

    Args:
        encoder_sha256: of the weights' file that the head was trained with. encoder_size: short side, pixels.

    Raises:
        InputError: not a published head.
    """
    state = read_state_dict(path)
    blocks = sum(name.endswith("c0.weight") for name in state) + 1
    shapes: dict[str, tuple[int, ...]] = {"mean": (1, 3, 1, 1), **dict.fromkeys(OUTPUT_BOUNDS, (1,))}
    for name in _layers(blocks):
        outputs = 4 if name == "fc3" else DIMENSIONS
        shapes |= {f"{name}.weight": (outputs, DIMENSIONS, 1, 1), f"{name}.bias": (outputs,)}
    # Single numbers may come without a dimension.
    state = {name: value.reshape(1) if value.ndim == 0 else value for name, value in state.items()}
    check_shapes(path, state, shapes, "a head as ACE publishes it")
    if not all(bool(value.half().isfinite().all()) for value in state.values()):
        raise InputError(f"{path}: the head holds values that are not finite in half precision")
    if any(float(state[name].half()) <= 0 for name in OUTPUT_BOUNDS):
        raise InputError(f"{path}: the bounds of the head's output ({', '.join(OUTPUT_BOUNDS)}) are not positive")
    shape = HeadShape(DIMENSIONS, DIMENSIONS, blocks, "ace")
    head = AceHead(shape)
    loaded = {name: state[name] for name in OUTPUT_BOUNDS}
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
        training={"imported": "".join(c if c.isprintable() else "?" for c in path.name)},
    )
    return SceneMap(
        (Place(header, head, np.empty((0, 3), np.float32), np.empty((0, DIMENSIONS), np.int8), Patches.none(0)),)
    )


def export_head(scene_map: SceneMap) -> tuple[dict[str, Tensor], float]:
    """The published state dict of a map, and how far its half-precision ``mean`` is off, units of the map.

    Our maps keep their origin in float64; at a kilometre from the frame's origin the published format may be
    off by a quarter of a metre along each axis.

    Raises:
        InputError: the map was not made with the ACE encoder, has several places, or its scale exceeds half precision.
    """
    if len(scene_map.places) > 1:
        raise InputError(f"the map has {len(scene_map.places)} places, a head of ACE is of one")
    header, head = scene_map.header, scene_map.places[0].head
    if not isinstance(head, AceHead):
        raise InputError(
            f"only maps that were made with the official encoder (--encoder ace:PATH) can become ACE heads; "
            f"this one was made with {header.encoder}"
        )
    ours = head.state_dict()
    state = {name: ours[name] for name in OUTPUT_BOUNDS}
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

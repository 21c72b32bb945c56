"""A map out of thin air, and its file with something else in it."""

import json
from dataclasses import replace

import numpy as np
import safetensors
import safetensors.torch
import torch
from core_making import unit

from ace_ros.dependencies import XFEAT_SHA256
from ace_ros.map.head import Head, HeadShape
from ace_ros.map.header import Calibration, HeldBack, MapHeader
from ace_ros.map.landmarks import quantize
from ace_ros.map.mapped_frames import MappedFrames
from ace_ros.map.patches import Patches
from ace_ros.map.place import Place
from ace_ros.map.scene_map import SceneMap


def made_map(**changes) -> SceneMap:
    """200 landmarks and a head that never learnt anything; 131 frames."""
    rng = np.random.default_rng(0)
    torch.manual_seed(0)
    shape = HeadShape(64, 32, 1)
    header = MapHeader(
        encoder="xfeat",
        encoder_sha256=XFEAT_SHA256,
        encoder_size=480,
        head=shape,
        origin=(1e6 + 0.123456789, -1e6 / 3, 7.0),
        median_depth=2.5,
        map_frame="kitchen",
        metric=True,
        extent=((0.0, -1.0, 2.0), (3.0, 1.5, 2.25)),
        created="2024-05-06T07:08:09+00:00",
        frames=123,
        training={"steps": 300, "loss": 4.25, "training_seconds": 12.5},
        held_back=HeldBack(8, 7, 0.0123, 0.25, 6.5),
        calibration=Calibration(0.7, 3.5, 12.0, 33.0, 0.05, 0.6),
    )
    looks = torch.from_numpy(unit(200, 64, rng))
    points = rng.normal(size=(200, 3)).astype(np.float32)
    mapped = MappedFrames.of(rng.integers(-(2**63), 2**63, 131).tolist(), range(131))
    place = Place(header, Head(shape), points, quantize(looks), Patches.none(len(points)))
    return with_place(SceneMap((place,), mapped), **changes)


def with_place(scene_map: SceneMap, **changes) -> SceneMap:
    """A map of one place with some attributes of the place replaced."""
    (place,) = scene_map.places
    return replace(scene_map, places=(replace(place, **changes),))


def with_header(scene_map: SceneMap, **changes) -> SceneMap:
    """The same with fields of its header replaced."""
    return with_place(scene_map, header=replace(scene_map.header, **changes))


def moved(scene_map: SceneMap, shift) -> SceneMap:
    """The same map elsewhere."""
    return with_header(
        scene_map,
        origin=tuple(scene_map.header.origin + shift),
        extent=tuple(tuple(np.add(corner, shift).tolist()) for corner in scene_map.header.extent),
    )


def together(*maps: SceneMap) -> SceneMap:
    """Their places as those of one map."""
    places = [place for scene_map in maps for place in scene_map.places]
    digests = [*maps[0].mapped.digests, *range(131 * (len(maps) - 1))]
    return SceneMap(places, MappedFrames.of(digests, maps[0].mapped.stamps))


def rewritten(path, tensors=None, **header):
    """The map with some tensors or fields of its header replaced; None leaves a tensor out."""
    with safetensors.safe_open(path, framework="pt") as file:
        metadata = file.metadata()
        held = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    held |= tensors or {}
    values = json.loads(metadata["header"]) | header
    held = {key: value for key, value in held.items() if value is not None}
    path.write_bytes(safetensors.torch.save(held, metadata | {"header": json.dumps(values)}))

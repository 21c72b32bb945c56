"""The same on a GPU as on the processor; skipped where there is none."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from core_making import OPTIONS, make_world, small_room

from ace_ros.features.xfeat import XFeatEncoder
from ace_ros.geometry import pose_error
from ace_ros.localization.localizer import Localizer
from ace_ros.localization.state import State
from ace_ros.mapping.mapper import Mapper
from ace_ros.mapping.triangulation import triangulate

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch finds no CUDA device")


@pytest.fixture(scope="module")
def room():
    return small_room()


def test_features_are_close_to_those_of_the_processor(room):
    image = room.query_images[0]
    here, there = (XFeatEncoder(torch.device(device))(image, 500) for device in ("cpu", "cuda"))
    assert there.pixels.device.type == "cuda"
    gap = torch.cdist(here.pixels, there.pixels.cpu())
    near, index = gap.min(1)
    good = near < 0.5
    assert good.float().mean() > 0.8
    cosine = (here.descriptors[good] * there.descriptors.cpu()[index[good]]).sum(1)
    assert cosine.median() > 0.99


def test_triangulation_is_that_of_the_processor():
    world = make_world(points=300, views=12, noise=0.3)
    here, there = (triangulate(world.packed(torch.device(name)), 100, 5.5, 10000) for name in ("cpu", "cuda"))
    assert abs(len(here) - len(there)) < 0.03 * len(here)
    ids = (there.descriptors.cpu() @ torch.from_numpy(world.looks).T).argmax(1).numpy()
    origin = world.packed().origin
    error = np.linalg.norm(there.points.cpu().numpy() + origin - world.points[ids], axis=1)
    assert np.median(error) < 0.01


def test_maps_and_queries_may_change_device(room):
    """Mapped on the GPU, asked on both; and the map of the processor, asked on the GPU."""
    mapper = Mapper(replace(OPTIONS, device="cuda"))
    for image, pose in zip(room.images, room.poses, strict=True):
        mapper.add(image, room.camera, pose)
    made = mapper.build()
    for scene_map, device in ((made, "cuda"), (made, "cpu"), (room.map, "cuda")):
        localizer = Localizer(scene_map, device=device)
        answers = [localizer.localize(image, room.camera) for image in room.query_images]
        assert sum(answer.state is State.LOCALIZED for answer in answers) >= 13
        errors = [pose_error(a.map_from_camera, p) for a, p in zip(answers, room.query_poses, strict=True)]
        assert all(parameter.device.type == "cpu" for parameter in scene_map.places[0].head.parameters())
        translation, rotation = np.median(errors, axis=0)
        assert translation < 0.02 and rotation < 0.5

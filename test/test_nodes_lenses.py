"""A fisheye drives through the nodes: camera_info with ``equidistant``, images as they are, mapped and localized in."""

from types import SimpleNamespace

import numpy as np
import pytest
from localizing import Localizing, base_pose
from mapping import Mapping
from ros_harness import own_domain

from ace_ros.action import BuildMap
from ace_ros.geometry import pose_error
from ace_ros.msg import LocalizationStatus as Status
from ace_ros.recordings import open_recording


@pytest.fixture
def domain():
    with own_domain() as number:
        yield number


def frames_of(folder, split):
    frames = open_recording(folder, split).frames
    return [(frame.read(), frame.camera, frame.map_from_camera) for frame in frames]


def test_a_fisheyes_drive(wide_room, domain, tmp_path):
    mapping, queries = (frames_of(wide_room, split) for split in ("train", "test"))
    assert mapping[0][1].model == "equidistant"
    small = {"steps": 150, "samples": 200, "batch": 1024, "width": 128, "keypoints": 800, "landmarks": 4000}
    with Mapping(SimpleNamespace(mapping=mapping), domain, tmp_path, **small) as node:
        node.drive(range(len(mapping)))
        node.taken(len(mapping) - 3)
        built = node.build()
        assert built.result == BuildMap.Result.RESULT_SUCCESS, built.message
    room = SimpleNamespace(map=tmp_path / "maps" / "room.safetensors", queries=queries)
    with Localizing(room, domain, tmp_path) as node:
        errors = []
        for index in range(len(queries)):
            stamp = node.send(index)
            if node.answer(stamp).state == Status.STATE_LOCALIZED:
                errors.append(pose_error(node.pose_of(stamp), base_pose(queries[index][2])))
        assert len(errors) >= 0.8 * len(queries)
        translation, rotation = np.median(errors, axis=0)
        assert translation < 0.04 and rotation < 1.0

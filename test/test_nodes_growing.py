"""~/align and ~/extend over DDS, and the first map of a build."""

import numpy as np
import pytest
from mapping import Mapping
from ros_harness import own_domain
from scipy.spatial.transform import Rotation

from ace_ros.action import AlignMap, BuildMap, ExtendMap
from ace_ros.geometry import invert, pose_error
from ace_ros.map.scene_map import SceneMap
from ace_ros.msg import MappingStatus
from ace_ros.nodes.conversions import transform_matrix

SOON = 300.0


@pytest.fixture
def domain():
    with own_domain() as number:
        yield number


def result_of(node, kind, name, feedback=None, **goal):
    handle = node.probe.goal(kind, f"/mapping_node/{name}", feedback, **goal)
    return node.probe.result(handle.get_result_async(), name, timeout=SOON).result


def test_a_drive_with_an_origin_of_its_own_is_aligned_and_learnt(mapped_room, domain, tmp_path):
    (tmp_path / "maps").mkdir()
    there = tmp_path / "maps" / "there.safetensors"
    SceneMap.load(mapped_room.map).save(there)
    before = there.read_bytes()
    truth = np.eye(4)
    truth[:3, :3] = Rotation.from_euler("z", 40, degrees=True).as_matrix()
    truth[:3, 3] = 2.0, -1.0, 0.5
    with Mapping(mapped_room, domain, tmp_path, pose_source="odometry", map_frame="odom") as node:
        for index in range(0, 60, 3):
            node.drive([index], pose=invert(truth) @ mapped_room.mapping[index][2])
        node.taken(20)
        feedback = []
        found = result_of(node, AlignMap, "align", feedback, map_name="there", scale=AlignMap.Goal.SCALE_ONE)
        assert found.result == AlignMap.Result.RESULT_SUCCESS, found.message
        transform = found.map_from_frames
        assert (transform.header.frame_id, transform.child_frame_id) == ("map", "odom")
        shift, turn = pose_error(transform_matrix(transform.transform, "align"), truth)
        assert shift < 0.05 and turn < 0.5 and found.scale == 1.0 and found.asked == 20 >= found.agreeing >= 10
        assert 0 < found.translation_stddev < 0.05 and 0 < found.rotation_stddev < 0.01
        assert {one.stage for one in feedback} == {"localizing"}

        refused = result_of(node, ExtendMap, "extend", map_name="there")
        assert refused.result == ExtendMap.Result.RESULT_INVALID_MAP and "'odom'" in refused.message
        for name, result in (("../there", "RESULT_INVALID_NAME"), ("nowhere", "RESULT_INVALID_MAP")):
            assert result_of(node, ExtendMap, "extend", map_name=name).result == getattr(ExtendMap.Result, result)
            assert result_of(node, AlignMap, "align", map_name=name).result == getattr(AlignMap.Result, result)

        grown = result_of(node, ExtendMap, "extend", map_name="there", output_name="grown", align=True)
        assert grown.result == ExtendMap.Result.RESULT_SUCCESS, grown.message
        assert grown.frames == 20 and grown.frames_known >= 10 and there.read_bytes() == before
        assert SceneMap.load(grown.map_path).header.map_frame == "map"
        told = node.probe.until(
            lambda: node.statuses[-1].state == MappingStatus.STATE_READY and node.statuses[-1], "the end on ~/status"
        )
        assert told.map_name == "grown" and "show what the map knew" in told.message


def test_a_first_map_is_told_and_a_better_one_follows(mapped_room, domain, tmp_path):
    with Mapping(mapped_room, domain, tmp_path, steps=200) as node:
        node.drive(range(0, 60, 4))
        node.taken(15)
        feedback = []
        handle = node.probe.goal(BuildMap, "/mapping_node/build_map", feedback)
        told = node.probe.until(
            lambda: node.statuses[-1].first_map_path and node.statuses[-1], "the first map", timeout=SOON
        )
        first = SceneMap.load(told.first_map_path)
        assert told.state == MappingStatus.STATE_TRAINING and "a better one" in told.message
        built = node.probe.result(handle.get_result_async(), "the map", timeout=SOON).result
        assert built.result == BuildMap.Result.RESULT_SUCCESS and built.map_path == told.first_map_path
        assert any(one.first_map_path == told.first_map_path for one in feedback)
        assert first.header.training["steps"] < SceneMap.load(built.map_path).header.training["steps"] == 200
        after = node.settled()
        assert not after.first_map_path and after.held_back_frames == built.held_back_frames
    assert not list(node.maps.glob("*.before"))

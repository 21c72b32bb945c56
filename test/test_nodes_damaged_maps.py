"""Nodes that meet a map whose header or tensors can't be so: they say what is wrong with it, and live on."""

from dataclasses import asdict

import pytest
import torch
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from localizing import Localizing
from map_making import rewritten
from mapping import Mapping
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from ros_harness import own_domain

from ace_ros.action import BuildMap
from ace_ros.map.scene_map import SceneMap
from ace_ros.msg import LocalizationStatus as Status
from ace_ros.srv import LoadMap


@pytest.fixture
def domain():
    with own_domain() as number:
        yield number


@pytest.fixture
def maps(mapped_room, tmp_path):
    """Damaged copies of a map: by the name of the file, what its error names."""
    folder = tmp_path / "maps"
    folder.mkdir()
    calibration = asdict(SceneMap.load(mapped_room.map).header.calibration) | {"chance_head": "x"}
    damages = {
        "text": ("header field calibration.chance_head", {"header": {"calibration": calibration}}),
        "huge": ("header field head.width", {"header": {"head": {"dimensions": 64, "width": 10**9, "blocks": 2}}}),
        "nothing": ("header field median_depth", {"header": {"median_depth": None}}),
        "depth": ("header field median_depth", {"header": {"median_depth": -1.0}}),
        "points": ("tensor landmarks.points", {"tensors": {"landmarks.points": torch.zeros(3, 2)}}),
        "frames": ("tensor frames.digests", {"tensors": {"frames.digests": torch.zeros(2, 2)}}),
    }
    for name, (_, damage) in damages.items():
        path = folder / f"{name}.safetensors"
        path.write_bytes(mapped_room.map.read_bytes())
        rewritten(path, damage.get("tensors"), **damage.get("header", {}))
    return folder, {name: said for name, (said, _) in damages.items()}


def test_localization_node_names_what_is_wrong_with_a_map_and_lives_on(mapped_room, maps, domain, tmp_path):
    """As its parameter, and by ~/load_map while it is at work."""
    folder, damages = maps
    with Localizing(mapped_room, domain, tmp_path, autostart=False, maps_dir=str(folder), map="text") as node:

        def change(transition):
            request = Transition(id=transition)
            success = node.probe.call(ChangeState, f"{node.name}/change_state", transition=request).success
            return success, node.probe.call(GetState, f"{node.name}/get_state").current_state.label

        assert change(Transition.TRANSITION_CONFIGURE) == (False, "unconfigured")
        told = node.wait_status(lambda m: m.reason, "the reason")
        assert told.state == Status.STATE_INACTIVE
        assert "text.safetensors" in told.reason and damages["text"] in told.reason

        parameters = [Parameter("map", value=str(mapped_room.map)).to_parameter_msg()]
        answer = node.probe.call(SetParameters, f"{node.name}/set_parameters", parameters=parameters)
        assert answer.results[0].successful
        assert change(Transition.TRANSITION_CONFIGURE) == (True, "inactive")
        assert change(Transition.TRANSITION_ACTIVATE) == (True, "active")
        node._ready()
        assert node.frame(1).state == Status.STATE_LOCALIZED
        mine = node.statuses[-1].map_id
        for name, said in damages.items():
            answer = node.probe.call(LoadMap, f"{node.name}/load_map", map_name=name)
            assert (answer.result, answer.map_id) == (LoadMap.Response.RESULT_INVALID_MAP_DATA, mine), answer.message
            assert said in answer.message and f"{name}.safetensors" in answer.message
        assert node.frame(2).state == Status.STATE_LOCALIZED


def test_mapping_node_replaces_a_damaged_map_in_its_place(mapped_room, maps, domain, tmp_path):
    """It never reads one: what stands there matters as little as if there were nothing."""
    folder, _ = maps
    (folder / "text.safetensors").rename(folder / "room.safetensors")
    with Mapping(mapped_room, domain, tmp_path, map_name="room") as node:
        assert node.maps == folder
        node.drive(range(0, 48, 4))
        node.taken(12)
        built = node.build()
        assert built.result == BuildMap.Result.RESULT_SUCCESS, built.message
        scene_map = SceneMap.load(folder / "room.safetensors")
        assert len(scene_map.mapped) == 12 and scene_map.mapped.stamps[-1] == node.stamp

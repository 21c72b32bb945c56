"""localization_node over DDS in a map of twins: the alternatives are told and drawn, and the drive decides."""

import numpy as np
import pytest
from localizing import Localizing, near
from ros_harness import own_domain
from twin_making import SHIFT, half_twin
from visualization_msgs.msg import Marker, MarkerArray

from ace_ros.localization.localizer import Localizer
from ace_ros.localization.state import Reason, State
from ace_ros.map.scene_map import SceneMap
from ace_ros.msg import LocalizationStatus as Status
from ace_ros.nodes.conversions import pose_matrix


@pytest.fixture
def domain():
    with own_domain() as number:
        yield number


@pytest.fixture
def twins(mapped_room, tmp_path):
    """File of the map; three queries that fit one room of it, the first among them, and two that fit both alike.

    What sees a little of the room's other half is ambiguous or not as chance, or JPEG, will have it."""
    for sign in (1, -1):
        scene_map = half_twin(SceneMap.load(mapped_room.map), sign)
        localizer = Localizer(scene_map, device="cpu")
        answers = [localizer.localize(image, camera) for image, camera, _ in mapped_room.queries[::3]]
        unique = [3 * index for index, one in enumerate(answers) if one.state is State.LOCALIZED]
        ambiguous = [k for k, one in enumerate(answers) if one.reason_code is Reason.AMBIGUOUS]
        both = [3 * k for k in ambiguous if max(one.probability for one in answers[k].alternatives) < 0.6]
        if unique[:1] == [0] and len(unique) > 2 and len(both) > 1:
            scene_map.save(tmp_path / "twins.safetensors")
            return tmp_path / "twins.safetensors", unique[:3], both[:2]
    raise AssertionError("no half of the room is as wanted")


def test_the_drive_tells_twins_apart(mapped_room, twins, domain, tmp_path):
    path, unique, both = twins
    with Localizing(mapped_room, domain, tmp_path, map=str(path)) as node:
        drawn = node.probe.hear(MarkerArray, f"{node.name}/alternatives")
        for index in [*unique, *both]:
            stamp = node.send(index)
            status = node.answer(stamp)
            assert (status.state, status.place, status.reason) == (Status.STATE_LOCALIZED, 0, "")
            assert near(node.pose_of(stamp), node.truth(index)) and not status.alternatives
        assert not drawn


def test_without_odometry_all_poses_are_told(mapped_room, twins, domain, tmp_path):
    path, unique, both = twins
    with Localizing(
        mapped_room, domain, tmp_path, map=str(path), odometry=False, tf_mode="none", odom_frame=""
    ) as node:
        drawn = node.probe.hear(MarkerArray, f"{node.name}/alternatives")
        status = node.frame(both[0])
        assert (status.state, status.reason_code) == (Status.STATE_UNCERTAIN, Status.REASON_AMBIGUOUS)
        assert "2 poses explain the image" in status.reason and status.place in (0, 1)
        assert sum(one.probability for one in status.alternatives) == pytest.approx(1)
        told = {one.place: pose_matrix(one.pose, "alternative") for one in status.alternatives}
        twin = node.truth(both[0])
        assert near(told[0], twin)
        twin[:3, 3] += SHIFT
        assert near(told[1], twin)

        first, *markers = node.probe.until(lambda: drawn and drawn[-1], "markers").markers
        assert first.action == Marker.DELETEALL and first.header.frame_id == "map"
        texts = {m.id: m for m in markers if m.type == Marker.TEXT_VIEW_FACING}
        axes = {m.id: m for m in markers if m.type == Marker.LINE_LIST}
        assert len(markers) == 4 and texts.keys() == axes.keys()
        for index, one in enumerate(status.alternatives):
            assert f"place {one.place}: " in texts[index].text and "%" in texts[index].text
            assert np.allclose(pose_matrix(axes[index].pose, "axes"), told[one.place])

        seen = len(drawn)
        assert node.frame(unique[1]).state == Status.STATE_LOCALIZED
        gone = node.probe.until(lambda: drawn[seen:] and drawn[-1], "markers to go").markers
        assert [marker.action for marker in gone] == [Marker.DELETEALL]

"""localization_node over DDS: a first pose and a kidnapping are told once another view bears them out, not before."""

from dataclasses import replace

import pytest
from localizing import Localizing, base_pose, near
from ros_harness import own_domain
from std_srvs.srv import Empty

from ace_ros.localization.localizer import Localizer
from ace_ros.localization.state import State
from ace_ros.map.scene_map import SceneMap
from ace_ros.msg import LocalizationStatus as Status
from ace_ros.online.witnesses import decades


@pytest.fixture
def domain():
    with own_domain() as number:
        yield number


def with_less_evidence(localizer, frame):
    """So much of the image behind the bars of a fence that it is still localized, and leaves some doubt."""
    pixels, camera, pose = frame
    low, high, gap = 0.0, 1.0, pixels.shape[1] // 8
    for _ in range(12):
        share = (low + high) / 2
        covered = pixels.copy()
        for bar in range(0, pixels.shape[1], gap):
            covered[:, bar : bar + int(share * gap)] = 90
        answer = localizer.localize(covered, camera)
        known = decades(answer.confidence) if answer.state is State.LOCALIZED else 0.0
        if 1.3 < known < 3.3:
            return covered, camera, pose
        low, high = (share, high) if known >= 3.3 else (low, share)
    return None


def test_a_cold_start_and_a_kidnapping_are_borne_out_before_they_are_told(mapped_room, domain, tmp_path):
    whole = SceneMap.load(mapped_room.map)
    # Without patches, which leave no doubt of a fence's gaps.
    scene_map = replace(whole, places=(whole.places[0].without_patches(),))
    scene_map.save(tmp_path / "bare.safetensors")
    localizer = Localizer(scene_map, device="cpu")
    with Localizing(mapped_room, domain, tmp_path, map=str(tmp_path / "bare.safetensors")) as node:
        frames = mapped_room.queries
        there = node.far_from(0)

        def weak(first):
            found = (with_less_evidence(localizer, frame) for frame in frames[first : first + 12])
            return [frame for frame in found if frame is not None]

        def shown(frame):
            node.room = type(mapped_room)(mapped_room.map, [], [frame])
            stamp = node.send(0)
            return stamp, node.answer(stamp), node.truth(0)

        def told_in_time(run, reason):
            """Standing: never; on the way: soon, and right."""
            assert len(run) >= 6
            node.probe.spin(0.5)  # what was told of the last frame comes by several topics
            before = len(node.poses), node.corrections()[-1].transform
            for _ in range(10):
                _, status, _ = shown(run[0])
                assert status.state == Status.STATE_UNCERTAIN and status.reason_code == reason, status.reason
                assert "to be confirmed by a view from another place" in status.reason
            assert len(node.poses) == before[0] and node.corrections()[-1].transform == before[1]
            jumped = []
            for frame in run[1:]:
                stamp, status, truth = shown(frame)
                if status.state == Status.STATE_LOCALIZED:
                    assert near(node.pose_of(stamp), truth, (0.1, 3.0))
                    jumped.append((status.jumped, status.kidnapped))
            assert jumped and jumped[0][0] and not any(one[0] for one in jumped[1:])
            return jumped[0][1]

        here, elsewhere = weak(0), weak(there)
        node.probe.call(Empty, f"{node.name}/forget")
        assert not told_in_time(here, Status.REASON_UNCONFIRMED)
        node.odom.carried_to(base_pose(elsewhere[0][2]))
        assert told_in_time(elsewhere, Status.REASON_ODOMETRY_DISAGREES)

"""A drive over DDS: dark, with somebody in the way, a start anew, and carried elsewhere. No wrong TF is ever told."""

import numpy as np
import pytest
from localizing import Localizing, base_pose, near
from ros_harness import own_domain
from std_srvs.srv import Empty

from ace_ros.geometry import invert
from ace_ros.msg import LocalizationStatus as Status
from ace_ros.nodes.conversions import transform_matrix

WRONG = 0.3, 5.0  # m, degrees: what is farther off is wrong, as bench.drives has it
STAYS = 0.05, 2.0  # the largest step of a correction that is no jump, and more


@pytest.fixture
def domain():
    with own_domain() as number:
        yield number


def dark(frame):
    pixels, camera, pose = frame
    return np.zeros_like(pixels), camera, pose


def with_somebody(frame, where):
    """A person in a checked shirt, as high as the image and two fifths as wide; ``where`` from 0 to 1."""
    pixels, camera, pose = frame
    height, width = pixels.shape[:2]
    walker = np.zeros((height, width), bool)
    middle = int((1.4 * where - 0.2) * width)
    walker[height // 8 :, max(0, middle - width // 5) : max(0, middle + width // 5)] = True
    y, x = np.mgrid[:height, :width]
    shirt = np.where((x // 9 + y // 9) % 2 == 0, 60, 170).astype(np.uint8)
    seen = pixels.copy()
    seen[walker] = shirt[walker] if pixels.ndim == 2 else shirt[walker][:, None]
    return seen, camera, pose


def test_no_wrong_correction_is_told_in_the_dark_behind_somebody_or_after_being_carried(mapped_room, domain, tmp_path):
    with Localizing(mapped_room, domain, tmp_path) as node:
        frames, there, told = mapped_room.queries, node.far_from(0), []

        def correction():
            return transform_matrix(node.corrections()[-1].transform, "map <- odom")

        def drive(images):
            """Whether each was localized; TF and pose are right where it was, and TF stays where it was not."""
            answers = []
            for frame in images:
                before = correction()
                node.room = type(mapped_room)(mapped_room.map, [], [frame])
                stamp = node.send(0)
                localized = node.answer(stamp).state == Status.STATE_LOCALIZED
                if localized:
                    told.append(stamp)
                    assert near(node.pose_of(stamp), node.truth(0), WRONG)
                    right = node.truth(0) @ invert(node.odom.odom_from_base)
                    node.probe.until(lambda right=right: near(correction(), right, WRONG), "a right map -> odom")
                else:
                    node.probe.spin(0.05)  # what was told of the image before may come as late as that
                    assert near(correction(), before, STAYS)
                answers.append(localized)
            return answers

        assert all(drive(frames[:6]))
        assert not any(drive([dark(frame) for frame in frames[6:12]]))
        assert any(drive(frames[12:15]))
        drive([with_somebody(frame, place) for frame, place in zip(frames[15:25], np.linspace(0, 1, 10), strict=True)])
        assert any(drive(frames[25:30]))
        for first in (there, 0, there):
            node.odom.carried_to(base_pose(frames[first][2]))
            covered = [with_somebody(frames[first], 0.5), dark(frames[first + 1])]
            assert not any(drive(covered))
            assert any(drive(frames[first + 2 : first + 12]))
        node.probe.call(Empty, f"{node.name}/forget")
        drive([dark(frames[there]), with_somebody(frames[there], 0.3)])
        assert any(drive(frames[there : there + 10]))
        assert len(node.poses) >= len(told) > 25

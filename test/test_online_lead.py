"""Several cameras on one robot: the one that sees more is worked on and told, the others are glanced at."""

from itertools import pairwise

import pytest
from online_making import SECOND

from ace_ros.online.lead import Lead

_WORK, _PERIOD = 0.04, 1 / 30  # s an image, s between images: as of VGA on two cores


class Drive:
    """Cameras at 30 Hz, a worker that takes longer than that for an image, and a clock of its own.

    Args:
        sees: (camera, seconds) -> inliers of what it sees then; 0: nothing, None: it sends no image.
    """

    def __init__(self, sees, cameras=2, work=_WORK, period=_PERIOD):
        self.now, self.cameras, self.sees, self.work, self.period = 0.0, cameras, sees, work, period
        self.lead = Lead(cameras, clock=lambda: self.now)
        self.waiting = {}  # camera -> stamp, s
        self.asked, self.told = [], []  # (camera, when), (camera, stamp, when, evidence)
        self.sent = -1

    def until(self, seconds):
        while self.now < seconds:
            self.arrive()
            chosen = self.lead.choose(sorted(self.waiting)) if self.waiting else None
            if chosen is None:
                self.now += 0.001
                continue
            self.asked.append((chosen, self.now))
            stamp = self.waiting.pop(chosen)
            self.now += self.work
            evidence = self.sees(chosen, stamp) or None
            if self.lead.tells(chosen, round(stamp * SECOND), evidence):
                self.told.append((chosen, stamp, self.now, evidence))
        return self

    def arrive(self):
        count = int(self.now / self.period)
        for number in range(self.sent + 1, count + 1):
            for camera in range(self.cameras):
                stamp = number * self.period + 0.007 * camera  # drivers don't take their images together
                if self.sees(camera, stamp) is not None:
                    self.waiting[camera] = stamp
        self.sent = count

    def poses(self, since=0.0):
        return [one for one in self.told if one[3] and one[2] > since]

    def gap(self, since=0.0):
        times = [when for _, _, when, _ in self.poses(since)]
        return max(b - a for a, b in pairwise(times))


def test_the_camera_that_sees_more_is_told_and_the_other_costs_little():
    drive = Drive(lambda camera, _: (100, 200)[camera]).until(10.0)
    alone = Drive(lambda camera, _: 200, cameras=1).until(10.0)
    assert {camera for camera, *_ in drive.poses(since=1.0)} == {1}
    assert len(drive.poses()) > 0.85 * len(alone.poses())
    assert all(when - stamp < _PERIOD + 2 * _WORK for _, stamp, when, _ in drive.poses())
    glances = [when for camera, when in drive.asked if camera == 0]
    assert max(b - a for a, b in pairwise(glances)) < 0.6 and 15 < len(glances) < 25


def test_two_that_see_alike_do_not_take_turns():
    drive = Drive(lambda camera, stamp: 100 + 10 * ((camera + round(30 * stamp)) % 2)).until(5.0)
    assert len({camera for camera, *_ in drive.poses()}) == 1


@pytest.mark.parametrize("rest", [0, None])
def test_a_camera_that_goes_blind_or_dies_is_followed_by_the_other(rest):
    """Blind: at the next image. Dead: as soon as that can be known."""
    drive = Drive(lambda camera, stamp: 90 if camera else (200 if stamp < 3.0 else rest)).until(6.0)
    assert {camera for camera, *_ in drive.poses(since=1.0) if _[1] < 3.0} == {0}
    assert {camera for camera, *_ in drive.poses(since=3.7)} == {1}
    assert drive.gap(since=1.0) < (0.15 if rest == 0 else 0.65)
    assert all(evidence for *_, evidence in drive.told)  # nobody is told that the robot is lost: it is not


def test_lost_is_told_once_all_were_asked_and_each_takes_its_turn():
    drive = Drive(lambda camera, stamp: 100 if stamp < 2.0 else 0, cameras=3).until(4.0)
    lost = [(camera, when) for camera, _, when, evidence in drive.told if not evidence]
    assert lost[0][1] < 2.0 + 5 * _WORK
    assert [sum(camera == one for camera, _ in lost) > 10 for one in range(3)] == [True] * 3
    died = Drive(lambda camera, stamp: (None if stamp > 1.5 else 90) if camera else (0 if stamp > 2.0 else 100))
    died.until(5.0)
    assert 3.3 < next(when for *_, when, evidence in died.told if not evidence) < 3.7  # it may have seen something
    never = Drive(lambda camera, stamp: None if camera else (0 if stamp > 2.0 else 100)).until(5.0)
    assert next(when for *_, when, evidence in never.told if not evidence) < 2.2


def test_poses_go_forward_in_time_also_where_the_lead_changes():
    drive = Drive(lambda camera, stamp: 200 if int(stamp) % 2 == camera else 50).until(8.0)
    stamps = [stamp for _, stamp, *_ in drive.poses()]
    assert stamps == sorted(stamps) and {camera for camera, *_ in drive.poses(since=6.0)} == {0, 1}


@pytest.mark.parametrize("slow", [{"work": 0.7}, {"period": 1.0}])
def test_where_all_is_slow_one_camera_leads_and_nobody_is_told_that_the_robot_is_lost(slow):
    drive = Drive(lambda camera, _: 100 if camera else 0, **slow).until(12.0)
    assert {camera for camera, _ in drive.asked} == {0, 1} and len(drive.poses()) > 6
    assert all(evidence for *_, when, evidence in drive.told if when > 3.0)
    both = Drive(lambda camera, _: 100, **slow).until(12.0)
    assert len({camera for camera, *_ in both.poses(since=3.0)}) == 1


def test_what_waited_when_the_images_stopped_is_not_told():
    """The image of a camera that sees nothing is looked at once the one that leads is silent: that says little."""
    drive = Drive(lambda camera, stamp: None if stamp > 2.0 else (0 if camera else 100)).until(6.0)
    assert drive.asked[-1][0] == 1 and drive.asked[-1][1] > 2.04  # it was looked at
    assert all(evidence for *_, evidence in drive.told)


def test_one_camera_is_always_heard():
    drive = Drive(lambda camera, stamp: 100 if int(stamp) % 2 else 0, cameras=1).until(4.0)
    assert len(drive.told) == len(drive.asked)

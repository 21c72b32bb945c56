"""Images on their way to the localizer: the newest wins, stamps are looked at, and each finds its calibration."""

import threading
import time

import pytest
from online_making import SECOND

from ace_ros.online.frame_slot import Arrival, ArrivalCheck, LatestSlots
from ace_ros.online.frame_stream import FrameCounters, FrameStream
from ace_ros.online.info_matcher import InfoMatcher

# --- frames on their way ---


def test_slot_hands_out_the_newest():
    slot = LatestSlots()
    assert not slot.put(1)
    assert slot.put(2)
    assert slot.take() == 2
    waiter = threading.Thread(target=lambda: got.append(slot.take()))
    got = []
    waiter.start()
    slot.put(3)
    waiter.join(5.0)
    assert got == [3]
    slot.close()
    assert slot.take() is None


def test_slots_of_several_cameras_are_emptied_by_turns():
    turns = [1, 0, None, 0]
    slots = LatestSlots(2, lambda waiting: turns.pop(0))
    assert not slots.put("a", 0) and not slots.put("b", 1) and slots.put("B", 1)
    assert (slots.take(), slots.take()) == ("B", "a")
    assert not slots.put("c", 0)
    assert slots.take() == "c" and not turns  # not yet, it was told at first
    slots.put("d", 0)
    slots.put("e", 1)
    assert slots.clear() == 2 and slots.clear() == 0


def test_arrival_check_sorts_frames():
    check = ArrivalCheck(max_age=1.0, max_rate=0.0)
    assert check.sort(10 * SECOND, 10 * SECOND) is Arrival.FRESH
    assert check.sort(9 * SECOND, 12 * SECOND) is Arrival.STALE
    assert check.sort(10 * SECOND, 10 * SECOND) is Arrival.LATE
    assert check.sort(10 * SECOND - 5, 10 * SECOND) is Arrival.LATE
    assert check.sort(11 * SECOND, 11 * SECOND) is Arrival.FRESH
    assert ArrivalCheck(0.0, 0.0).sort(0, 10**18) is Arrival.FRESH


def test_arrival_check_notices_that_time_went_back():
    check = ArrivalCheck(0.0, 0.0)
    check.sort(100 * SECOND, 0)
    order = [check.sort(stamp * SECOND, 0) for stamp in (1, 2, 3, 4)]
    assert order == [Arrival.LATE, Arrival.LATE, Arrival.RESTARTED, Arrival.FRESH]


def test_arrival_check_limits_the_rate():
    check = ArrivalCheck(0.0, max_rate=10.0)
    passed = [stamp for stamp in range(0, SECOND, SECOND // 30) if not check.too_soon(stamp)]
    assert 9 <= len(passed) <= 11


# --- the stream ---


class Stream:
    """A stream whose work waits to be let go; frames are their stamps in seconds."""

    def __init__(self, max_age=0.0, max_rate=0.0, cameras=1):
        self.given, self.shown, self.begun, self.restarts = [], [], [], 0
        self.go = threading.Semaphore(0)
        self.counters, self.lock = FrameCounters(), threading.RLock()
        checks = [ArrivalCheck(max_age, max_rate) for _ in range(cameras)]
        self.stream = FrameStream(
            checks, self.counters, self.lock, self.given.append, self.shown.append, self.restarted
        )
        self.renew("first")

    def renew(self, name):
        def work(frame):
            self.begun.append(frame)
            self.go.acquire()
            return name, frame

        with self.lock:
            self.stream.renew(work)

    def restarted(self):
        self.restarts += 1
        self.stream.forget()

    def offer(self, *seconds, now=0.0):
        for second in seconds:
            self.stream.offer(second, int(second * SECOND), int(now * SECOND))

    def wait(self, condition):
        deadline = time.monotonic() + 10.0
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.002)


@pytest.fixture
def streams():
    made = []

    def make(**options):
        made.append(Stream(**options))
        return made[-1]

    yield make
    for stream in made:
        stream.go.release(100)
        stream.stream.close()


def test_a_stream_works_on_the_newest_frame(streams):
    stream = streams()
    stream.offer(1.0)
    stream.wait(lambda: stream.begun)
    stream.offer(2.0, 3.0, 4.0)
    stream.go.release(2)
    stream.wait(lambda: len(stream.shown) == 2)
    assert stream.given == stream.shown == [("first", 1.0), ("first", 4.0)]
    assert stream.counters.overtaken == stream.counters.dropped == 2


def test_nothing_of_before_is_given_after_a_renewal(streams):
    stream = streams()
    stream.offer(1.0)
    stream.wait(lambda: stream.begun)
    stream.offer(2.0)
    stream.renew("second")
    stream.offer(3.0)
    stream.go.release(2)
    stream.wait(lambda: stream.shown)
    assert stream.given == stream.shown == [("second", 3.0)]
    assert stream.counters.overtaken == 2


def test_frames_that_are_old_late_or_too_many_are_counted(streams):
    stream = streams(max_age=1.0, max_rate=10.0)
    stream.go.release(100)
    stream.offer(5.0, now=8.0)
    assert stream.counters.stale == 1 and stream.stream.stale_age == [pytest.approx(3.0)]
    stream.offer(8.0, 7.9, 8.01, now=8.1)
    assert stream.counters.late == 1 and stream.counters.too_soon == 1 and stream.stream.stale_age == [0.0]
    stream.wait(lambda: stream.shown)
    assert stream.given == [("first", 8.0)] and stream.counters.dropped == 3


def test_a_stream_goes_on_where_time_went_back(streams):
    stream = streams()
    stream.go.release(100)
    stream.offer(100.0, 1.0, 2.0)
    assert stream.restarts == 0
    stream.offer(3.0)
    assert stream.restarts == 1 and stream.counters.late == 2
    stream.wait(lambda: ("first", 3.0) in stream.shown)


def test_each_camera_has_stamps_of_its_own(streams):
    """Two cameras are not in step, and one that is too old does not say so of the other."""
    stream = streams(max_age=1.0, cameras=2)
    stream.go.release(100)
    for second, camera in ((5.0, 0), (4.9, 1), (5.1, 0), (5.0, 1)):
        stream.stream.offer((camera, second), int(second * SECOND), int(5.2 * SECOND), camera)
    assert stream.counters.late == 0
    stream.stream.offer((1, 2.0), 2 * SECOND, int(5.2 * SECOND), 1)
    assert stream.stream.stale_age == [0.0, pytest.approx(3.2)]


# --- images and their calibrations ---


def paired(matcher, *events):
    """Feed ("image" | "info", stamp) events; the stamps of the pairs that came of it."""
    pairs = [matcher.add_image(stamp, stamp) if kind == "image" else matcher.add_info(stamp, stamp)
             for kind, stamp in events]  # fmt: skip
    return [pair for pair in pairs if pair is not None]


def test_images_and_camera_infos_of_one_stamp_meet_in_any_order():
    matcher = InfoMatcher()
    assert paired(matcher, ("image", 1), ("info", 1), ("info", 2), ("image", 2)) == [(1, 1), (2, 2)]
    assert paired(matcher, ("image", 3), ("image", 4), ("info", 3), ("info", 4)) == [(3, 3), (4, 4)]
    assert matcher.unmatched == 0


def test_images_whose_camera_info_was_lost_are_counted():
    matcher = InfoMatcher()
    assert paired(matcher, ("image", 1), ("info", 1), ("image", 2)) == [(1, 1)]
    events = [event for stamp in range(3, 12) for event in (("image", stamp), ("info", stamp))]
    assert paired(matcher, *events) == [(stamp, stamp) for stamp in range(3, 12)]
    assert matcher.unmatched == 1
    paired(matcher, ("image", 12))
    matcher.expire(time.monotonic() - 60.0)
    assert matcher.unmatched == 1
    matcher.expire(time.monotonic() + 60.0)
    assert matcher.unmatched == 2
    paired(matcher, ("image", 13))
    matcher.forget()
    assert matcher.unmatched == 3


def test_a_camera_info_that_comes_but_once_goes_with_all_images():
    matcher = InfoMatcher()
    assert paired(matcher, ("info", 5), ("image", 10), ("image", 11)) == [(10, 5), (11, 5)]


def test_a_camera_info_that_is_no_longer_sent_goes_with_later_images():
    matcher = InfoMatcher()
    paired(matcher, ("image", 1), ("info", 1))
    pairs = paired(matcher, *(("image", stamp) for stamp in range(2, 13)))
    assert pairs[-1] == (12, 1)
    assert len(pairs) + matcher.unmatched == 11

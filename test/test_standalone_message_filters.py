"""What we rely on in message_filters: passes on the stand-in and, unchanged, on the real one."""

import time

import pytest

rclpy = pytest.importorskip("rclpy", reason="needs ROS 2")

from geometry_msgs.msg import PoseStamped  # noqa: E402
from message_filters import (  # noqa: E402
    ApproximateTimeSynchronizer,
    Cache,
    SimpleFilter,
    Subscriber,
    TimeSynchronizer,
)
from rclpy.clock import ClockType  # noqa: E402
from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from rclpy.qos import qos_profile_sensor_data  # noqa: E402
from rclpy.time import Time  # noqa: E402
from std_msgs.msg import String  # noqa: E402

MS = 10**6


def message(ms, frame=""):
    msg = PoseStamped()
    msg.header.stamp = at(ms).to_msg()
    msg.header.frame_id = frame
    return msg


def at(ms):
    return Time(nanoseconds=round(ms * MS), clock_type=ClockType.ROS_TIME)


def stamps(msgs):
    return [Time.from_msg(msg.header.stamp).nanoseconds / MS for msg in msgs]


def synchronized(kind, sources, *arguments, **options):
    sets = []
    synchronizer = kind(sources, *arguments, **options)
    synchronizer.registerCallback(lambda *msgs: sets.append(stamps(msgs)))
    return sets


def test_callbacks_come_in_order_with_their_arguments():
    source, seen = SimpleFilter(), []
    source.registerCallback(lambda *given: seen.append(("first", *given)))
    source.registerCallback(lambda *given: seen.append(("second", *given)), "extra")
    source.signalMessage("message")
    assert seen == [("first", "message"), ("second", "message", "extra")]


def test_equal_stamps_meet_whatever_the_order():
    a, b = SimpleFilter(), SimpleFilter()
    sets = synchronized(TimeSynchronizer, [a, b], 10)
    a.signalMessage(message(1))
    a.signalMessage(message(2))
    b.signalMessage(message(2))
    assert sets == [[2, 2]]
    b.signalMessage(message(1))
    assert sets == [[2, 2], [1, 1]]
    b.signalMessage(message(1))
    assert len(sets) == 2, "a message is used once"
    b.signalMessage(message(3))
    a.signalMessage(message(3.000001))
    assert len(sets) == 2, "a nanosecond is a difference"


def test_the_queue_keeps_the_newest():
    a, b = SimpleFilter(), SimpleFilter()
    sets = synchronized(TimeSynchronizer, [a, b], 3)
    for ms in range(10):
        a.signalMessage(message(ms))
    for ms in range(10):
        b.signalMessage(message(ms))
    assert sets == [[7, 7], [8, 8], [9, 9]]


def test_near_stamps_meet_within_the_slop():
    a, b = SimpleFilter(), SimpleFilter()
    sets = synchronized(ApproximateTimeSynchronizer, [a, b], 10, 0.010)
    a.signalMessage(message(100))
    b.signalMessage(message(111))
    assert sets == []
    b.signalMessage(message(91))
    assert sets == [[100, 91]]
    a.signalMessage(message(200))
    b.signalMessage(message(210))
    assert len(sets) == 1, "the slop itself is too far"


def test_the_nearest_partner_is_taken():
    a, b = SimpleFilter(), SimpleFilter()
    sets = synchronized(ApproximateTimeSynchronizer, [a, b], 10, 0.050)
    for ms in (80, 97, 120):
        a.signalMessage(message(ms))
    b.signalMessage(message(100))
    assert sets == [[97, 100]]
    b.signalMessage(message(118))
    assert sets == [[97, 100], [120, 118]]


def test_three_sources_all_within_the_slop():
    a, b, c = sources = [SimpleFilter() for _ in range(3)]
    sets = synchronized(ApproximateTimeSynchronizer, sources, 10, 0.010)
    a.signalMessage(message(100))
    b.signalMessage(message(108))
    c.signalMessage(message(93))
    assert sets == [], "93 and 108 are too far apart"
    c.signalMessage(message(104))
    assert sets == [[100, 108, 104]]


def test_too_old_a_message_does_no_harm_to_a_full_queue():
    a, b = SimpleFilter(), SimpleFilter()
    sets = synchronized(ApproximateTimeSynchronizer, [a, b], 2, 0.010)
    for ms in (100, 200):
        a.signalMessage(message(ms))
    a.signalMessage(message(50))
    b.signalMessage(message(50))
    b.signalMessage(message(200))
    assert sets == [[200, 200]]


def test_messages_without_a_header():
    a, b = SimpleFilter(), SimpleFilter()
    sets = synchronized(ApproximateTimeSynchronizer, [a, b], 10, 0.010)
    a.signalMessage(String())
    b.signalMessage(message(0))
    assert sets == []

    met = []
    allowing = ApproximateTimeSynchronizer([a, b], 10, 30.0, allow_headerless=True)
    allowing.registerCallback(lambda *msgs: met.append(msgs))
    a.signalMessage(String(data="x"))
    now = PoseStamped()
    now.header.stamp = rclpy.clock.ROSClock().now().to_msg()
    b.signalMessage(now)
    assert len(met) == 1 and met[0][0].data == "x"


def test_cache_by_time():
    source, passed = SimpleFilter(), []
    cache = Cache(source, cache_size=4)
    cache.registerCallback(passed.append)
    assert cache.getLast() is None and cache.getOldestTime() is None
    for ms in range(1, 7):
        source.signalMessage(message(ms))
    assert stamps(passed) == [1, 2, 3, 4, 5, 6]
    assert (cache.getOldestTime(), cache.getLastestTime()) == (at(3), at(6))
    assert stamps(cache.getInterval(at(4), at(5))) == [4, 5]
    assert stamps([cache.getElemBeforeTime(at(4.5))]) == [4]
    assert stamps([cache.getElemAfterTime(at(4.5))]) == [5]
    assert stamps([cache.getLast()]) == [6]
    assert cache.getElemBeforeTime(at(2)) is None and cache.getElemAfterTime(at(7)) is None


def test_subscribers_over_dds():
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=72)
    try:
        node = rclpy.create_node("contract", context=context)
        executor = SingleThreadedExecutor(context=context)
        executor.add_node(node)
        sources = [
            Subscriber(node, PoseStamped, "left", qos_profile=qos_profile_sensor_data),
            Subscriber(node, PoseStamped, "right"),
        ]
        assert [source.getTopic() for source in sources] == ["left", "right"]
        sets = synchronized(ApproximateTimeSynchronizer, sources, 10, 0.010)
        publishers = [node.create_publisher(PoseStamped, source.getTopic(), 10) for source in sources]
        end = time.monotonic() + 20
        while not sets and time.monotonic() < end:
            for publisher, ms in zip(publishers, (5, 8), strict=True):
                publisher.publish(message(ms))
            executor.spin_once(timeout_sec=0.05)
        assert sets and sets[0] == [5, 8]
        executor.shutdown()
        node.destroy_node()
    finally:
        rclpy.try_shutdown(context=context)

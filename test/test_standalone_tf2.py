"""What we rely on in tf2_ros: passes on the stand-in and, unchanged, on the real one."""

import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation, Slerp

rclpy = pytest.importorskip("rclpy", reason="needs ROS 2")

from geometry_msgs.msg import TransformStamped  # noqa: E402
from rclpy.duration import Duration  # noqa: E402
from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from rclpy.parameter import Parameter  # noqa: E402
from rclpy.qos import QoSProfile  # noqa: E402
from rclpy.time import Time  # noqa: E402
from rosgraph_msgs.msg import Clock as ClockMessage  # noqa: E402
from tf2_ros import (  # noqa: E402
    Buffer,
    ConnectivityException,
    ExtrapolationException,
    InvalidArgumentException,
    LookupException,
    StaticTransformBroadcaster,
    TransformBroadcaster,
    TransformException,
    TransformListener,
)

SECOND = 10**9


def stamped(parent, child, seconds, translation=(0.0, 0.0, 0.0), quaternion=(0.0, 0.0, 0.0, 1.0)):
    message = TransformStamped()
    message.header.frame_id, message.child_frame_id = parent, child
    message.header.stamp = Time(nanoseconds=round(seconds * SECOND)).to_msg()
    t, q = message.transform.translation, message.transform.rotation
    t.x, t.y, t.z = map(float, translation)
    q.x, q.y, q.z, q.w = map(float, quaternion)
    return message


def at(seconds):
    return Time(nanoseconds=round(seconds * SECOND))


def matrix(message):
    t, q = message.transform.translation, message.transform.rotation
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_quat([q.x, q.y, q.z, q.w]).as_matrix()
    pose[:3, 3] = t.x, t.y, t.z
    return pose


def seconds_of(message):
    return message.header.stamp.sec + message.header.stamp.nanosec / SECOND


def translation(message):
    t = message.transform.translation
    return [t.x, t.y, t.z]


@pytest.fixture
def buffer():
    """odom -> base moves from x = 0 at 10 s to x = 1 at 11 s; the camera sits 0.5 above; an island apart."""
    buffer = Buffer()
    buffer.set_transform(stamped("odom", "base", 10, (0, 0, 0)), "test")
    buffer.set_transform(stamped("odom", "base", 11, (1, 0, 0)), "test")
    buffer.set_transform_static(stamped("base", "camera", 0, (0, 0, 0.5)), "test")
    buffer.set_transform(stamped("island", "hut", 10), "test")
    buffer.set_transform(stamped("island", "hut", 11), "test")
    return buffer


def test_direction_and_names(buffer):
    found = buffer.lookup_transform("odom", "camera", at(11))
    assert (found.header.frame_id, found.child_frame_id) == ("odom", "camera")
    assert seconds_of(found) == 11
    assert translation(found) == [1, 0, 0.5]
    assert translation(buffer.lookup_transform("camera", "odom", at(11))) == [-1, 0, -0.5]


def test_interpolates_between_two(buffer):
    found = buffer.lookup_transform("odom", "camera", at(10.25))
    assert seconds_of(found) == 10.25
    np.testing.assert_allclose(translation(found), [0.25, 0, 0.5])


def test_rotations_are_interpolated_on_the_shorter_arc():
    buffer = Buffer()
    a, b = Rotation.from_euler("zyx", [0.1, 0.2, 0.3]), Rotation.from_euler("zyx", [1.4, -0.6, 0.9])
    buffer.set_transform(stamped("a", "b", 1, quaternion=a.as_quat()), "test")
    buffer.set_transform(stamped("a", "b", 2, quaternion=-b.as_quat()), "test")
    for fraction in (0.0, 0.3, 0.8, 1.0):
        found = matrix(buffer.lookup_transform("a", "b", at(1 + fraction)))[:3, :3]
        wanted = Slerp([0, 1], Rotation.concatenate([a, b]))(fraction).as_matrix()
        np.testing.assert_allclose(found, wanted, atol=1e-9)


def test_time_zero_is_the_latest_that_all_links_have(buffer):
    buffer.set_transform(stamped("map", "odom", 10.5, (7, 0, 0)), "test")
    buffer.set_transform(stamped("map", "odom", 10.0, (7, 0, 0)), "test")
    found = buffer.lookup_transform("map", "camera", Time())
    assert seconds_of(found) == 10.5
    np.testing.assert_allclose(translation(found), [7.5, 0, 0.5])
    assert buffer.get_latest_common_time("map", "camera").nanoseconds == 10.5 * SECOND


def test_static_transforms_hold_at_all_times(buffer):
    assert translation(buffer.lookup_transform("base", "camera", at(12345))) == [0, 0, 0.5]
    found = buffer.lookup_transform("base", "camera", Time())
    assert seconds_of(found) == 0


@pytest.mark.parametrize("seconds", [9.999, 11.001, 1e6])
def test_outside_of_what_was_received(buffer, seconds):
    with pytest.raises(ExtrapolationException, match="extrapolation into the"):
        buffer.lookup_transform("odom", "camera", at(seconds))
    possible, why = buffer.can_transform("odom", "camera", at(seconds), return_debug_tuple=True)
    assert not possible and "extrapolation" in why


def test_one_sample_holds_for_its_own_time_only():
    buffer = Buffer()
    buffer.set_transform(stamped("a", "b", 5, (1, 2, 3)), "test")
    assert translation(buffer.lookup_transform("a", "b", at(5))) == [1, 2, 3]
    assert translation(buffer.lookup_transform("a", "b", Time())) == [1, 2, 3]
    with pytest.raises(ExtrapolationException):
        buffer.lookup_transform("a", "b", at(5.1))


def test_extrapolation_above_a_common_ancestor_does_no_harm(buffer):
    """Two sensors on one base are related at any time, whatever is known of the base."""
    buffer.set_transform_static(stamped("base", "lidar", 0, (0.2, 0, 0)), "test")
    np.testing.assert_allclose(translation(buffer.lookup_transform("lidar", "camera", at(99))), [-0.2, 0, 0.5])


def test_unknown_frames(buffer):
    with pytest.raises(LookupException, match="does not exist"):
        buffer.lookup_transform("odom", "nowhere", at(11))
    with pytest.raises(LookupException, match="nowhere"):
        buffer.lookup_transform("nowhere", "odom", at(11))
    assert not buffer.can_transform("odom", "nowhere", at(11))


def test_unconnected_trees(buffer):
    for when in (at(11), Time()):
        with pytest.raises(ConnectivityException, match="not part of the same tree"):
            buffer.lookup_transform("odom", "hut", when)


@pytest.mark.parametrize("name", ["", "/odom"])
def test_names_that_cannot_be_frames(buffer, name):
    with pytest.raises(InvalidArgumentException):
        buffer.lookup_transform(name, "base", at(11))


def test_every_failure_is_a_transform_exception():
    for kind in (ConnectivityException, ExtrapolationException, InvalidArgumentException, LookupException):
        assert issubclass(kind, TransformException)


def test_a_frame_in_itself_is_the_identity_even_if_unknown(buffer):
    np.testing.assert_array_equal(matrix(buffer.lookup_transform("ghost", "ghost", at(3))), np.eye(4))
    assert seconds_of(buffer.lookup_transform("base", "base", Time())) == 11


def test_leading_slashes_of_incoming_names_are_dropped():
    buffer = Buffer()
    buffer.set_transform_static(stamped("/a", "/b", 0, (1, 0, 0)), "test")
    assert buffer.can_transform("a", "b", Time())


@pytest.mark.parametrize(
    "bad",
    [
        stamped("a", "b", 1, (float("nan"), 0, 0)),
        stamped("a", "b", 1, quaternion=(0, 0, 0, 0)),
        stamped("b", "b", 1),
        stamped("", "b", 1),
        stamped("a", "", 1),
    ],
    ids=["nan", "zero quaternion", "own parent", "no parent", "no child"],
)
def test_bad_transforms_are_ignored(bad):
    buffer = Buffer()
    buffer.set_transform(bad, "test")
    assert not buffer.can_transform("a", "b", Time())


def test_quaternions_are_normalised():
    buffer = Buffer()
    turn = Rotation.from_euler("z", 0.7)
    buffer.set_transform(stamped("a", "b", 1, quaternion=3 * turn.as_quat()), "test")
    found = buffer.lookup_transform("a", "b", at(1)).transform.rotation
    np.testing.assert_allclose([found.x, found.y, found.z, found.w], turn.as_quat(), atol=1e-12)


def test_samples_older_than_the_cache_go():
    buffer = Buffer(cache_time=Duration(seconds=2))
    for second in range(8):
        buffer.set_transform(stamped("a", "b", 100 + second, (second, 0, 0)), "test")
    buffer.set_transform(stamped("a", "b", 108, (8, 0, 0)), "test")
    assert translation(buffer.lookup_transform("a", "b", at(106.5))) == [6.5, 0, 0]
    with pytest.raises(ExtrapolationException, match="past"):
        buffer.lookup_transform("a", "b", at(104))
    buffer.set_transform(stamped("a", "b", 103, (99, 0, 0)), "test")  # too late to be taken in
    with pytest.raises(ExtrapolationException, match="past"):
        buffer.lookup_transform("a", "b", at(103))


def test_late_samples_are_sorted_in(buffer):
    buffer.set_transform(stamped("odom", "base", 10.5, (3, 0, 0)), "test")
    assert translation(buffer.lookup_transform("odom", "base", at(10.75))) == [2, 0, 0]


def test_a_new_parent_takes_over_from_its_stamp_on():
    buffer = Buffer()
    buffer.set_transform(stamped("odom", "base", 1, (1, 0, 0)), "test")
    buffer.set_transform(stamped("map", "base", 2, (5, 0, 0)), "test")
    assert translation(buffer.lookup_transform("map", "base", at(2))) == [5, 0, 0]
    assert translation(buffer.lookup_transform("odom", "base", at(1.5))) == [1, 0, 0]
    with pytest.raises(TransformException):
        buffer.lookup_transform("odom", "base", at(2))


def test_a_loop_is_an_error_not_an_endless_search():
    buffer = Buffer()
    buffer.set_transform_static(stamped("a", "b", 0), "test")
    buffer.set_transform_static(stamped("b", "a", 0), "test")
    buffer.set_transform_static(stamped("c", "d", 0), "test")
    with pytest.raises(TransformException):
        buffer.lookup_transform("d", "a", at(1))


def test_clear_keeps_static_transforms_and_names(buffer):
    buffer.clear()
    assert translation(buffer.lookup_transform("base", "camera", at(1))) == [0, 0, 0.5]
    with pytest.raises(ExtrapolationException):
        buffer.lookup_transform("odom", "base", at(11))
    with pytest.raises(ConnectivityException):
        buffer.lookup_transform("odom", "base", Time())


def test_between_two_times_by_way_of_a_fixed_frame(buffer):
    found = buffer.lookup_transform_full("base", at(11), "base", at(10), "odom")
    assert translation(found) == [-1, 0, 0]
    assert seconds_of(found) == 11
    assert buffer.can_transform_full("base", at(11), "base", at(10), "odom")
    with pytest.raises(ExtrapolationException):
        buffer.lookup_transform_full("base", at(11), "base", at(9), "odom")


def test_times_of_messages_are_taken_as_well(buffer):
    assert translation(buffer.lookup_transform("odom", "base", at(10.5).to_msg())) == [0.5, 0, 0]
    with pytest.raises(TypeError):
        buffer.lookup_transform("odom", "base", 10.5)


def test_random_trees_against_an_independent_computation():
    random = np.random.default_rng(0)
    for _ in range(10):
        buffer, parents, keyframes = Buffer(), {}, {}
        frames = [f"frame{i}" for i in range(8)]
        for i, frame in enumerate(frames[1:], start=1):
            parents[frame] = frames[random.integers(i)]
            moves = random.random() < 0.7
            keyframes[frame] = [
                (Rotation.random(random_state=random.integers(2**31)), random.normal(size=3)) for _ in range(5)
            ]
            for second, (rotation, position) in enumerate(keyframes[frame] if moves else keyframes[frame][:1]):
                message = stamped(parents[frame], frame, 1 + second, position, rotation.as_quat())
                (buffer.set_transform if moves else buffer.set_transform_static)(message, "test")
            if not moves:
                keyframes[frame] = keyframes[frame][:1] * 5

        def root_from(frame, seconds, parents=parents, keyframes=keyframes):
            pose = np.eye(4)
            while frame in parents:
                link = np.eye(4)
                times = np.arange(1, 6)
                link[:3, :3] = Slerp(times, Rotation.concatenate([r for r, _ in keyframes[frame]]))(seconds).as_matrix()
                positions = np.array([p for _, p in keyframes[frame]])
                link[:3, 3] = [np.interp(seconds, times, axis) for axis in positions.T]
                pose = link @ pose
                frame = parents[frame]
            return pose

        for _ in range(20):
            target, source = random.choice(frames, 2)
            seconds = round(random.uniform(1, 5), 3)
            found = matrix(buffer.lookup_transform(target, source, at(seconds)))
            wanted = np.linalg.inv(root_from(target, seconds)) @ root_from(source, seconds)
            np.testing.assert_allclose(found, wanted, atol=1e-8)


# --- Over DDS ---


@pytest.fixture
def ros():
    """A node and its spinning executor in a context of its own."""
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=71)
    node = rclpy.create_node("contract", context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    thread = threading.Thread(target=executor.spin, daemon=True)
    thread.start()
    yield SimpleNamespace(node=node, context=context)
    executor.shutdown()
    thread.join()
    node.destroy_node()
    rclpy.try_shutdown(context=context)


def wait_until(condition, seconds=20.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


def test_what_is_broadcast_is_heard(ros):
    buffer = Buffer(node=ros.node)
    TransformListenerKept = TransformListener(buffer, ros.node)
    moving, static = TransformBroadcaster(ros.node), StaticTransformBroadcaster(ros.node)
    static.sendTransform([stamped("base", "camera", 0, (0, 0, 1))])
    static.sendTransform(stamped("base", "lidar", 0, (0, 0, 2)))  # the first one stays in the latched message

    def heard():
        moving.sendTransform([stamped("map", "odom", 5, (1, 0, 0)), stamped("odom", "base", 5, (0, 1, 0))])
        return buffer.can_transform("map", "camera", at(5)) and buffer.can_transform("map", "lidar", at(5))

    wait_until(heard)
    assert translation(buffer.lookup_transform("map", "camera", at(5))) == [1, 1, 1]
    late = Buffer()
    late_listener = TransformListener(late, ros.node)
    wait_until(lambda: late.can_transform("camera", "lidar", Time()))
    for listener in (late_listener, TransformListenerKept):
        listener.unregister()


def test_a_lookup_waits_for_what_is_on_its_way(ros):
    buffer = Buffer()
    timer = threading.Timer(0.3, lambda: buffer.set_transform(stamped("a", "b", 5, (1, 0, 0)), "test"))
    timer.start()
    found = buffer.lookup_transform("a", "b", at(5), timeout=Duration(seconds=20))
    assert translation(found) == [1, 0, 0]
    timer.join()
    with pytest.raises(ExtrapolationException):
        buffer.lookup_transform("a", "b", at(6), timeout=Duration(seconds=0.05))


def test_a_future_waits_too():
    buffer = Buffer()
    future = buffer.wait_for_transform_async("a", "b", at(5))
    assert not future.done()
    buffer.set_transform(stamped("a", "b", 4), "test")
    assert not future.done()
    buffer.set_transform(stamped("a", "b", 5), "test")
    assert future.done()
    assert buffer.wait_for_transform_async("a", "b", at(5)).done()


def test_a_jump_back_in_time_clears_the_buffer(ros):
    ros.node.set_parameters([Parameter("use_sim_time", value=True)])
    buffer = Buffer(node=ros.node)
    clock = ros.node.create_publisher(ClockMessage, "/clock", QoSProfile(depth=10))

    def set_clock(seconds):
        def reached():
            clock.publish(ClockMessage(clock=at(seconds).to_msg()))
            return ros.node.get_clock().now().nanoseconds == seconds * SECOND

        wait_until(reached)

    set_clock(100)
    buffer.set_transform(stamped("odom", "base", 100), "test")
    buffer.set_transform_static(stamped("base", "camera", 0), "test")
    assert buffer.can_transform("odom", "camera", at(100))
    set_clock(50)
    wait_until(lambda: not buffer.can_transform("odom", "camera", at(100)))
    assert buffer.can_transform("base", "camera", at(50))

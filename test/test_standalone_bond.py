"""What we rely on in bondpy: passes on the stand-in and, unchanged, on the real one."""

import time

import pytest
from ros_harness import own_domain

rclpy = pytest.importorskip("rclpy", reason="needs ROS 2")

from bond.msg import Status  # noqa: E402
from bondpy.bondpy import Bond  # noqa: E402
from ros_harness import Probe  # noqa: E402

pytestmark = pytest.mark.alone


@pytest.fixture
def probe():
    with own_domain() as number:
        probe = Probe(number)
        yield probe
        probe.close()


def pair(probe, timeout=1.0, **more):
    ends = [Bond(probe, "bond", "one", **more) for _ in range(2)]
    for end in ends:
        end.heartbeat_period, end.heartbeat_timeout, end.disconnect_timeout = 0.1, timeout, 0.5
    return ends


def test_it_is_formed_and_broken_by_either_end(probe):
    told = []
    a, b = pair(probe, on_formed=lambda: told.append("formed"), on_broken=lambda: told.append("broken"))
    a.start()
    b.start()
    probe.until(lambda: told.count("formed") == 2, "both ends to be bound")
    assert not a.is_broken() and not b.is_broken()
    start = time.monotonic()
    a.break_bond()
    probe.until(lambda: a.is_broken() and b.is_broken(), "both ends to know")
    assert told.count("broken") == 2 and time.monotonic() - start < 10.0
    a.shutdown()
    b.shutdown()


def test_an_end_that_is_silent_is_dead(probe):
    """Whoever dies by kill -9 says nothing."""
    heard = probe.hear(Status, "bond")
    (a, _), sister = pair(probe), probe.create_publisher(Status, "bond", 1)
    a.start()
    message = probe.until(lambda: heard and heard[0], "its heartbeat")
    assert (message.id, message.active) == ("one", True) and message.instance_id
    assert message.heartbeat_period == pytest.approx(0.1) and message.heartbeat_timeout == pytest.approx(1.0)

    def beat():
        sister.publish(Status(id="one", instance_id="the other", active=True))
        return len(heard) > 20 and not a.is_broken()

    probe.until(beat, "a while of two heartbeats")
    probe.until(a.is_broken, "it to notice the silence")
    a.shutdown()
    count = len(heard)
    probe.spin(0.5)
    assert len(heard) <= count + 1


def test_bonds_of_other_names_are_others(probe):
    a, _ = pair(probe)
    other = Bond(probe, "bond", "another")
    a.start()
    other.start()
    probe.spin(1.0)
    assert not a.wait_until_formed(rclpy.duration.Duration(seconds=0.1))
    a.shutdown()
    other.shutdown()

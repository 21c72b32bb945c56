"""replay_node: plays a rosbag2 where ``ros2 bag`` is not to be had; read by ``rosbags``, without any plugin."""

from __future__ import annotations

import importlib
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rclpy
from rclpy.duration import Duration
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from rosbags.interfaces import Connection, QosDurability, QosReliability
from rosgraph_msgs.msg import Clock

from ace_ros.errors import AceError, InputError
from ace_ros.nodes import parameters
from ace_ros.nodes.conversions import time_message
from ace_ros.nodes.evaluation_options import ReplayNodeOptions
from ace_ros.nodes.runtime import Stop, news
from ace_ros.recordings.bag_file import Bag

_SHORTEST_SLEEP = 5e-4  # s: below it a sleep is longer than asked for
_SPIN = 0.1  # s that a spinning thread waits for something to do; set by hand
_FLUSH = 5.0  # s that reliable subscribers have to take the last messages; set by hand


@dataclass(frozen=True)
class _Track:
    connection: Connection
    publisher: Any


class ReplayNode(Node):
    """Publishes the messages of a bag as they were recorded; :meth:`play` returns at the end."""

    def __init__(self) -> None:
        super().__init__("replay_node")
        parameters.declare(self, ReplayNodeOptions)
        self._options = parameters.read(self, ReplayNodeOptions)
        parameters.guard(self, ReplayNodeOptions, lambda name: f"{name} is taken at the start: restart the node")
        self._bag = _open(self._options.bag)
        self._clock_publisher = self.create_publisher(Clock, "/clock", QoSProfile(depth=10))
        wanted = set(_names(self._options.topics))
        self._tracks = {
            connection.id: _Track(connection, self._publisher(connection))
            for connection in self._bag.connections
            if (not wanted or connection.topic in wanted) and connection.topic != "/clock"
        }
        self._topics = {track.connection.topic for track in self._tracks.values()}
        if missing := wanted - self._topics:
            raise InputError(f"{self._options.bag}: there is no topic {', '.join(sorted(missing))} in the bag")

    def play(self, stop: Stop) -> None:
        """Wait as asked to, and publish everything; returns early when a stop is wanted.

        Raises:
            InputError: nobody subscribes, or there is nothing to play.
        """
        self._wait_for_subscribers(stop)
        self.get_logger().info(f"playing {self._options.bag}: {', '.join(sorted(self._topics))}")
        stop.sleep(self._options.start_delay)
        count, rounds = 0, 0
        while not stop.wanted and (self._options.loop or not rounds):
            if rounds:
                self.get_logger().info("from the start again")
            played, rounds = self._play_once(stop), rounds + 1
            if not played and not stop.wanted:
                raise InputError(f"{self._options.bag}: there is nothing to play (topics, start_offset)")
            count += played
        for publisher in (self._clock_publisher, *(track.publisher for track in self._tracks.values())):
            if not stop.wanted:
                publisher.wait_for_all_acked(Duration(seconds=_FLUSH))
        self.get_logger().info(f"{count} messages played")

    def _play_once(self, stop: Stop) -> int:
        options = self._options
        start, first, count = time.monotonic(), None, 0
        for connection, stamp, data in self._bag.raw([track.connection for track in self._tracks.values()]):
            if first is None:
                first = stamp + int(options.start_offset * 1e9)
            if stamp < first:
                continue
            if options.duration and stamp > first + options.duration * 1e9:
                break
            for now in _until(start + (stamp - first) * 1e-9 / options.rate, 1.0 / options.clock_rate):
                if stop.wanted:
                    return count
                self._tick(first + int((now - start) * options.rate * 1e9))
            if stop.wanted:
                return count
            self._tick(stamp)
            self._tracks[connection.id].publisher.publish(data)
            count += 1
        return count

    def _tick(self, stamp: int) -> None:
        if self._options.clock:
            self._clock_publisher.publish(Clock(clock=time_message(stamp)))

    def _publisher(self, connection: Connection) -> Any:
        kind = _message_type(connection.msgtype)
        recorded = getattr(connection.ext, "offered_qos_profiles", None) or []
        latched = any(qos.durability == QosDurability.TRANSIENT_LOCAL for qos in recorded)
        unreliable = any(qos.reliability == QosReliability.BEST_EFFORT for qos in recorded)
        latched = latched or connection.topic.endswith("/tf_static")
        qos = QoSProfile(
            depth=100 if not latched else max(1, connection.msgcount),
            reliability=ReliabilityPolicy.BEST_EFFORT if unreliable else ReliabilityPolicy.RELIABLE,
            durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
        )
        return self.create_publisher(kind, connection.topic, qos)

    def _wait_for_subscribers(self, stop: Stop) -> None:
        names = _names(self._options.wait_for_subscribers)
        asked = Counter(self._topics if "all" in names else names)
        publishers = [("/clock", self._clock_publisher)] if self._options.clock else []
        publishers += [(track.connection.topic, track.publisher) for track in self._tracks.values()]
        if unknown := set(asked) - {topic for topic, _ in publishers}:
            raise InputError(f"wait_for_subscribers: there is no topic {', '.join(sorted(unknown))} in the bag")
        deadline, told = time.monotonic() + (self._options.wait_timeout or float("inf")), news(self)
        while not stop.wanted:
            waiting = {topic for topic, publisher in publishers if publisher.get_subscription_count() < asked[topic]}
            if not waiting:
                return
            many = {topic: f" ({asked[topic]} of them)" if asked[topic] > 1 else "" for topic in waiting}
            missing = ", ".join(f"{topic}{many[topic]}" for topic in sorted(waiting))
            if time.monotonic() > deadline:
                raise InputError(f"no subscriber to {missing} within {self._options.wait_timeout:g} s")
            told.conditions([f"waiting for a subscriber to {missing}"])
            stop.sleep(0.05)


def _until(due: float, period: float) -> Iterator[float]:
    """Sleep until ``due`` (monotonic clock, s), yielding the time every ``period``."""
    while (left := due - time.monotonic()) > _SHORTEST_SLEEP:
        time.sleep(min(left, period))
        yield min(time.monotonic(), due)


def _open(name: str) -> Bag:
    if not name:
        raise InputError("parameter bag: give the recording to play, a rosbag2 folder or an .mcap or .db3 file")
    path = Path(name).expanduser()
    if not path.exists():
        raise InputError(f"parameter bag: there is no {path}")
    return Bag(path)


def _message_type(name: str) -> Any:
    package, kind = name.split("/")[0], name.split("/")[-1]
    try:
        return getattr(importlib.import_module(f"{package}.msg"), kind)
    except (ImportError, AttributeError):
        raise InputError(
            f"messages of type {name} are in the bag but not on this machine: install {package}, or leave their "
            "topics out by the parameter topics"
        ) from None


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def main() -> int:
    """Entry point: the bag is played in this thread, another one serves the node's parameters."""
    stop = Stop()
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    over = threading.Event()
    spinning = None
    try:
        node = ReplayNode()
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        spinning = threading.Thread(target=_spin, args=(executor, over), daemon=True)
        spinning.start()
        node.play(stop)
    except AceError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    finally:
        over.set()
        if spinning is not None:
            spinning.join()  # a thread inside rcl while the interpreter goes down aborts the process
        rclpy.try_shutdown()
    return 0


def _spin(executor: SingleThreadedExecutor, over: threading.Event) -> None:
    while not over.is_set():
        executor.spin_once(timeout_sec=_SPIN)


if __name__ == "__main__":
    sys.exit(main())

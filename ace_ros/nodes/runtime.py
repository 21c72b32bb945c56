"""Starting, stopping and waiting: what all nodes share."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import rclpy
from rclpy.clock import Clock, ClockType
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future

from ace_ros.errors import AceError
from ace_ros.online.news import News
from ace_ros.online.supervision import Supervisor

_LOOK = 0.02  # s between two looks at whether to stop; set by hand


class Closable(Protocol):
    """A node with threads to stop before it is destroyed."""

    def close(self) -> None: ...


class Stop:
    """Ctrl-C or SIGTERM as a wish that is looked at between two steps.

    As an exception it would come in the middle of anything, and rclpy's own handlers take the context away from
    callbacks that are about to publish.
    """

    def __init__(self) -> None:
        self.wanted = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask)

    def _ask(self, number: int, frame: object) -> None:
        self.wanted = True

    def sleep(self, seconds: float) -> None:
        """Sleep, but not on when a stop is wanted."""
        end = time.monotonic() + seconds
        while not self.wanted and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, _LOOK))


def run(factory: Callable[[], Any], arguments: Sequence[str] | None = None) -> int:
    """Spin the node that ``factory`` makes until it is told to stop; the exit code for the process.

    The node must have a steady timer: between its ticks a wish to stop waits.
    """
    stop = Stop()
    rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
    node = None
    try:
        node = factory()
        spin(node, lambda: stop.wanted)
    except ExternalShutdownException:
        pass
    except AceError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    finally:
        if node is not None:
            node.close()
            node.destroy_node()
        rclpy.try_shutdown()
    return 0


def spin(node: Any, stop: Callable[[], bool]) -> None:
    """Spin the node until it is to stop. Where it is supervised, no exception of whatever is called ends it."""
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    supervisor: Supervisor | None = getattr(node, "supervisor", None)
    while not stop() and rclpy.ok():
        if supervisor is None:
            executor.spin_once()
        else:
            supervisor.run("the executor", executor.spin_once)


def steady_timer(node: Node, seconds: float, callback: Callable[[], None]) -> Any:
    """A timer that ticks in real time, also where the simulated clock stands still."""
    return node.create_timer(seconds, callback, clock=Clock(clock_type=ClockType.STEADY_TIME))


def once(node: Node, seconds: float, callback: Callable[[], object]) -> None:
    """Have the executor call it, one time, after so many seconds of real time."""

    def tick() -> None:
        node.destroy_timer(timer)
        callback()

    timer = steady_timer(node, max(seconds, 1e-3), tick)


def news(node: Node) -> News:
    """What goes into the node's log; rclpy wants one severity at each place that logs."""

    def info(text: str) -> None:
        node.get_logger().info(text)

    def warn(text: str) -> None:
        node.get_logger().warning(text)

    return News(info, warn)


class Answer:
    """A result that another thread brings to a coroutine of the executor: ``await answer.future``."""

    def __init__(self, node: Node) -> None:
        self._executor = node.executor
        self.future: Any = Future(executor=self._executor)

    def give(self, result: object) -> None:
        """Set the result, from any thread."""
        self.future.set_result(result)
        if self._executor is not None:
            self._executor.wake()


def limit_threads(threads: int) -> None:
    """CPU threads for PyTorch and OpenCV; 0 leaves them as they are."""
    if threads:
        import cv2
        import torch

        torch.set_num_threads(threads)
        cv2.setNumThreads(threads)

"""Starting, stopping and waiting: what all nodes share."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import rclpy
from rclpy.clock import Clock, ClockType
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.task import Future

from ace_ros.errors import AceError


class Closable(Protocol):
    """A node with threads to stop before it is destroyed."""

    def close(self) -> None: ...


def run(factory: Callable[[], Any], arguments: Sequence[str] | None = None) -> int:
    """Spin the node that ``factory`` makes until it is told to stop; the exit code for the process."""
    rclpy.init(args=arguments)
    node = None
    try:
        node = factory()
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except AceError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # it may come twice: from the terminal, and from ros2 launch
        if node is not None:
            node.close()
            node.destroy_node()
        rclpy.try_shutdown()
    return 0


def steady_timer(node: Node, seconds: float, callback: Callable[[], None]) -> Any:
    """A timer that ticks in real time, also where the simulated clock stands still."""
    return node.create_timer(seconds, callback, clock=Clock(clock_type=ClockType.STEADY_TIME))


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

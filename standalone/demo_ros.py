"""The ROS side of the demo: processes that are started and ended, and a node that watches them."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import rclpy
from geometry_msgs.msg import PoseStamped
from rclpy.action import ActionClient
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile

from ace_ros.action import BuildMap
from ace_ros.errors import AceError
from ace_ros.msg import LocalizationStatus, MappingStatus

_LIMIT = 900.0  # s: longer than any step takes on a slow machine
_PLAYER = "replay_node"  # ends by itself
_PATIENCE = 10.0  # s that a process has to end by itself


class DemoError(AceError):
    """The demo can't go on."""


class Processes:
    """The nodes as processes of their own. Whatever happens, :meth:`close` ends those that were started here."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, parameters: dict[str, Any], remappings: dict[str, str]) -> None:
        """Run the executable ``name`` of this package; what it says goes to a file."""
        command = [str(Path(sys.prefix) / "lib" / "ace_ros" / name), "--ros-args"]
        for key, value in parameters.items():
            text = str(value).lower() if isinstance(value, bool) else f"'{value}'" if isinstance(value, str) else value
            command += ["-p", f"{key}:={text}"]
        for source, target in remappings.items():
            command += ["-r", f"{source}:={target}"]
        with open(self._log(name), "wb") as log:
            # a session of its own: Ctrl-C in the terminal is for the demo, which ends them in order
            self._running[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )

    def check(self) -> None:
        """Raises:
        DemoError: a process has ended that nobody asked to.
        """
        for name, process in self._running.items():
            if process.poll() is not None and not (process.returncode == 0 and name == _PLAYER):
                raise DemoError(f"{name} ended by itself (exit code {process.returncode}):\n{self._said(name)}")

    def ended(self, name: str) -> bool:
        """Whether a process that ends by itself is done.

        Raises:
            DemoError: it failed.
        """
        process = self._running[name]
        if process.poll() is None:
            return False
        del self._running[name]
        if process.returncode:
            raise DemoError(f"{name} failed (exit code {process.returncode}):\n{self._said(name)}")
        return True

    def stop(self, name: str) -> None:
        """End a process as Ctrl-C would.

        Raises:
            DemoError: it did not end well.
        """
        process = self._running.pop(name)
        self._end(process)
        if process.returncode:
            raise DemoError(f"{name} did not end cleanly (exit code {process.returncode}):\n{self._said(name)}")

    def close(self) -> None:
        """End all that still run."""
        while self._running:
            self._end(self._running.popitem()[1])

    @staticmethod
    def _end(process: subprocess.Popen[bytes]) -> None:
        for ask in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            process.send_signal(ask)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_PATIENCE)
                return

    def _log(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def _said(self, name: str) -> str:
        lines = self._log(name).read_text(errors="replace").splitlines()
        return "\n".join(f"    {line}" for line in lines[-15:])


class Watcher:
    """Hears what the nodes say, and asks for the map. All waiting is for a condition, none for a time to pass."""

    def __init__(self, processes: Processes) -> None:
        self._processes = processes
        rclpy.init()
        self._node = Node("ace_demo")
        self.mapping: MappingStatus | None = None
        self.localization: LocalizationStatus | None = None
        self.frame_statuses: dict[int, LocalizationStatus] = {}
        self.poses: dict[int, PoseStamped] = {}
        self._changed = threading.Condition()
        many = QoSProfile(depth=1000)
        self._node.create_subscription(MappingStatus, "/mapping_node/status", self._on_mapping, many)
        self._node.create_subscription(LocalizationStatus, "/localization_node/status", self._on_localization, many)
        self._node.create_subscription(PoseStamped, "/localization_node/pose", self._on_pose, many)
        self._build = ActionClient(self._node, BuildMap, "/mapping_node/build_map")
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def wait(self, what: str, done: Callable[[], bool], each: Callable[[], None] = lambda: None) -> None:
        """Return once ``done()``; ``each`` is called again and again meanwhile.

        Raises:
            DemoError: a process died, or it takes for ever.
        """
        deadline = time.monotonic() + _LIMIT
        while True:
            each()
            if done():
                return
            self._processes.check()
            if time.monotonic() > deadline:
                raise DemoError(f"waited {_LIMIT:.0f} s in vain for {what}")
            with self._changed:
                self._changed.wait(0.1)

    def build_map(self, each: Callable[[BuildMap.Feedback], None]) -> BuildMap.Result:
        """Call the action ~/build_map; ``each`` gets the feedback.

        Raises:
            DemoError: it gave no map.
        """
        self.wait("the action build_map", self._build.server_is_ready)
        latest: list[BuildMap.Feedback] = []
        sent = self._build.send_goal_async(BuildMap.Goal(), lambda message: latest.append(message.feedback))
        self.wait("an answer of build_map", sent.done)
        if not sent.result().accepted:
            raise DemoError("mapping_node does not accept build_map")
        result = sent.result().get_result_async()

        def show() -> None:
            if latest:
                each(latest[-1])

        self.wait("the map", result.done, show)
        answer: BuildMap.Result = result.result().result
        if answer.result != BuildMap.Result.RESULT_SUCCESS:
            raise DemoError(f"no map: {answer.message}")
        return answer

    def close(self) -> None:
        rclpy.try_shutdown()
        self._thread.join()

    def _spin(self) -> None:
        with contextlib.suppress(ExternalShutdownException):
            self._executor.spin()

    def _on_mapping(self, message: MappingStatus) -> None:
        self._take(lambda: setattr(self, "mapping", message))

    def _on_localization(self, message: LocalizationStatus) -> None:
        def take() -> None:
            self.localization = message
            if not math.isnan(message.latency):  # it is about a frame
                self.frame_statuses[nanoseconds(message)] = message

        self._take(take)

    def _on_pose(self, message: PoseStamped) -> None:
        self._take(lambda: self.poses.__setitem__(nanoseconds(message), message))

    def _take(self, change: Callable[[], None]) -> None:
        with self._changed:
            change()
            self._changed.notify_all()


def nanoseconds(message: Any) -> int:
    """Stamp of a message with a header."""
    return int(message.header.stamp.sec * 10**9 + message.header.stamp.nanosec)


def isolate() -> None:
    """A ROS domain of our own on this machine alone, for this process and those that it starts."""
    os.environ["ROS_DOMAIN_ID"] = str(1 + os.getpid() % 100)
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    os.environ.setdefault("AMENT_PREFIX_PATH", sys.prefix)

"""The ROS side of the demo: a node that watches mapping_node and asks it for the map."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

import rclpy
from rclpy.action import ActionClient
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile

from ace_ros.action import BuildMap
from ace_ros.errors import AceError
from ace_ros.live.processes import Processes
from ace_ros.msg import MappingStatus


class DemoError(AceError):
    """The demo can't go on."""


class Watcher:
    """Hears what mapping_node says, and asks for the map."""

    def __init__(self, processes: Processes) -> None:
        self._processes = processes
        rclpy.init()
        self._node = Node("ace_demo")
        self.mapping: MappingStatus | None = None
        self._node.create_subscription(MappingStatus, "/mapping_node/status", self._on_mapping, QoSProfile(depth=1000))
        self._build = ActionClient(self._node, BuildMap, "/mapping_node/build_map")
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def build_map(self, each: Callable[[BuildMap.Feedback], None]) -> BuildMap.Result:
        """Call the action ~/build_map; ``each`` gets the feedback.

        Raises:
            DemoError: it gave no map.
        """
        self._processes.wait("the action build_map", self._build.server_is_ready)
        latest: list[BuildMap.Feedback] = []
        sent = self._build.send_goal_async(BuildMap.Goal(), lambda message: latest.append(message.feedback))
        self._processes.wait("an answer of build_map", sent.done)
        if not sent.result().accepted:
            raise DemoError("mapping_node does not accept build_map")
        result = sent.result().get_result_async()

        def show() -> None:
            if latest:
                each(latest[-1])

        self._processes.wait("the map", result.done, show)
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
        self.mapping = message

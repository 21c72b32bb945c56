"""A node in the test's own process, where what it does can be made to fail."""

import threading

import rclpy

from ace_ros.live.processes import ros_arguments
from ace_ros.nodes.localization_node import LocalizationNode
from ace_ros.nodes.mapping_node import MappingNode
from ace_ros.nodes.runtime import spin

NODES = {"localization_node": LocalizationNode, "mapping_node": MappingNode}


class InThisProcess:
    """Stands in for :class:`ros_harness.Process`; ``node`` is the node, ``text()`` what it has logged as errors."""

    def __init__(self, executable, domain, log, parameters=None, remaps=None, namespace=""):
        rclpy.init(
            args=[*ros_arguments(parameters or {}, remaps or {}), "-r", f"__ns:={namespace or '/'}"], domain_id=domain
        )
        self.process, self._over, self._code = self, threading.Event(), None
        self.node = NODES[executable]()
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def _spin(self):
        spin(self.node, self._over.is_set)

    def poll(self):
        return None if self._thread.is_alive() else 0

    def text(self):
        return ""

    def interrupt(self):
        self._over.set()
        self._thread.join()
        self.node.close()
        self.node.destroy_node()
        rclpy.try_shutdown()
        return 0

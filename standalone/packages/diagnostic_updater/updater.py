"""Runs tasks at a steady rate and publishes what they say on /diagnostics."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.node import Node

from diagnostic_updater.status import DiagnosticStatusWrapper

Run = Callable[[DiagnosticStatusWrapper], DiagnosticStatusWrapper]


class DiagnosticTask:
    """Something to report about: fills a status in ``run``."""

    def __init__(self, name: str) -> None:
        self.name = name

    def getName(self) -> str:
        return self.name

    def run(self, stat: DiagnosticStatusWrapper) -> DiagnosticStatusWrapper:
        return stat


class FunctionDiagnosticTask(DiagnosticTask):
    def __init__(self, name: str, fn: Run) -> None:
        super().__init__(name)
        self.fn = fn

    def run(self, stat: DiagnosticStatusWrapper) -> DiagnosticStatusWrapper:
        return self.fn(stat)


class Updater:
    """Every ``period`` seconds (parameter ``diagnostic_updater.period``) one DiagnosticArray of all tasks.

    ``diagnostic_updater.use_fqn`` puts the namespace before the name of the node in each status.
    """

    def __init__(self, node: Node, period: float = 1.0) -> None:
        self.node = node
        self.hwid = ""
        self.tasks: list[DiagnosticTask] = []
        self.lock = threading.Lock()
        self.publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 1)
        self._period = float(_parameter(node, "diagnostic_updater.period", period))
        qualified = _parameter(node, "diagnostic_updater.use_fqn", False)
        self.node_name = f"{node.get_namespace()}/{node.get_name()}" if qualified else node.get_name()
        self.timer = node.create_timer(self._period, self.update)

    @property
    def period(self) -> float:
        return self._period

    def setHardwareID(self, hwid: str) -> None:
        self.hwid = hwid

    def add(self, *args: Any) -> None:
        """``add(task)``, or ``add(name, function)``; says at once that the node is starting up."""
        task = args[0] if len(args) == 1 else FunctionDiagnosticTask(*args)
        with self.lock:
            self.tasks.append(task)
        status = DiagnosticStatusWrapper(name=task.getName())
        status.summary(DiagnosticStatus.OK, "Node starting up")
        self.publish(status)

    def removeByName(self, name: str) -> bool:
        """Remove the first task of that name; False where there is none."""
        with self.lock:
            for task in self.tasks:
                if task.getName() == name:
                    self.tasks.remove(task)
                    return True
        return False

    def update(self) -> None:
        with self.lock:
            self.publish([self._run(task) for task in self.tasks])

    def force_update(self) -> None:
        self.update()

    def broadcast(self, lvl: bytes, msg: str) -> None:
        """Say one thing for every task."""
        statuses = [DiagnosticStatusWrapper(name=task.getName(), level=lvl, message=msg) for task in self.tasks]
        self.publish(statuses)

    def publish(self, msg: DiagnosticStatus | list[Any]) -> None:
        array = DiagnosticArray()
        array.header.stamp = self.node.get_clock().now().to_msg()
        for status in msg if isinstance(msg, list) else [msg]:
            array.status.append(
                DiagnosticStatus(
                    level=status.level,
                    name=f"{self.node_name}: {status.name}",
                    message=status.message,
                    hardware_id=status.hardware_id,
                    values=status.values,
                )
            )
        self.publisher.publish(array)

    def _run(self, task: DiagnosticTask) -> DiagnosticStatusWrapper:
        status = DiagnosticStatusWrapper(name=task.getName(), hardware_id=self.hwid)
        status.summary(DiagnosticStatus.ERROR, "No message was set")
        return task.run(status)


def _parameter(node: Node, name: str, default: Any) -> Any:
    if node.has_parameter(name):
        return node.get_parameter(name).value
    return node.declare_parameter(name, default).value

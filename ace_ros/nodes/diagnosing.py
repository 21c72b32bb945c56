"""/diagnostics at least once a second, also while the simulated clock stands still."""

from __future__ import annotations

import time
from collections.abc import Callable

from diagnostic_updater import DiagnosticStatusWrapper, Updater
from rclpy.node import Node

from ace_ros.nodes.runtime import steady_timer

_PERIOD = 1.0  # s, as diagnostic_updater has it


class Diagnosing:
    """Publishes one status, filled in by ``report``."""

    def __init__(self, node: Node, name: str, report: Callable[[DiagnosticStatusWrapper], None]) -> None:
        self._report = report
        self._last = time.monotonic()
        self._updater = Updater(node, _PERIOD)
        self._updater.setHardwareID(node.get_fully_qualified_name())  # tells robots apart
        self._updater.add(name, self._run)
        steady_timer(node, _PERIOD / 2, self._check)

    def _run(self, status: DiagnosticStatusWrapper) -> DiagnosticStatusWrapper:
        self._last = time.monotonic()
        self._report(status)
        return status

    def _check(self) -> None:
        """The updater's own timer goes by the node's clock."""
        if time.monotonic() - self._last > _PERIOD * 1.2:
            self._updater.force_update()

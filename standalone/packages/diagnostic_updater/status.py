"""A DiagnosticStatus with the handles that tasks use to fill it."""

from __future__ import annotations

from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue


class DiagnosticStatusWrapper(DiagnosticStatus):
    """Levels are bytes, as in the message: OK, WARN, ERROR, STALE."""

    def summary(self, *args: Any) -> None:
        """``summary(level, message)``, or the two of another status: ``summary(status)``."""
        self.level, message = (args[0].level, args[0].message) if len(args) == 1 else args
        self.message = str(message)

    def clearSummary(self) -> None:
        self.summary(DiagnosticStatus.OK, "")

    def mergeSummary(self, *args: Any) -> None:
        """Keep the worse level, and the messages of what is wrong; arguments as for summary."""
        level, message = (args[0].level, args[0].message) if len(args) == 1 else args
        if (level > DiagnosticStatus.OK) == (self.level > DiagnosticStatus.OK):
            self.message = f"{self.message}; {message}" if self.message else message
        elif level > self.level:
            self.message = message
        self.level = max(level, self.level)

    def add(self, key: str, val: str) -> None:
        self.values.append(KeyValue(key=key, value=val))

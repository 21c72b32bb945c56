"""The part of diagnostic_updater that this package uses, for machines without a ROS distribution."""

from diagnostic_updater.status import DiagnosticStatusWrapper
from diagnostic_updater.updater import DiagnosticTask, FunctionDiagnosticTask, Updater

__all__ = ["DiagnosticStatusWrapper", "DiagnosticTask", "FunctionDiagnosticTask", "Updater"]

"""The nodes of this package as processes: started and ended by people who need no ROS in their own."""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ace_ros.errors import AceError

_PATIENCE = 10.0  # s that a process has to end by itself; set by hand
_TOLD = 15  # last lines of a process that failed
_DOMAINS = range(215, 232)  # ROS_DOMAIN_IDs above the ports that Linux gives away, which nobody counts up to


class ProcessError(AceError):
    """A node that can't be started, or that ended when it should not."""


def executable(name: str) -> Path:
    """A node of this package, where it is installed.

    Raises:
        ProcessError: no ROS in this Python, or this package was not built for it.
    """
    if not _has_rclpy():
        raise ProcessError(
            "this needs ROS 2, and this Python has no rclpy: source the setup.bash of the workspace that ace_ros was "
            "built in, or run 'make setup' in its sources and then .venv/bin/ace"
        )
    prefixes = [*os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep), sys.prefix]
    for prefix in filter(None, prefixes):
        if (path := Path(prefix) / "lib" / "ace_ros" / name).is_file():
            return path
    raise ProcessError(
        f"ROS 2 is here, but {name} of ace_ros is not installed in {', '.join(filter(None, prefixes))}: build the "
        "package (colcon build --packages-select ace_ros) and source install/setup.bash"
    )


def _has_rclpy() -> bool:
    try:
        return importlib.util.find_spec("rclpy") is not None
    except ImportError:
        return False


@contextmanager
def own_domain(numbers: Iterable[int] = _DOMAINS) -> Iterator[int]:
    """A ROS_DOMAIN_ID, of these, that nobody else who asks here uses meanwhile.

    Raises:
        ProcessError: all are taken.
    """
    for number in numbers:
        with open(Path(tempfile.gettempdir()) / f"ace_ros_domain_{os.getuid()}_{number}.lock", "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue
            yield number
            return
    raise ProcessError("too many evaluations are running on this machine already: wait for one of them")


def ros_arguments(parameters: Mapping[str, Any], remappings: Mapping[str, str]) -> list[str]:
    """Parameters and remappings as a node takes them on its command line."""
    arguments = ["--ros-args"]
    for key, value in parameters.items():
        text = str(value).lower() if isinstance(value, bool) else f"'{value}'" if isinstance(value, str) else value
        arguments += ["-p", f"{key}:={text}"]
    for source, target in remappings.items():
        arguments += ["-r", f"{source}:={target}"]
    return arguments


class Processes:
    """Nodes that hear each other on this machine alone. :meth:`close` ends all that were started here.

    Args:
        logs: folder; what NAME says goes to NAME.log. domain: ROS_DOMAIN_ID.
    """

    def __init__(self, logs: Path, domain: int) -> None:
        self._logs = logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._may_end: dict[str, bool] = {}
        self.environment = {
            "ROS_DOMAIN_ID": str(domain),
            "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
            "ROS_LOG_DIR": str(logs / "ros"),
            "AMENT_PREFIX_PATH": os.environ.get("AMENT_PREFIX_PATH") or sys.prefix,
            "PYTHONUNBUFFERED": "1",
        }

    def start(
        self, name: str, parameters: Mapping[str, Any], remappings: Mapping[str, str], ends: bool = False
    ) -> None:
        """Run the node ``name``; one that ``ends`` by itself may do so.

        Raises:
            ProcessError: see :func:`executable`.
        """
        self._may_end[name] = ends
        command = [str(executable(name)), *ros_arguments(parameters, remappings)]
        with open(self._log(name), "wb") as log:
            # A session of its own: Ctrl-C in the terminal is for us, and we end them in order.
            self._running[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
                env={**os.environ, **self.environment},
            )  # fmt: skip

    def ended(self, name: str) -> bool:
        """Whether a process is done.

        Raises:
            ProcessError: it failed, or should not have ended.
        """
        process = self._running.get(name)
        if process is None:
            return True
        if process.poll() is None:
            return False
        del self._running[name]
        if process.returncode or not self._may_end[name]:
            raise ProcessError(f"{name} ended by itself (exit code {process.returncode}):\n{self.said(name)}")
        return True

    def wait(
        self, what: str, done: Callable[[], bool], each: Callable[[], None] = lambda: None, limit: float = 900.0
    ) -> None:
        """Return once ``done()``; ``each`` is called again and again meanwhile.

        Raises:
            ProcessError: a process failed, or it takes longer than ``limit`` seconds.
        """
        deadline = time.monotonic() + limit
        while True:
            each()
            if done():
                return
            for name in list(self._running):
                self.ended(name)
            if time.monotonic() > deadline:
                raise ProcessError(f"waited {limit:.0f} s in vain for {what}:\n{self._all_said()}")
            time.sleep(0.05)

    def stop(self, name: str) -> None:
        """End a process as Ctrl-C would.

        Raises:
            ProcessError: it did not end well.
        """
        process = self._running.pop(name)
        self._end(process)
        if process.returncode:
            raise ProcessError(f"{name} did not end cleanly (exit code {process.returncode}):\n{self.said(name)}")

    def close(self) -> None:
        """End all that still run."""
        while self._running:
            self._end(self._running.popitem()[1])

    def said(self, name: str) -> str:
        """The last lines that a process wrote."""
        lines = self._log(name).read_text(errors="replace").splitlines()
        return "\n".join(f"    {line}" for line in lines[-_TOLD:])

    def _all_said(self) -> str:
        return "\n".join(f"  {name}:\n{self.said(name)}" for name in self._running)

    def _log(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    @staticmethod
    def _end(process: subprocess.Popen[bytes]) -> None:
        for ask in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            process.send_signal(ask)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_PATIENCE)
                return

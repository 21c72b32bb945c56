"""'ace evaluate --live': the nodes as processes, with a bar while the recording is played."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.progress import Progress, TaskID

from ace_ros.cli import interrupt
from ace_ros.cli.console import progress_bar
from ace_ros.errors import InputError
from ace_ros.evaluation.live import LOCALIZER, PLAYER, RECORDER, Run, lines
from ace_ros.evaluation.processes import Processes, executable, own_domain

_START = 300.0  # s for the map to be loaded on a slow machine


@dataclass(frozen=True)
class LiveOptions:
    """For --live: how the recording is played."""

    replay_rate: float = 1.0
    """Speed of the replay; 0.5 is half as fast as recorded."""
    ros_domain: int | None = None
    """ROS_DOMAIN_ID of the nodes; left out: one of their own, so that no robot hears the replay."""
    logs: Path | None = None
    """Folder for what the nodes write; it is thrown away without."""


def check_live(options: LiveOptions) -> None:
    """Find out before the work whether the nodes can be started.

    Raises:
        ProcessError: what is missing. InputError: an option out of range.
    """
    for node in (RECORDER, LOCALIZER, PLAYER):
        executable(node)
    if not 0.01 <= options.replay_rate <= 100:
        raise InputError(f"--replay-rate {options.replay_rate:g}: must be 0.01 to 100")
    if options.ros_domain is not None and not 0 <= options.ros_domain <= 232:
        raise InputError(f"--ros-domain {options.ros_domain}: must be 0 to 232")


def play(run: Run, options: LiveOptions, logs: Path) -> None:
    """Play the recording through the nodes, which leaves the record where the run says.

    Raises:
        ProcessError: a node failed.
    """
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)  # the nodes must not outlive us
    try:
        with interrupt.unwinding():
            if options.ros_domain is not None:
                _play(run, Processes(logs, options.ros_domain))
            else:
                with own_domain() as domain:
                    _play(run, Processes(logs, domain))
    finally:
        signal.signal(signal.SIGTERM, previous)


def _play(run: Run, processes: Processes) -> None:
    record = Path(run.parameters[RECORDER]["record"])
    heard = _Heard(record.with_name(f"{record.name}.part"))
    try:
        with progress_bar() as bar:
            for node in (RECORDER, LOCALIZER):
                processes.start(node, run.parameters[node], run.remappings[node], ends=node == RECORDER)
            task = bar.add_task("loading", total=None, figures="the nodes start", left="")
            processes.wait("localization_node to become active", lambda: heard.ready, heard.update, _START)
            processes.start(PLAYER, run.parameters[PLAYER], run.remappings[PLAYER], ends=True)
            bar.update(task, description="playing", total=run.streams.count, figures="")
            limit = _START + 1e3 + 1e3 * run.streams.count  # far more than any machine takes
            processes.wait(
                "the end of the replay", lambda: processes.ended(RECORDER), lambda: heard.show(bar, task), limit
            )
            bar.update(task, completed=run.streams.count)
            processes.stop(LOCALIZER)
    finally:
        processes.close()


class _Heard:
    """What the recorder has written down so far."""

    def __init__(self, path: Path) -> None:
        self._path, self._offset = path, 0
        self.ready = False
        self._frames: list[dict[str, Any]] = []

    def update(self) -> None:
        if not self._path.exists():
            return
        with open(self._path, "rb") as file:
            file.seek(self._offset)
            text = file.read()
        text = text[: text.rfind(b"\n") + 1]
        self._offset += len(text)
        for line in lines(text.decode()):
            self.ready |= line["kind"] == "ready"
            if line["kind"] == "frame":
                self._frames.append(line)

    def show(self, bar: Progress, task: TaskID) -> None:
        self.update()
        if self._frames:
            good = sum(frame["state"] == "LOCALIZED" for frame in self._frames)
            age = self._frames[-1]["latency"] or 0.0
            bar.update(task, completed=len(self._frames), figures=f"{good} localized  {1e3 * age:.0f} ms old")

"""'ace evaluate --live': the nodes as processes, with a bar while the recording is played."""

from __future__ import annotations

import signal
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from ace_ros.cli import interrupt
from ace_ros.cli.console import progress_bar
from ace_ros.errors import InputError
from ace_ros.live.plan import LOCALIZER, PLAYER, RECORDER, Run
from ace_ros.live.play import play
from ace_ros.live.processes import Processes, executable, own_domain


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


def play_with_bar(run: Run, options: LiveOptions, logs: Path) -> None:
    """Play the recording through the nodes, which leaves the record where the run says.

    Raises:
        ProcessError: a node failed.
    """
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)  # the nodes must not outlive us
    try:
        with interrupt.unwinding(), _domain(options) as domain, progress_bar() as bar:
            task = bar.add_task("starting", total=None, figures="the nodes and the map", left="")

            def ready() -> None:
                bar.update(task, description="playing", total=run.streams.count, figures="")

            def show(worked_on: int, localized: int) -> None:
                bar.update(task, completed=worked_on, figures=f"{localized} localized")

            processes = Processes(logs, domain)
            try:
                play(run, processes, ready, show)
            finally:
                processes.close()
    finally:
        signal.signal(signal.SIGTERM, previous)


def _domain(options: LiveOptions) -> AbstractContextManager[int]:
    return own_domain() if options.ros_domain is None else nullcontext(options.ros_domain)

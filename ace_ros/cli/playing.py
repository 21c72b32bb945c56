"""'ace evaluate --live': the nodes as processes, with a bar while the recording is played."""

from __future__ import annotations

import signal
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from ace_ros.cli import interrupt
from ace_ros.cli.progress import progress
from ace_ros.live.plan import LOCALIZER, PLAYER, RECORDER, Run
from ace_ros.live.play import play
from ace_ros.live.processes import Processes, executable, own_domain
from ace_ros.options import Options, option, replay_rate_option


@dataclass(frozen=True)
class LiveOptions(Options):
    """How the recording is played, with --live."""

    replay_rate: float = replay_rate_option()
    ros_domain: int | None = option(
        None, "ROS_DOMAIN_ID of the nodes.", low=0, high=232, without="one of their own, so that no robot hears it"
    )
    logs: Path | None = option(None, "Folder for what the nodes write.", without="thrown away", metavar="FOLDER")


def check_live() -> None:
    """Find out before the work whether the nodes can be started.

    Raises:
        ProcessError: what is missing.
    """
    for node in (RECORDER, LOCALIZER, PLAYER):
        executable(node)


def play_with_bar(run: Run, options: LiveOptions, logs: Path) -> None:
    """Play the recording through the nodes, which leaves the record where the run says.

    Raises:
        ProcessError: a node failed.
    """
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)  # the nodes must not outlive us
    try:
        with interrupt.unwinding(), _domain(options) as domain, progress() as stages:
            stages.begin("starting", None, ["the nodes and the map"])

            def ready() -> None:
                stages.begin("playing", run.streams.count)

            def show(worked_on: int, localized: int) -> None:
                stages.update(worked_on, figures=[f"{localized} localized"])

            processes = Processes(logs, domain)
            try:
                play(run, processes, ready, show)
                stages.end(whole=False)  # images may have been dropped
            finally:
                processes.close()
    finally:
        signal.signal(signal.SIGTERM, previous)


def _domain(options: LiveOptions) -> AbstractContextManager[int]:
    return own_domain() if options.ros_domain is None else nullcontext(options.ros_domain)

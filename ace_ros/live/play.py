"""A run of ``ace_ros.live.plan``, carried out: the nodes are started, each when it is due, and ended."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ace_ros.live.plan import LOCALIZER, PLAYER, RECORDER, Run
from ace_ros.live.processes import Processes
from ace_ros.live.record import growing, lines

_START = 300.0  # s for the map to be loaded on a slow machine; set by hand


def play(
    run: Run,
    processes: Processes,
    on_ready: Callable[[], None] = lambda: None,
    on_frames: Callable[[int, int], None] = lambda worked_on, localized: None,
) -> None:
    """Play the recording through the nodes, which leaves the record where the run says.

    Raises:
        ProcessError: a node failed.
    """
    heard = _Heard(growing(Path(run.parameters[RECORDER]["record"])))

    def show() -> None:
        heard.update()
        on_frames(heard.frames, heard.localized)

    for node in (RECORDER, LOCALIZER):
        processes.start(node, run.parameters[node], run.remappings[node], ends=node == RECORDER)
    processes.wait("localization_node to become active", lambda: heard.ready, heard.update, _START)
    on_ready()
    processes.start(PLAYER, run.parameters[PLAYER], run.remappings[PLAYER], ends=True)
    enough = _START + 1e3 * run.streams.count  # s: far more than any machine takes
    processes.wait("the end of the replay", lambda: processes.ended(RECORDER), show, enough)
    processes.stop(LOCALIZER)


class _Heard:
    """What the recorder has written down so far."""

    def __init__(self, path: Path) -> None:
        self._path, self._offset = path, 0
        self.ready, self.frames, self.localized = False, 0, 0

    def update(self) -> None:
        if not self._path.exists():
            return
        with open(self._path, "rb") as file:
            file.seek(self._offset)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in lines(whole.decode()):
            self._take(line)

    def _take(self, line: dict[str, Any]) -> None:
        self.ready |= line["kind"] == "ready"
        if line["kind"] == "frame":
            self.frames += 1
            self.localized += line["state"] == "LOCALIZED"

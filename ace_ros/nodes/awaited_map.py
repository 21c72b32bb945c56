"""A map that is not there yet: somebody builds it while localization_node waits."""

from __future__ import annotations

from pathlib import Path

from ace_ros.errors import AceError
from ace_ros.nodes.load_service import parameter_path
from ace_ros.nodes.options import LocalizationNodeOptions
from ace_ros.online.map_watch import MapWatch


class AwaitedMap:
    """Says when it is time to configure: once there is a file that was not tried before, and it is at rest."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """What was tried may be tried again."""
        self._path: Path | None = None
        self._tried = False

    def look(self, options: LocalizationNodeOptions) -> str:
        """Call it now and then; a sentence while there is something to wait for, empty when it is time."""
        try:
            path = parameter_path(options)
        except AceError as error:
            return f"waiting for a map: {error}"
        if path != self._path:
            self.forget()
            self._path, self._watch = path, MapWatch(path, None)
        if self._watch.changed():
            self._tried = True
            return ""
        if not path.exists():
            return f"waiting for the map {path}: it is not built yet"
        if self._tried:
            return f"{path} can't be used, see the log: waiting for it to be built anew"
        return f"{path} is there: waiting for it to be whole, it may still be copied"

"""A map that grows while the robot drives: its file is loaded anew when it has changed."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from ace_ros.errors import AceError
from ace_ros.nodes.load_service import load_map
from ace_ros.online.loading import LoadedMap
from ace_ros.online.map_watch import MapWatch

if TYPE_CHECKING:
    from ace_ros.nodes.localization_node import LocalizationNode


class MapFollower:
    """Watches the file of the map in use, and loads it in a thread of its own; meanwhile the old map answers.

    Attributes:
        fault: why the map in use is an older one than its file; empty where it is not.
    """

    def __init__(self, node: LocalizationNode) -> None:
        self._node = node
        self._watched: LoadedMap | None = None
        self._thread: threading.Thread | None = None
        self.fault = ""

    def look(self) -> None:
        """Call it now and then."""
        loaded = self._node.loaded
        if loaded is not self._watched:
            self._watched, self.fault = loaded, ""
            self._watch = MapWatch(loaded.path, loaded.version) if loaded else None
        if loaded is None or self._watch is None or (self._thread is not None and self._thread.is_alive()):
            return
        if self._watch.changed():
            self._thread = self._node.supervisor.thread(
                "following the map's file", self._load, loaded, otherwise=self._failed
            )

    def _failed(self, why: object) -> None:
        self.fault = f"the map's file has changed and can't be used, the old map stays: {why}"

    def _load(self, old: LoadedMap) -> None:
        log = self._node.get_logger()
        try:
            new = load_map(old.path, self._node.options)
        except AceError as error:
            if self._watched is old:
                self._failed(error)
                log.warning(self.fault)
            return
        if new.identity != old.identity and self._node.follow_map(old, new):
            log.info(f"the map's file has changed: localizing in '{new.name}' ({new.identity}) from now on")
        if self._watched is old:
            self.fault = ""

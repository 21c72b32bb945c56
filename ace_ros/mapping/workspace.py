"""What is done of a map that is being made, in a folder beside it: its views and its finished places.

One process at a time has it. What is in it is whole at any moment, so that a process that ended in its midst costs the
frame or the place that it was working on.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from pathlib import Path
from typing import Any

from ace_ros.errors import MapFileError, MappingError
from ace_ros.files import write_whole
from ace_ros.map.place import Place
from ace_ros.map.scene_map import SceneMap
from ace_ros.mapping.store import LOG, RECORDS, ViewStore

_LOCK, _FACTS, _PLACES = "lock", "made_with.json", "place-*.safetensors"
_OURS = (RECORDS, LOG, _FACTS, _PLACES, f".{_FACTS}.*", f".{_PLACES}.*")  # with what was half-written, hidden


class Workspace:
    """The folder ``OUTPUT.unfinished``, made if need be and taken for this process.

    Args:
        output: the map to be made. resume: go on with what is there; otherwise it is thrown away.

    Attributes:
        views: see :class:`ViewStore`. forgotten: how many were thrown away. removed: whether it is gone.

    Raises:
        MappingError: another process makes this map, or the folder can't be used.
    """

    def __init__(self, output: Path, resume: bool = False) -> None:
        self.folder = output.with_name(output.name + ".unfinished")
        self._output = output
        self._lock = self._locked()
        self._facts: dict[str, Any] = {}
        self.forgotten, self.removed = 0, False
        if not resume:
            self._forget()
        self.views = ViewStore(self.folder)
        with contextlib.suppress(OSError, ValueError):
            self._facts = json.loads((self.folder / _FACTS).read_text())

    def claim(self, **facts: object) -> None:
        """Say what the views are made with, before the first is taken; later it must be the same.

        Raises:
            MappingError: it is not; says what differs.
        """
        told = json.loads(json.dumps(facts))
        if not len(self.views):
            self.tell(**told)
        for name, value in told.items():
            if self._facts.get(name) != value:
                what = f"{name.replace('_', ' ')} {self._facts.get(name)}"
                raise MappingError(
                    f"{self.folder}: was begun with {what}, now it is {value}; give the same as then, or begin anew "
                    "without --resume"
                )

    def tell(self, **facts: object) -> None:
        """Keep a fact of the views, whatever it was before.

        Raises:
            MappingError: it can't be written.
        """
        self._facts |= facts
        try:
            write_whole(self.folder / _FACTS, json.dumps(self._facts).encode())
        except OSError as error:
            raise MappingError(f"{self.folder}: can't be written ({error.strerror})") from None

    def told(self, name: str) -> Any:
        """A fact that :meth:`tell` or :meth:`claim` kept; None if there is none."""
        return self._facts.get(name)

    def place(self, key: str) -> Place | None:
        """The finished place of that key, if it is here."""
        path = self._path(key)
        if not path.exists():
            return None
        try:
            (place,) = SceneMap.load(path).places
        except MapFileError:  # it is made anew
            return None
        return place

    def keep(self, key: str, place: Place) -> Place:
        """Store a finished place; returns it as it will be read.

        Raises:
            MapFileError: there is no room for it.
        """
        SceneMap((place,)).save(self._path(key))
        kept = self.place(key)
        assert kept is not None, "a place that was just written can be read"
        return kept

    def remove(self) -> None:
        """The map is made, or nothing of it is worth to be kept."""
        self.removed = True
        self.views.close()
        self._clear()
        with contextlib.suppress(OSError):
            (self.folder / _LOCK).unlink()
            self.folder.rmdir()  # unless somebody keeps files of their own there
        self._lock.close()

    def close(self) -> None:
        """Leave it as it is, for another time."""
        self.views.close()
        self._lock.close()

    def _path(self, key: str) -> Path:
        return self.folder / _PLACES.replace("*", key)

    def _forget(self) -> None:
        with contextlib.suppress(OSError):
            self.forgotten = (self.folder / LOG).read_bytes().count(b"\n")
        self._clear()

    def _clear(self) -> None:
        for pattern in _OURS:
            for path in self.folder.glob(pattern):
                path.unlink(missing_ok=True)

    def _locked(self) -> Any:
        """An open file that keeps others out for as long as this process lives."""
        path = self.folder / _LOCK
        while True:
            try:
                self.folder.mkdir(exist_ok=True)
                file = path.open("a")
            except FileNotFoundError:
                if self.folder.parent.is_dir():  # whoever had it has just removed it
                    continue
                raise MappingError(f"{self._output}: there is no folder {self.folder.parent}; make it first") from None
            except OSError as error:
                raise MappingError(f"{self.folder}: can't be used to make the map in ({error.strerror})") from None
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise MappingError(
                    f"{self._output}: another process is making this map; wait for it, or name another file"
                ) from None
            except OSError:  # a file system without locks
                return file
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(path.stat(), os.fstat(file.fileno())):
                    return file
            file.close()

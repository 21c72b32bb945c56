"""Notices that the file of a map has become another one."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class FileVersion(NamedTuple):
    """What tells that a file was written anew, without reading it."""

    inode: int
    size: int
    modified: int  # ns

    @staticmethod
    def of(path: Path) -> FileVersion | None:
        """The version that is there now; None where there is no file that can be looked at."""
        try:
            found = path.stat()
        except OSError:
            return None
        return FileVersion(found.st_ino, found.st_size, found.st_mtime_ns)


class MapWatch:
    """Watches one file; looks when it is asked, now and then.

    Args:
        version: the one that is known.
    """

    def __init__(self, path: Path, version: FileVersion | None) -> None:
        self._path = path
        self._known = self._seen = version

    def changed(self) -> bool:
        """Whether there is a version that was not told of before, and the file looks as it did at the last call.

        What is written piece by piece is let come to rest; a file that is gone is no news.
        """
        now = FileVersion.of(self._path)
        rests, self._seen = now == self._seen, now
        if now is None or now == self._known or not rests:
            return False
        self._known = now
        return True

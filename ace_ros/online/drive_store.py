"""The frames of a drive on disk while it lasts: a process that is killed loses none of those it has encoded.

They stand beside the map to be, in ``MAP.unfinished/`` (:class:`Workspace`). A process that finds some of which no map
was made takes them up: their map can be built. Frames of another drive are not added to them, unless that is asked
for: its poses may have another origin. They are put aside then, in ``MAP.interrupted/``.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from ace_ros.errors import MapFileError, MappingError
from ace_ros.mapping.mapper import Mapper
from ace_ros.mapping.options import MIN_FRAMES
from ace_ros.mapping.workspace import Workspace
from ace_ros.online.maps_dir import prepare_folder

_BUILT = "built"  # how many of the views the last map was made of


class DriveStore:
    """Gives a mapper whose frames are on disk; one whose frames are in memory where the disk can't be used.

    Args:
        output: the map to be. new_mapper: makes a mapper that keeps its frames there, or in memory.
        report: gets a sentence on what was found, and on what can't be done.
        goes_on: frames are added to those of a process before this one. facts: what they must have in common, beside
            what the mapper wants.
    """

    def __init__(
        self,
        output: Path,
        new_mapper: Callable[[Workspace | None], Mapper],
        report: Callable[[str], None],
        goes_on: bool = False,
        **facts: object,
    ) -> None:
        self._output, self._new_mapper, self._report, self._facts = output, new_mapper, report, facts
        self.goes_on = goes_on
        self._folder = output.with_name(f"{output.name}.unfinished")
        self._aside = output.with_name(f"{output.name}.interrupted")
        self._workspace: Workspace | None = None
        self._built = 0

    def taken_up(self) -> Mapper:
        """A mapper with the frames that a process before this one left, if no map was made of them.

        Where the drive is gone on with, and there are none, with those that were put aside.
        """
        if self.goes_on and self._aside.is_dir() and not self._folder.exists():
            self._aside.rename(self._folder)
        mapper = self._opened(resume=True)
        if self._workspace is not None and self._workspace.told(_BUILT) == len(mapper):
            return self._opened(resume=False)
        if len(mapper):
            then = "more are added to them" if self.goes_on else "the next frame puts them aside, but for resume:=true"
            self._report(
                f"{len(mapper)} frames of a drive that no map was made of are in {self._folder}: their map can be "
                f"built; {then}"
            )
        return mapper

    def anew(self, aside: bool = False) -> Mapper:
        """A mapper without frames; those before are forgotten, or put ``aside``."""
        if aside and not self._put_aside():
            return self._in_memory()
        return self._opened(resume=False)

    def built(self, frames: int) -> None:
        """A map was made of the first so many frames."""
        self._built = frames
        if self._workspace is not None:
            self._workspace.tell(**{_BUILT: frames})

    def close(self) -> str:
        """Leave frames that no map was made of for the next process; returns where they are, else nothing."""
        if self._workspace is None:
            return ""
        left = len(self._workspace.views)
        if left < MIN_FRAMES or left == self._built:
            self._workspace.remove()
            return ""
        self._workspace.close()
        return str(self._workspace.folder)

    def _opened(self, resume: bool) -> Mapper:
        self._built = 0
        if self._workspace is not None:
            self._workspace.close()
            self._workspace = None
        try:
            prepare_folder(self._output)
            self._workspace = Workspace(self._output, resume)
            return self._claimed(self._workspace)
        except (MappingError, MapFileError) as error:
            self._report(str(error))
            return self._in_memory()

    def _in_memory(self) -> Mapper:
        self._report("frames are kept in memory alone, and are lost if this process is killed")
        self._workspace = None
        return self._new_mapper(None)

    def _claimed(self, workspace: Workspace) -> Mapper:
        """The mapper that goes on with these frames; where they were made in another way, they are put aside."""
        try:
            mapper = self._new_mapper(workspace)
            workspace.claim(**self._facts)
            return mapper
        except MappingError as error:
            if not len(workspace.views):
                raise
            self._report(str(error).partition(";")[0])
            if not self._put_aside():
                raise
            self._workspace = Workspace(self._output)
            return self._claimed(self._workspace)

    def _put_aside(self) -> bool:
        """Where they are found by whoever wants them; those put aside before give way. Tells whether it was done."""
        workspace = self._workspace
        if workspace is None or len(workspace.views) < MIN_FRAMES or len(workspace.views) == self._built:
            return True
        count = len(workspace.views)
        workspace.close()
        self._workspace = None
        try:
            shutil.rmtree(self._aside, ignore_errors=True)
            workspace.folder.rename(self._aside)
        except OSError as error:
            self._report(f"{workspace.folder}: can't be put aside ({error.strerror})")
            return False
        self._report(f"{count} frames of a drive that no map was made of are put aside in {self._aside}")
        return True

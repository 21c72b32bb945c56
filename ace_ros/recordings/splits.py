"""Which frames of a recording are queries, never to be mapped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Literal

from ace_ros.errors import InputError
from ace_ros.recordings.listing import read_text
from ace_ros.recordings.options import SplitOptions
from ace_ros.recordings.posed_frame import PosedFrame

Split = Literal["train", "test", "all"]
LIST = "test.txt"
_EVERY = 8  # the usual split of view synthesis (LLFF, mip-NeRF 360), for layouts that state none


def is_explicit(options: SplitOptions) -> bool:
    """Whether the user said which frames are queries."""
    return options.test_list is not None or options.test_every is not None


def choose(
    frames: Sequence[PosedFrame], split: Split, options: SplitOptions, folder: Path | None
) -> tuple[list[PosedFrame], list[str]]:
    """Frames of the split, each knowing whether it is a query, and notes.

    Queries are what the user said, else what the layout said, else those that ``test.txt`` in ``folder`` names, else
    every 8th frame.

    Raises:
        InputError: a list that can't be read or names no frame.
    """
    notes: list[str] = []
    beside = folder / LIST if folder else None
    stated = not is_explicit(options) and all(frame.query is not None for frame in frames)
    if stated:
        queries = {index for index, frame in enumerate(frames) if frame.query}
    elif options.test_list:
        queries, notes = _listed(frames, options.test_list)
    elif options.test_every is None and beside and beside.is_file():
        try:
            queries, notes = _listed(frames, beside)
        except InputError:
            if split == "all":  # it may be a file that has nothing to do with us
                return list(frames), []
            raise
    else:
        every = _EVERY if options.test_every is None else options.test_every
        queries = {index for index in range(len(frames)) if every and index % every == options.test_offset % every}
        if options.test_every is None and split == "train":
            notes = [
                f"{len(queries)} of {len(frames)} frames, every {every}th, are kept as queries: "
                "--test-every (0: none) and --test-list choose others"
            ]
    marked = [replace(frame, query=index in queries) for index, frame in enumerate(frames)]
    return [frame for frame in marked if split == "all" or frame.query == (split == "test")], notes


def _listed(frames: Sequence[PosedFrame], path: Path) -> tuple[set[int], list[str]]:
    """Indices of the frames that the file names, by name, file name, or either without its suffix."""
    lines = [line.strip() for line in read_text(path, "the list of queries").splitlines()]
    names = [line for line in lines if line and not line.startswith("#")]
    known: dict[str, int] = {}
    for index, frame in enumerate(frames):
        name = PurePosixPath(frame.name)
        for alias in (name.stem, name.name, str(name.with_suffix("")), str(name)):
            known[alias] = index
    found = {known[name] for name in names if name in known}
    missing = [name for name in names if name not in known]
    if names and not found:
        example = frames[0].name if frames else "none"
        raise InputError(f"{path}: none of its {len(names)} lines names a frame of the recording (one is '{example}')")
    notes = [f"{path.name} names {len(missing)} frames that are not there, {missing[0]} for one"] if missing else []
    return found, notes

"""Which frames of a recording are queries, where the layout itself does not say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Literal

from ace_ros.errors import InputError
from ace_ros.frames.options import SplitOptions
from ace_ros.frames.posed_frame import PosedFrame

Split = Literal["train", "test", "all"]
_EVERY = 8


def is_explicit(options: SplitOptions) -> bool:
    """Whether the user said which frames are queries."""
    return options.test_list is not None or options.test_every is not None


def choose(
    frames: Sequence[PosedFrame], split: Split, options: SplitOptions, folder: Path | None
) -> tuple[list[PosedFrame], list[str]]:
    """Frames of the split, and notes.

    Queries are what the user said, else those that ``test.txt`` in ``folder`` names, else every 8th frame.

    Raises:
        InputError: options that contradict themselves, a list that can't be read or names no frame.
    """
    if options.test_list is not None and options.test_every is not None:
        raise InputError("--test-list and --test-every exclude each other: give one")
    if options.test_every is not None and options.test_every < 2:
        raise InputError(f"--test-every {options.test_every}: must be at least 2, or no frame is left to map")
    if options.test_offset < 0:
        raise InputError(f"--test-offset {options.test_offset}: must not be negative")
    if split == "all":
        return list(frames), []
    beside = folder / "test.txt" if folder else None
    listed = options.test_list or (beside if options.test_every is None and beside and beside.is_file() else None)
    if listed:
        queries, notes = _listed(frames, listed)
    else:
        every = options.test_every or _EVERY
        queries, notes = {index for index in range(len(frames)) if index % every == options.test_offset % every}, []
    wanted = [frame for index, frame in enumerate(frames) if (index in queries) == (split == "test")]
    return wanted, notes


def _listed(frames: Sequence[PosedFrame], path: Path) -> tuple[set[int], list[str]]:
    """Indices of the frames that the file names, by name, file name, or either without its suffix."""
    try:
        lines = [line.strip() for line in path.read_text().splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: the list of queries can't be read ({error})") from None
    names = [line for line in lines if line and not line.startswith("#")]
    known: dict[str, int] = {}
    for index, frame in enumerate(frames):
        name = PurePosixPath(frame.name)
        for alias in (name.stem, name.name, str(name.with_suffix("")), str(name)):
            known[alias] = index
    found = {known[name] for name in names if name in known}
    missing = [name for name in names if name not in known]
    if not found:
        example = frames[0].name if frames else "none"
        raise InputError(f"{path}: none of its {len(names)} lines names a frame of the recording (one is '{example}')")
    notes = [f"{path.name} names {len(missing)} frames that are not there, {missing[0]} for one"] if missing else []
    return found, notes

"""One bad frame never costs the recording: it is left out, counted by kind, and told in one line per kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ace_ros.errors import FrameError, InputError


@dataclass
class LeftOut:
    """What could not be used of a recording, while the rest is.

    Attributes:
        strict: whether any of it is an error.
        listed: how many frames, or other things such as the poses of a trajectory, there were in all.
        found: of each thing and kind the name, the place and the whole reason of all that were left out.
    """

    strict: bool = False
    listed: Counter[str] = field(default_factory=Counter)
    found: dict[tuple[str, str], list[tuple[str, str, str]]] = field(default_factory=dict)

    @contextmanager
    def trying(self, name: str, thing: str = "frame") -> Iterator[None]:
        """What is done here is done for one frame: when it fails, that frame is left out."""
        try:
            yield
        except InputError as error:
            self.add(error, name, thing)

    def add(self, error: InputError, name: str, thing: str = "frame") -> None:
        """Leave one out for this reason.

        Raises:
            InputError: nothing may be left out.
        """
        if self.strict:
            raise InputError(f"{error} (without --strict it is left out)") from error
        if isinstance(error, FrameError):
            kind, where = error.kind, error.where
        else:  # messages begin with the place
            where, kind = name, str(error).partition(": ")[2] or str(error)
        self.found.setdefault((thing, kind), []).append((name, where, str(error)))

    def take(self, other: LeftOut) -> None:
        """What was left out elsewhere is left out here.

        Raises:
            InputError: nothing may be left out.
        """
        self.listed.update(other.listed)
        for key, those in other.found.items():
            if self.strict:
                raise InputError(f"{those[0][2]} (without --strict it is left out)")
            self.found.setdefault(key, []).extend(those)

    def names(self, thing: str = "frame") -> list[str]:
        """All that were left out."""
        return [name for (what, _), those in self.found.items() if what == thing for name, *_ in those]

    def lines(self) -> list[str]:
        """For example ``3 of 1,204 frames left out: the quaternion is all zeros, e.g. images.txt, line 7: a.jpg``."""
        return self._lines(_place)

    def reasons(self) -> str:
        """The same in one sentence with the whole of one reason each, for when nothing is left."""
        return "; ".join(self._lines(lambda name, where, whole: whole))

    def _lines(self, example: Callable[[str, str, str], str]) -> list[str]:
        lines = []
        for (thing, kind), those in self.found.items():
            of = max(self.listed[thing], len(those))
            lines.append(f"{len(those):,} of {of:,} {thing}s left out: {kind}, e.g. {example(*those[0])}")
        return lines

    def later(self) -> LeftOut:
        """For what turns out when the images are read: of the same frames, counted anew."""
        return LeftOut(self.strict, Counter(self.listed))


def _place(name: str, where: str, whole: str) -> str:
    """Where to look; a path in the recording without what leads there."""
    return name if where.endswith("/" + name) else where

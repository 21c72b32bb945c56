"""Images that lie elsewhere than a list names them, as when a recording was moved: found by the ends of their paths.

They are looked for only where none of the images that are named in a folder is there; else those are missing. Of
several that are called so, the one is taken of which most folders, from the image upwards, are called as named.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import takewhile
from pathlib import Path, PurePosixPath

from ace_ros.errors import FrameError
from ace_ros.recordings.image_files import SUFFIXES, found_image, is_beside, is_image

_DEPTH = 3  # folders below the recording's, in which images are looked for; as models of COLMAP are


class NamedImages:
    """Where the images are that a list names, in ``folder`` or below it.

    Attributes:
        notes: where they were found, if it is not where they are named.
    """

    def __init__(self, folder: Path, names: Iterable[str]) -> None:
        self.notes: list[str] = []
        self._folder = folder
        self._doubtful: dict[PurePosixPath, list[Path]] = {}
        self._paths = {_named(name): found_image(folder, name) for name in names}
        taken = {path for path in self._paths.values() if path.is_file()}
        there = {named.parent for named, path in self._paths.items() if path in taken}
        if lost := [named for named in self._paths if named.parent not in there]:
            self._look_for(lost, taken)

    def path(self, name: str) -> Path:
        """The image of that name; where there is none, the path as it is named.

        Raises:
            FrameError: there are several, and nothing tells which.
        """
        if several := self._doubtful.get(_named(name)):
            kind = "the image is not where it is named, and several are called so"
            those = " and ".join(str(path.relative_to(self._folder)) for path in several[:2])
            raise FrameError(name, kind, f"{kind}: {those}; which is meant, its path in the list has to say")
        return self._paths[_named(name)]

    def name(self, image: Path) -> str:
        """What an image is called: its path below the folder, or the whole where it lies elsewhere."""
        return image.relative_to(self._folder).as_posix() if image.is_relative_to(self._folder) else str(image)

    def _look_for(self, lost: list[PurePosixPath], taken: set[Path]) -> None:
        called = defaultdict(list)
        for path in _images_below(self._folder, _DEPTH):
            for key in (_key(path.name), path.stem):
                called[key].append(path)
        claims: dict[Path, list[tuple[int, PurePosixPath]]] = defaultdict(list)
        for named in lost:
            likeness = {path: self._likeness(named, path) for path in called.get(_key(named.name), ())}
            best = [path for path, alike in likeness.items() if alike == max(likeness.values())]
            if len(best) > 1:
                self._doubtful[named] = best
            elif best and best[0] not in taken:
                claims[best[0]].append((likeness[best[0]], named))
        found: dict[PurePosixPath, Path] = {}
        for path, those in claims.items():  # an image is of one name: of several the one that is most alike
            most = [named for alike, named in those if alike == max(those)[0]]
            found |= {named: path for named in most if len(most) == 1}
        self._paths |= found
        moves = Counter((named.parent, path.parent.relative_to(self._folder)) for named, path in found.items())
        for (named_in, found_in), count in moves.most_common(1):
            others = f", {len(found) - count:,} more likewise" if len(moves) > 1 else ""
            self.notes.append(f"{count:,} images are named in {named_in}/ and were found in {found_in}/{others}")

    def _likeness(self, named: PurePosixPath, path: Path) -> int:
        """How many folders above the image are called alike."""
        pairs = zip(named.parts[-2::-1], path.relative_to(self._folder).parts[-2::-1], strict=False)
        return len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))


def _named(name: str) -> PurePosixPath:
    return PurePosixPath(name.replace("\\", "/"))


def _key(name: str) -> str:
    """The name without the case of its suffix."""
    stem, dot, suffix = name.rpartition(".")
    return stem + dot + suffix.lower() if f".{suffix.lower()}" in SUFFIXES else name


def _images_below(folder: Path, depth: int) -> Iterator[Path]:
    """Images of a folder and those below it, without those of depth images and masks."""
    try:
        paths = sorted(folder.iterdir())
    except OSError:  # a folder that may not be looked into
        return
    for path in paths:
        if is_image(path):
            yield path
        elif depth and path.is_dir() and not path.name.startswith(".") and not is_beside(path.name):
            yield from _images_below(path, depth - 1)

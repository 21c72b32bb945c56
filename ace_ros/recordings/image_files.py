"""Which files of a folder are photographs, and where an image is that a list names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from ace_ros.errors import FrameError
from ace_ros.recordings.left_out import LeftOut
from ace_ros.recordings.listing import natural

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
_CONVERTED = (".heic", ".heif", ".avif")  # not read, and told so one by one
_BESIDE = re.compile(r"(?:^|[._-])(depth|mask|seg|segmentation|semantic|normal|confidence)s?(?=$|[._-]|\d)", re.I)
_COLOUR = re.compile(r"(?:^|[._-])(colou?r|rgb|image|frame)(?=$|[._-]|\d)", re.I)
_MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"RIFF", b"II*\0", b"MM\0*")


def is_image(path: Path) -> bool:
    """Whether a file is an image by its suffix, in any case, or by its content where it has no suffix."""
    if path.name.startswith("."):
        return False
    if suffix := path.suffix.lower():
        return suffix in SUFFIXES or suffix in _CONVERTED
    try:
        with path.open("rb") as file:
            return file.read(8).startswith(_MAGIC)
    except OSError:  # a folder, for one
        return False


def is_beside(stem: str) -> bool:
    """Whether what is called so is a depth image, a mask or such beside photographs, or a folder of them."""
    return bool(_BESIDE.search(stem))


def photographs(folder: Path) -> list[Path]:
    """Images of a folder in the order of their names, without the depth images and masks that lie beside them."""
    if not folder.is_dir():
        return []
    images = sorted((path for path in folder.iterdir() if is_image(path)), key=lambda path: natural(path.name))
    pictures = {_COLOUR.sub("", path.stem) for path in images if not is_beside(path.stem)}

    def lies_beside(stem: str) -> bool:
        return is_beside(stem) and _COLOUR.sub("", _BESIDE.sub("", stem)) in pictures

    return [path for path in images if not lies_beside(path.stem)]


def found_image(folder: Path, name: str) -> Path:
    """The image that a list in ``folder`` names; its suffix may be missing or in another case, and a path of another
    machine is looked for by its end. Where there is none, the path as it is named."""
    named = PurePosixPath(name.replace("\\", "/"))
    path = folder / named
    if _is_elsewhere(named) and not path.is_file():
        ends = ("/".join(named.parts[start:]) for start in range(1, len(named.parts)))
        candidates = (place / end for end in ends for place in (folder, folder / "images"))
        return next((there for one in candidates if (there := _with_suffix(one)).is_file()), path)
    return _with_suffix(path)


def leave_out_missing(images: Sequence[Path], files: Iterable[Path], left_out: LeftOut) -> None:
    """Leave out the frames of which there is a file, a camera's for one, but no image of its name."""
    stems = {image.stem for image in images}
    suffix = images[0].suffix if images else ""
    for file in files:
        if file.stem not in stems:
            left_out.listed["frame"] += 1
            left_out.add(FrameError(file.stem + suffix, "the image is missing"), file.stem + suffix)


def _is_elsewhere(named: PurePosixPath) -> bool:
    return named.is_absolute() or bool(re.match(r"[A-Za-z]:/", str(named)))


def _with_suffix(path: Path) -> Path:
    """The file itself, or one that differs in nothing but its suffix's case, or that it has one."""
    if path.is_file():
        return path
    if path.suffix.lower() in SUFFIXES:
        written = [path.stem + path.suffix.lower(), path.stem + path.suffix.upper()]
    else:
        written = [path.name + case for suffix in SUFFIXES for case in (suffix, suffix.upper())]
    return next((there for name in written if (there := path.with_name(name)).is_file()), path)

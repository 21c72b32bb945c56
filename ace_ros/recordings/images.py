"""Image files and encoded images: decoded as stored, or refused with the reason.

OpenCV fills what is missing of a truncated JPEG with grey and says nothing, so its end is looked for here. The EXIF
orientation is not applied, as cameras are calibrated for the pixels as they are stored, unless the camera is for the
turned ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from ace_ros.errors import FrameError
from ace_ros.image import Pixels

_END = b"\xff\xd9"  # of a JPEG
_TAIL = bytes(range(1, 120))  # what may follow the pixels of a whole JPEG, and would change those of a truncated one
_HEIF = (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftyphevc", b"ftypavif")
_JPEG, _PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
_FLAGS = cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION
_ORIENTATION = 0x0112  # EXIF's tag
_DEPTHS = (8, 10, 12, 14, 16)  # bits of the pixels that cameras give


def read_image(path: Path | str) -> Pixels:
    """Image file as uint8, (H, W) grey or (H, W, 3) RGB; 16 bits are reduced to 8, transparency is dropped.

    Raises:
        FrameError: missing, empty, truncated, not an image, or of a kind that is no photograph (floats).
    """
    return decode_image(read_encoded(path), str(path))


def read_encoded(path: Path | str) -> bytes:
    """Image file as it is.

    Raises:
        FrameError: missing, or not to be read.
    """
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise FrameError(str(path), "the image is missing", "there is no such image") from None
    except OSError as error:
        kind = "the image can't be read"
        raise FrameError(str(path), kind, f"{kind} ({error.strerror})") from None


def decode_image(data: bytes | memoryview | NDArray[np.uint8], where: str) -> Pixels:
    """As :func:`read_image`, from the bytes of a file; ``where`` names it in messages."""
    array = np.frombuffer(data, dtype=np.uint8)
    if not array.size:
        raise FrameError(where, "the image is empty", "the image is empty (0 bytes)")
    content = array.tobytes()
    if content[4:12] in _HEIF:
        raise FrameError(where, "a HEIC or AVIF image, which is not read here: convert it to JPEG (heif-convert)")
    if is_truncated(content):
        kind = "the image is truncated"
        raise FrameError(where, kind, f"{kind} ({len(content)} bytes, its end is missing): copy it again")
    if content.startswith(_JPEG) and not content.endswith(_END):  # OpenCV insists on it
        array = np.frombuffer(content + _END, dtype=np.uint8)
    try:
        image = cv2.imdecode(array, _FLAGS)
    except cv2.error:
        image = None
    if image is None or not image.size:
        kind = "not an image that can be read"
        raise FrameError(where, kind, f"{kind} ({len(content)} bytes): a JPEG or PNG is expected")
    return to_rgb8(image, where)


def to_rgb8(image: NDArray[Any], where: str) -> Pixels:
    """OpenCV's image, (H, W) or (H, W, 1 | 2 | 3 | 4) BGR(A), as uint8 grey or RGB."""
    if image.dtype not in (np.uint8, np.uint16):
        kind = f"pixels of type {image.dtype} are no photograph (depth?): 8 or 16 bits are expected"
        raise FrameError(where, kind)
    if image.ndim == 3:
        image = image[..., 0] if image.shape[2] < 3 else image[..., 2::-1]
    if image.dtype == np.uint16:  # cameras of 10, 12 and 14 bits leave the upper ones empty
        used = int(image.max()).bit_length()
        image = image >> (next(bits for bits in _DEPTHS if used <= bits) - 8)
    return np.ascontiguousarray(image, dtype=np.uint8)


def is_truncated(content: bytes) -> bool:
    """Whether a JPEG or PNG lacks its end."""
    if content.startswith(_PNG):
        return content.rfind(b"IEND") < 0
    if not content.startswith(_JPEG[:2]):
        return False
    for marker, _, end in _segments(content):
        if marker == 0xDA:  # pixels follow: no end of image but the true one can come now
            return content.find(_END, end) < 0 and not _is_whole(content)
    return True


def _is_whole(content: bytes) -> bool:
    """Whether a JPEG lacks its end mark alone, as of some cameras' MJPEG: what follows its pixels changes nothing."""
    one, other = (
        cv2.imdecode(np.frombuffer(content + tail + _END, np.uint8), _FLAGS) for tail in (b"", _TAIL)
    )  # fmt: skip
    return one is not None and other is not None and bool(np.array_equal(one, other))


def _segments(content: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of a JPEG's segments, up to its pixels."""
    position = 2
    while position + 4 <= len(content) and content[position] == 0xFF:
        marker = content[position + 1]
        if marker == 0xFF:  # padding
            position += 1
            continue
        end = position + 2 + int.from_bytes(content[position + 2 : position + 4], "big")
        yield marker, position, end
        position = end


def unturned(content: bytes) -> bytes:
    """A JPEG's bytes, without EXIF where that asks viewers to turn the image; its pixels stay as they are."""
    if orientation(content) == 1:
        return content
    kept, at = [], 0
    for marker, start, end in _segments(content):
        if marker == 0xE1 and content[start + 4 : start + 8] == b"Exif":
            kept.append(content[at:start])
            at = end
    return b"".join(kept) + content[at:]


def orientation(content: bytes | Path) -> int:
    """How a viewer is to turn the image, EXIF's number from 1 (as it is) to 8; 1 where nothing says so."""
    try:
        with PillowImage.open(content if isinstance(content, Path) else BytesIO(content)) as image:
            return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # Pillow raises many kinds; what it can't read of EXIF turns nothing
        return 1


def read_turned(path: Path) -> Pixels:
    """As :func:`read_image`, turned as EXIF says: for cameras that were calibrated so."""
    pixels = read_image(path)
    number = orientation(path)
    if number in (5, 6, 7, 8):
        pixels = np.swapaxes(pixels, 0, 1)
    if number in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if number in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def encoding_of(content: bytes) -> str:
    """``jpeg``, ``png``, or empty for others."""
    return "jpeg" if content.startswith(_JPEG) else "png" if content.startswith(_PNG) else ""


def image_size(file: Path | BytesIO) -> tuple[int, int] | None:
    """Width and height as stored, from the file's header alone; None when it can't be told."""
    try:
        with PillowImage.open(file) as image:
            width, height = image.size
            return int(width), int(height)
    except Exception:  # Pillow raises many kinds; the reason is found when the image is read
        return None

"""The focal length that a photograph's EXIF tells."""

from __future__ import annotations

import math
from pathlib import Path

from PIL import Image as PillowImage

# EXIF's tags: of the part "Exif", the focal length (mm), that on 35 mm film, and pixels per unit on the sensor.
_PART, _FOCAL, _ON_FILM, _RESOLUTION, _UNIT = 0x8769, 0x920A, 0xA405, 0xA20E, 0xA210
_FILM = math.hypot(36.0, 24.0)  # mm, the diagonal by which equivalents are told (CIPA DCG-001)
_MILLIMETRES = {2: 25.4, 3: 10.0}  # of EXIF's units: inch, centimetre


def focal_of(path: Path, width: int, height: int) -> tuple[float, str] | None:
    """Focal length in pixels of the image at this size, and of what it was told; None where EXIF does not tell."""
    try:
        with PillowImage.open(path) as image:
            stored = max(image.size)
            tags = image.getexif().get_ifd(_PART)
            focal, on_film, resolution = (float(tags.get(tag) or 0) for tag in (_FOCAL, _ON_FILM, _RESOLUTION))
            unit = _MILLIMETRES.get(int(tags.get(_UNIT) or 2), 25.4)
    except Exception:  # Pillow raises many kinds; what it can't read of EXIF tells nothing
        return None
    if on_film > 0:
        return on_film / _FILM * math.hypot(width, height), f"{on_film:g} mm on 35 mm film"
    if focal > 0 and resolution > 0:
        pixels = focal / unit * resolution * max(width, height) / stored
        return pixels, f"{focal:g} mm, {resolution:g} pixels in {unit:g} mm"
    return None

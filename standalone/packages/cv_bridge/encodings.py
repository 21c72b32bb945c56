"""What the encodings of sensor_msgs/Image mean, and the colour conversions between them."""

from __future__ import annotations

import re
from typing import NamedTuple

import cv2

_DEPTHS = {
    "8U": "uint8",
    "8S": "int8",
    "16U": "uint16",
    "16S": "int16",
    "32S": "int32",
    "32F": "float32",
    "64F": "float64",
}


class Encoding(NamedTuple):
    family: str  # GRAY, RGB, ..., or "" for bare numbers such as 32FC1
    dtype: str
    channels: int


def _named() -> dict[str, Encoding]:
    named = {"yuv422": Encoding("UYVY", "uint8", 2), "yuv422_yuy2": Encoding("YUY2", "uint8", 2)}
    for bits, dtype in ((8, "uint8"), (16, "uint16")):
        named[f"mono{bits}"] = Encoding("GRAY", dtype, 1)
        for family, channels in (("RGB", 3), ("BGR", 3), ("RGBA", 4), ("BGRA", 4)):
            named[f"{family.lower()}{bits}"] = Encoding(family, dtype, channels)
        for pattern in ("rggb", "bggr", "gbrg", "grbg"):
            named[f"bayer_{pattern}{bits}"] = Encoding(f"BAYER_{pattern}", dtype, 1)
    return named


_NAMED = _named()

# OpenCV names a Bayer pattern after the second row's second and third pixel.
_SOURCES = {
    "UYVY": ("YUV2", "_UYVY"),
    "YUY2": ("YUV2", "_YUY2"),
    "BAYER_rggb": ("BayerBG2", ""),
    "BAYER_bggr": ("BayerRG2", ""),
    "BAYER_gbrg": ("BayerGR2", ""),
    "BAYER_grbg": ("BayerGB2", ""),
}


def parse(encoding: str) -> Encoding:
    """Raises ValueError for an encoding that nobody knows."""
    if encoding in _NAMED:
        return _NAMED[encoding]
    generic = re.fullmatch(r"(8U|8S|16U|16S|32S|32F|64F)(?:C([0-9]+))?", encoding)
    if generic is None:
        raise ValueError(f"Unrecognized image encoding [{encoding}]")
    return Encoding("", _DEPTHS[generic[1]], int(generic[2] or 1))


def conversion(source: Encoding, target: Encoding) -> int | None:
    """OpenCV's code for the change of colours, None where they are the same.

    Raises ValueError where there is none.
    """
    if source.family == target.family:
        return None
    prefix, suffix = _SOURCES.get(source.family, (f"{source.family}2", ""))
    code: int | None = getattr(cv2, f"COLOR_{prefix}{target.family}{suffix}", None)
    if code is None or target.family not in ("GRAY", "RGB", "BGR", "RGBA", "BGRA"):
        raise ValueError(f"Unsupported conversion from [{source.family}] to [{target.family}]")
    if source.family.startswith("BAYER") and target.channels == 4:
        raise ValueError(f"Unsupported conversion from [{source.family}] to [{target.family}]")
    return code

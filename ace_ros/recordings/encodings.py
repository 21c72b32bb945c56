"""Pixels of image messages, in the encodings that cameras' drivers send: the one table, of bags and of nodes.

A message is whatever has the fields of ``sensor_msgs/Image`` or ``sensor_msgs/CompressedImage``, whoever decoded it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ace_ros.errors import FrameError
from ace_ros.image import Pixels
from ace_ros.recordings.images import decode_image, to_rgb8

DEPTH = ("16UC1", "32FC1", "64FC1")  # REP 118


@dataclass(frozen=True)
class Encoding:
    """How pixels lie in a message.

    Attributes:
        channels: values a pixel, interleaved. kind: their type.
        code: OpenCV's, that makes BGR of them; None where they are grey or BGR(A) already.
        chroma: rows of chroma that follow for each row of luma, in bytes a pixel; 0: none do.
    """

    channels: int
    kind: type = np.uint8
    code: int | None = None
    chroma: float = 0.0


def _table() -> dict[str, Encoding]:
    wide = np.uint16
    table = {
        "mono8": Encoding(1), "mono16": Encoding(1, wide), "8UC1": Encoding(1),
        "bgr8": Encoding(3), "bgr16": Encoding(3, wide), "8UC3": Encoding(3), "16UC3": Encoding(3, wide),
        "bgra8": Encoding(4), "bgra16": Encoding(4, wide), "8UC4": Encoding(4), "16UC4": Encoding(4, wide),
        "rgb8": Encoding(3, code=cv2.COLOR_RGB2BGR), "rgb16": Encoding(3, wide, cv2.COLOR_RGB2BGR),
        "rgba8": Encoding(4, code=cv2.COLOR_RGBA2BGR), "rgba16": Encoding(4, wide, cv2.COLOR_RGBA2BGR),
        "yuv422": Encoding(2, code=cv2.COLOR_YUV2BGR_UYVY), "uyvy": Encoding(2, code=cv2.COLOR_YUV2BGR_UYVY),
        "yuv422_yuy2": Encoding(2, code=cv2.COLOR_YUV2BGR_YUY2), "yuyv": Encoding(2, code=cv2.COLOR_YUV2BGR_YUY2),
        "nv12": Encoding(1, code=cv2.COLOR_YUV2BGR_NV12, chroma=0.5),
        "nv21": Encoding(1, code=cv2.COLOR_YUV2BGR_NV21, chroma=0.5),
        "nv24": Encoding(1, chroma=2.0),
    }  # fmt: skip
    # OpenCV names a pattern by its second row; names by the first came with 4.5.5.
    bayer = {"rggb": cv2.COLOR_BayerBG2BGR, "bggr": cv2.COLOR_BayerRG2BGR,
             "gbrg": cv2.COLOR_BayerGR2BGR, "grbg": cv2.COLOR_BayerGB2BGR}  # fmt: skip
    for pattern, code in bayer.items():
        table[f"bayer_{pattern}8"] = Encoding(1, code=code)
        table[f"bayer_{pattern}16"] = Encoding(1, wide, code)
    return table


ENCODINGS = _table()


def decode_raw(message: Any, where: str) -> Pixels:
    """Pixels of a ``sensor_msgs/Image``, uint8, (H, W) or (H, W, 3) RGB.

    Raises:
        FrameError: empty, truncated, or of an encoding that is no photograph or not known.
    """
    if message.encoding in DEPTH:
        raise FrameError(where, f"images of encoding '{message.encoding}' are depth, no photographs")
    encoding = ENCODINGS.get(message.encoding)
    if encoding is None:
        kind = f"images of encoding '{message.encoding}' can't be used ({', '.join(ENCODINGS)} can)"
        raise FrameError(where, kind)
    height, width = int(message.height), int(message.width)
    row = width * encoding.channels * np.dtype(encoding.kind).itemsize
    if not row or not height:
        raise FrameError(where, "the image is empty", f"the image is empty ({width} x {height})")
    step = int(message.step) or row
    data = np.frombuffer(message.data, np.uint8)
    needed = step * (height - 1) + row + int(encoding.chroma * step * height) - (step - row if encoding.chroma else 0)
    if step < row or len(data) < needed:
        detail = f"the image is truncated: {len(data)} bytes for {height} rows of {step} bytes"
        raise FrameError(where, "the image is truncated", detail)
    if encoding.chroma:
        return to_rgb8(_planes(data, encoding, height, width, step), where)
    pixels = np.lib.stride_tricks.as_strided(data, (height, row), (step, 1))
    order = np.dtype(encoding.kind).newbyteorder(">" if message.is_bigendian else "<")
    typed: NDArray[Any] = np.ascontiguousarray(pixels).view(order).astype(encoding.kind).reshape(height, width, -1)
    return to_rgb8(typed if encoding.code is None else cv2.cvtColor(typed, encoding.code), where)


def _planes(data: NDArray[np.uint8], encoding: Encoding, height: int, width: int, step: int) -> NDArray[np.uint8]:
    """BGR of a plane of luma and one of chroma, interleaved, at half (NV12, NV21) or the same resolution (NV24)."""
    luma = np.lib.stride_tricks.as_strided(data, (height, width), (step, 1))
    rest = data[step * height :]
    if encoding.code is not None:
        chroma = np.lib.stride_tricks.as_strided(rest, (height // 2, width), (step, 1))
        return np.asarray(cv2.cvtColor(np.vstack([luma, chroma]), encoding.code), np.uint8)
    both = np.lib.stride_tricks.as_strided(rest, (height, width, 2), (2 * step, 2, 1))
    swapped = np.dstack([luma, both[..., 1], both[..., 0]])  # OpenCV has Cr before Cb
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(swapped), cv2.COLOR_YCrCb2BGR), np.uint8)


def decode_compressed(message: Any, where: str) -> Pixels:
    """Pixels of a ``sensor_msgs/CompressedImage``: JPEG, PNG and others; raises as :func:`decode_raw`."""
    if is_compressed_depth(message):
        raise FrameError(where, "images of format 'compressedDepth' are depth, no photographs")
    return decode_image(message.data, where)


def is_compressed_depth(message: Any, topic: str = "") -> bool:
    """Whether a CompressedImage holds depth."""
    return "compresseddepth" in (topic + str(message.format)).lower().replace(" ", "")

"""Image messages to arrays and back."""

from __future__ import annotations

import array
import sys
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image

from cv_bridge.encodings import Encoding, conversion, parse

_NAMES = {"uint8": "8U", "int8": "8S", "uint16": "16U", "int16": "16S", "int32": "32S", "float32": "32F"}


class CvBridgeError(TypeError):
    """A conversion that can't be done."""


class CvBridge:
    def imgmsg_to_cv2(self, img_msg: Image, desired_encoding: str = "passthrough") -> NDArray[Any]:
        """The image as an array (H, W) or (H, W, C), which may share the memory of the message.

        As with the real one, a step that is too short gives a narrower image: check the shape.

        Raises:
            CvBridgeError: an unknown encoding, or a conversion that makes no sense.
            TypeError: fewer bytes than the message claims.
        """
        source = _parse(img_msg.encoding)
        dtype = np.dtype(source.dtype).newbyteorder(">" if img_msg.is_bigendian else "<")
        columns = img_msg.step // dtype.itemsize // source.channels
        shape = (img_msg.height, columns, source.channels)
        padded: NDArray[Any] = np.ndarray(shape, dtype, buffer=img_msg.data)  # too small a buffer is a TypeError
        image = np.ascontiguousarray(padded[:, : img_msg.width], dtype.newbyteorder("="))
        if source.channels == 1:
            image = image[..., 0]
        return _convert(image, source, img_msg.encoding, desired_encoding)

    def compressed_imgmsg_to_cv2(
        self, cmprs_img_msg: CompressedImage, desired_encoding: str = "passthrough"
    ) -> NDArray[Any] | None:
        """The image as OpenCV decodes it (colours in the order BGR), or converted from that.

        ``passthrough`` gives None for data that can't be decoded.

        Raises:
            CvBridgeError: a conversion that can't be done; of a grey image to mono8 as well, as it is taken for bgr8.
        """
        data = np.frombuffer(cmprs_img_msg.data, np.uint8)
        image: NDArray[Any] | None = None
        if data.size:
            image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
        if desired_encoding == "passthrough":
            return image
        if image is None:
            raise CvBridgeError("The image can't be decoded")
        return _convert(image, _parse("bgr8"), "bgr8", desired_encoding)

    def cv2_to_imgmsg(self, cvim: NDArray[Any], encoding: str = "passthrough", header: Any = None) -> Image:
        """The array as a message; ``passthrough`` names the numbers alone, such as 8UC3.

        Raises:
            CvBridgeError: the array is not of the type that the encoding asks for.
        """
        if not isinstance(cvim, np.ndarray | np.generic):
            raise TypeError("Your input type is not a numpy array")
        actual = Encoding("", cvim.dtype.name, 1 if cvim.ndim < 3 else cvim.shape[2])
        name = f"{_NAMES.get(actual.dtype, '64F')}C{actual.channels}"
        if encoding != "passthrough":
            wanted = _parse(encoding)
            if wanted[1:] != actual[1:]:
                raise CvBridgeError(f"encoding specified as {encoding}, but image has incompatible type {name}")
        msg = Image()
        if header is not None:
            msg.header = header
        msg.height, msg.width = cvim.shape[:2]
        msg.encoding = name if encoding == "passthrough" else encoding
        msg.is_bigendian = int(cvim.dtype.byteorder == ">" or (cvim.dtype.byteorder == "=" and sys.byteorder == "big"))
        msg.data = array.array("B", cvim.tobytes())
        msg.step = len(msg.data) // msg.height
        return msg

    def cv2_to_compressed_imgmsg(self, cvim: NDArray[Any], dst_format: str = "jpg") -> CompressedImage:
        if not isinstance(cvim, np.ndarray | np.generic):
            raise TypeError("Your input type is not a numpy array")
        try:
            _, encoded = cv2.imencode(f".{dst_format}", cvim)
        except cv2.error as error:
            raise CvBridgeError(error) from error
        return CompressedImage(format=dst_format, data=array.array("B", encoded.tobytes()))


def _parse(encoding: str) -> Encoding:
    try:
        return parse(encoding)
    except ValueError as error:
        raise CvBridgeError(error) from error


def _convert(image: NDArray[Any], source: Encoding, source_name: str, target_name: str) -> NDArray[Any]:
    if target_name in ("passthrough", source_name):
        return image
    target = _parse(target_name)
    if not source.family or not target.family:
        if source.family != target.family and not source.family:
            raise CvBridgeError(
                f"[{source_name}] is not a color format. but [{target_name}] is. The conversion does not make sense"
            )
        if source.channels != target.channels:
            raise CvBridgeError(f"[{source_name}] and [{target_name}] do not have the same number of channel")
        return image.astype(target.dtype)
    try:
        code = conversion(source, target)
        converted = image if code is None else np.asarray(cv2.cvtColor(image, code))
    except (ValueError, cv2.error) as error:
        raise CvBridgeError(error) from error
    return _scaled(converted, target.dtype)


def _scaled(image: NDArray[Any], dtype: str) -> NDArray[Any]:
    """8 bits to 16 and back keep black and white where they are."""
    if image.dtype == dtype:
        return image
    factor = 257.0 if dtype == "uint16" else 1 / 257.0
    return np.asarray(np.rint(image * factor), dtype=dtype)

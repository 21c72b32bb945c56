"""What we rely on in cv_bridge: passes on the stand-in and, unchanged, on the real one."""

import array

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")

from cv_bridge import CvBridge, CvBridgeError
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

BRIDGE = CvBridge()
HEIGHT, WIDTH = 12, 16
RED, GREEN, BLUE = 200, 100, 50


def picture(channels, dtype=np.uint8):
    shape = (HEIGHT, WIDTH) if channels == 1 else (HEIGHT, WIDTH, channels)
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def as_message(pixels, encoding, padding=0):
    rows = np.ascontiguousarray(pixels).reshape(pixels.shape[0], -1).view(np.uint8)
    rows = np.pad(rows, ((0, 0), (0, padding)), constant_values=77)
    return Image(
        height=pixels.shape[0],
        width=pixels.shape[1],
        encoding=encoding,
        step=rows.shape[1],
        data=array.array("B", rows.tobytes()),
    )


@pytest.mark.parametrize("padding", [0, 24])
@pytest.mark.parametrize(
    ("encoding", "channels", "dtype"),
    [
        ("mono8", 1, np.uint8),
        ("mono16", 1, np.uint16),
        ("16UC1", 1, np.uint16),
        ("bgr8", 3, np.uint8),
        ("rgb8", 3, np.uint8),
        ("8UC3", 3, np.uint8),
        ("bgra8", 4, np.uint8),
        ("rgba8", 4, np.uint8),
        ("bgr16", 3, np.uint16),
        ("bayer_rggb8", 1, np.uint8),
        ("yuv422", 2, np.uint8),
    ],
)
def test_pixels_pass_through(encoding, channels, dtype, padding):
    pixels = picture(channels, dtype)
    image = BRIDGE.imgmsg_to_cv2(as_message(pixels, encoding, padding))
    assert image.dtype == dtype
    np.testing.assert_array_equal(image, pixels)


def test_colour_orders():
    bgr = picture(3)
    rgb = bgr[..., ::-1]
    alpha = np.full((HEIGHT, WIDTH, 1), 9, np.uint8)
    for encoding, pixels in {
        "bgr8": bgr,
        "rgb8": rgb,
        "bgra8": np.concatenate([bgr, alpha], axis=2),
        "rgba8": np.concatenate([rgb, alpha], axis=2),
    }.items():
        message = as_message(pixels, encoding)
        np.testing.assert_array_equal(BRIDGE.imgmsg_to_cv2(message, "bgr8"), bgr)
        np.testing.assert_array_equal(BRIDGE.imgmsg_to_cv2(message, "rgb8"), rgb)


def test_grey():
    grey = picture(1)
    for target in ("bgr8", "rgb8"):
        colour = BRIDGE.imgmsg_to_cv2(as_message(grey, "mono8"), target)
        np.testing.assert_array_equal(colour, np.repeat(grey[..., None], 3, axis=2))
    rgb = picture(3)
    weighted = rgb @ np.array([0.299, 0.587, 0.114])
    converted = BRIDGE.imgmsg_to_cv2(as_message(rgb, "rgb8"), "mono8")
    assert np.abs(converted.astype(float) - weighted).max() <= 1


def test_sixteen_bits_to_eight_and_back():
    wide = np.array([[0, 257, 128 * 257, 65535]], np.uint16)
    narrow = np.array([[0, 1, 128, 255]], np.uint8)
    np.testing.assert_array_equal(BRIDGE.imgmsg_to_cv2(as_message(wide, "mono16"), "mono8"), narrow)
    np.testing.assert_array_equal(BRIDGE.imgmsg_to_cv2(as_message(narrow, "mono8"), "mono16"), wide)


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
def test_bayer(pattern):
    mosaic = np.empty((HEIGHT, WIDTH), np.uint8)
    for place, letter in enumerate(pattern):
        mosaic[place // 2 :: 2, place % 2 :: 2] = {"r": RED, "g": GREEN, "b": BLUE}[letter]
    image = BRIDGE.imgmsg_to_cv2(as_message(mosaic, f"bayer_{pattern}8"), "rgb8")
    np.testing.assert_array_equal(image[2:-2, 2:-2], np.broadcast_to([RED, GREEN, BLUE], (HEIGHT - 4, WIDTH - 4, 3)))


def test_yuv422():
    """U Y V Y: chroma of 128 is grey; and a strong V is red."""
    pixels = np.full((HEIGHT, WIDTH, 2), 128, np.uint8)
    grey = BRIDGE.imgmsg_to_cv2(as_message(pixels, "yuv422"), "rgb8").astype(int)
    assert np.ptp(grey) <= 2 and abs(grey.mean() - (128 - 16) * 255 / 219) < 2
    pixels[:, 1::2, 0] = 220
    red, green, blue = BRIDGE.imgmsg_to_cv2(as_message(pixels, "yuv422"), "rgb8")[0, 0]
    assert red > blue > green


@pytest.mark.parametrize(
    ("encoding", "target"),
    [("16UC1", "mono8"), ("32FC1", "bgr8"), ("bgr8", "32FC1"), ("mono8", "bayer_rggb8"), ("bgr8", "nonsense")],
)
def test_conversions_that_make_no_sense(encoding, target):
    pixels = picture(3) if encoding == "bgr8" else picture(1, np.uint16 if encoding == "16UC1" else np.uint8)
    if encoding == "32FC1":
        pixels = pixels.astype(np.float32)
    with pytest.raises(CvBridgeError):
        BRIDGE.imgmsg_to_cv2(as_message(pixels, encoding), target)


def test_an_unknown_encoding_and_missing_bytes():
    assert issubclass(CvBridgeError, TypeError)
    message = as_message(picture(3), "bgr8")
    message.encoding = "purple8"
    with pytest.raises(CvBridgeError):
        BRIDGE.imgmsg_to_cv2(message, "bgr8")
    message = as_message(picture(3), "bgr8")
    message.data = message.data[:-1]
    with pytest.raises(TypeError):
        BRIDGE.imgmsg_to_cv2(message, "bgr8")


@pytest.mark.parametrize(
    ("encoding", "channels", "dtype"),
    [("mono8", 1, "uint8"), ("bgr8", 3, "uint8"), ("rgb8", 3, "uint8"), ("16UC1", 1, "uint16")],
)
def test_to_a_message_and_back(encoding, channels, dtype):
    pixels = picture(channels, np.dtype(dtype))
    header = Header(frame_id="camera")
    message = BRIDGE.cv2_to_imgmsg(pixels, encoding, header)
    assert (message.height, message.width, message.encoding) == (HEIGHT, WIDTH, encoding)
    assert message.step == WIDTH * channels * pixels.itemsize
    assert message.header.frame_id == "camera"
    assert not message.is_bigendian
    np.testing.assert_array_equal(BRIDGE.imgmsg_to_cv2(message), pixels)


def test_to_a_message_of_bare_numbers():
    assert BRIDGE.cv2_to_imgmsg(picture(3)).encoding == "8UC3"
    assert BRIDGE.cv2_to_imgmsg(picture(1).astype(np.float32)).encoding == "32FC1"
    with pytest.raises(CvBridgeError):
        BRIDGE.cv2_to_imgmsg(picture(3), "mono8")
    with pytest.raises(TypeError):
        BRIDGE.cv2_to_imgmsg([[1, 2], [3, 4]], "mono8")


def compressed(pixels, extension):
    encoded = cv2.imencode(extension, pixels)[1]
    return CompressedImage(format=extension.strip("."), data=array.array("B", encoded.tobytes()))


def test_compressed_images():
    bgr = picture(3)
    message = compressed(bgr, ".png")
    np.testing.assert_array_equal(BRIDGE.compressed_imgmsg_to_cv2(message), bgr)
    np.testing.assert_array_equal(BRIDGE.compressed_imgmsg_to_cv2(message, "rgb8"), bgr[..., ::-1])
    grey = BRIDGE.compressed_imgmsg_to_cv2(compressed(picture(1), ".png"))
    np.testing.assert_array_equal(grey, picture(1))
    jpeg = BRIDGE.cv2_to_compressed_imgmsg(np.full((HEIGHT, WIDTH, 3), 90, np.uint8))
    assert abs(int(BRIDGE.compressed_imgmsg_to_cv2(jpeg).mean()) - 90) <= 1


def test_compressed_bytes_that_are_no_image():
    broken = CompressedImage(format="jpeg", data=array.array("B", b"not an image at all"))
    assert BRIDGE.compressed_imgmsg_to_cv2(broken) is None


def test_a_compressed_grey_image_is_taken_for_bgr8():
    """So ask for passthrough and look at the shape."""
    grey = picture(1)
    message = compressed(grey, ".png")
    np.testing.assert_array_equal(BRIDGE.compressed_imgmsg_to_cv2(message, "bgr8"), grey)
    np.testing.assert_array_equal(BRIDGE.compressed_imgmsg_to_cv2(message, "rgb8")[..., 1], grey)
    with pytest.raises(CvBridgeError):
        BRIDGE.compressed_imgmsg_to_cv2(message, "mono8")

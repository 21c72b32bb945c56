"""Image messages in every encoding that drivers send, by one colour of which all know what it is."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from ace_ros.errors import InputError
from ace_ros.recordings.encodings import ENCODINGS, decode_compressed, decode_raw

HEIGHT, WIDTH = 12, 16
RED, GREEN, BLUE = 200, 100, 50
# BT.601 as video has it (16 to 235), and in full range
Y, U, V = (round(value) for value in (
    16 + 0.257 * RED + 0.504 * GREEN + 0.098 * BLUE,
    128 - 0.148 * RED - 0.291 * GREEN + 0.439 * BLUE,
    128 + 0.439 * RED - 0.368 * GREEN - 0.071 * BLUE,
))  # fmt: skip
FULL = [int(value) for value in cv2.cvtColor(np.array([[[BLUE, GREEN, RED]]], np.uint8), cv2.COLOR_BGR2YCrCb)[0, 0]]


def plain(*values, kind=np.uint8):
    return np.broadcast_to(np.array(values, kind), (HEIGHT, WIDTH, len(values)))


def mosaic(pattern, kind=np.uint8):
    made = np.empty((HEIGHT, WIDTH), kind)
    for place, letter in enumerate(pattern):
        made[place // 2 :: 2, place % 2 :: 2] = {"r": RED, "g": GREEN, "b": BLUE}[letter]
    return made * np.array(256 if kind == np.uint16 else 1, kind)


def pairs(first, second):
    return np.broadcast_to(np.array([first, second], np.uint8).reshape(1, -1), (HEIGHT, 2 * WIDTH // 2)).copy()


def wide(*values):
    return plain(*(256 * value for value in values), kind=np.uint16)


MESSAGES = {
    "rgb8": plain(RED, GREEN, BLUE), "bgr8": plain(BLUE, GREEN, RED), "8UC3": plain(BLUE, GREEN, RED),
    "rgba8": plain(RED, GREEN, BLUE, 9), "bgra8": plain(BLUE, GREEN, RED, 9), "8UC4": plain(BLUE, GREEN, RED, 9),
    "rgb16": wide(RED, GREEN, BLUE), "bgr16": wide(BLUE, GREEN, RED), "16UC3": wide(BLUE, GREEN, RED),
    "rgba16": wide(RED, GREEN, BLUE, 9), "bgra16": wide(BLUE, GREEN, RED, 9), "16UC4": wide(BLUE, GREEN, RED, 9),
    "mono8": plain(GREEN), "8UC1": plain(GREEN), "mono16": wide(GREEN),
    **{name: np.tile(np.array([U, Y, V, Y], np.uint8), (HEIGHT, WIDTH // 2)) for name in ("yuv422", "uyvy")},
    **{name: np.tile(np.array([Y, U, Y, V], np.uint8), (HEIGHT, WIDTH // 2)) for name in ("yuv422_yuy2", "yuyv")},
    "nv12": np.vstack([np.full((HEIGHT, WIDTH), Y), np.tile([U, V], (HEIGHT // 2, WIDTH // 2))]).astype(np.uint8),
    "nv21": np.vstack([np.full((HEIGHT, WIDTH), Y), np.tile([V, U], (HEIGHT // 2, WIDTH // 2))]).astype(np.uint8),
    "nv24": np.vstack([np.full((HEIGHT, WIDTH), FULL[0]),
                       np.tile([FULL[2], FULL[1]], (HEIGHT, WIDTH)).reshape(2 * HEIGHT, WIDTH)]).astype(np.uint8),
    **{f"bayer_{p}8": mosaic(p) for p in ("rggb", "bggr", "gbrg", "grbg")},
    **{f"bayer_{p}16": mosaic(p, np.uint16) for p in ("rggb", "bggr", "gbrg", "grbg")},
}  # fmt: skip


def message(pixels, encoding, padding=0, big=0):
    if big:
        pixels = pixels.astype(pixels.dtype.newbyteorder(">"))
    rows = np.ascontiguousarray(pixels).reshape(len(pixels), -1).view(np.uint8)
    rows = np.pad(rows, ((0, 0), (0, padding)), constant_values=77)
    return SimpleNamespace(
        height=HEIGHT, width=WIDTH, encoding=encoding, is_bigendian=big, step=rows.shape[1], data=rows.tobytes()
    )


def test_all_are_tried():
    assert set(MESSAGES) == set(ENCODINGS)


@pytest.mark.parametrize("padding", [0, 6])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_each_encoding_gives_the_colour_that_was_sent(encoding, padding):
    if encoding == "nv24" and padding:
        pytest.skip("how chroma is padded nobody says")
    pixels = decode_raw(message(MESSAGES[encoding], encoding, padding), "image")
    grey = "mono" in encoding or encoding == "8UC1"
    assert pixels.shape == ((HEIGHT, WIDTH) if grey else (HEIGHT, WIDTH, 3)) and pixels.dtype == np.uint8
    inner = pixels[2:-2, 2:-2].astype(int)
    tolerance = 3 if encoding[:2] in ("yu", "uy", "nv") else 0
    assert np.abs(inner - (GREEN if grey else (RED, GREEN, BLUE))).max() <= tolerance


@pytest.mark.parametrize("encoding", ["mono16", "rgb16", "bayer_rggb16"])
def test_bytes_in_the_other_order(encoding):
    plainly = decode_raw(message(MESSAGES[encoding], encoding), "image")
    np.testing.assert_array_equal(decode_raw(message(MESSAGES[encoding], encoding, big=1), "image"), plainly)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_messages_that_are_cut_short_or_empty(encoding):
    whole = message(MESSAGES[encoding], encoding)
    whole.data = whole.data[:-8]
    with pytest.raises(InputError, match="image: the image is truncated"):
        decode_raw(whole, "image")
    whole.height = 0
    with pytest.raises(InputError, match="the image is empty"):
        decode_raw(whole, "image")


@pytest.mark.parametrize(
    ("encoding", "said"),
    [("16UC1", "are depth, no photographs"), ("32FC1", "are depth"), ("mono7", r"'mono7' can't be used \(mono8, ")],
)
def test_what_is_no_photograph(encoding, said):
    with pytest.raises(InputError, match=said):
        decode_raw(message(MESSAGES["mono16"], encoding), "image")


def test_compressed_depth_is_refused_as_depth():
    data = cv2.imencode(".png", mosaic("rggb"))[1].tobytes()
    with pytest.raises(InputError, match="'compressedDepth' are depth"):
        decode_compressed(SimpleNamespace(format="16UC1; compressedDepth png", data=data), "image")
    assert decode_compressed(SimpleNamespace(format="mono8; png compressed ", data=data), "image").shape == (12, 16)

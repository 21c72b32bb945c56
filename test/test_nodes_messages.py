"""Messages on their way into the library: pixels of every encoding; and a cloud on its way out."""

import array
import io

import cv2
import numpy as np
import pytest
from drive import raw_image
from PIL import Image as PillowImage
from sensor_msgs.msg import CompressedImage

from ace_ros.camera import Camera
from ace_ros.errors import InputError
from ace_ros.localization.state import Reason
from ace_ros.map.mapped_frames import pixel_digest
from ace_ros.msg import LocalizationStatus, MappingStatus
from ace_ros.nodes.conversions import decode
from ace_ros.nodes.localization_report import REASONS
from ace_ros.nodes.map_cloud import cloud_message
from ace_ros.nodes.mapping_report import STATES
from ace_ros.online.mapping_session import MappingState
from ace_ros.online.reasons import OnlineReason
from ace_ros.recordings.bag_images import COMPRESSED, RAW, decode_message
from ace_ros.recordings.encodings import ENCODINGS

CAMERA = Camera(32, 24, 30.0, 30.0, 15.5, 11.5)
COLOUR = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
GREY = COLOUR[..., 0]


def message(pixels, encoding):
    found = raw_image(pixels, 0)
    found.encoding, found.step = encoding, pixels.nbytes // max(pixels.shape[0], 1)
    return found


def compressed(data):
    return CompressedImage(format="whatever", data=array.array("B", data))


def encoded(pixels, kind, exif=None):
    file = io.BytesIO()
    PillowImage.fromarray(pixels).save(file, kind, **({"exif": exif} if exif else {}))
    return file.getvalue()


@pytest.mark.parametrize(
    ("pixels", "encoding", "expected"),
    [
        (COLOUR, "rgb8", COLOUR),
        (np.ascontiguousarray(COLOUR[..., ::-1]), "bgr8", COLOUR),
        (np.ascontiguousarray(COLOUR[..., ::-1]), "8UC3", COLOUR),
        (GREY, "mono8", GREY),
        (GREY, "8UC1", GREY),
        (GREY.astype(np.uint16) << 4, "mono16", GREY),  # 12 bits of 16 are used, as most such cameras do
        (GREY.astype(np.uint16) << 8, "mono16", GREY),
        (COLOUR.astype(np.uint16) << 8, "rgb16", COLOUR),
    ],
)
def test_raw_images_of_every_kind(pixels, encoding, expected):
    assert np.array_equal(decode(message(pixels, encoding), CAMERA), expected)


@pytest.mark.parametrize("encoding", sorted(ENCODINGS))
def test_nodes_and_readers_of_bags_see_the_same_pixels(encoding):
    """By their pixels a map that a node made knows the frames of the bag again."""
    one = ENCODINGS[encoding]
    rows = 24 + round(24 * one.chroma)
    pixels = np.random.default_rng(1).integers(
        0, np.iinfo(one.kind).max, (rows, 32, one.channels), one.kind, endpoint=True
    )
    raw = message(pixels, encoding)
    raw.height, raw.step = 24, 32 * one.channels * np.dtype(one.kind).itemsize
    assert pixel_digest(decode(raw, CAMERA)) == pixel_digest(decode_message(raw, RAW, "bag"))
    jpeg = compressed(encoded(COLOUR, "JPEG"))
    assert pixel_digest(decode(jpeg, CAMERA)) == pixel_digest(decode_message(jpeg, COMPRESSED, "bag"))


def test_compressed_images_are_taken_as_they_are_stored():
    assert np.array_equal(decode(compressed(encoded(COLOUR, "PNG")), CAMERA), COLOUR)
    assert np.array_equal(decode(compressed(encoded(GREY, "PNG")), CAMERA), GREY)
    dark = cv2.imencode(".png", GREY.astype(np.uint16) << 2)[1].tobytes()  # 10 bits
    assert np.array_equal(decode(compressed(dark), CAMERA), GREY)
    exif = PillowImage.Exif()
    exif[0x0112] = 6  # "turn me"
    turned, plain = (decode(compressed(encoded(COLOUR, "JPEG", tag)), CAMERA) for tag in (exif, None))
    assert np.array_equal(turned, plain)  # the camera is calibrated for the pixels as they are


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (compressed(b""), "empty"),
        (compressed(encoded(COLOUR, "JPEG")[:-200]), "truncated"),
        (compressed(encoded(COLOUR, "PNG")[:-20]), "truncated"),
        (compressed(b"no image at all"), "not an image"),
        (compressed(encoded(COLOUR[:20], "PNG")), "32 x 20"),
        (message(GREY.astype(np.float32), "32FC1"), "are depth"),
        (message(GREY.astype(np.uint16), "16UC1"), "are depth"),  # millimetres of depth
        (message(GREY, "mono7"), "encoding 'mono7' can't be used"),
        (message(COLOUR[:0], "rgb8"), "empty"),
    ],
)
def test_what_is_no_picture_is_told(broken, words):
    with pytest.raises(InputError, match=words):
        decode(broken, CAMERA)


def test_a_cloud_is_packed_as_rviz_reads_it():
    points = np.array([[1.0, 2.0, 3.0], [-4.0, 0.5, 0.0]])
    cloud = cloud_message(points, np.array([[255, 16, 1], [0, 128, 255]], np.uint8))
    assert (cloud.width, cloud.height, cloud.point_step, cloud.row_step) == (2, 1, 16, 32)
    assert [(f.name, f.offset, f.datatype, f.count) for f in cloud.fields] == [
        ("x", 0, 7, 1), ("y", 4, 7, 1), ("z", 8, 7, 1), ("rgb", 12, 7, 1),
    ]  # fmt: skip
    assert np.allclose(np.frombuffer(cloud.data, "<f4").reshape(2, 4)[:, :3], points)
    assert np.frombuffer(cloud.data, "<u4").reshape(2, 4)[:, 3].tolist() == [0xFF1001, 0x0080FF]
    assert cloud_message(np.zeros((0, 3)), np.zeros((0, 3), np.uint8)).width == 0


def constants(message, prefix):
    return sorted(getattr(message, name) for name in dir(message) if name.startswith(prefix))


def test_every_reason_and_state_has_its_code():
    assert set(REASONS) == {*Reason, *OnlineReason}
    assert sorted(REASONS.values()) == constants(LocalizationStatus, "REASON_")
    assert set(STATES) == set(MappingState)
    assert sorted(STATES.values()) == constants(MappingStatus, "STATE_")

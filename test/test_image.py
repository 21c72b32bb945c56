"""An image and its camera belong together, or are refused."""

import numpy as np
import pytest

from ace_ros.camera import Camera
from ace_ros.errors import InputError
from ace_ros.image import Image, check_size

CAMERA = Camera(64, 48, 60.0, 60.0, 32.0, 24.0)


@pytest.mark.parametrize("shape", [(48, 64), (48, 64, 3)])
def test_grey_and_colour_of_the_cameras_size(shape):
    pixels = np.zeros(shape, np.uint8)
    image = Image(pixels, CAMERA)
    assert image.pixels is pixels and image.camera is CAMERA and image.name == "image"


@pytest.mark.parametrize(
    ("pixels", "said"),
    [
        (np.zeros((64, 48), np.uint8), "a.png: the image is 48 x 64, its camera 64 x 48"),
        (np.zeros((24, 32, 3), np.uint8), "a.png: the image is 32 x 24, its camera 64 x 48"),
        (np.zeros((48, 64, 4), np.uint8), r"a.png: .* uint8 of shape \(48, 64, 4\)"),
        (np.zeros((48, 64, 1), np.uint8), r"shape \(48, 64, 1\)"),
        (np.zeros(64, np.uint8), r"shape \(64,\)"),
        (np.zeros((48, 64), np.float32), "it is float32"),
        ([[0, 1]], "a NumPy array of pixels, got list"),
    ],
)
def test_what_does_not_fit_is_told(pixels, said):
    with pytest.raises(InputError, match=said):
        Image(pixels, CAMERA, "a.png")


def test_a_size_is_checked_before_there_are_pixels():
    check_size(64, 48, CAMERA)
    with pytest.raises(InputError, match="image: the image is 64 x 47"):
        check_size(64, 47, CAMERA)

"""Pictures of single frames: what was seen, what was predicted, and how well the two meet."""

from __future__ import annotations

import cv2
import numpy as np

from ace_ros.geometry import invert, transform
from ace_ros.image import Image, Pixels
from ace_ros.localization.answer import Localization
from ace_ros.localization.localizer import Localizer
from ace_ros.recordings.posed_frame import PosedFrame, evenly
from ace_ros.visual.drawing import GREEN, RED, YELLOW, between, dot, in_colour, line

# Set by hand, for looks and for the size of a page with twenty of them.
_WIDTH = 480  # pixels
_OUTLIERS = 150  # more only hide the image
_DOT = 2.0  # pixels
_QUALITY = 78  # of the JPEGs


def picture(localizer: Localizer, frame: PosedFrame) -> bytes:
    """A JPEG of the frame with :func:`draw` on it.

    Raises:
        InputError: the image can't be read.
    """
    image = frame.image()
    drawn = draw(image, localizer.localize(image.pixels, image.camera))
    _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return jpeg.tobytes()


def draw(image: Image, found: Localization, width: int = _WIDTH) -> Pixels:
    """The image, ``width`` pixels wide, with each pixel that was looked at and a line to where its point projects.

    Inliers from green (no error) to yellow (the worst of them), some of the outliers in red.
    """
    camera = image.camera
    scale = width / camera.width
    size = width, round(camera.height * scale)
    canvas = in_colour(np.asarray(cv2.resize(image.pixels, size, interpolation=cv2.INTER_AREA), np.uint8))
    if found.map_from_camera is None or not len(found.pixels):
        return canvas
    predicted = camera.project(transform(invert(found.map_from_camera), found.scene_coordinates))
    offsets = np.linalg.norm(predicted - found.pixels, axis=1)
    worst = max(1.0, float(np.nanmax(offsets[found.inlier_mask], initial=1.0)))
    for index in evenly(np.flatnonzero(~found.inlier_mask & np.isfinite(offsets)).tolist(), _OUTLIERS):
        dot(canvas, found.pixels[index] * scale, RED, _DOT)
    for index in np.flatnonzero(found.inlier_mask & np.isfinite(offsets)):
        colour = between(GREEN, YELLOW, min(1.0, offsets[index] / worst))
        dot(canvas, found.pixels[index] * scale, colour, _DOT)
        line(canvas, found.pixels[index] * scale, predicted[index] * scale, colour)
    return canvas

"""Pictures of single frames: what was seen, what was predicted, and how well the two meet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from ace_ros.camera import Camera
from ace_ros.geometry import invert, transform
from ace_ros.recordings.posed_frame import Image, PosedFrame

if TYPE_CHECKING:
    from ace_ros.localization.localizer import Localization, Localizer

_WIDTH = 480
_OUTLIERS = 150  # more only hide the image


def picture(localizer: Localizer, frame: PosedFrame) -> bytes:
    """A JPEG of the frame with :func:`draw` on it.

    Raises:
        InputError: the image can't be read.
    """
    image = frame.read()
    found = localizer.localize(image, frame.camera)
    drawn = draw(image, frame.camera, found)
    _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 78])
    return jpeg.tobytes()


def draw(image: Image, camera: Camera, found: Localization, width: int = _WIDTH) -> Image:
    """The image, ``width`` pixels wide, with each pixel that was looked at and a line to where its point projects.

    Inliers from green (no error) to yellow (the worst of them), some of the outliers in red.
    """
    height = round(image.shape[0] * width / image.shape[1])
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    canvas: Image = cv2.cvtColor(small, cv2.COLOR_GRAY2RGB) if small.ndim == 2 else small.copy()
    if found.map_from_camera is None or not len(found.pixels):
        return canvas
    predicted = camera.project(transform(invert(found.map_from_camera), found.scene_coordinates))
    offsets = np.linalg.norm(predicted - found.pixels, axis=1)
    worst = max(1.0, float(np.nanmax(offsets[found.inlier_mask], initial=1.0)))
    scale = width / image.shape[1]
    outliers = np.flatnonzero(~found.inlier_mask & np.isfinite(offsets))
    for index in outliers[:: max(1, len(outliers) // _OUTLIERS)]:
        _mark(canvas, found.pixels[index] * scale, None, (214, 60, 70))
    for index in np.flatnonzero(found.inlier_mask & np.isfinite(offsets)):
        share = min(1.0, offsets[index] / worst)
        colour = (round(40 + 215 * share), 220, 90)
        _mark(canvas, found.pixels[index] * scale, predicted[index] * scale, colour)
    return canvas


def _mark(canvas: Image, at: NDArray[np.float64], to: NDArray[np.float64] | None, colour: tuple[int, int, int]) -> None:
    shift = 3  # fractional bits of the coordinates
    centre = tuple(int(v) for v in np.rint(at * 2**shift))
    cv2.circle(canvas, centre, 2 << shift, colour, 1, cv2.LINE_AA, shift)
    if to is not None:
        end = tuple(int(v) for v in np.rint(np.clip(to, -1e4, 1e4) * 2**shift))
        cv2.line(canvas, centre, end, colour, 1, cv2.LINE_AA, shift)

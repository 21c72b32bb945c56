"""Pairs of images with what is seen in both, and the lines that poses and intrinsics draw for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np

from ace_ros.camera import Camera
from ace_ros.checking.pairs import Pair
from ace_ros.geometry import Matrix, invert, transform
from ace_ros.image import Pixels
from ace_ros.recordings.posed_frame import evenly
from ace_ros.recordings.readings import AS_GIVEN, Reading, swapped
from ace_ros.visual.drawing import GREEN, WHITE, YELLOW, Colour, dot, in_colour, line

# Set by hand, for looks.
_WIDTH = 480  # pixels of an image
_PAIRS, _MATCHES = 3, 24
_DEPTHS = np.geomspace(0.3, 1000.0, 160)  # along a ray, in baselines
_COLOURS: tuple[Colour, ...] = (GREEN, YELLOW, (90, 170, 255), (255, 120, 200), (255, 150, 60), WHITE)
_QUALITY = 85  # of the JPEG


def sheet(pairs: Sequence[Pair], meant: Reading | None) -> bytes:
    """A JPEG: of some pairs both images side by side as given, and once more below as they are meant."""
    rows = [draw(pair, reading) for pair in evenly(pairs, _PAIRS) for reading in (AS_GIVEN, meant) if reading]
    height, width = (max(row.shape[axis] for row in rows) for axis in (0, 1))
    padded = [np.pad(row, ((0, height - row.shape[0] + 6), (0, width - row.shape[1]), (0, 0))) for row in rows]
    _, jpeg = cv2.imencode(
        ".jpg", cv2.cvtColor(np.vstack(padded), cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
    )
    return jpeg.tobytes()


def draw(pair: Pair, reading: Reading) -> Pixels:
    """Both images, each ``_WIDTH`` wide: keypoints of the first, and in the second the same ones and their lines."""
    cameras = [_meant(frame.camera, reading) for frame in (pair.first, pair.second)]
    canvases = []
    for frame in (pair.first, pair.second):
        pixels = frame.read()
        size = _WIDTH, round(pixels.shape[0] * _WIDTH / pixels.shape[1])
        canvases.append(in_colour(np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)))
    first, second = pair.first.map_from_camera, pair.second.map_from_camera
    assert first is not None and second is not None
    second_from_first = invert(reading.pose(second)) @ reading.pose(first)
    factors = [_WIDTH / camera.width for camera in cameras]
    for number, index in enumerate(evenly(range(len(pair.a)), _MATCHES)):
        colour = _COLOURS[number % len(_COLOURS)]
        path = _line(pair.a[index], cameras[0], cameras[1], second_from_first) * factors[1]
        for start, end in pairwise(path):
            if np.isfinite([start, end]).all():
                line(canvases[1], start, end, colour)
        dot(canvases[0], pair.a[index] * factors[0], colour, 3.0)
        dot(canvases[1], pair.b[index] * factors[1], colour, 3.0)
    height = max(canvas.shape[0] for canvas in canvases)
    return np.hstack([np.pad(canvas, ((0, height - canvas.shape[0]), (0, 0), (0, 0))) for canvas in canvases])


def _line(pixel: Matrix, first: Camera, second: Camera, second_from_first: Matrix) -> Matrix:
    """Where what the first camera sees at a pixel can lie in the second image: pixels (N, 2), NaN behind it."""
    length = float(np.linalg.norm(second_from_first[:3, 3])) or 1.0
    points = first.rays(pixel[None]) * (_DEPTHS[:, None] * length)
    return second.project(transform(second_from_first, points))


def _meant(camera: Camera, reading: Reading) -> Camera:
    chosen = swapped(camera) if reading.swapped else camera
    return replace(chosen, fx=chosen.fx * reading.focal, fy=chosen.fy * reading.focal)

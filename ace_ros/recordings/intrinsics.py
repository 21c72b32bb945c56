"""Intrinsics as people and messages state them: numbers, a CameraInfo."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ace_ros.camera import Camera
from ace_ros.errors import InputError
from ace_ros.recordings.lens_names import NamedLens, lens_named, model_of

#: gives the camera for an image of some width and height
CameraFor = Callable[[int, int], Camera]

# Numbers of a camera as a matrix, row by row: how many, where fx, fy, cx and cy stand, and where ones and zeros do. As
# numbers that are no matrix they would be those of a camera whose cy is zero.
_MATRICES = (
    (16, (0, 5, 2, 6), (10, 15), (4, 8, 9, 12, 13, 14)),
    (12, (0, 5, 2, 6), (10,), (4, 8, 9)),
    (9, (0, 4, 2, 5), (8,), (3, 6, 7)),
)
_MOST_SKEW = 0.5  # pixels: what fits leave, a quarter of it at the edge of an image


def camera_of_numbers(text: str, source: str, other: str = "") -> CameraFor:
    """Camera of ``fx,fy,cx,cy[,k1,k2,p1,p2[,k3...]]``; messages name their ``source`` and what ``other`` it takes.

    Of another lens than a pinhole the name comes first: ``equidistant,fx,fy,cx,cy,k1,k2,k3,k4``. In the place of the
    first four there may be K, 3x3, or a projection, 3x4 or 4x4, row by row, of which the translation is left out.

    Raises:
        InputError: not at least four numbers, or ones that no camera has.
    """
    first, *rest = text.replace(",", " ").split() or [""]
    model = model_of(first)
    try:
        values = [float(word) for word in ([first, *rest] if model is None else rest)]
    except ValueError:
        raise InputError(
            f"{source} '{text}': {'neither a file nor numbers' if other else 'not numbers'}; give "
            f"fx,fy,cx,cy[,k1,k2,p1,p2[,k3...]] in pixels{other}"
        ) from None
    if len(values) < 4:
        raise InputError(f"{source} '{text}': at least the four numbers fx,fy,cx,cy are needed, got {len(values)}")
    fx, fy, cx, cy, *coefficients = _out_of_matrix(values, source)
    return camera_of_any_size((fx, fy, cx, cy), lens_named(model or "", coefficients, source), source)


def _out_of_matrix(values: list[float], source: str) -> list[float]:
    """fx, fy, cx, cy and what follows, of numbers that begin with a matrix; others as they are.

    Raises:
        InputError: it is skewed, as no lens is.
    """
    for count, pinhole, ones, zeros in _MATRICES:
        if len(values) >= count and all(values[at] == 1 for at in ones) and not any(values[at] for at in zeros):
            if abs(values[1]) > _MOST_SKEW:
                raise InputError(f"{source}: the matrix has a skew, {values[1]:g} beside fx = {values[0]:g}; 0 is read")
            return [*(values[at] for at in pinhole), *values[count:]]
    return values


def camera_of_any_size(pinhole: tuple[float, ...], lens: NamedLens, source: str) -> CameraFor:
    """Camera of ``fx, fy, cx, cy`` and a lens, for an image of whatever size.

    Raises:
        InputError: numbers that no camera has.
    """
    fx, fy, cx, cy = pinhole
    try:  # before any image is read
        camera = Camera(1, 1, fx, fy, cx, cy, lens.distortion, lens.model)
    except InputError as error:
        raise InputError(f"{source}: {error}") from None
    return lambda width, height: replace(camera, width=width, height=height)


def camera_of(width: Any, height: Any, pinhole: tuple[float, ...], lens: NamedLens, where: str) -> Camera | CameraFor:
    """Camera of ``fx, fy, cx, cy`` and a lens, or what gives it where no size is known (None or zero).

    Raises:
        InputError: numbers that no camera has.
    """
    if not width or not height:
        return camera_of_any_size(pinhole, lens, where)
    fx, fy, cx, cy = (float(value) for value in pinhole)
    try:
        return Camera(int(width), int(height), fx, fy, cx, cy, lens.distortion, lens.model)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def camera_of_info(
    info: Any, rectified: bool, where: str, size: tuple[int, int] | None = None, remedy: str = ""
) -> Camera:
    """Camera of a CameraInfo, whoever decoded it: its region of interest cut out, then binned.

    Args:
        rectified: the images are, so that P counts and not K. size: where the message states none. remedy: as for
            :func:`ace_ros.recordings.lens_names.lens_named`.

    Raises:
        InputError: K[0] = 0 (P[0] = 0 for rectified images), a distortion model or values that can't be used.
    """
    k = np.asarray(info.p).reshape(3, 4)[:, :3] if rectified else np.asarray(info.k).reshape(3, 3)
    lens = NamedLens() if rectified else lens_named(info.distortion_model, info.d, where, remedy)
    roi = info.roi
    cut = bool(roi.width and roi.height)
    width, height = (roi.width, roi.height) if cut else (info.width, info.height)
    left, top = (roi.x_offset, roi.y_offset) if cut else (0, 0)
    if not (width and height) and size:
        width, height = size
    fx, fy, cx, cy = (float(value) for value in (k[0, 0], k[1, 1], k[0, 2] - left, k[1, 2] - top))
    try:
        camera = Camera(width, height, fx, fy, cx, cy, lens.distortion, lens.model)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    bins = max(info.binning_x, 1), max(info.binning_y, 1)
    return camera if bins == (1, 1) else camera.resized(width // bins[0], height // bins[1])


def fitted(camera: Camera, size: tuple[int, int]) -> Camera | None:
    """The camera for the same view at ``size``; None when that has another shape."""
    width, height = size
    if size == (camera.width, camera.height):
        return camera
    if width == camera.width or height == camera.height or abs(height - camera.height * width / camera.width) >= 1.0:
        return None  # a pixel is what rounding the size may take or add
    return camera.resized(width, height)

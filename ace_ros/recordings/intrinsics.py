"""Intrinsics as people and messages state them: numbers, a CameraInfo, the names of distortion models."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from ace_ros.camera import Camera
from ace_ros.errors import InputError

#: gives the camera for an image of some width and height
CameraFor = Callable[[int, int], Camera]

_PINHOLES = ("plumb_bob", "rational_polynomial", "")  # REP 104, and what is left unset
_FISHEYES = ("equidistant", "fisheye", "kannala_brandt4", "omnidirectional", "double_sphere")  # as drivers name them


def camera_of_numbers(text: str, source: str, other: str = "") -> CameraFor:
    """Camera of ``fx,fy,cx,cy[,k1,k2,p1,p2[,k3...]]``; messages name their ``source`` and what ``other`` it takes.

    Raises:
        InputError: not at least four numbers, or ones that no camera has.
    """
    try:
        values = [float(word) for word in text.replace(",", " ").split()]
    except ValueError:
        raise InputError(
            f"{source} '{text}': {'neither a file nor numbers' if other else 'not numbers'}; give "
            f"fx,fy,cx,cy[,k1,k2,p1,p2[,k3...]] in pixels{other}"
        ) from None
    if len(values) < 4:
        raise InputError(f"{source} '{text}': at least the four numbers fx,fy,cx,cy are needed, got {len(values)}")
    fx, fy, cx, cy, *distortion = values
    try:  # before any image is read
        camera = Camera(1, 1, fx, fy, cx, cy, tuple(distortion) if any(distortion) else ())
    except InputError as error:
        raise InputError(f"{source}: {error}") from None
    return lambda width, height: replace(camera, width=width, height=height)


def camera_of_info(
    info: Any, rectified: bool, where: str, size: tuple[int, int] | None = None, remedy: str = ""
) -> Camera:
    """Camera of a CameraInfo, whoever decoded it: its region of interest cut out, then binned.

    Args:
        rectified: the images are, so that P counts and not K. size: where the message states none. remedy: as for
            :func:`distortion_of`.

    Raises:
        InputError: K[0] = 0 (P[0] = 0 for rectified images), a distortion model or values that can't be used.
    """
    k = np.asarray(info.p).reshape(3, 4)[:, :3] if rectified else np.asarray(info.k).reshape(3, 3)
    distortion = () if rectified else distortion_of(info.distortion_model, info.d, where, remedy)
    roi = info.roi
    cut = bool(roi.width and roi.height)
    width, height = (roi.width, roi.height) if cut else (info.width, info.height)
    left, top = (roi.x_offset, roi.y_offset) if cut else (0, 0)
    if not (width and height) and size:
        width, height = size
    fx, fy, cx, cy = (float(value) for value in (k[0, 0], k[1, 1], k[0, 2] - left, k[1, 2] - top))
    try:
        camera = Camera(width, height, fx, fy, cx, cy, distortion)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    bins = max(info.binning_x, 1), max(info.binning_y, 1)
    return camera if bins == (1, 1) else camera.resized(width // bins[0], height // bins[1])


def distortion_of(model: str, coefficients: Iterable[float], where: str, remedy: str = "") -> tuple[float, ...]:
    """Coefficients for :class:`Camera` of one of ROS's distortion models; ``remedy`` goes on with the advice given.

    Raises:
        InputError: it is no pinhole's.
    """
    values = tuple(float(value) for value in coefficients)
    if model in _FISHEYES or (any(values) and model not in _PINHOLES):
        raise InputError(
            f"{where}: the distortion model '{model}' is not supported, only plumb_bob and rational_polynomial: "
            f"rectify the images (image_proc){remedy}"
        )
    return values if any(values) else ()


def fitted(camera: Camera, size: tuple[int, int]) -> Camera | None:
    """The camera for the same view at ``size``; None when that has another shape."""
    width, height = size
    if size == (camera.width, camera.height):
        return camera
    if width == camera.width or height == camera.height or abs(height - camera.height * width / camera.width) >= 1.0:
        return None  # a pixel is what rounding the size may take or add
    return camera.resized(width, height)

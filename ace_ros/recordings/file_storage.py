"""Cameras in OpenCV's FileStorage: as its samples, rtabmap, ORB-SLAM's settings and camodocal (VINS) write them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import cv2
import numpy as np

from ace_ros.camera import Camera
from ace_ros.errors import InputError
from ace_ros.geometry import Matrix
from ace_ros.recordings.intrinsics import CameraFor, camera_of
from ace_ros.recordings.lens_names import NamedLens, lens_named

_MATRICES = ("camera_matrix", "cameraMatrix", "Camera_Matrix", "intrinsic_matrix", "K", "M1", "M")
_COEFFICIENTS = (
    "distortion_coefficients", "distCoeffs", "dist_coeffs", "Distortion_Coefficients", "dist_coeff", "D", "D1", "dist",
)  # fmt: skip
_MODELS = ("distortion_model", "camera_model", "model_type", "model", "lens")  # nodes that name the lens
_FISHEYES = ("fisheye_model", "fisheye", "is_fisheye")  # nodes that are 1 where OpenCV's fisheye module calibrated it
_XI = ("xi", "Xi")


def camera_of_storage(text: str, where: str) -> tuple[Camera | CameraFor, Matrix | None]:
    """The camera of a file's text, and (4, 4) where it sits on a body, None where the file does not say.

    Raises:
        InputError: no FileStorage, or none with a camera that can be used.
    """
    try:
        storage = cv2.FileStorage(text, cv2.FILE_STORAGE_READ | cv2.FILE_STORAGE_MEMORY)
        matrix = _first(storage, _MATRICES)
        mount = _matrix(storage.getNode("local_transform"))
        width, height = (_size(storage, side) for side in ("width", "height"))
    except (cv2.error, SystemError) as error:
        raise InputError(f"{where}: not a FileStorage that OpenCV reads ({_fault(error)})") from None
    if matrix is None:
        found = _of_orb_slam(storage, where) or _of_camodocal(storage, width, height, where)
        if found is not None:
            return found, None
    if matrix is None or matrix.size < 9:
        raise InputError(f"{where}: an OpenCV FileStorage without a camera matrix (looked for {', '.join(_MATRICES)})")
    fx, _, cx, _, fy, cy = matrix.ravel()[:6]
    camera = camera_of(width, height, (fx, fy, cx, cy), _lens(storage, where), where)
    return camera, None if mount is None else np.vstack([mount.reshape(3, 4), [0.0, 0.0, 0.0, 1.0]])


def _fault(error: Exception) -> str:
    """Where a file is no FileStorage, and why: OpenCV tells a line in brackets, in the place of a function's name."""
    cause = error.__cause__ if isinstance(error, SystemError) else error  # what it raises within a constructor
    if found := re.search(r"\((\d+)\): ([^'\n]+)", str(cause)):
        return f"line {found[1]}: {found[2]}"
    return str(getattr(cause, "err", cause))


def _lens(storage: Any, where: str) -> NamedLens:
    found = _first(storage, _COEFFICIENTS)
    values = () if found is None else tuple(float(value) for value in found.ravel())
    name = next((storage.getNode(key).string() for key in _MODELS if storage.getNode(key).isString()), "")
    if any(not (node := storage.getNode(key)).empty() and node.real() for key in _FISHEYES):
        name = "fisheye"
    xi = _first(storage, _XI)
    if xi is not None:  # of OpenCV's omnidir module
        return lens_named("omni", (*xi.ravel()[:1], *values), where)
    lens = lens_named(name, () if _is_six_of_rtabmap(name, values) else values, where)
    return NamedLens(lens.model, (*values[:2], *values[4:])) if _is_six_of_rtabmap(name, values) else lens


def _is_six_of_rtabmap(name: str, values: tuple[float, ...]) -> bool:
    """rtabmap keeps room for tangential coefficients that a fisheye has not: k1 k2 0 0 k3 k4."""
    return name in ("fisheye", "equidistant") and len(values) == 6 and not any(values[2:4])


def _of_orb_slam(storage: Any, where: str) -> Camera | CameraFor | None:
    """The camera of ORB-SLAM's settings, ``Camera1.fx`` and so on; None where there is none."""
    for name in ("Camera1", "Camera"):
        if not storage.getNode(f"{name}.fx").empty():
            pinhole = tuple(storage.getNode(f"{name}.{key}").real() for key in ("fx", "fy", "cx", "cy"))
            kind = storage.getNode("Camera.type")
            fisheye = kind.isString() and kind.string().startswith("KannalaBrandt")
            keys = ("k1", "k2", "k3", "k4") if fisheye else ("k1", "k2", "p1", "p2", "k3")
            values = [storage.getNode(f"{name}.{key}").real() for key in keys]
            sides = (storage.getNode(f"Camera.{side}") for side in ("width", "height"))
            width, height = (None if side.empty() else int(side.real()) for side in sides)
            return camera_of(width, height, pinhole, lens_named("fisheye" if fisheye else "", values, where), where)
    return None


def _of_camodocal(storage: Any, width: int | None, height: int | None, where: str) -> Camera | CameraFor | None:
    """camodocal's files, as VINS and others have them; None where it is none."""
    model, onto = storage.getNode("model_type"), storage.getNode("projection_parameters")
    if not model.isString() or not onto.isMap():
        return None

    def values(node: str, *keys: str) -> list[float]:
        return [storage.getNode(node).getNode(key).real() for key in keys]

    name = model.string().upper()
    if name == "KANNALA_BRANDT":
        pinhole, lens = (
            ("mu", "mv", "u0", "v0"),
            NamedLens("equidistant", tuple(values("projection_parameters", "k2", "k3", "k4", "k5"))),
        )
    elif name == "MEI":
        pinhole, lens = (
            ("gamma1", "gamma2", "u0", "v0"),
            NamedLens(
                "omni",
                (*values("mirror_parameters", "xi"), *values("distortion_parameters", "k1", "k2", "p1", "p2")),
            ),
        )
    elif name == "PINHOLE":
        pinhole = ("fx", "fy", "cx", "cy")
        lens = lens_named("", values("distortion_parameters", "k1", "k2", "p1", "p2"), where)
    else:
        raise InputError(f"{where}: the model_type {name} is not known (KANNALA_BRANDT, MEI and PINHOLE are)")
    return camera_of(width, height, tuple(values("projection_parameters", *pinhole)), lens, where)


def _first(storage: Any, names: Iterable[str]) -> Matrix | None:
    found = (_matrix(storage.getNode(name)) for name in names)
    return next((matrix for matrix in found if matrix is not None), None)


def _matrix(node: Any) -> Matrix | None:
    """A matrix as OpenCV writes it, or with ``rows``, ``cols`` and ``data`` as ROS does; or a number."""
    if node.empty():
        return None
    if node.isReal() or node.isInt():
        return np.array([node.real()])
    if node.isMap() and not node.getNode("dt").empty():
        return np.asarray(node.mat(), dtype=np.float64)
    data = node.getNode("data") if node.isMap() else node
    values = [data.at(i).real() for i in range(data.size())]
    return np.array(values, dtype=np.float64) if values else None


def _size(storage: Any, side: str) -> int | None:
    node = storage.getNode(f"image_{side}")
    node = storage.getNode(f"image_{side.capitalize()}") if node.empty() else node
    return None if node.empty() else int(node.real())

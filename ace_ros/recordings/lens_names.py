"""Lenses as ROS, Kalibr, OpenCV, COLMAP, nerfstudio and SLAM systems call them, for those of :mod:`ace_ros.lenses`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ace_ros.errors import InputError

_NAMES = {
    "pinhole": (
        "pinhole", "plumb_bob", "rational_polynomial", "radtan", "radial_tangential", "none", "brown_conrady", "opencv",
        "perspective", "",
    ),
    "equidistant": (
        "equidistant", "equi", "fisheye", "opencv_fisheye", "kannala_brandt", "kannala_brandt4", "kannalabrandt8",
    ),
    "fov": ("fov", "atan"),
    "omni": ("omni", "omnidirectional", "mei", "unified"),
    "double_sphere": ("double_sphere", "ds"),
    "eucm": ("eucm", "extended_unified"),
    "division": ("division",),
    "thin_prism_fisheye": ("thin_prism_fisheye",),
    "rad_tan_thin_prism_fisheye": ("rad_tan_thin_prism_fisheye", "fisheye624"),
    "equirectangular": ("equirectangular", "panorama"),
}  # fmt: skip
_MODEL_OF = {name: model for model, names in _NAMES.items() for name in names}
_MOST = {"equidistant": 4, "fov": 1}  # coefficients; drivers fill up with zeros


@dataclass(frozen=True)
class NamedLens:
    """``model`` and ``distortion`` of :class:`ace_ros.camera.Camera`."""

    model: str = "pinhole"
    distortion: tuple[float, ...] = ()


def model_of(name: str) -> str | None:
    """The model of that name, in whatever case and with spaces or hyphens; None where it is unknown."""
    return _MODEL_OF.get(name.strip().lower().replace("-", "_").replace(" ", "_"))


def lens_named(name: str, coefficients: Iterable[float], where: str, remedy: str = "") -> NamedLens:
    """The lens of that name; ``remedy`` goes on with the advice given where it is unknown.

    A model that isn't known, whose coefficients are all zero, is a pinhole: drivers make up names for "none".

    Raises:
        InputError: it is unknown, and not without coefficients.
    """
    values = tuple(float(value) for value in coefficients)
    model = model_of(name)
    if model is None:
        if any(values):
            raise InputError(
                f"{where}: the distortion model '{name}' is not known; there are {', '.join(_NAMES)}: "
                f"rectify the images (image_proc){remedy}"
            )
        model = "pinhole"
    if model in ("pinhole", "equidistant") and not any(values):
        return NamedLens(model)
    most = _MOST.get(model, len(values))
    return NamedLens(model, values if any(values[most:]) else values[:most])


def name_in_ros(model: str, distortion: tuple[float, ...], where: str) -> tuple[str, tuple[float, ...]]:
    """A lens as CameraInfo has it, ``distortion_model`` and ``d``: where ROS has no name, that of ours.

    Raises:
        InputError: more coefficients of a pinhole than ROS has.
    """
    if model == "pinhole" and len(distortion) > 8:
        raise InputError(f"{where}: CameraInfo has no model for {len(distortion)} distortion coefficients")
    if model == "pinhole":
        name, count = ("plumb_bob", 5) if len(distortion) <= 5 else ("rational_polynomial", 8)
    else:
        name, count = model, 4 if model == "equidistant" else len(distortion)
    return name, distortion + (0.0,) * (count - len(distortion))

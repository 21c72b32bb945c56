"""Lenses by name. Adding one is a line here, a projection or a distortion where it has a new one, and its names in
:mod:`ace_ros.recordings.lens_names`."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from ace_ros.errors import InputError
from ace_ros.lenses.distortion import Brown, Distortion, Tilt
from ace_ros.lenses.lens import Lens, Panorama, RadialLens
from ace_ros.lenses.projections import (
    Division,
    DoubleSphere,
    Equidistant,
    ExtendedUnified,
    FieldOfView,
    Perspective,
    Unified,
)

Coefficients = tuple[float, ...]

_OPENCV = (0, 4, 5, 8, 12, 14)  # numbers of coefficients that OpenCV's distortion may have


@dataclass(frozen=True)
class _Model:
    """How many coefficients a model takes, what they are, and what makes the lens of them."""

    counts: tuple[int, ...]
    names: str
    make: Callable[[Coefficients], Lens]


@lru_cache(maxsize=256)
def lens_of(model: str, coefficients: Coefficients) -> Lens:
    """The lens of a model with its coefficients.

    Raises:
        InputError: no such model, or coefficients that it can't have.
    """
    known = _MODELS.get(model)
    if known is None:
        raise InputError(f"camera: the lens model '{model}' is unknown; there are {', '.join(_MODELS)}")
    if len(coefficients) not in known.counts:
        raise InputError(
            f"camera: {_called(model)} takes {_either(known.counts)} coefficients"
            f"{f' ({known.names})' if known.names else ''}, got {len(coefficients)}"
        )
    return known.make(coefficients)


def _called(model: str) -> str:
    return "distortion" if model == "pinhole" else f"the lens model '{model}'"


def _either(counts: tuple[int, ...]) -> str:
    return ", ".join(map(str, counts)) if counts != (0,) else "no"


def _opencv(values: Coefficients) -> tuple[Distortion, ...]:
    """OpenCV's ``k1 k2 p1 p2 [k3 [k4 k5 k6 [s1 s2 s3 s4 [tauX tauY]]]]``."""
    if not any(values):
        return ()
    k1, k2, p1, p2, k3, k4, k5, k6, s1, s2, s3, s4, tau_x, tau_y = (*values, *(0.0,) * (14 - len(values)))
    brown = Brown((k1, k2, k3), (k4, k5, k6), (p1, p2), (s1, s2, s3, s4))
    return (brown, Tilt(tau_x, tau_y)) if tau_x or tau_y else (brown,)


def _pinhole(values: Coefficients) -> Lens:
    return RadialLens(Perspective(), _opencv(values))


def _equidistant(values: Coefficients) -> Lens:
    return RadialLens(Equidistant(), (Brown(values),) if any(values) else ())


def _fov(values: Coefficients) -> Lens:
    w = abs(_within("w", values[0], -math.pi, math.pi))
    return RadialLens(FieldOfView(w) if w > 1e-6 else Perspective())  # which it comes to


def _omni(values: Coefficients) -> Lens:
    return RadialLens(Unified(_within("xi", values[0], -1, math.inf)), _opencv(values[1:]))


def _double_sphere(values: Coefficients) -> Lens:
    xi, alpha = values
    return RadialLens(DoubleSphere(_within("xi", xi, -1, math.inf), _share("alpha", alpha)))


def _eucm(values: Coefficients) -> Lens:
    alpha, beta = values
    return RadialLens(ExtendedUnified(_share("alpha", alpha), _within("beta", beta, 0, math.inf)))


def _division(values: Coefficients) -> Lens:
    return RadialLens(Division(values[0]))


def _thin_prism_fisheye(values: Coefficients) -> Lens:
    k1, k2, p1, p2, k3, k4, sx, sy = values
    return RadialLens(Equidistant(), (Brown((k1, k2, k3, k4), (), (p1, p2), (sx, 0.0, sy, 0.0)),))


def _rad_tan_thin_prism_fisheye(values: Coefficients) -> Lens:
    # Its p0 goes with x, as OpenCV's p2 does; tangential and prism see what the radial part has moved.
    (p0, p1), prism = values[6:8], values[8:12]
    after = Brown((), (), (p1, p0), (prism[0], prism[1], prism[2], prism[3]))
    return RadialLens(Equidistant(), (Brown(values[:6]), after))


def _panorama(_: Coefficients) -> Lens:
    return Panorama()


def _within(name: str, value: float, least: float, most: float) -> float:
    if not least < value < most:
        limits = f"above {least:g}" if math.isinf(most) else f"between {least:.3g} and {most:.3g}"
        raise InputError(f"camera: {name} must be {limits}, got {value:g}")
    return value


def _share(name: str, value: float) -> float:
    if not 0 <= value <= 1:
        raise InputError(f"camera: {name} must be in [0, 1], got {value:g}")
    return value


_MODELS = {
    "pinhole": _Model(_OPENCV, "in OpenCV's order: k1 k2 p1 p2 k3 ...", _pinhole),
    "equidistant": _Model((0, 4), "k1 k2 k3 k4", _equidistant),
    "fov": _Model((1,), "w", _fov),
    "omni": _Model(tuple(1 + count for count in _OPENCV), "xi k1 k2 p1 p2 ...", _omni),
    "double_sphere": _Model((2,), "xi alpha", _double_sphere),
    "eucm": _Model((2,), "alpha beta", _eucm),
    "division": _Model((1,), "k", _division),
    "thin_prism_fisheye": _Model((8,), "k1 k2 p1 p2 k3 k4 sx1 sy1", _thin_prism_fisheye),
    "rad_tan_thin_prism_fisheye": _Model((12,), "k0 ... k5 p0 p1 s0 ... s3", _rad_tan_thin_prism_fisheye),
    "equirectangular": _Model((0,), "", _panorama),
}

"""Whether a recording's poses and intrinsics are what its own images say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from ace_ros.checking.epipolar import Measured
from ace_ros.checking.pairs import Pair
from ace_ros.recordings.readings import AS_GIVEN, POSES, SWAPPED, Reading, scaled

# Set by hand between what the real scenes show when they are read right and when they are not (docs/recordings.md).
_LEAST_PAIRS = 5  # that must tell the same
_FAR_BETTER = 0.5  # of the error as given: what another reading of the poses must come below
_FITS = 10.0  # pixels that may be left then: of odometry that drifts, not of chance
_MOSTLY = 0.75  # of the pairs, in which it must be the better one
_WORTH = 1.0  # pixels that it must gain
_FOCAL_BETTER = 0.8  # as _FAR_BETTER for the focal length, which moves lines by a few pixels alone
_FOCAL_FITS = 3.0  # pixels that must be left then: a focal length also soaks up what is wrong with poses
_FOCAL_OFF = 0.04  # of the focal length: calibrations of one camera differ by less
_FOCAL_RANGE = 0.5, 2.0  # factors that are tried
_BAD = 4.0  # pixels: poses that no reading makes fit better are still poor ones


@dataclass(frozen=True)
class Fit:
    """How well a reading fits.

    Attributes:
        error: mean over the pairs of the median epipolar error, pixels at the size of encoding (short side 480).
        median: the median over the pairs, for people. better: share of the pairs that it fits better than as given.
    """

    reading: Reading
    error: float
    median: float
    better: float


@dataclass(frozen=True)
class Verdict:
    """What came of a check.

    Attributes:
        pairs: how many pairs of images told. given: the fit as given. others: of all other readings, the best first.
        meant: the reading that fits far better than what is given; None where none does.
    """

    pairs: int
    given: Fit | None
    others: list[Fit]
    meant: Fit | None

    @property
    def sentence(self) -> str:
        """What to tell a user."""
        if self.given is None:
            return f"not checked: only {self.pairs} pairs of images show enough of the same"
        as_given = _as_given(self.given)
        if self.meant is None:
            if self.given.median > _BAD:
                return f"{as_given}, and no other reading fits far better: the poses are inexact, or of other images"
            return f"poses and intrinsics fit the images: {as_given} ({self.pairs} pairs)"
        return f"{self.finding}; {_remedy(self.meant.reading)}"

    @property
    def finding(self) -> str:
        """What another reading fits far better than what is given; empty where none does."""
        if self.meant is None or self.given is None:
            return ""
        reading = self.meant.reading
        look = f"the poses look {reading.look or reading.words}" if reading.name else "the intrinsics look wrong"
        return f"{look}: {_as_given(self.given)}, {self.meant.median:.1f} px {reading.words}"


def _as_given(fit: Fit) -> str:
    return f"median epipolar error {fit.median:.1f} px as given"


def _remedy(reading: Reading) -> str:
    if reading.name:
        return f"--poses {reading.name} reads them so, --poses as-given takes them as they are"
    if reading.swapped:
        return "fx and fy, cx and cy change places; --focal-scale 1 takes them as they are"
    return f"--focal-scale {reading.focal:.3g} reads it so, --focal-scale 1 takes it as it is"


def judge(pairs: Sequence[Pair]) -> Verdict:
    """Measure the pairs under every reading."""
    measured = [Measured(pair) for pair in pairs]
    if len(measured) < _LEAST_PAIRS:
        return Verdict(len(measured), None, [], None)
    base = np.array([pair.error(AS_GIVEN) for pair in measured])

    def fit(reading: Reading) -> Fit:
        errors = np.array([pair.error(reading) for pair in measured])
        return Fit(reading, float(errors.mean()), float(np.median(errors)), float((errors < base).mean()))

    given = fit(AS_GIVEN)
    others = sorted([fit(reading) for reading in (*POSES.values(), SWAPPED)], key=lambda other: other.error)
    focal = fit(scaled(_best_focal(measured)))
    meant = None
    best = others[0]
    gain = given.error - best.error
    if best.error < min(_FITS, _FAR_BETTER * given.error) and gain > _WORTH and best.better >= _MOSTLY:
        meant = best
    elif (
        focal.error < min(_FOCAL_FITS, _FOCAL_BETTER * given.error)
        and abs(focal.reading.focal - 1) > _FOCAL_OFF
        and focal.better >= _MOSTLY
    ):
        meant = focal
    return Verdict(len(measured), given, [focal, *others], meant)


def _best_focal(measured: Sequence[Measured]) -> float:
    def cost(logarithm: float) -> float:
        reading = scaled(float(np.exp(logarithm)))
        return float(np.mean([pair.error(reading) for pair in measured]))

    grid = np.linspace(np.log(_FOCAL_RANGE[0]), np.log(_FOCAL_RANGE[1]), 15)
    near = grid[int(np.argmin([cost(value) for value in grid]))]
    step = grid[1] - grid[0]
    found = minimize_scalar(cost, bounds=(near - step, near + step), method="bounded", options={"xatol": 1e-3})
    return float(np.exp(found.x))

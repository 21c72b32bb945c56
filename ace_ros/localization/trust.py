"""What an estimate is worth on one map: whether it is believed, and how exact it is."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from ace_ros.geometry import Matrix
from ace_ros.localization.close_up import LED_BY
from ace_ros.localization.estimate import Estimate
from ace_ros.localization.promise import WRONG_TURN, wrong_shift
from ace_ros.localization.solver import covariance_from_information
from ace_ros.localization.state import Reason, State
from ace_ros.localization.verdict import Verdict, doubted, excess, judge
from ace_ros.map.header import Calibration

# Pixels by which a whole image is seen off: intrinsics are not exact, nor do the poses of another day lie in the map's
# frame exactly.
_SHIFT = 1.0
# Of 2,834 poses in nineteen places, of views as they are, half covered and smeared, the worst twentieth was farther off
# than covariances of views of the map's own drive say by what these two make up for, and nothing else that was looked
# at added to them (decision 0020): landmarks, as multiples of what chance gives, fewer than so many; and what they lie
# farther off than is usual. With fewer than the last no pose is believed.
_MANY, _FEWER, _LOOSER, _LEAST_TIMES = 22.0, 1.25, 2.5, 2.0
# Of 464 poses in eight places that patches have led, those that fewer have are off by more, as with fewer landmarks.
# Half covered, ellipsoids of two places held 81 and 94 %, so they hold 94 and 97; smeared, 58 and 92 %, so 92 and 100.
_MANY_PATCHES = 100.0
# Of what is wrong (see promise.py): a pose with this standard deviation is, once in ten times.
_INEXACT = 0.6
_SETTLED, _SETTLED_RATIO = 50.0, 3.0  # landmarks, and times chance
# A pixel of an image that was encoded smaller is wider, and takes in more: with 0.6 of the size views of which the map
# had lost all that they show had up to 1.3 times the evidence that they have as they are (six recordings, in the upper
# hundredth), with 0.5 up to 1.4.
_WIDER = -0.5  # power of the scale


@dataclass(frozen=True)
class TrustModel:
    """What evidence is worth on one map; ``calibration`` is all that it was taught.

    Attributes:
        lean: pixels, as :attr:`ace_ros.features.encoder.EncoderProfile.lean`.
        depth: of the scene, units of the map; where it is not known no position is too inexact.
        metric: whether the map's unit is the metre.
    """

    calibration: Calibration
    lean: float
    depth: float = math.inf
    metric: bool = False

    @property
    def settled(self) -> float:
        """So many sharp landmarks leave no doubt."""
        return max(_SETTLED, _SETTLED_RATIO * self.calibration.chance_landmarks)

    def judge(self, estimate: Estimate, covariance: Matrix | None = None) -> Verdict:
        """Whether to believe an estimate, and how exactly; ``covariance``: where more is known than it says itself."""
        known = self.covariance(estimate) if covariance is None else covariance
        return self.exact_enough(replace(self._verdict(estimate), covariance=known))

    def believes(self, estimate: Estimate) -> bool:
        """Whether an estimate is believed, however exact it is."""
        return self._verdict(estimate).state is State.LOCALIZED

    def _verdict(self, estimate: Estimate) -> Verdict:
        return judge(estimate.evidence, self.calibration_for(estimate.encoded.scale))

    def calibration_for(self, scale: float) -> Calibration:
        """What an image has to be held against, by the size at which it was encoded."""
        wider = scale**_WIDER
        known = self.calibration
        return replace(
            known,
            chance_landmarks=known.chance_landmarks * wider,
            chance_head=min(1.0, known.chance_head * wider),
            self_similar=known.self_similar * wider,
            self_matched=known.self_matched * wider,
        )

    def exact_enough(self, verdict: Verdict) -> Verdict:
        """The verdict, if its own covariance doesn't say that the pose may well be wrong."""
        if verdict.state is not State.LOCALIZED or verdict.covariance is None:
            return verdict
        shift, turn = (
            math.sqrt(np.linalg.eigvalsh(block)[-1])
            for block in (verdict.covariance[:3, :3], verdict.covariance[3:, 3:])
        )
        if shift <= _INEXACT * wrong_shift(self.metric, self.depth) and math.degrees(turn) <= _INEXACT * WRONG_TURN:
            return verdict
        known = f"{100 * shift:.0f} cm" if self.metric else f"{shift / self.depth:.1%} of the depth"
        told = f"the pose is known to {known} and {math.degrees(turn):.1f} degrees only"
        return doubted(verdict, Reason.DEGENERATE_GEOMETRY, told)

    def excess(self, estimate: Estimate) -> float:
        """As :func:`excess`."""
        return excess(estimate.evidence, self.calibration_for(estimate.encoded.scale))

    def covariance(self, estimate: Estimate) -> Matrix | None:
        """(6, 6): inverse information, times factors for errors that pairs share, plus what the whole image is off, and
        how far poses lie apart that explain it equally well."""
        if estimate.information is None:
            return None
        evidence, scale = estimate.evidence, self.scale_of(estimate.evidence.patches)
        scale *= self.thinned(evidence.patches)
        if evidence.has_landmarks:
            scale *= self.strain(evidence.landmark_inliers, evidence.misfit)
        covariance = self.spread(estimate.information, scale, estimate.encoded.focal)
        return None if covariance is None else covariance + estimate.spread

    def scale_of(self, patches: int) -> float:
        """Factor on the inverse information of a pose that so many patches bear out: by whether they have led it."""
        led = patches >= LED_BY and self.calibration.led_scale > 0
        return self.calibration.led_scale if led else self.calibration.covariance_scale

    def thinned(self, patches: int) -> float:
        """How many times the variances of a pose that so many patches have led are those of one that many have."""
        return float(max(1.0, _MANY_PATCHES / patches) ** _FEWER) if patches >= LED_BY else 1.0

    def spread(self, information: Matrix, scale: float, focal: float) -> Matrix | None:
        """(6, 6): its inverse so many times, plus what the whole image is off; None where it has none."""
        inverse = covariance_from_information(information)
        return None if inverse is None else inverse * scale + self.lean_covariance(focal) + turned_by(_SHIFT, focal)

    def strain(self, landmarks: float, misfit: float) -> float:
        """How many times the variances of a pose are those of a view of the map's own drive: 1 or more.

        Where few landmarks are known again, light, season, furniture or the way are others: what is known again is off
        together, and chance has a part in it. What an image shows smeared is shifted, all of it alike.
        """
        times = max(landmarks / self.calibration.chance_landmarks, _LEAST_TIMES)
        return float(max(1.0, _MANY / times) ** _FEWER * max(1.0, misfit) ** _LOOSER)

    def lean_covariance(self, focal: float) -> Matrix:
        """(6, 6) of what no number of inliers averages out: the whole image seen a fraction of a pixel off.

        Detectors lean to one side as the camera rolls, and no calibration is exact; either turns the camera.
        """
        return turned_by(self.lean, focal)


def turned_by(pixels: float, focal: float) -> Matrix:
    """(6, 6): the covariance of a pose of which the whole image is seen so many pixels off, which turns the camera."""
    return np.diag([0.0, 0.0, 0.0, 1.0, 1.0, 1.0]) * (pixels / focal) ** 2

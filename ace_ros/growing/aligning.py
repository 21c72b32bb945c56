"""The one transform by which a recording's poses are those that its frames were localized at, found robustly.

A localized frame gives the rotation between the two frames, and with a known scale the translation as well: so each
frame proposes, two of them where the scale is to be found, and all judge. What agrees is refined on SE(3) or Sim(3) by
reweighted Gauss-Newton, every frame by its own covariance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ace_ros.errors import MappingError
from ace_ros.geometry import Matrix, skew, squared_within
from ace_ros.growing.alignment import Alignment

Vector = NDArray[np.float64]
_NEAR, _TURNED = 0.1, 5.0  # depths of the scene, degrees: a proposal is judged by what is so near; set by hand
_PAIRS = 1000  # proposals of two frames
_APART = 0.2  # depths between two frames that propose a scale, if any are so far apart; set by hand
_LEAST_AGREEING = 6  # frames; set by hand: one might be wrong alike twice where furniture was moved
_LEAST_SHARE = 0.35  # of those that were localized; set by hand
_RIVAL = 0.6  # of the frames that agree: another transform that has so many may be as right (twin rooms)
_OUTLIER, _MEDIAN = squared_within(0.999), squared_within(0.5)  # of the squared sigmas of a pose
_TAIL = squared_within(0.95)  # at which a frame begins to count less
_STEPS = 20
_ALIKE = 0.1  # correlation of residuals that is none; set by hand
_WORST_SCALE = 0.05  # standard deviation of a scale that is no use; set by hand
_LEAST_SIGMA = 1e-4, 1e-4  # depths, radians: no localization is better than this


@dataclass(frozen=True)
class Sighting:
    """A localized frame: its pose in the recording and in the map (4, 4), covariance (6, 6) of the latter, and the
    median depth of the scene there, units of the map."""

    recording_from_camera: Matrix
    map_from_camera: Matrix
    covariance: Matrix
    depth: float


@dataclass(frozen=True)
class _Similarity:
    rotation: Matrix
    translation: Vector
    scale: float


class _Sightings:
    """All of them as arrays, with the residuals that a transform leaves."""

    def __init__(self, sightings: Sequence[Sighting]) -> None:
        recorded = np.stack([one.recording_from_camera for one in sightings])
        found = np.stack([one.map_from_camera for one in sightings])
        self.there, self.here = recorded[:, :3, 3], found[:, :3, 3]
        self.turned = found[:, :3, :3] @ recorded[:, :3, :3].transpose(0, 2, 1)
        self.depth = np.array([one.depth for one in sightings])
        least = np.square(np.outer(self.depth, np.repeat((_LEAST_SIGMA[0], 0.0), 3)))
        least[:, 3:] = _LEAST_SIGMA[1] ** 2
        covariance = np.stack([one.covariance for one in sightings]) + least[:, :, None] * np.eye(6)
        self.information = np.linalg.inv(covariance)

    def __len__(self) -> int:
        return len(self.there)

    def residuals(self, s: _Similarity) -> Matrix:
        """(N, 6) of localized less carried poses, as :func:`ace_ros.geometry.pose_residual`."""
        shift = self.here - (s.scale * self.there @ s.rotation.T + s.translation)
        turn = Rotation.from_matrix(self.turned @ s.rotation.T).as_rotvec()
        return np.concatenate([shift, turn], 1)

    def squared(self, residuals: Matrix) -> Vector:
        return np.asarray(np.einsum("ni,nij,nj->n", residuals, self.information, residuals))

    def near(self, s: _Similarity) -> NDArray[np.bool_]:
        residuals = self.residuals(s)
        shift, turn = np.linalg.norm(residuals[:, :3], axis=1), np.linalg.norm(residuals[:, 3:], axis=1)
        return np.asarray((shift < _NEAR * self.depth) & (turn < np.radians(_TURNED)))

    def without(self, agreeing: NDArray[np.bool_]) -> _Sightings:
        left = object.__new__(_Sightings)
        for name, value in self.__dict__.items():
            setattr(left, name, value[~agreeing])
        return left


def align(sightings: Sequence[Sighting], of: int, with_scale: bool) -> Alignment:
    """How the recording lies in the map.

    Args:
        sightings: of the frames that were localized. of: how many frames were asked. with_scale: whether the scale is
            to be found too; else it is 1.

    Raises:
        MappingError: too few agree, or another transform has nearly as many, or the scale can't be told; says what
            there was.
    """
    told = f"{len(sightings)} of {of} frames were localized"
    if len(sightings) < _LEAST_AGREEING:
        raise MappingError(
            f"too little to align by: {told}, at least {_LEAST_AGREEING} must be and agree; the recording may be of "
            "another place, or the place may have changed"
        )
    seen = _Sightings(sightings)
    found, agreeing = _best(seen, with_scale)
    count = int(agreeing.sum())
    if count < max(_LEAST_AGREEING, _LEAST_SHARE * len(seen)):
        raise MappingError(
            f"too few agree to align by: {told}, {count} of these agree on one transform, at least "
            f"{max(_LEAST_AGREEING, int(np.ceil(_LEAST_SHARE * len(seen))))} must; are the recording's poses right?"
        )
    left = seen.without(agreeing)
    if len(left) >= _RIVAL * count:
        rival = int(_best(left, with_scale)[1].sum())
        if rival >= max(2, _RIVAL * count):
            raise MappingError(
                f"the map has two places for this recording: {told}, {count} of these agree on one transform and "
                f"{rival} on another; record more of what tells them apart"
            )
    return _judged(seen, found, agreeing, of, with_scale)


def _best(seen: _Sightings, with_scale: bool) -> tuple[_Similarity, NDArray[np.bool_]]:
    """The transform that most agree with, refined, and who agrees."""
    proposals = _by_two(seen) if with_scale else [_by_one(seen, i) for i in range(len(seen))]
    best = max(proposals, key=lambda proposal: int(seen.near(proposal).sum()))
    near = seen.near(best)
    for _ in range(3):  # a rotation from one frame swings those that are far away; what is refined has more near
        refined, _covariance = _refined(seen, best, near, with_scale)
        now = seen.near(refined)
        if now.sum() < near.sum():
            break
        best, same, near = refined, bool((now == near).all()), now
        if same:
            break
    residuals = seen.residuals(best)
    squared = seen.squared(residuals)
    return best, near & (squared < _OUTLIER * _spread(squared[near]))


def _by_one(seen: _Sightings, i: int) -> _Similarity:
    rotation = seen.turned[i]
    return _Similarity(rotation, seen.here[i] - rotation @ seen.there[i], 1.0)


def _by_two(seen: _Sightings) -> list[_Similarity]:
    rng = np.random.default_rng(0)
    i, j = rng.integers(0, len(seen), (2, 20 * _PAIRS))
    apart = np.linalg.norm(seen.here[i] - seen.here[j], axis=1)
    there = np.linalg.norm(seen.there[i] - seen.there[j], axis=1)
    possible = (apart > 0) & (there > 0)
    far = possible & (apart > _APART * seen.depth[i])
    chosen = np.nonzero(far if far.any() else possible)[0][:_PAIRS]
    proposals = []
    for k in chosen.tolist():
        a, b, scale = i[k], j[k], float(apart[k] / there[k])
        rotation = Rotation.from_matrix(seen.turned[[a, b]]).mean().as_matrix()
        middle = (seen.there[a] + seen.there[b]) / 2
        shift = (seen.here[a] + seen.here[b]) / 2 - scale * rotation @ middle
        proposals.append(_Similarity(rotation, shift, scale))
    return proposals or [_by_one(seen, 0)]


def _spread(squared: Vector) -> float:
    """Factor by which errors are larger than covariances say, one at least: the recording's own poses err too."""
    return max(1.0, float(np.median(squared)) / _MEDIAN) if len(squared) else 1.0


def _refined(seen: _Sightings, s: _Similarity, near: NDArray[np.bool_], with_scale: bool) -> tuple[_Similarity, Matrix]:
    """Gauss-Newton with Geman-McClure weights on those that are near; with the covariance (7, 7)."""
    covariance = np.zeros((7, 7))
    free = 7 if with_scale else 6
    for _ in range(_STEPS):
        residuals = seen.residuals(s)
        squared = seen.squared(residuals)
        spread = _spread(squared[near])
        weight = near / (1 + squared / (_TAIL * spread)) ** 2
        carried = s.scale * seen.there @ s.rotation.T
        jacobian = np.zeros((len(seen), 6, 7))
        jacobian[:, :3, :3] = jacobian[:, 3:, 3:6] = np.eye(3)
        jacobian[:, :3, 3:6] = -np.stack([skew(row) for row in carried])
        jacobian[:, :3, 6] = carried
        weighted = np.einsum("nia,nij,n->naj", jacobian, seen.information, weight)
        hessian = np.einsum("naj,njb->ab", weighted, jacobian)[:free, :free]
        gradient = np.einsum("naj,nj->a", weighted, residuals)[:free]
        inverse = np.linalg.pinv(hessian, hermitian=True)
        step = np.zeros(7)
        step[:free] = inverse @ gradient
        # A weight below one loses information, but is no error: the sandwich, not the inverse alone.
        filling = spread * np.einsum("naj,n,njb->ab", weighted, weight, jacobian)[:free, :free]
        covariance[:free, :free] = inverse @ filling @ inverse
        s = _Similarity(
            Rotation.from_rotvec(step[3:6]).as_matrix() @ s.rotation,
            s.translation + step[:3],
            s.scale * float(np.exp(np.clip(step[6], -1, 1))),
        )
        if np.linalg.norm(step) < 1e-12 * (1 + np.linalg.norm(s.translation)):
            break
    return s, covariance


def _repeated(residuals: Matrix) -> float:
    """How many frames one after the other err alike, seeing the same: so many count as one.

    The integrated autocorrelation of the residuals (N, 6), each scaled to its own spread, one at least; frames are in
    order of time.
    """
    scaled = residuals / np.maximum(residuals.std(0), 1e-12)
    scaled = scaled - scaled.mean(0)
    total = 1.0
    for lag in range(1, len(scaled) // 2):
        alike = float((scaled[lag:] * scaled[:-lag]).mean())
        if alike < _ALIKE:
            break
        total += 2 * alike
    return total


def _judged(seen: _Sightings, s: _Similarity, agreeing: NDArray[np.bool_], of: int, with_scale: bool) -> Alignment:
    s, covariance = _refined(seen, s, agreeing, with_scale)
    residuals = seen.residuals(s)[agreeing]
    covariance *= _repeated(residuals)
    sigma_scale = float(np.sqrt(covariance[6, 6]))
    if with_scale and not sigma_scale < _WORST_SCALE:
        raise MappingError(
            f"the scale can't be told: {int(agreeing.sum())} of {len(seen)} localized frames agree, but they were "
            "taken too near to one another; record while moving farther"
        )
    middle = s.scale * s.rotation @ seen.there[agreeing].mean(0)
    jacobian = np.concatenate([np.eye(3), -skew(middle), middle[:, None]], 1)
    shift = jacobian @ covariance @ jacobian.T
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = s.rotation, s.translation
    return Alignment(
        pose,
        s.scale,
        covariance,
        int(agreeing.sum()),
        len(seen),
        of,
        float(np.sqrt((residuals[:, :3] ** 2).sum(1).mean())),
        float(np.degrees(np.sqrt((residuals[:, 3:] ** 2).sum(1).mean()))),
        float(np.sqrt(np.linalg.eigvalsh(shift)[-1])),
        float(np.degrees(np.sqrt(np.linalg.eigvalsh(covariance[3:6, 3:6])[-1]))),
        sigma_scale,
    )

"""What a sequence of images says beyond each alone: a first guess, a veto, and when a pose is believed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ace_ros.geometry import Matrix, invert, move_covariance, pose_error
from ace_ros.localization.alternatives import Alternative
from ace_ros.localization.verdict import LOCALIZED
from ace_ros.online.hypotheses import Hypotheses
from ace_ros.online.odometry_gate import GateOptions, agreement
from ace_ros.online.placing import bounded_covariance
from ace_ros.online.pose_filter import PoseFilter
from ace_ros.online.reasons import Fault, OnlineReason
from ace_ros.online.witnesses import FURTHER, Seen, Witnesses, decades, together

_NEVER_ALONE = 12.0  # decades: more than any odds that are told; what agrees with these by chance says no more

_JUMP = 0.1, 5.0  # m, degrees: a correction that is larger is told as a jump; set by hand


@dataclass(frozen=True)
class Belief:
    """A pose to rely on, as all that was seen so far has it.

    Attributes:
        map_from_frame, covariance: of the base where the camera's place on it is known, else of the camera.
        jump: the first pose, or one elsewhere than the drive had led to. kidnapped: odometry said otherwise.
    """

    map_from_frame: Matrix
    covariance: Matrix
    jump: bool = False
    kidnapped: bool = False


@dataclass(frozen=True)
class Choice:
    """The one of several poses that the drive decided for."""

    index: int
    belief: Belief


@dataclass
class _Candidate:
    """A pose that is to be confirmed: carried on, what bears it out, and how many images in a row agreed with it."""

    carried: PoseFilter
    witnesses: Witnesses
    run: int


class Tracker:
    """Knows where the robot is. Odometry and the camera's place on the robot may be missing at any frame."""

    def __init__(self, gate: GateOptions, prior_max_age: float) -> None:
        """``prior_max_age``: s that the last pose is a guess for where there is no odometry."""
        self._hypotheses = Hypotheses(gate)
        self.forget()
        self.use(gate, prior_max_age)

    def use(self, gate: GateOptions, prior_max_age: float) -> None:
        """Go on with these options; what is known stays known."""
        self._options, self._prior_max_age = gate, prior_max_age
        self._needed = decades(gate.confirm_probability) if gate.confirm_probability else -math.inf
        self._hypotheses.use(gate)
        for carried in self._carried():
            carried.options = gate

    def forget(self) -> None:
        """Another map, or time went back."""
        self._belief: PoseFilter | None = None
        self._candidate: _Candidate | None = None
        self._said: PoseFilter | None = None
        self._doubts = Witnesses()  # what spoke against the belief since an image last bore it out
        self._hypotheses.forget()
        self._last: tuple[Matrix, int, bool] | None = None  # pose, ns, and whether it is the base's

    def prior(self, stamp: int, odom_from_base: Matrix | None, base_from_camera: Matrix | None) -> Matrix | None:
        """Expected map_from_camera at ``stamp`` (ns), or None."""
        if odom_from_base is not None and base_from_camera is not None and self._belief is not None:
            map_from_base = self._belief.predict(odom_from_base)
            if map_from_base is not None:
                return map_from_base @ base_from_camera
        if self._last is None or abs(stamp - self._last[1]) > self._prior_max_age * 1e9:
            return None  # as near in time is the pose from another camera's image that was taken later
        pose, _, is_base = self._last
        if is_base != (base_from_camera is not None):
            return None
        return pose if base_from_camera is None else pose @ base_from_camera

    def suppose(self, map_from_base: Matrix, covariance: Matrix, odom_from_base: Matrix, stamp: int) -> None:
        """Somebody says where the robot is; it counts where images fit several places, or need one more witness."""
        self._said = PoseFilter(map_from_base, covariance, odom_from_base, stamp, self._options, 1.0)
        self._hypotheses.suppose(self._said.copy())

    def without_pose(self, stamp: int, odom_from_base: Matrix | None, base_from_camera: Matrix | None) -> None:
        """An image that fitted no place: the robot moved on all the same, and what is to be confirmed was not."""
        if odom_from_base is not None:
            self._carry(odom_from_base, stamp)
        if (one := self._candidate) is not None:
            one.run = max(0, one.run - 1)
            one.witnesses.missed(_odom_from_camera(odom_from_base, base_from_camera), one.carried.depth)
            if one.witnesses.decades <= 0:
                self._candidate = None

    def choose(
        self,
        alternatives: Sequence[Alternative],
        depth: float,
        stamp: int,
        odom_from_base: Matrix | None,
        base_from_camera: Matrix | None,
    ) -> Choice | None:
        """Ask the drive which of several poses it is that an image was taken from; None where it can't tell (yet).

        ``depth``: of the scene that the image shows.
        """
        if odom_from_base is None or base_from_camera is None:
            return None
        self._carry(odom_from_base, stamp)
        poses = []
        for one in alternatives:
            if one.covariance is None:  # it agrees with anything
                return None
            pose, covariance = base_pose(one.map_from_camera, one.covariance, base_from_camera)
            poses.append(PoseFilter(pose, covariance, odom_from_base, stamp, self._options, depth))
        belief, sure = self._belief, decades(max(one.confidence for one in alternatives))
        expected = belief is not None and any(self._agree(belief, pose) for pose in poses)
        self._doubt(_odom_from_camera(odom_from_base, base_from_camera), None, -sure if expected else sure, depth)
        awaited = None if belief is None or expected else self._awaited_among(poses)
        if awaited is not None and alternatives[awaited[0]].confidence >= LOCALIZED:
            return Choice(awaited[0], self._settle(awaited[1], base_from_camera, jump=True, kidnapped=True))
        index = self._hypotheses.weigh(poses, belief)
        if index is None or alternatives[index].confidence < LOCALIZED:
            return None
        chosen = poses[index]
        if belief is not None and self._agree(belief, chosen):
            if self._doubts.decades > 0 and self._vouched(belief, chosen) + FURTHER < self._needed:
                return None
            return Choice(index, self._settle(belief, base_from_camera, jump=_learn(belief, chosen)))
        return Choice(index, self._settle(chosen, base_from_camera, jump=True, kidnapped=belief is not None))

    def judge(
        self, seen: Seen, stamp: int, odom_from_base: Matrix | None, base_from_camera: Matrix | None
    ) -> Belief | Fault:
        """Ask the drive about a pose that the image alone would be sure of: what is believed now, or why it is not."""
        odom_from_base = None if base_from_camera is None else odom_from_base
        self._carry(odom_from_base, stamp)
        pose, covariance = base_pose(seen.map_from_camera, seen.covariance, base_from_camera)
        new = PoseFilter(pose, covariance, odom_from_base, stamp, self._options, seen.depth)
        belief, vouched = self._belief, self._vouched(self._belief, new)
        expected = belief is not None and self._agree(belief, new)
        if belief is not None and expected and together((vouched, seen.decades)) >= self._needed:
            return self._settle(belief, base_from_camera, jump=_learn(belief, new))
        moved = belief is not None and odom_from_base is not None and not expected
        if moved and not self._options.gate_probability:
            return self._settle(new, base_from_camera, jump=True)
        by_odometry = _odom_from_camera(odom_from_base, base_from_camera)
        self._doubt(by_odometry, seen.map_from_camera, -seen.decades if expected else seen.decades, seen.depth)
        one, agrees = self._candidate_for(new, seen, base_from_camera)
        odds = one.witnesses.joined_by(max(vouched, self._vouched(self._said, new)))
        if not agrees or odds < self._needed or (moved and one.run < self._options.kidnap_frames):
            return self._awaited(new, odds, one.run, moved)
        if belief is not None and expected:
            return self._settle(belief, base_from_camera, jump=_learn(belief, new))
        return self._settle(one.carried, base_from_camera, jump=True, kidnapped=moved)

    def _doubt(self, by_odometry: Matrix | None, by_image: Matrix | None, said: float, depth: float) -> None:
        """An image speaks against the belief, or where ``said`` (decades) is negative, for it.

        Not where nothing is doubted, nor where nothing is left to doubt: a robot that drives on adds views without end.
        """
        doubted = self._doubts.decades
        if self._belief is not None and (doubted > 0 if said < 0 else doubted < _NEVER_ALONE):
            self._doubts.heard(by_odometry, by_image, said, depth)

    def _awaited_among(self, poses: Sequence[PoseFilter]) -> tuple[int, PoseFilter] | None:
        """Index of the candidate's among the poses of an image, and the candidate, where it lacks nothing else.

        An image that fits several places is no witness for one; it is one more in a row that agrees with it.
        """
        one = self._candidate
        fitting = [] if one is None else [i for i, pose in enumerate(poses) if self._agree(one.carried, pose)]
        if one is None or len(fitting) != 1:
            return None
        one.run += 1
        enough = one.run >= self._options.kidnap_frames and one.witnesses.decades >= self._needed
        return (fitting[0], one.carried) if enough else None

    def _candidate_for(self, new: PoseFilter, seen: Seen, base_from_camera: Matrix | None) -> tuple[_Candidate, bool]:
        """The candidate once it has heard of a pose, and whether that agrees; one that says more takes its place."""
        by_odometry = _odom_from_camera(new.odom_from_base, base_from_camera)
        one = self._candidate
        if one is not None:
            agrees = self._agree(one.carried, new)
            one.run = one.run + 1 if agrees else max(0, one.run - 1)
            said = seen.decades if agrees else -seen.decades
            one.witnesses.heard(by_odometry, seen.map_from_camera, said, seen.depth)
            if agrees:
                _learn(one.carried, new)
            if agrees or one.witnesses.decades >= seen.decades:
                return one, agrees
        self._candidate = one = _Candidate(new, Witnesses(), 1)
        one.witnesses.heard(by_odometry, seen.map_from_camera, seen.decades, seen.depth)
        return one, True

    def _settle(
        self,
        belief: PoseFilter,
        base_from_camera: Matrix | None,
        jump: bool = False,
        kidnapped: bool = False,
    ) -> Belief:
        """From here on this is where the robot is."""
        self._belief, self._candidate, self._said, self._doubts = belief, None, None, Witnesses()
        self._hypotheses.forget()
        pose, is_base = belief.map_from_base, base_from_camera is not None
        self._last = pose, belief.stamp, is_base
        return Belief(pose, bounded_covariance(belief.covariance), jump, kidnapped)

    def _awaited(self, new: PoseFilter, odds: float, run: int, moved: bool) -> Fault:
        so_far = f"right at odds of {_odds(odds)} so far, believed at {_odds(self._needed)}"
        if not moved or self._belief is None:
            return Fault(OnlineReason.UNCONFIRMED, f"to be confirmed by a view from another place: {so_far}")
        residual = self._belief.distance(new.map_from_base, new.covariance)[1]
        metres, degrees = float(np.linalg.norm(residual[:3])), float(np.degrees(np.linalg.norm(residual[3:])))
        frames = f"{run} of {self._options.kidnap_frames} frames that would be believed"
        doubt = f"; to be confirmed by a view from another place: {so_far}" if odds < self._needed else ""
        return Fault(
            OnlineReason.ODOMETRY_DISAGREES,
            f"{metres:.2f} m and {degrees:.1f} degrees from where the odometry carries the last pose ({frames}{doubt})",
        )

    def _agree(self, carried: PoseFilter, new: PoseFilter) -> bool:
        return carried.distance(new.map_from_base, new.covariance)[0] <= agreement(self._options)

    def _vouched(self, carried: PoseFilter | None, new: PoseFilter) -> float:
        """Decades by which a pose is likelier right for lying where it was expected: a wrong one does so by chance.

        Where images said meanwhile that the robot is elsewhere, it is expected less, and one more witness.
        """
        if carried is None or not self._agree(carried, new):
            return 0.0
        by_chance = -math.log10(max(carried.chance(new.covariance, new.depth), 10.0**-_NEVER_ALONE))
        doubted = self._doubts.decades if carried is self._belief else 0.0
        return max(0.0, min(by_chance - doubted, FURTHER) if doubted > 0 else by_chance)

    def _carry(self, odom_from_base: Matrix | None, stamp: int) -> None:
        for carried in self._carried():
            carried.carry(odom_from_base, stamp)
        if odom_from_base is not None:
            self._hypotheses.carry(odom_from_base, stamp)

    def _carried(self) -> list[PoseFilter]:
        candidate = self._candidate.carried if self._candidate is not None else None
        return [carried for carried in (self._belief, candidate, self._said) if carried is not None]


def _learn(carried: PoseFilter, new: PoseFilter) -> bool:
    """Go on with what an image says as well; whether that is a jump."""
    before = carried.map_from_base
    carried.update(new.map_from_base, new.covariance, new.depth)
    translation, rotation = pose_error(carried.map_from_base, before)
    return translation > _JUMP[0] or rotation > _JUMP[1]


def base_pose(map_from_camera: Matrix, covariance: Matrix, base_from_camera: Matrix | None) -> tuple[Matrix, Matrix]:
    """Pose and covariance of the base, bounded; of the camera, where its place on the robot is not known."""
    if base_from_camera is None:
        return map_from_camera, bounded_covariance(covariance)
    camera_from_base = invert(base_from_camera)
    moved = move_covariance(covariance, map_from_camera, camera_from_base)
    return map_from_camera @ camera_from_base, bounded_covariance(moved)


def _odom_from_camera(odom_from_base: Matrix | None, base_from_camera: Matrix | None) -> Matrix | None:
    return None if odom_from_base is None or base_from_camera is None else odom_from_base @ base_from_camera


def _odds(decades: float) -> str:
    return f"{float(f'{max(1.0, 10.0 ** min(decades, _NEVER_ALONE)):.2g}'):,.0f} to 1"

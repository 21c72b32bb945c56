"""What a sequence of frames says beyond each image alone: a first guess, and the odometry's veto."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ace_ros.geometry import Matrix, invert, move_covariance
from ace_ros.localization.alternatives import Alternative
from ace_ros.localization.trust import LOCALIZED
from ace_ros.online.hypotheses import Hypotheses
from ace_ros.online.odometry_gate import Anchor, GateOptions, OdometryGate, Verdict


@dataclass(frozen=True)
class Verdicts:
    """Whether a pose may be published; if not, why; and whether it ends a run that says that the robot was moved."""

    accepted: bool
    reason: str = ""
    kidnapped: bool = False


@dataclass(frozen=True)
class Choice:
    """The one of several poses that the drive decided for; and whether it says that the robot was moved."""

    index: int
    kidnapped: bool = False


class Tracker:
    """Remembers the last pose. Odometry and the camera's place on the robot may be missing at any frame."""

    def __init__(self, gate: GateOptions, prior_max_age: float) -> None:
        """``prior_max_age``: s that the last pose is a guess for where there is no odometry."""
        self._gate, self._hypotheses = OdometryGate(gate), Hypotheses(gate)
        self._last: tuple[Matrix, int, bool] | None = None  # pose, ns, and whether it is the base's
        self.use(gate, prior_max_age)

    def use(self, gate: GateOptions, prior_max_age: float) -> None:
        """Go on with these options; what is known stays known."""
        self._gate.use(gate)
        self._hypotheses.use(gate)
        self._prior_max_age, self._kidnap_frames = prior_max_age, gate.kidnap_frames

    def forget(self) -> None:
        """Another map, or time went back."""
        self._gate.forget()
        self._hypotheses.forget()
        self._last = None

    def prior(self, stamp: int, odom_from_base: Matrix | None, base_from_camera: Matrix | None) -> Matrix | None:
        """Expected map_from_camera at ``stamp`` (ns), or None."""
        if odom_from_base is not None and base_from_camera is not None:
            map_from_base = self._gate.predict(odom_from_base)
            if map_from_base is not None:
                return map_from_base @ base_from_camera
        if self._last is None or abs(stamp - self._last[1]) > self._prior_max_age * 1e9:
            return None  # as near in time is the pose from another camera's image that was taken later
        pose, _, is_base = self._last
        if is_base != (base_from_camera is not None):
            return None
        return pose if base_from_camera is None else pose @ base_from_camera

    def _remember(self, map_from_camera: Matrix, stamp: int, base_from_camera: Matrix | None) -> None:
        """The last pose: of the base where that is known, since the next image may be another camera's."""
        is_base = base_from_camera is not None
        pose = map_from_camera if base_from_camera is None else map_from_camera @ invert(base_from_camera)
        self._last = (pose, stamp, is_base)

    def suppose(self, map_from_base: Matrix, covariance: Matrix, odom_from_base: Matrix) -> None:
        """Somebody says where the robot is; it counts where images fit several places."""
        self._hypotheses.suppose(Anchor.at(map_from_base, covariance, odom_from_base))

    def without_pose(self, odom_from_base: Matrix | None) -> None:
        """A frame that gave no pose: the robot moved on all the same."""
        if odom_from_base is not None:
            self._gate.observe(odom_from_base)
            self._hypotheses.observe(odom_from_base)

    def choose(
        self,
        alternatives: Sequence[Alternative],
        stamp: int,
        odom_from_base: Matrix | None,
        base_from_camera: Matrix | None,
    ) -> Choice | None:
        """Ask the drive which of several poses it is that an image was taken from; None where it can't tell (yet)."""
        self.without_pose(odom_from_base)
        if odom_from_base is None or base_from_camera is None:
            return None
        camera_from_base = invert(base_from_camera)
        poses = []
        for one in alternatives:
            if one.covariance is None:  # it agrees with anything
                return None
            covariance = move_covariance(one.covariance, one.map_from_camera, camera_from_base)
            poses.append(Anchor.at(one.map_from_camera @ camera_from_base, covariance, odom_from_base))
        index = self._hypotheses.weigh(poses, self._gate.belief)
        if index is None or alternatives[index].confidence < LOCALIZED:
            return None
        self._hypotheses.forget()
        self._remember(alternatives[index].map_from_camera, stamp, base_from_camera)
        return Choice(index, self._gate.settle(poses[index]))

    def judge(
        self,
        map_from_camera: Matrix,
        covariance: Matrix,
        stamp: int,
        odom_from_base: Matrix | None,
        base_from_camera: Matrix | None,
    ) -> Verdicts:
        """Ask the odometry about a pose that the image alone would be sure of."""
        if odom_from_base is None or base_from_camera is None:
            self._remember(map_from_camera, stamp, base_from_camera)
            return Verdicts(True)
        camera_from_base = invert(base_from_camera)
        self._hypotheses.observe(odom_from_base)
        judgement = self._gate.check(
            map_from_camera @ camera_from_base,
            move_covariance(covariance, map_from_camera, camera_from_base),
            odom_from_base,
        )
        if judgement.verdict is Verdict.REFUSED:
            return Verdicts(
                False,
                f"{judgement.translation:.2f} m and {judgement.rotation_deg:.1f} degrees from where the odometry "
                f"carries the last pose ({judgement.run} of {self._kidnap_frames} frames that would be believed)",
            )
        self._hypotheses.forget()
        self._remember(map_from_camera, stamp, base_from_camera)
        return Verdicts(True, kidnapped=judgement.verdict is Verdict.KIDNAPPED)

"""One image on its way through a robot: to a pose that can be relied on, or to the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ace_ros.camera import Camera
from ace_ros.errors import InputError
from ace_ros.geometry import Matrix, invert
from ace_ros.localization.answer import Localization
from ace_ros.localization.localizer import Localizer
from ace_ros.localization.state import Reason, State
from ace_ros.online.motion import planar, tilt_deg
from ace_ros.online.odometry_gate import GateOptions
from ace_ros.online.placing import Placed, PlacedAlternative
from ace_ros.online.reasons import Fault, OnlineReason
from ace_ros.online.robot import FrameNames, Robot, Whereabouts
from ace_ros.online.tracking import Belief, Tracker, base_pose
from ace_ros.online.window import Window
from ace_ros.online.witnesses import Seen, scene_depth
from ace_ros.options import option

_STEEP = 20.0  # degrees that a robot on level ground does not tilt; set by hand


@dataclass(frozen=True)
class OnlineOptions(GateOptions):
    """What a robot knows beside its images. The defaults are set by hand."""

    prior_max_age: float = option(
        0.5,
        "Without odometry, the last pose is a first guess for so long.",
        unit="s",
        low=0.0,
        high=60.0,
        without="never",
    )
    tf_timeout: float = option(
        0.05,
        "How long a pose waits for the odometry and the camera's place on the robot.",
        unit="s",
        low=0.0,
        high=2.0,
    )
    window_seconds: float = option(
        3.0,  # decision 0013: 10 s found as much, 1 s less
        "With odometry, an image that alone is not enough is solved together with those of so long before it, of all "
        "cameras.",
        unit="s",
        low=0.0,
        high=60.0,
        without="each image alone",
    )
    planar: bool = option(False, "Wheeled robot on a level floor: poses and TF with z, roll and pitch zero.")


@dataclass(frozen=True)
class OnlineAnswer:
    """What became of an image.

    Attributes:
        state: LOCALIZED: rely on :attr:`placed`, which is there exactly then. Odometry can make an image that the
            library would be sure of UNCERTAIN, and so can a robot that does not know where its camera is. It can also
            tell alternatives apart: then the state is LOCALIZED.
        fault: why it is not LOCALIZED; or what is missing all the same.
        localization: the library's answer to the image alone, or to the image and the drive where only both can tell
            the pose; None where it was not asked.
        kidnapped: the robot is elsewhere than its odometry says, and this is the pose that settled it.
        alternatives: poses between which nothing has decided; empty where there is no such doubt.
    """

    state: State
    fault: Fault = field(default_factory=Fault)
    localization: Localization | None = None
    placed: Placed | None = None
    kidnapped: bool = False
    alternatives: tuple[PlacedAlternative, ...] = ()


def unreadable(error: InputError) -> OnlineAnswer:
    """The answer to an image that can't be used."""
    return OnlineAnswer(State.UNCERTAIN, Fault(OnlineReason.BAD_IMAGE, str(error)))


class OnlineLocalizer:
    """Localizes the images of a robot one after the other, in one thread.

    Args:
        localizer: of the map. In a map without metric scale only the camera itself has a place: the robot and its
            odometry are in metres, and are not asked.
        robot: what is known beside the image; None for a camera alone. frames: what its frames are called.
    """

    def __init__(
        self,
        localizer: Localizer,
        robot: Robot | None = None,
        frames: FrameNames | None = None,
        options: OnlineOptions | None = None,
        corrects_odometry: bool = True,
    ) -> None:
        self._localizer, self._options = localizer, options or OnlineOptions()
        self._corrects_odometry = corrects_odometry
        frames = frames or FrameNames()
        metric = localizer.scene_map.header.metric
        self._alone = "" if metric else "the map has no metric scale"
        if robot is None or not (frames.base and frames.odom):
            self._alone = self._alone or "there is no odometry"
        if not metric:
            frames = FrameNames(frames.map, "", "")
        self._map_frame = frames.map
        self._whereabouts = Whereabouts(robot, frames, self._options.tf_timeout)
        self._tracker = Tracker(self._options, self._options.prior_max_age)
        self._window = Window(self._options, self._options.window_seconds)
        self._hint: tuple[Matrix, Matrix] | None = None

    @property
    def alone(self) -> str:
        """Why each image stands alone although ``window_seconds`` is set; empty where that is not so."""
        return self._alone if self._options.window_seconds else ""

    def follow(self, localizer: Localizer) -> None:
        """From the next image on, localize in a map that has the same frame and scale; from any thread.

        What is known of the robot stays known.
        """
        self._localizer = localizer

    def use(self, options: OnlineOptions, corrects_odometry: bool) -> None:
        """From the next image on, go by these options; what is known stays known."""
        self._options, self._corrects_odometry = options, corrects_odometry
        self._whereabouts.wait = options.tf_timeout
        self._tracker.use(options, options.prior_max_age)
        self._window.use(options, options.window_seconds)

    def hint(self, map_from_base: Matrix, covariance: Matrix) -> None:
        """Somebody says where the robot is (covariance as in :func:`~ace_ros.geometry.pose_residual`); from any thread.

        It is never believed against an image: of several poses that images fit, it tells which one is meant, as the
        drive does. That takes odometry.
        """
        self._hint = map_from_base, covariance

    def localize(
        self, pixels: NDArray[np.uint8], camera: Camera, stamp: int, camera_frame: str = "camera"
    ) -> OnlineAnswer:
        """Where was the robot when it took this image?

        Args:
            pixels: uint8, (H, W) grey or (H, W, 3) RGB. camera: its intrinsics.
            stamp: when it was taken, ns. camera_frame: the name of the camera's optical frame.
        """
        known = self._whereabouts
        base_from_camera, unmounted = known.base_from_camera(camera_frame, stamp)
        moved, hint = known.roughly(stamp), self._hint
        if hint is not None and moved is not None:
            self._tracker.suppose(*hint, moved, stamp)
            self._hint = None
        prior = self._tracker.prior(stamp, moved, base_from_camera)
        try:
            found = self._localizer.localize(pixels, camera, prior)
        except InputError as error:
            return unreadable(error)
        odometry = None
        if base_from_camera is not None and self._options.window_seconds:
            odometry = known.odom_from_base(stamp)
            if odometry[0] is not None:
                solve = self._window.solve
                found = solve(self._localizer, found, stamp, camera_frame, odometry[0], base_from_camera)
        if found.state is not State.LOCALIZED and not found.alternatives:
            self._tracker.without_pose(stamp, moved, base_from_camera)
            return OnlineAnswer(found.state, Fault(found.reason_code, found.reason), found)
        if unmounted:  # the camera's pose is never given where the robot's is expected
            awaited = f"{unmounted.sentence}: without it there is no pose of {known.base}"
            return OnlineAnswer(State.UNCERTAIN, Fault(unmounted.reason, awaited), found)
        odom_from_base, unmoved = odometry or known.odom_from_base(stamp)
        found, belief = self._judged(found, stamp, odom_from_base, base_from_camera)
        if isinstance(belief, Fault):
            alternatives = self._alternatives(found, base_from_camera)
            return OnlineAnswer(State.UNCERTAIN, belief, found, alternatives=alternatives)
        placed = self._placed(belief, found, stamp, camera_frame, base_from_camera, odom_from_base)
        fault = self._missing(unmoved, placed)
        if self._options.planar:
            placed = placed.levelled()
        return OnlineAnswer(State.LOCALIZED, fault, found, placed, belief.kidnapped)

    def _judged(
        self, found: Localization, stamp: int, odom_from_base: Matrix | None, base_from_camera: Matrix | None
    ) -> tuple[Localization, Belief | Fault]:
        """What the drive says to what was found; of several poses, the one that it has decided for is found."""
        if not found.alternatives:
            return found, self._tracker.judge(Seen.of(found), stamp, odom_from_base, base_from_camera)
        depth = scene_depth(found)
        choice = self._tracker.choose(found.alternatives, depth, stamp, odom_from_base, base_from_camera)
        if choice is None:
            return found, Fault(Reason.AMBIGUOUS, found.reason)
        one = found.alternatives[choice.index]
        decided = replace(
            found, state=State.LOCALIZED, reason="", reason_code=Reason.NONE, map_from_camera=one.map_from_camera,
            covariance=one.covariance, confidence=one.confidence, place=one.place, alternatives=(),
        )  # fmt: skip
        return decided, choice.belief

    def _alternatives(self, found: Localization, base_from_camera: Matrix | None) -> tuple[PlacedAlternative, ...]:
        camera_from_base = np.eye(4) if base_from_camera is None else invert(base_from_camera)
        flat = self._options.planar and base_from_camera is not None
        return tuple(
            PlacedAlternative(planar(pose) if flat else pose, one.place, one.probability)
            for one in found.alternatives
            for pose in [one.map_from_camera @ camera_from_base]
        )

    def _placed(
        self,
        belief: Belief,
        found: Localization,
        stamp: int,
        camera_frame: str,
        base_from_camera: Matrix | None,
        odom_from_base: Matrix | None,
    ) -> Placed:
        assert found.map_from_camera is not None and found.covariance is not None  # the library's promise for LOCALIZED
        is_base = base_from_camera is not None
        frame = self._whereabouts.base if is_base else camera_frame
        by_image, covariance = base_pose(found.map_from_camera, found.covariance, base_from_camera)
        return Placed(
            stamp, self._map_frame, frame, belief.map_from_frame, belief.covariance, by_image, covariance,
            odom_from_base, is_base, belief.jump,
        )  # fmt: skip

    def _missing(self, unmoved: Fault, placed: Placed) -> Fault:
        """What keeps the robot from its full due although the pose is good."""
        if unmoved and self._corrects_odometry:
            return Fault(unmoved.reason, f"{unmoved.sentence}: poses are told, the correction of the odometry is not")
        if self._options.planar and placed.is_base and tilt_deg(placed.map_from_frame) > _STEEP:
            tilt = f"planar is set, but {placed.frame} is tilted by {tilt_deg(placed.map_from_frame):.0f} degrees"
            question = f"is z of {self._map_frame} up, and {placed.frame} level?"
            return Fault(OnlineReason.NO_TRANSFORM, f"{tilt}: {question}")
        return Fault()

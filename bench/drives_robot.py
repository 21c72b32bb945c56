"""What ``bench.drives`` drives with: stretches localized before, odometry that drifts, images that go wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np
from scipy.spatial.transform import Rotation

from ace_ros.generated import room_camera
from ace_ros.geometry import Matrix, invert, pose_error
from ace_ros.localization.answer import Localization
from ace_ros.localization.localizer import Localizer
from ace_ros.localization.state import Reason, State
from ace_ros.online.localizing import OnlineAnswer, OnlineLocalizer, OnlineOptions
from ace_ros.online.robot import MissingTransform

PERIOD = 100_000_000  # ns between images
CAMERA = room_camera((480, 360))
LONGEST = 60  # images until a drive is given up
BASE_FROM_CAMERA = np.array([[0.0, 0, 1, 0.2], [-1, 0, 0, 0], [0, -1, 0, 0.4], [0, 0, 0, 1]])
WRONG = 0.3, 5.0  # m, degrees: what is told and farther off is wrong
_WRONG_CONFIDENCE = 0.905, 0.99  # of what was wrong and sure in the recordings


@dataclass(frozen=True)
class Frame:
    """A frame of a stretch, and what the map makes of it."""

    map_from_camera: Matrix
    answer: Localization

    @property
    def map_from_base(self) -> Matrix:
        return self.map_from_camera @ invert(BASE_FROM_CAMERA)


Stretch = Sequence[Frame]


@dataclass(frozen=True)
class Way:
    """How drives are.

    Attributes:
        covered, wrong: shares of the images that show nothing, and that give the pose of another place.
        standing: images before the robot moves.
        slip: of a step's way and turn, 1 sigma: what the odometry is off by from step to step.
    """

    name: str
    covered: float = 0.0
    wrong: float = 0.0
    standing: int = 0
    slip: float = 0.02
    options: OnlineOptions = field(default_factory=OnlineOptions)


class Replayed:
    """A :class:`Localizer` that has seen all images before; of an image it is given the answer."""

    def __init__(self, localizer: Localizer) -> None:
        self.scene_map, self.together = localizer.scene_map, localizer.together
        self.answer: Localization | None = None

    def localize(self, *_: Any) -> Localization:
        assert self.answer is not None
        return self.answer


class Robot:
    """A drive: wheels that drift, and what is localized on the way."""

    def __init__(self, localizer: Localizer, rng: np.random.Generator, way: Way) -> None:
        self._replayed, self._rng, self._way = Replayed(localizer), rng, way
        self._online = OnlineLocalizer(cast(Localizer, self._replayed), self, options=way.options)
        self._longer, self._turned, self._astray = rng.normal(0, (0.02, 0.02, np.radians(1.0)))
        self._odom, self.odom, self.stamp = np.eye(4), np.eye(4), 0
        self._at: Matrix | None = None

    def base_from_camera(self, camera: str, stamp: int, wait: float) -> Matrix:
        return BASE_FROM_CAMERA

    def odom_from_base(self, stamp: int, wait: float) -> Matrix:
        if stamp != self.stamp:
            raise MissingTransform("no odometry of that time")
        return self.odom

    def newest_odometry(self) -> tuple[Matrix, int]:
        return self.odom, self.stamp

    def carried(self) -> None:
        """Without a turn of the wheels."""
        self._at = None

    def look(self, frame: Frame, answer: Localization) -> OnlineAnswer:
        """Go to a frame, and be told where that is."""
        if self._at is not None:
            step = invert(self._at) @ frame.map_from_base
            way, turn = float(np.linalg.norm(step[:3, 3])), Rotation.from_matrix(step[:3, :3]).as_rotvec()
            slip = self._rng.normal((self._longer, self._turned), self._way.slip)
            off = np.eye(4)
            off[:3, 3] = slip[0] * step[:3, 3]
            off[:3, :3] = Rotation.from_rotvec(slip[1] * turn + (0, 0, self._astray * way)).as_matrix()
            self._odom = self._odom @ step @ off
        self._at, self.stamp = frame.map_from_base, self.stamp + PERIOD
        trembling = np.eye(4)
        trembling[:2, 3] = self._rng.normal(0, 0.001, 2)
        self.odom = self._odom @ trembling
        self._replayed.answer = answer
        return self._online.localize(np.empty((1, 1), np.uint8), CAMERA, self.stamp)


def drive_from_anywhere(stretch: Stretch, rng: np.random.Generator, standing: int) -> Iterator[Frame]:
    """From anywhere in a stretch on, so long as it goes."""
    start = int(rng.integers(len(stretch) - LONGEST + standing))
    yield from [stretch[start]] * standing
    yield from stretch[start : start + LONGEST - standing]


def befallen(frame: Frame, stretches: Sequence[Stretch], rng: np.random.Generator, way: Way) -> Localization:
    """What becomes of an image: somebody is in the way, or it gives the pose of another place."""
    chance = rng.random()
    answer = frame.answer
    if chance < way.covered:
        covered: dict[str, Any] = {"reason_code": Reason.TOO_FEW_INLIERS, "reason": "covered", "sight": None}
        return replace(answer, state=State.LOST, alternatives=(), **covered)
    if chance < way.covered + way.wrong:
        others = [one.answer for stretch in stretches for one in stretch if one.answer.state is State.LOCALIZED]
        return replace(others[rng.integers(len(others))], confidence=float(rng.uniform(*_WRONG_CONFIDENCE)))
    return answer


def undecided_by_itself(frames: Stretch, decides: int) -> bool:
    """Whether the images of a drive, as they are, leave another place as likely as the true one, or show no place.

    Another place is one where each image that fits several would have been taken from a pose that it fits, if the whole
    drive had been there; less than ``decides`` images that say otherwise don't count, as the filter has it. An image
    that is localized by itself decides.
    """
    if any(frame.answer.state is State.LOCALIZED for frame in frames):
        return False
    doubtful = [frame for frame in frames if frame.answer.alternatives]
    others = [one.map_from_camera @ invert(f.map_from_camera) for f in doubtful for one in f.answer.alternatives]
    others = [other for other in others if not _near(other, np.eye(4))]
    return not doubtful or any(sum(_against(frame, other) for frame in doubtful) < decides for other in others)


def _against(frame: Frame, elsewhere: Matrix) -> bool:
    """Whether an image fits no pose there; ``elsewhere``: from the true place to the other."""
    there = elsewhere @ frame.map_from_camera
    return not any(_near(one.map_from_camera, there) for one in frame.answer.alternatives)


def _near(a: Matrix, b: Matrix) -> bool:
    translation, rotation = pose_error(a, b)
    return translation < WRONG[0] and rotation < WRONG[1]

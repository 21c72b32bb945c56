"""What the page tells, as data: made of what the nodes say, sent as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping as Dictionary
from dataclasses import asdict, dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")
_SILENT = 3.0  # s without a status, which its message promises once a second: the node hangs or is gone
_MOST_POINTS = 4000  # of a trail; more are not told apart on a screen


@dataclass(frozen=True)
class PlanarPose:
    """Seen from above: metres (units of the map where it is not metric) and radians.

    Attributes:
        covariance: of x and y: xx, xy, yy; empty where it is not known. probability: among alternatives.
    """

    x: float
    y: float
    z: float
    yaw: float
    covariance: tuple[float, ...] = ()
    place: int = -1
    probability: float = math.nan


@dataclass(frozen=True)
class Localization:
    """What localization_node says. ``state``: its name in the status, lower case; angles in degrees; NaN: not known."""

    state: str
    reason: str = ""
    confidence: float = math.nan
    inliers: int = 0
    candidates: int = 0
    reprojection_error: float = math.nan
    translation_stddev: float = math.nan
    rotation_stddev: float = math.nan
    place: int = -1
    latency: float = math.nan
    frames_received: int = 0
    frames_localized: int = 0
    map_name: str = ""
    map_id: str = ""
    map_frame: str = ""
    metric: bool = True
    alternatives: tuple[PlanarPose, ...] = ()


@dataclass(frozen=True)
class Mapping:
    """What mapping_node says; likewise. ``built``: name of a map that can be localized in, empty: none yet."""

    state: str
    message: str = ""
    frames_received: int = 0
    frames_taken: int = 0
    map_name: str = ""
    stage: str = ""
    progress: float = math.nan
    seconds_left: float = math.nan
    places: int = 0
    places_done: int = 0
    held_back_frames: int = 0
    held_back_localized: float = math.nan
    held_back_translation: float = math.nan
    first_map: bool = False
    built: str = ""
    metric: bool = True
    advice: tuple[str, ...] = ()


@dataclass(frozen=True)
class Heard(Generic[T]):
    """A node that the page listens to.

    Attributes:
        there: whether it is in the graph. age: s since it said something. said: None, nothing so far.
    """

    name: str
    there: bool = False
    age: float = 0.0
    said: T | None = None

    @property
    def fault(self) -> str:
        """Why it can't be asked, a sentence; empty where it can."""
        if not self.there:
            return f"{self.name} is not running"
        if self.said is None:
            return f"{self.name} is there, and has not said anything yet"
        if self.age > _SILENT:
            return f"{self.name} has been silent for {self.age:.0f} s: it hangs, or was killed"
        return ""


@dataclass(frozen=True)
class Button:
    """``why``: it can't be pressed now, a sentence; empty where it can. ``asks``: a question before it is done."""

    why: str = ""
    asks: str = ""


@dataclass(frozen=True)
class View:
    """All that the page shows, but for the pictures."""

    robot: str
    localization: Heard[Localization]
    mapping: Heard[Mapping]
    pose: PlanarPose | None = None
    told: tuple[tuple[int, bool, str], ...] = ()  # number, whether it went well, sentence; newest last
    picture: str = ""  # what the picture is, or why there is none

    @property
    def state(self) -> tuple[str, str]:
        """In one word and one sentence."""
        localization, mapping = self.localization, self.mapping
        if localization.said is not None and not localization.fault:
            said = localization.said
            where = f" in place {said.place}" if said.place > 0 else ""
            return said.state, said.reason or f"the pose can be relied on, in map '{said.map_name}'{where}"
        if localization.there or localization.said is not None:
            return "silent", localization.fault
        if mapping.said is not None and not mapping.fault:
            return mapping.said.state, mapping.said.message
        if mapping.there or mapping.said is not None:
            return "silent", mapping.fault
        return "absent", f"neither {mapping.name} nor {localization.name} is running"

    @property
    def buttons(self) -> dict[str, Button]:
        """By the names of what they do."""
        return {
            "map": self._map_button(),
            "build": self._build_button(),
            "cancel": Button(self.mapping.fault or ("" if self._training else "no map is being built")),
            "localize": Button(self._why_not_localize()),
            "forget": Button(self.localization.fault or ("" if self._active else "it is not active")),
        }

    @property
    def _training(self) -> bool:
        return self.mapping.said is not None and self.mapping.said.state == "training"

    @property
    def _active(self) -> bool:
        return self.localization.said is not None and self.localization.said.state != "inactive"

    @property
    def _taken(self) -> int:
        return self.mapping.said.frames_taken if self.mapping.said is not None else 0

    def _why_not_map(self, training: str) -> str:
        """Why the mapper can't be asked for a drive or a map; ``training``: what to say where it is at one."""
        return self.mapping.fault or (training if self._training else "")

    def _map_button(self) -> Button:
        if why := self._why_not_map("a map is being built: wait, or cancel it"):
            return Button(why)
        count = self._taken
        return Button(asks=f"Forget the {count} frames taken so far, and begin a new drive?" if count else "")

    def _build_button(self) -> Button:
        without_frames = "" if self._taken else "no frame was taken so far: drive the camera around"
        return Button(self._why_not_map("a map is being built already") or without_frames)

    def _why_not_localize(self) -> str:
        said = self.localization.said
        if said is None or self.localization.fault:
            return self.localization.fault
        if not self._active and not (self.mapping.said and self.mapping.said.built):
            return f"{said.reason or 'it is not active'}; no map was built here either"
        return ""

    def json(self) -> str:
        """As the page takes it; null for what is not known."""
        state, sentence = self.state
        parties = {
            name: {"name": heard.name, "fault": heard.fault, "said": asdict(heard.said) if heard.said else None}
            for name, heard in (("localization", self.localization), ("mapping", self.mapping))
        }
        content = {
            "kind": "view", "robot": self.robot, "state": state, "sentence": sentence, "told": self.told,
            "pose": asdict(self.pose) if self.pose else None, "picture": self.picture,
            "buttons": {name: asdict(button) for name, button in self.buttons.items()},
        }  # fmt: skip
        return json.dumps(_known(content | parties), allow_nan=False)


def _known(value: Any) -> Any:
    """The same with None for numbers that are none, and the others as short as anybody reads them."""
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    if isinstance(value, Dictionary):
        return {key: _known(one) for key, one in value.items()}
    return [_known(one) for one in value] if isinstance(value, (list, tuple)) else value


def heading(rotation: NDArray[np.float64]) -> float:
    """Where it looks, seen from above, rad. ``rotation`` (3, 3) is of a robot (x ahead, z up) or of a camera (z ahead,
    y down): which of the two, the axis says that points up more."""
    is_camera = -rotation[2, 1] > rotation[2, 2]
    ahead = rotation[:, 2] if is_camera else rotation[:, 0]
    return float(np.arctan2(ahead[1], ahead[0]))


@dataclass
class Trail:
    """Where the robot was: every pose at first, every second one of a longer drive, and so on.

    ``count``: poses so far.
    """

    points: list[tuple[float, float]] = field(default_factory=list)
    count: int = 0

    def add(self, pose: PlanarPose) -> None:
        """The robot is here."""
        self.points.append((pose.x, pose.y))
        self.count += 1
        if len(self.points) > _MOST_POINTS:
            del self.points[1::2]

    def json(self) -> str:
        """As the page takes it."""
        return json.dumps(_known({"kind": "trail", "points": self.points}))

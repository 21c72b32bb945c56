"""The poses of a mapping drive held against its images while it goes on."""

from __future__ import annotations

from collections.abc import Callable

from ace_ros.checking import Verdict, check_encoded
from ace_ros.errors import InputError
from ace_ros.mapping.mapper import Mapper
from ace_ros.mapping.options import MIN_FRAMES
from ace_ros.mapping.views import View
from ace_ros.recordings.posed_frame import PosedFrame

Check = Callable[[Mapper], None]  # raises what speaks against a mapper's frames

_FIRST = 30  # frames, of which there are pairs enough
_AGAIN = 3  # times as many, when it is looked again: a look takes half a second
_LAST = 150  # frames that a look is at


class UnfitPosesError(InputError):
    """The images say that the poses are meant otherwise."""


class DriveCheck:
    """Looks early in a drive, and now and then, at whether its poses and intrinsics are what its images say."""

    def __init__(self) -> None:
        self._verdict: Verdict | None = None
        self._looked = 0

    @property
    def finding(self) -> str:
        """What the images contradict, a sentence; empty where they don't, or nothing can be told."""
        return self._verdict.finding if self._verdict else ""

    def look(self, mapper: Mapper) -> None:
        """Call it with every frame that was taken."""
        if len(mapper) >= max(_FIRST, _AGAIN * self._looked):
            self._judge(mapper)

    def hold(self, mapper: Mapper) -> None:
        """To be called before a map is made.

        Raises:
            UnfitPosesError: another reading of the poses fits far better. Intrinsics that look wrong are told alone:
                they also soak up what poses of a drive are inexact by.
        """
        if self._looked == 0 and len(mapper) >= MIN_FRAMES:
            self._judge(mapper)
        if self._verdict is not None and self._verdict.meant is not None and self._verdict.meant.reading.name:
            raise UnfitPosesError(
                f"{self.finding}: have whoever tells the poses give those of the optical frame (x right, y down, "
                "z forward) in map_frame, or set check_poses to false; the frames are kept"
            )

    def _judge(self, mapper: Mapper) -> None:
        self._looked = len(mapper)
        if not mapper.encoder.has_keypoints:
            return
        views = {str(index): mapper.views[index] for index in range(max(0, len(mapper) - _LAST), len(mapper))}
        frames = [_posed(name, view) for name, view in views.items()]
        verdict, _ = check_encoded(
            frames, lambda frame: views[frame.name].encoded, mapper.encoder.profile.likeness.match
        )
        if verdict.given is not None:
            self._verdict = verdict


def _posed(name: str, view: View) -> PosedFrame:
    def load() -> None:
        raise AssertionError("a view has no image")

    return PosedFrame(name, 0, view.encoded.camera, view.map_from_camera, load)  # type: ignore[arg-type]

"""What would make a better map, and what keeps frames from it."""

from __future__ import annotations

from dataclasses import dataclass

from ace_ros.map.header import HeldBack
from ace_ros.mapping.options import MIN_FRAMES
from ace_ros.online.collecting import Counters
from ace_ros.online.drive_watch import COMFORTABLE, DriveWatch

_GOOD = 0.8  # of the held-back views should be localized; set by hand
_BEGINNING = 2.0  # s from the start in which silence is no fault; set by hand
_SOME = 10  # one image in so many shows nothing; set by hand
_FEW, _MANY = 10, 4  # frames that may come too fast, and one in so many of those taken; set by hand


@dataclass(frozen=True)
class Intake:
    """What came in. ``silence``: why no image gets as far as a pose, if so; ``pose_fault``: why the last got none."""

    images: int = 0
    silence: str = ""
    no_pose: int = 0
    bad_pose: int = 0
    pose_fault: str = ""
    seconds: float = 0.0  # since the start


def advice(intake: Intake, counters: Counters, watch: DriveWatch, held_back: HeldBack, finding: str = "") -> list[str]:
    """A sentence for each thing that stands in the way of a good map.

    ``held_back`` is of the map built last; ``finding``: what the images say against the poses.
    """
    sentences = []
    if intake.silence and intake.seconds > _BEGINNING:
        sentences.append(_sentence(intake.silence))
    posed = counters.taken + counters.similar_view
    if intake.no_pose and intake.no_pose >= posed:
        sentences.append(f"{intake.no_pose} images got no pose: {intake.pose_fault}.")
    if intake.bad_pose + counters.bad_pose:
        sentences.append(f"{intake.bad_pose + counters.bad_pose} poses can't be used: {intake.pose_fault}.")
    if finding:
        sentences.append(_sentence(finding))
    if counters.blurred > counters.taken // _SOME:
        sentences.append(f"{counters.blurred} images are black, white or of one colour: is the lens covered?")
    if counters.overload > max(_FEW, counters.taken // _MANY):
        sentences.append(
            f"{counters.overload} frames came faster than they can be encoded: drive more slowly, or ask for more "
            "motion between keyframes (min_translation, min_rotation)."
        )
    if counters.full:
        sentences.append(
            f"No more frames than {counters.taken} are taken: max_frames is reached (build the map, or raise it), or "
            "the disk is full."
        )
    if intake.images and not sentences and counters.taken < COMFORTABLE:
        need = "at least" if counters.taken < MIN_FRAMES else "better"
        count = MIN_FRAMES if counters.taken < MIN_FRAMES else COMFORTABLE
        sentences.append(f"{counters.taken} frames so far, {need} {count} are needed: keep moving the camera.")
    if held_back.frames and held_back.localized < _GOOD * held_back.frames:
        sentences.append(
            f"Only {held_back.localized} of {held_back.frames} mapping views that were held back were localized in the "
            "map: drive once more through the places that matter, from other positions, and build again."
        )
    return sentences + watch.advice()


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + ("" if text.endswith(".") else ".")

"""What mapping_node advises its user to do. No ROS in here."""

from __future__ import annotations

from dataclasses import dataclass

from ace_ros.map.header import HeldBack
from ace_ros.online.collecting import Counters
from ace_ros.online.drive_watch import DriveWatch

FEWEST_FRAMES = 10  # below it the library refuses to build
_COMFORTABLE = 50
_GOOD = 0.8  # of the held-back views should be localized


@dataclass(frozen=True)
class Intake:
    """What came in. ``silence``: why no image gets as far as a pose, if so; ``pose_fault``: why the last got none."""

    images: int
    silence: str
    no_pose: int
    bad_pose: int
    pose_fault: str
    seconds: float  # since the node started


def advice(intake: Intake, counters: Counters, watch: DriveWatch, held_back: HeldBack) -> list[str]:
    """A sentence for each thing that stands in the way of a good map; ``held_back`` is of the map built last."""
    sentences = []
    if intake.silence and intake.seconds > 2.0:
        sentences.append(_sentence(intake.silence))
    posed = counters.taken + counters.similar_view
    if intake.no_pose and intake.no_pose >= posed:
        sentences.append(f"{intake.no_pose} images got no pose: {intake.pose_fault}.")
    if intake.bad_pose + counters.bad_pose:
        sentences.append(f"{intake.bad_pose + counters.bad_pose} poses can't be used: {intake.pose_fault}.")
    if counters.blurred > counters.taken // 10:
        sentences.append(f"{counters.blurred} images are black, white or of one colour: is the lens covered?")
    if counters.overload > max(10, counters.taken // 4):
        sentences.append(
            f"{counters.overload} frames came faster than they can be encoded: drive more slowly, or ask for more "
            "motion between keyframes (min_translation, min_rotation)."
        )
    if counters.full:
        sentences.append(f"max_frames ({counters.taken}) is reached: build the map, or raise max_frames.")
    if intake.images and not sentences and counters.taken < _COMFORTABLE:
        need = "at least" if counters.taken < FEWEST_FRAMES else "better"
        count = FEWEST_FRAMES if counters.taken < FEWEST_FRAMES else _COMFORTABLE
        sentences.append(f"{counters.taken} frames so far, {need} {count} are needed: keep moving the camera.")
    if held_back.frames and held_back.localized < _GOOD * held_back.frames:
        sentences.append(
            f"Only {held_back.localized} of {held_back.frames} mapping views that were held back were localized in the "
            "map: drive once more through the places that matter, from other positions, and build again."
        )
    return sentences + watch.advice()


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + ("" if text.endswith(".") else ".")

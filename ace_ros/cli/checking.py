"""A recording before it is used: what was recognised is told, and what does not fit its images is refused."""

from __future__ import annotations

from ace_ros.checking import check
from ace_ros.cli.console import note, stderr
from ace_ros.errors import InputError
from ace_ros.features.encoder import Encoder
from ace_ros.recordings import Recording, SplitOptions
from ace_ros.recordings.options import poses_as


def tell(scene: Recording) -> None:
    """What was recognised, in one line, and the notes."""
    stderr.print(scene.summary, markup=False, soft_wrap=True)
    for text in scene.notes:
        note(text)


def hold_against_images(scene: Recording, reading: SplitOptions, encoder: Encoder) -> None:
    """Check poses and intrinsics by the images; an encoder without keypoints can't.

    Raises:
        InputError: another reading fits far better, and the user has not said how they are meant.
    """
    if not encoder.has_keypoints:
        return
    verdict, _ = check(scene.frames, encoder)
    told = bool(poses_as(reading)) or reading.focal_scale is not None
    if verdict.meant is not None and not told:
        raise InputError(f"{scene.name}: {verdict.sentence}")
    note(verdict.sentence)

"""A recording held against its own images, before it is mapped: do poses and intrinsics mean what they are read as?"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ace_ros.checking.pairs import Pair, choose, match
from ace_ros.checking.verdict import Verdict, judge
from ace_ros.errors import InputError
from ace_ros.features.encoder import Encoder
from ace_ros.features.features import EncodedImage
from ace_ros.recordings.posed_frame import PosedFrame

__all__ = ["Pair", "Verdict", "check", "check_encoded"]

_KEYPOINTS = 1000


def check(frames: Sequence[PosedFrame], encoder: Encoder) -> tuple[Verdict, list[Pair]]:
    """Match neighbouring frames and see under which reading of the recording their epipolar geometry fits.

    Some thirty images are read: a second or two.
    """

    def encode(frame: PosedFrame) -> EncodedImage | None:
        try:
            return encoder.encode(frame.image(), _KEYPOINTS)
        except InputError:  # told when it is mapped
            return None

    return check_encoded(frames, encode, encoder.profile.likeness.match)


def check_encoded(
    frames: Sequence[PosedFrame], encoded: Callable[[PosedFrame], EncodedImage | None], likeness: float
) -> tuple[Verdict, list[Pair]]:
    """The same of images whose keypoints are asked for; those more alike than ``likeness`` are one, a cosine."""
    pairs = match(choose(frames), encoded, likeness)
    return judge(pairs), pairs

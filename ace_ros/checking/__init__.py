"""A recording held against its own images, before it is mapped: do poses and intrinsics mean what they are read as?"""

from __future__ import annotations

from collections.abc import Sequence

from ace_ros.checking.pairs import Pair, choose, match
from ace_ros.checking.verdict import Verdict, judge
from ace_ros.features.encoder import Encoder
from ace_ros.recordings.posed_frame import PosedFrame

__all__ = ["Pair", "Verdict", "check"]


def check(frames: Sequence[PosedFrame], encoder: Encoder) -> tuple[Verdict, list[Pair]]:
    """Match neighbouring frames and see under which reading of the recording their epipolar geometry fits.

    Some thirty images are read: a second or two.
    """
    pairs = match(encoder, choose(frames))
    return judge(pairs), pairs

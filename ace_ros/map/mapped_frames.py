"""Which frames a map was made from, so that nobody takes these for a test of it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


def pixel_digest(pixels: NDArray[np.uint8]) -> int:
    """64 bits, signed, that tell one image from all others, whatever name and stamp it goes by.

    Args:
        pixels: uint8, as decoded: (H, W) grey or (H, W, 3) RGB. Made grey, or decoded otherwise, it is another image.
    """
    # Noise tells images apart by half of their rows as well, in half the time: 0.5 ms of VGA in colour.
    state = hashlib.blake2b(repr(pixels.shape).encode(), digest_size=8)
    state.update(np.ascontiguousarray(pixels[::2]).data)
    return int.from_bytes(state.digest(), "little", signed=True)


def _none() -> NDArray[np.int64]:
    return np.empty(0, np.int64)


@dataclass(frozen=True)
class MappedFrames:
    """The frames that a map was made from, those that its calibration was fitted on among them.

    Maps of before this was kept, and imported heads, know none.

    Attributes:
        digests: (N,) int64, of their pixels, one a frame. stamps: (M,) int64, ns, sorted, of those that have one.
    """

    digests: NDArray[np.int64] = field(default_factory=_none)
    stamps: NDArray[np.int64] = field(default_factory=_none)

    @staticmethod
    def of(digests: Sequence[int], stamps: Sequence[int]) -> MappedFrames:
        """Of frames, each by its digest, and the stamps that there are."""
        return MappedFrames(np.array(digests, np.int64), np.sort(np.array(stamps, np.int64)))

    def __len__(self) -> int:
        return len(self.digests)

    def holds(self, pixels: NDArray[np.uint8]) -> bool:
        """Whether this image, as decoded, is one of them."""
        return len(self) > 0 and bool((self.digests == pixel_digest(pixels)).any())

    def meets(self, first: int, last: int) -> bool:
        """Whether they, by their stamps, were taken while a recording from ``first`` to ``last`` (ns) was."""
        return len(self.stamps) > 0 and first <= int(self.stamps[-1]) and last >= int(self.stamps[0])

"""Which calibration goes with which image, where the two come apart from each other."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

Image = TypeVar("Image")
Info = TypeVar("Info")

KEPT_INFOS = 50  # set by hand: a second or two of any camera
_UNSYNCHRONISED_AFTER = 5  # images in a row without one of their stamp; set by hand
_PATIENCE = 5  # images that may come before the calibration of one; set by hand


@dataclass(frozen=True)
class _Waiting(Generic[Image]):
    image: Image
    number: int  # which one it was
    since: float


class InfoMatcher(Generic[Image, Info]):
    """Pairs images with calibrations by their stamps (ns).

    Drivers send both with one stamp, and then only such pairs are made, so that a change of the
    mode meets the right image. Where stamps never agree (latched or slow calibrations), the newest
    one that is not younger than the image is taken.
    """

    def __init__(self) -> None:
        self._infos: OrderedDict[int, Info] = OrderedDict()
        self._waiting: OrderedDict[int, _Waiting[Image]] = OrderedDict()  # by stamp
        self._synchronised = False
        self._misses = 0
        self._last_image = -1
        self._images = 0
        self.unmatched = 0  # images without a calibration

    def forget(self) -> None:
        """Start over, counting on."""
        unmatched = self.unmatched + len(self._waiting)
        self.__init__()  # type: ignore[misc]
        self.unmatched = unmatched

    def add_info(self, stamp: int, info: Info) -> tuple[Image, Info] | None:
        """Take a calibration; returns a pair if an image waited for it."""
        self._infos[stamp] = info
        self._infos.move_to_end(stamp)
        while len(self._infos) > KEPT_INFOS:
            self._infos.popitem(last=False)
        if stamp == self._last_image:
            self._synchronised, self._misses = True, 0
        if stamp in self._waiting:
            return self._waiting.pop(stamp).image, info
        return None

    def add_image(self, stamp: int, image: Image) -> tuple[Image, Info] | None:
        """Take an image; returns the pair if it can be made now."""
        self._last_image = stamp
        self._images += 1
        if self._waiting:
            self._misses += 1
            self._synchronised = self._synchronised and self._misses < _UNSYNCHRONISED_AFTER
        self._give_up(lambda waiting: self._images - waiting.number > _PATIENCE)
        if stamp in self._infos:
            self._synchronised, self._misses = True, 0
            return image, self._infos[stamp]
        if self._synchronised or not self._infos:
            self.unmatched += stamp in self._waiting
            self._waiting[stamp] = _Waiting(image, self._images, time.monotonic())
            return None
        older = [known for known in self._infos if known <= stamp]
        return image, self._infos[older[-1] if older else next(reversed(self._infos))]

    def expire(self, since: float) -> None:
        """Give up the images that have waited since before that time (monotonic clock, s)."""
        self._give_up(lambda waiting: waiting.since < since)

    def _give_up(self, hopeless: Callable[[_Waiting[Image]], bool]) -> None:
        for stamp in [stamp for stamp, waiting in self._waiting.items() if hopeless(waiting)]:
            del self._waiting[stamp]
            self.unmatched += 1

"""An image looked at until it is known what it shows: as it is, at other sizes, turned."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from ace_ros.features.look import Look
from ace_ros.features.picture import Picture
from ace_ros.geometry import Matrix
from ace_ros.image import Image
from ace_ros.localization.answer import Localization
from ace_ros.localization.second_look import held_against, same, worth_another
from ace_ros.localization.state import State
from ace_ros.localization.trust import TrustModel
from ace_ros.localization.verdict import DARK

if TYPE_CHECKING:
    from ace_ros.localization.localizer import Localizer

# An image that is not enough is looked at again, smaller: what was near is then as large as mapping saw it, and a smear
# as short. Of 32 queries and views of left out stretches of seven scenes that were not believed 17 then are, of 264
# smeared ones 70, of 285 half covered ones 9; with 0.6 alone 14, 34 and 3. Both cost as much as encoding it once more.
_SMALLER = 0.8, 0.6
# Unless too few pixels are left: of 9 views of 324 x 239, not enlarged, that were believed at 0.8 three were 6 to 7 %
# of the depth off. With 256 on the short side none is.
_LEAST_SIDE = 224
# And where nothing at all is known in it, turned: a camera may be mounted on its side, or upside down. Rolled by 30
# degrees nearly as many are believed as upright, by 45 from a tenth to all of them: quarter turns leave hardly a gap.
_TURNS = 2, 1, 3


class Looking:
    """One image, and what its looks say.

    Args:
        localizer: encodes and answers. prior: as of :meth:`.Localizer.localize`.
        turns: quarter turns by which its camera was seen to be held; None where that is not known.

    Attributes:
        turns: as it turned out. seconds: that each stage took, of all looks.
    """

    def __init__(self, localizer: Localizer, image: Image, prior: Matrix | None, turns: int | None) -> None:
        self._localizer, self._image, self._prior = localizer, image, prior
        self._mounted = turns is not None
        self.turns = turns or 0
        self.seconds: dict[str, float] = {}
        self._by_itself: dict[Look, Localization] = {}
        self._picture: Picture | None = None  # of all looks: its slopes are found once
        self._known: list[int] = []  # places in which the first look has found something: a later one asks them, too
        self._first = self._seen(Look(turns=self.turns), prior)
        found = self._first.sight.found if self._first.sight is not None else ()
        self._known = sorted({one.place for one in found if one.verdict.state is not State.LOST})

    def answer(self) -> Localization:
        """What they say together.

        Raises:
            InputError: an image that is too small. MapFileError: a place of the map's file can't be read.
        """
        first = self._first
        if first.alternatives:
            return self._told_apart()
        answer = self._borne_out(first)
        if State.LOCALIZED in (first.state, answer.state):
            return answer
        for look in self._others():
            again = self._by_itself.get(look) or self._seen(look, self._prior, sure_only=True)
            if again.state is State.LOCALIZED:
                found = self._larger(again) if look.turns == self.turns else again
                self.turns = look.turns
                return self._borne_out(found)
        return answer

    def _seen(self, look: Look, prior: Matrix | None, sure_only: bool = False) -> Localization:
        """The answer to the image as it is looked at."""
        start = time.perf_counter()
        encoded = self._localizer.encode(self._image, look)
        self._picture = self._picture or encoded.picture
        encoded = replace(encoded, picture=self._picture)
        took = time.perf_counter() - start
        answer = self._localizer.answer(encoded, prior, sure_only, self._known)
        self._count({**answer.timings, "encode": took})
        return answer

    def _others(self) -> list[Look]:
        """Looks that may tell more; none of an image that shows nothing."""
        told = self._first.evidence
        if told is None or told.contrast < DARK:
            return []
        looks = [Look(scale, self.turns) for scale in _SMALLER if self._fits(scale)]
        # What is expected somewhere was seen a moment ago, with this camera held as it is, or with another one.
        if self._first.state is State.LOST and (self._prior is None or not self._mounted):
            looks += [Look(turns=(self.turns + more) % 4) for more in _TURNS]
        return looks

    def _borne_out(self, answer: Localization) -> Localization:
        """What is believed of few landmarks, or doubted for its own covariance alone, held against another look."""
        assert answer.sight is not None
        return self._held(answer) if answer.sight.found and worth_another(answer, self._trust(answer)) else answer

    def _told_apart(self) -> Localization:
        """What several poses explain is believed where a look at another size is sure of the best of them: twins are
        twins at any size, and what chance has for a rival at one it has not at another."""
        first, other = self._first, self._smaller()
        if other is None or other.state is not State.LOCALIZED or not same(first, other):
            return first
        return self._held(self._larger(other))

    def _held(self, answer: Localization) -> Localization:
        """An answer held against the look at another size than its own."""
        assert answer.sight is not None
        other = self._first if answer.sight.encoded.scale < 1.0 else self._smaller()
        return answer if other is None else held_against(answer, other, self._trust(answer))

    def _trust(self, answer: Localization) -> TrustModel:
        assert answer.sight is not None
        return self._localizer.trust(answer.sight.found[0].place)

    def _smaller(self) -> Localization | None:
        """A look at another size, by itself; None where too few pixels would be left."""
        if not self._fits(_SMALLER[0]):
            return None
        look = Look(_SMALLER[0], self.turns)
        if look not in self._by_itself:
            self._by_itself[look] = self._seen(look, None)
        return self._by_itself[look]

    def _larger(self, smaller: Localization) -> Localization:
        """What was found smaller, as the first look has it, which is more exact; where that believes it."""
        assert self._first.sight is not None
        led = self._localizer.answer(self._first.sight.encoded, smaller.map_from_camera)
        self._count(led.timings)
        return led if led.state is State.LOCALIZED else smaller

    def _fits(self, scale: float) -> bool:
        """Whether enough pixels are left of the image where it is encoded so much smaller."""
        assert self._first.sight is not None
        encoded, camera = self._first.sight.encoded, self._image.camera
        return scale * min(camera.width, camera.height) * encoded.focal / camera.focal >= _LEAST_SIDE

    def _count(self, timings: dict[str, float]) -> None:
        for stage, took in timings.items():
            self.seconds[stage] = self.seconds.get(stage, 0.0) + took

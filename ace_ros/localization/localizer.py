"""Map and image in, pose out: with a covariance, a confidence, and a word on whether to trust it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from ace_ros.camera import Camera
from ace_ros.device import resolve_device
from ace_ros.features.features import EncodedImage
from ace_ros.features.look import AS_IT_IS, Look
from ace_ros.geometry import Matrix
from ace_ros.image import Image, Pixels
from ace_ros.localization.answer import Localization
from ace_ros.localization.atlas import Atlas
from ace_ros.localization.options import LocalizeOptions
from ace_ros.localization.rig import find_together
from ace_ros.localization.second_look import held_against, worth_another
from ace_ros.localization.sight import RigView
from ace_ros.localization.state import State
from ace_ros.localization.verdict import DARK
from ace_ros.map.scene_map import SceneMap

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


class Localizer:
    """Finds cameras in one map: an encoder, then the places of the map, each with its estimator and trust model.

    Args:
        scene_map: the map. device: auto, cpu, cuda or cuda:N.

    Raises:
        MapVersionError: the map was made for another encoder. InputError: no such device, no encoder weights.
    """

    def __init__(self, scene_map: SceneMap, options: LocalizeOptions | None = None, device: str = "auto") -> None:
        self.options = options or LocalizeOptions()
        self.scene_map = scene_map
        where = resolve_device(device)
        self._encoder = scene_map.make_encoder(where, self.options.encoder_weights)
        self._atlas = Atlas(scene_map, self._encoder.profile, where, self.options.iterations)
        self._turns: dict[Camera, int] = {}  # how the cameras are held that were localized: quarter turns

    def localize(self, image: Pixels, camera: Camera, prior: Matrix | None = None) -> Localization:
        """Where was this image taken?

        What is not believed at first sight is looked at again, smaller and turned. A camera that was seen to be mounted
        on its side or upside down is taken to be so from then on. What few landmarks agree with is held against a look
        at another size (:mod:`ace_ros.localization.second_look`).

        Args:
            image: uint8, (H, W) grey or (H, W, 3) RGB. camera: its intrinsics.
            prior: expected map_from_camera (the last pose carried forward); makes a tracked frame cheaper,
                and is dropped at once when the image does not bear it out.

        Raises:
            InputError: an image that can't be used, or of another size than the camera's.
            MapFileError: a place of the map's file can't be read.
        """
        start = time.perf_counter()
        taken = Image(image, camera)
        look = usual = Look(turns=self._turns.get(camera, 0))
        first = answer = self._seen(taken, usual, prior)
        seconds = dict(first.timings)
        for look in self._others(first, usual.turns, prior):
            again = self._seen(taken, look, prior, sure_only=True)
            _add(seconds, again)
            if again.state is State.LOCALIZED:
                answer = self._larger(first, again, seconds) if look.turns == usual.turns else again
                break
        if first.alternatives:
            answer = self._told_apart(taken, first, usual.turns, seconds)
        elif answer.state is State.LOCALIZED:
            answer = self._borne_out(taken, first, answer, look.turns, seconds)
        if answer.state is State.LOCALIZED:
            self._turns[camera] = look.turns
        answer.timings.update(seconds, total=time.perf_counter() - start)
        return answer

    def encode(self, image: Image, look: Look = AS_IT_IS) -> EncodedImage:
        """The first half of :meth:`localize`: independent of the map but for its encoder.

        Raises:
            InputError: an image that is too small.
        """
        return self._encoder.encode(image, self.options.keypoints, look)

    def answer(self, encoded: EncodedImage, prior: Matrix | None = None, sure_only: bool = False) -> Localization:
        """The second half of :meth:`localize`, for one look; ``sure_only``: as :meth:`.Atlas.find`."""
        return Localization.of(self._atlas.find(encoded, prior, sure_only))

    def _seen(self, image: Image, look: Look, prior: Matrix | None, sure_only: bool = False) -> Localization:
        """The answer to an image as it is looked at."""
        start = time.perf_counter()
        encoded = self.encode(image, look)
        took = time.perf_counter() - start
        answer = self.answer(encoded, prior, sure_only)
        answer.timings.update(encode=took)
        return answer

    def _others(self, first: Localization, turns: int, prior: Matrix | None) -> list[Look]:
        """Looks that may tell more: none of an image that shows nothing, nor of one that tells too much."""
        told = first.evidence
        if first.state is State.LOCALIZED or first.alternatives or told is None or told.contrast < DARK:
            return []
        assert first.sight is not None
        camera = first.sight.encoded.camera
        looks = [Look(scale, turns) for scale in _SMALLER if self._fits(first, scale)]
        # What is expected somewhere was seen a moment ago, with this camera held as it is, or with another one.
        if first.state is State.LOST and (prior is None or camera not in self._turns):
            looks += [Look(turns=(turns + more) % 4) for more in _TURNS]
        return looks

    def _borne_out(
        self, image: Image, first: Localization, answer: Localization, turns: int, seconds: dict[str, float]
    ) -> Localization:
        """What is believed of few landmarks, held against a look at another size."""
        assert answer.sight is not None
        trust = self._atlas.place(answer.sight.found[0].place)[1]
        if not worth_another(answer, trust):
            return answer
        if answer.sight.encoded.scale < 1.0:
            return held_against(answer, first, trust)
        if not self._fits(answer, _SMALLER[0]):
            return answer
        other = self._seen(image, Look(_SMALLER[0], turns), None)
        _add(seconds, other)
        return held_against(answer, other, trust)

    def _told_apart(self, image: Image, first: Localization, turns: int, seconds: dict[str, float]) -> Localization:
        """What several poses explain is believed where a look at another size is sure of the best of them: twins are
        twins at any size, and what chance has for a rival at one it has not at another."""
        if not self._fits(first, _SMALLER[0]):
            return first
        other = self._seen(image, Look(_SMALLER[0], turns), None)
        _add(seconds, other)
        if other.state is not State.LOCALIZED or not _same(first, other):
            return first
        answer = self._larger(first, other, seconds)
        assert answer.sight is not None
        trust = self._atlas.place(answer.sight.found[0].place)[1]
        return held_against(answer, first if answer is other else other, trust)

    def _fits(self, answer: Localization, scale: float) -> bool:
        """Whether enough pixels are left of an image that is encoded so much smaller."""
        assert answer.sight is not None
        camera = answer.sight.encoded.camera
        side = min(camera.width, camera.height) * answer.sight.encoded.focal / camera.focal
        return scale * side >= _LEAST_SIDE

    def _larger(self, first: Localization, smaller: Localization, seconds: dict[str, float]) -> Localization:
        """What was found smaller, as the first look has it, which is more exact; where that believes it."""
        assert first.sight is not None
        led = self.answer(first.sight.encoded, smaller.map_from_camera)
        _add(seconds, led)
        return led if led.state is State.LOCALIZED else smaller

    def together(self, views: Sequence[RigView]) -> Localization | None:
        """Where was the last of several images taken, of which it is known how their cameras lie to each other?

        They may be those of a drive, by its odometry, or of several cameras of one robot. Each was asked before, alone;
        what it said then is used again.

        Args:
            views: in the order in which they were taken.

        Returns:
            None where no pose has anything of the last image to speak for it.

        Raises:
            MapFileError: a place of the map's file can't be read.
        """
        start = time.perf_counter()
        found = find_together(self._atlas, self.scene_map, views)
        if not found:
            return None
        answer = replace(Localization.of(found), sight=views[-1].sight, images=len(views))
        answer.timings["total"] = time.perf_counter() - start
        return answer


def _same(one: Localization, other: Localization) -> bool:
    """Whether two looks at an image have the same pose for the best."""
    assert one.sight is not None and other.sight is not None
    return one.sight.found[0].same(other.sight.found[0])


def _add(seconds: dict[str, float], answer: Localization) -> None:
    for stage, took in answer.timings.items():
        seconds[stage] = seconds.get(stage, 0.0) + took

"""Map and image in, pose out: with a covariance, a confidence, and a word on whether to trust it."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import replace

from ace_ros.camera import Camera
from ace_ros.device import resolve_device
from ace_ros.features.features import EncodedImage
from ace_ros.features.look import AS_IT_IS, Look
from ace_ros.geometry import Matrix
from ace_ros.image import Image, Pixels
from ace_ros.localization.answer import Localization
from ace_ros.localization.atlas import Atlas
from ace_ros.localization.looking import Looking
from ace_ros.localization.options import LocalizeOptions
from ace_ros.localization.rig import find_together
from ace_ros.localization.sight import RigView
from ace_ros.localization.state import State
from ace_ros.localization.trust import TrustModel
from ace_ros.map.scene_map import SceneMap


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

        What is not believed at first sight is looked at again, smaller and turned (:class:`.Looking`), and what few
        landmarks agree with is held against a look at another size (:mod:`.second_look`). A camera that was seen to be
        mounted on its side or upside down is taken to be so from then on.

        Args:
            image: uint8, (H, W) grey or (H, W, 3) RGB. camera: its intrinsics.
            prior: expected map_from_camera (the last pose carried forward); makes a tracked frame cheaper,
                and is dropped at once when the image does not bear it out.

        Raises:
            InputError: an image that can't be used, or of another size than the camera's.
            MapFileError: a place of the map's file can't be read.
        """
        start = time.perf_counter()
        looking = Looking(self, Image(image, camera), prior, self._turns.get(camera))
        answer = looking.answer()
        if answer.state is State.LOCALIZED:
            self._turns[camera] = looking.turns
        answer.timings.update(looking.seconds, total=time.perf_counter() - start)
        return answer

    def encode(self, image: Image, look: Look = AS_IT_IS) -> EncodedImage:
        """The first half of :meth:`localize`: independent of the map but for its encoder.

        Raises:
            InputError: an image that is too small.
        """
        return self._encoder.encode(image, self.options.keypoints, look)

    def answer(
        self,
        encoded: EncodedImage,
        prior: Matrix | None = None,
        sure_only: bool = False,
        known: Collection[int] = (),
    ) -> Localization:
        """The second half of :meth:`localize`, for one look; ``sure_only``, ``known``: as :meth:`.Atlas.find`."""
        return Localization.of(self._atlas.find(encoded, prior, sure_only, known))

    def trust(self, place: int) -> TrustModel:
        """What evidence is worth in a place of the map."""
        return self._atlas.place(place)[1]

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

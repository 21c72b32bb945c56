"""Posed frames in, a map out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from ace_ros.camera import Camera
from ace_ros.device import resolve_device
from ace_ros.errors import MappingError
from ace_ros.features.registry import make_encoder, parse_encoder
from ace_ros.geometry import Matrix, check_pose
from ace_ros.image import Image, Pixels
from ace_ros.map.mapped_frames import MappedFrames, pixel_digest
from ace_ros.map.scene_map import SceneMap
from ace_ros.mapping.build import Site, build_place
from ace_ros.mapping.covisibility import Covisibility
from ace_ros.mapping.options import MIN_FRAMES, MapOptions
from ace_ros.mapping.places import Cut, cut
from ace_ros.mapping.progress import Progress, Reporter
from ace_ros.mapping.views import View


class Mapper:
    """Collects posed frames, encoding each at once, and builds a map of them.

    Args:
        options: see :class:`MapOptions`. map_frame: name of the frame that the poses are in.
        metric: whether a unit of the poses is a metre.
    """

    def __init__(self, options: MapOptions | None = None, map_frame: str = "map", metric: bool = True) -> None:
        options = options or MapOptions()
        name, weights = parse_encoder(options.encoder, options.encoder_weights)
        self.options = replace(options, encoder=name, encoder_weights=weights)
        self._site = Site(map_frame, metric)
        self._encoder = make_encoder(name, resolve_device(options.device), options.image_size, weights)
        self._views: list[View] = []
        self._covisibility = Covisibility(self._encoder.profile.likeness)
        self._digests: list[int] = []
        self._stamps: list[int] = []

    def __len__(self) -> int:
        return len(self._views)

    def add(
        self,
        image: Pixels,
        camera: Camera,
        map_from_camera: Matrix,
        name: str = "frame",
        stamp: int | None = None,
    ) -> None:
        """Take a posed frame: encode it and forget the image.

        Args:
            image: uint8, (H, W) grey or (H, W, 3) RGB; the map will know it again. camera: its intrinsics.
            map_from_camera: (4, 4). name: for messages.
            stamp: ns, if the frame has one that no other recording has.

        Raises:
            InputError: an unusable image or pose; the frame is not taken, the others stay.
        """
        pose = check_pose(map_from_camera, name)
        encoded = self._encoder.encode(Image(image, camera, name), self.options.keypoints)
        kept = replace(encoded, features=encoded.features.stored_as(torch.half))
        self._views.append(View(name, pose, kept))
        if self._encoder.has_keypoints:
            self._covisibility.add(self._views[-1])
        self._digests.append(pixel_digest(image))
        self._stamps += [] if stamp is None else [stamp]

    def build(
        self, progress: Callable[[Progress], None] = lambda p: None, cancelled: Callable[[], bool] = lambda: False
    ) -> SceneMap:
        """Build a map of the frames taken so far; they stay, so that more can be added and built again.

        Args:
            progress: called often from this thread. cancelled: polled often.

        Raises:
            MappingError: fewer than 10 frames, or training diverged. Cancelled: as asked.
        """
        if len(self) < MIN_FRAMES:
            raise MappingError(f"a map needs at least {MIN_FRAMES} usable frames with poses, there are {len(self)}")
        places, cuts = [], self._cut()
        options = self.options.for_places(len(cuts))
        for number, cut_ in enumerate(cuts):
            report = Reporter(progress, cancelled, number, len(cuts))
            own, lent = [self._views[i] for i in cut_.own], [self._views[i] for i in cut_.seam]
            places.append(build_place(own, lent, self._encoder, options, self._site, report))
        return SceneMap(tuple(places), MappedFrames.of(self._digests, self._stamps))

    def _cut(self) -> list[Cut]:
        """The places that the views fall into; an encoder whose features can't be matched knows of one only."""
        centres = np.stack([view.map_from_camera[:3, 3] for view in self._views])
        if not self._encoder.has_keypoints:
            return [Cut(np.arange(len(self)), np.empty(0, np.int64))]
        return cut(self._covisibility, centres)

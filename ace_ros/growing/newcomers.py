"""Frames that come to a map: encoded as its own were, in its frame."""

from __future__ import annotations

from collections import Counter

import numpy as np

from ace_ros.camera import Camera
from ace_ros.device import resolve_device
from ace_ros.errors import InputError
from ace_ros.features.encoder import Encoder
from ace_ros.geometry import Matrix
from ace_ros.growing.options import GrowOptions
from ace_ros.image import Pixels
from ace_ros.map.mapped_frames import MappedFrames
from ace_ros.map.scene_map import SceneMap
from ace_ros.mapping.views import View, encode_view


class Newcomers:
    """Collects posed frames for a map, encoding each at once.

    Attributes:
        scene_map: the map. options: how it is to grow. encoder: its own. views: the frames.

    Args:
        encoder: of views that are given by :meth:`take`. None: one as the map's is made.

    Raises:
        InputError: the map's encoder has no keypoints that landmarks could be made of. MapVersionError: the encoder's
            weights are others.
    """

    def __init__(self, scene_map: SceneMap, options: GrowOptions | None = None, encoder: Encoder | None = None) -> None:
        self.scene_map, self.options = scene_map, options or GrowOptions()
        if encoder is None:
            encoder = scene_map.make_encoder(resolve_device(self.options.device), self.options.encoder_weights)
        else:
            scene_map.check_encoder(encoder)
        self.encoder: Encoder = encoder
        if not self.encoder.has_keypoints:
            raise InputError(
                f"maps of encoder {scene_map.header.encoder} have no landmarks by which to tell what is new; map the "
                "recording by itself and lay both maps side by side: ace merge"
            )
        self.views: list[View] = []
        self._keypoints = self.options.mapping(scene_map.header).keypoints

    def __len__(self) -> int:
        return len(self.views)

    def add(
        self,
        image: Pixels,
        camera: Camera,
        map_from_camera: Matrix,
        name: str = "frame",
        stamp: int | None = None,
    ) -> None:
        """Take a frame, as :meth:`ace_ros.mapping.mapper.Mapper.add`; raises the same."""
        view = encode_view(self.encoder, self._keypoints, image, camera, map_from_camera, name, stamp)
        self.take(view)

    def take(self, view: View) -> None:
        """Take a frame that was encoded before, by the map's encoder; its pose is in the map's frame."""
        self.views.append(view)

    def repeated(self) -> int:
        """How many of the frames the map was made from already."""
        known = set(self.scene_map.mapped.digests.tolist())
        return sum(count for digest, count in Counter(view.digest for view in self.views).items() if digest in known)

    def mapped_with(self, taken: list[int]) -> MappedFrames:
        """The frames that the map is of when those of these numbers have taught it too."""
        old = self.scene_map.mapped
        known = set(old.digests.tolist())
        views = [self.views[i] for i in taken]
        new = [view.digest for view in views if view.digest not in known]
        stamps = [view.stamp for view in views if view.stamp is not None]
        return MappedFrames(
            np.concatenate([old.digests, np.array(new, np.int64)]),
            np.unique(np.concatenate([old.stamps, np.array(stamps, np.int64)])),
        )

"""Frames of a recording localized in a map: to align it, or to find out that it is not aligned."""

from __future__ import annotations

from dataclasses import replace

import torch

from ace_ros.camera import Camera
from ace_ros.geometry import Matrix, pose_error
from ace_ros.growing.aligning import Sighting
from ace_ros.growing.newcomers import Newcomers
from ace_ros.image import Pixels
from ace_ros.localization.answer import Localization
from ace_ros.localization.atlas import Atlas
from ace_ros.localization.localizer import Localizer
from ace_ros.localization.trust import State
from ace_ros.mapping.views import View

_ELSEWHERE = 0.5, 20.0  # depths of the scene, degrees: no localization that is believed errs by so much; set by hand


def sighted(localizer: Localizer, image: Pixels, camera: Camera, recording_from_camera: Matrix) -> Sighting | None:
    """Where the map has a frame; None where it was not localized, or twins leave a doubt.

    Raises:
        InputError: an image that can't be used.
    """
    found = localizer.localize(image, camera)
    if found.state is not State.LOCALIZED or found.map_from_camera is None or found.covariance is None:
        return None
    assert found.place is not None
    depth = localizer.scene_map.headers[found.place].median_depth
    return Sighting(recording_from_camera, found.map_from_camera, found.covariance, depth)


class PoseCheck:
    """Finds out whether views are where their poses say, by a map that may know them."""

    def __init__(self, newcomers: Newcomers) -> None:
        self._map, encoder = newcomers.scene_map, newcomers.encoder
        self._atlas = Atlas(self._map, encoder.profile, encoder.device)

    def elsewhere(self, view: View) -> bool:
        """Whether the map is sure of the view, and has it far from its pose."""
        features = view.encoded.features.stored_as(torch.float32, torch.device("cpu"))
        found = Localization.of(self._atlas.find(replace(view.encoded, features=features)))
        if found.state is not State.LOCALIZED or found.map_from_camera is None or found.place is None:
            return False
        translation, degrees = pose_error(found.map_from_camera, view.map_from_camera)
        return translation > _ELSEWHERE[0] * self._map.headers[found.place].median_depth or degrees > _ELSEWHERE[1]

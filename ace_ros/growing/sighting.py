"""Frames of a recording localized in a map: to align it, or to find out that it is not aligned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from ace_ros.camera import Camera
from ace_ros.features.encoder import Encoder
from ace_ros.geometry import Matrix, pose_error
from ace_ros.growing.aligning import Sighting
from ace_ros.image import Pixels
from ace_ros.localization.answer import Localization
from ace_ros.localization.atlas import Atlas
from ace_ros.localization.localizer import Localizer
from ace_ros.localization.state import State
from ace_ros.map.scene_map import SceneMap
from ace_ros.mapping.views import View

_ASKED = 12  # views at most by which poses in another frame are found out; half a second
_ELSEWHERE = 0.5, 20.0  # depths of the scene, degrees: no localization that is believed errs by so much; set by hand


def sighted(localizer: Localizer, image: Pixels, camera: Camera, recording_from_camera: Matrix) -> Sighting | None:
    """Where the map has a frame; None where it was not localized, or twins leave a doubt.

    Raises:
        InputError: an image that can't be used.
    """
    return _sighting(localizer.localize(image, camera), localizer.scene_map, recording_from_camera)


class ViewFinder:
    """Localizes views, of which the images are gone.

    Raises:
        MapVersionError: the map was made for another encoder than theirs.
    """

    def __init__(self, scene_map: SceneMap, encoder: Encoder) -> None:
        scene_map.check_encoder(encoder)
        self._map = scene_map
        self._atlas = Atlas(scene_map, encoder.profile, encoder.device)

    def sighted(self, view: View) -> Sighting | None:
        """As :func:`sighted`; the view's pose is the recording's."""
        return _sighting(self._localized(view), self._map, view.map_from_camera)

    def misplaced(
        self, views: Sequence[View], report: Callable[[int, int], None] = lambda done, total: None
    ) -> tuple[int, int]:
        """How many views were asked where they are, a few of all, and how many of them the map surely has elsewhere."""
        asked, elsewhere = views[:: max(1, -(-len(views) // _ASKED))], 0
        for done, view in enumerate(asked, 1):
            elsewhere += self._elsewhere(view)
            report(done, len(asked))
        return len(asked), elsewhere

    def _elsewhere(self, view: View) -> bool:
        """Whether the map is sure of the view, and has it far from its pose."""
        seen = self.sighted(view)
        if seen is None:
            return False
        translation, degrees = pose_error(seen.map_from_camera, view.map_from_camera)
        return translation > _ELSEWHERE[0] * seen.depth or degrees > _ELSEWHERE[1]

    def _localized(self, view: View) -> Localization:
        features = view.encoded.features.stored_as(torch.float32, torch.device("cpu"))
        return Localization.of(self._atlas.find(replace(view.encoded, features=features)))


def _sighting(found: Localization, scene_map: SceneMap, recording_from_camera: Matrix) -> Sighting | None:
    if found.state is not State.LOCALIZED or found.map_from_camera is None or found.covariance is None:
        return None
    assert found.place is not None
    depth = scene_map.headers[found.place].median_depth
    return Sighting(recording_from_camera, found.map_from_camera, found.covariance, depth)

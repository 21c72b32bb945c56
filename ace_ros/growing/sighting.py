"""Frames of a recording with an origin of its own, localized in a map."""

from __future__ import annotations

from ace_ros.camera import Camera
from ace_ros.geometry import Matrix
from ace_ros.growing.aligning import Sighting
from ace_ros.image import Pixels
from ace_ros.localization.localizer import Localizer
from ace_ros.localization.trust import State


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

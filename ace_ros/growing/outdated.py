"""Which landmarks of a place are gone: seen through again and again, and never found.

A new track says how far a view can see along a ray. What a landmark's ray meets clearly behind it, the view sees
through it; what it meets clearly before it hides it, which says nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ace_ros.features.features import EncodedImage
from ace_ros.growing.knowledge import found_in, local_pose
from ace_ros.growing.updating import Evidence
from ace_ros.map.landmarks import Landmarks
from ace_ros.map.place import Place

_ASIDE = 12.0  # pixels: new tracks that tell how far a landmark's ray goes; set by hand, the grain of tracks in a view
_MOST = 6  # of these tracks
_BEHIND = (
    1.05  # times as far as the landmark, all of them: seen through; of 1.03 to 1.15 in the generated room, by hand
)
_OFTEN = 3  # views that see through what is gone, at least; set by hand: a track or two may be wrong
_NEVER = 0.1  # of these: in so few it may be found, by chance; set by hand


def outdated(place: Place, evidence: Evidence, landmarks: Landmarks) -> NDArray[np.bool_]:
    """(L,) which landmarks of the place are gone.

    Args:
        evidence: new views and what they triangulated. landmarks: of the place, to be found.
    """
    points = evidence.points(place)
    through, found = np.zeros((2, len(place.points)), np.int64)
    tracks = evidence.tracks
    view_of, track_of = tracks.view.cpu().numpy(), tracks.track.cpu().numpy()
    for number, view in enumerate(evidence.taught):
        found[found_in(view, landmarks, place.header).point] += 1
        own = points[track_of[view_of == number]]
        through[_seen_through(place.points, own, local_pose(view, place.header), view.encoded)] += 1
    return np.asarray((through >= _OFTEN) & (found <= _NEVER * through))


def _seen_through(
    points: NDArray[np.float32],
    tracks: NDArray[np.float32],
    local_from_camera: NDArray[np.float64],
    image: EncodedImage,
) -> NDArray[np.int64]:
    """Landmarks beside which a view sees several tracks, all of them clearly farther."""
    if len(tracks) < _MOST:
        return np.empty(0, np.int64)
    here, there = points - local_from_camera[:3, 3], tracks - local_from_camera[:3, 3]
    far, farther = np.linalg.norm(here, axis=1), np.linalg.norm(there, axis=1)
    tree = cKDTree(there / farther[:, None] * image.focal)
    off, index = tree.query(here / far[:, None] * image.focal, k=_MOST, distance_upper_bound=_ASIDE)
    near = np.isfinite(off)
    depth = np.where(near, np.append(farther, np.inf)[index], np.inf)
    return np.nonzero((near.sum(1) >= 2) & (depth.min(1) > _BEHIND * far))[0]

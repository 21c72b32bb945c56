"""What a map looks like: its landmarks in a colour for each place, or points that the localizer relied on, with the
colours of the images that it saw them in."""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ace_ros.errors import InputError
from ace_ros.image import Pixels
from ace_ros.localization.localizer import Localizer
from ace_ros.map.scene_map import SceneMap
from ace_ros.recordings.posed_frame import PosedFrame
from ace_ros.recordings.prefetch import prefetched

_GREY = 160  # of 255, of the landmarks of a room: seen on light and on dark; set by hand
_GOLDEN = 0.618  # of the colour circle between two places: neighbours in number never look alike


@dataclass(frozen=True)
class Cloud:
    """Points (N, 3) float64 in the map frame and their colours (N, 3) uint8 RGB."""

    points: NDArray[np.float64]
    colours: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.points)


def place_colours(count: int) -> NDArray[np.uint8]:
    """(P, 3) RGB."""
    hues = [(0.6 + index * _GOLDEN) % 1.0 for index in range(count)]
    return (np.array([colorsys.hsv_to_rgb(hue, 0.65, 0.85) for hue in hues]) * 255).astype(np.uint8)


def landmark_cloud(scene_map: SceneMap) -> Cloud:
    """All landmarks: grey in a map of one place, else in the colour of their place."""
    places = scene_map.places
    colours = place_colours(len(places)) if len(places) > 1 else np.full((1, 3), _GREY, np.uint8)
    points = [place.landmarks for place in places]
    painted = [np.tile(colour, (len(some), 1)) for colour, some in zip(colours, points, strict=True)]
    return Cloud(np.concatenate(points), np.concatenate(painted).astype(np.uint8))


def map_cloud(
    localizer: Localizer,
    frames: Sequence[PosedFrame],
    limit: int = 100_000,
    on_frame: Callable[[], None] = lambda: None,
) -> Cloud:
    """Inlier scene coordinates of ``frames`` that are LOCALIZED, at most ``limit``, spread evenly over the frames."""
    points: list[NDArray[np.float64]] = []
    colours: list[NDArray[np.uint8]] = []
    for frame, image in prefetched(frames):
        on_frame()
        if isinstance(image, InputError):
            continue
        try:
            found = localizer.localize(image, frame.camera)
        except InputError:
            continue
        if found.state.name == "LOCALIZED":
            points.append(found.scene_coordinates[found.inlier_mask])
            colours.append(colours_at(image, found.pixels[found.inlier_mask]))
    if not points:
        return Cloud(np.zeros((0, 3)), np.zeros((0, 3), np.uint8))
    cloud = Cloud(np.concatenate(points).astype(np.float64), np.concatenate(colours))
    if len(cloud) <= limit:
        return cloud
    chosen = np.linspace(0, len(cloud) - 1, limit).astype(int)
    return Cloud(cloud.points[chosen], cloud.colours[chosen])


def colours_at(image: Pixels, pixels: NDArray[np.floating]) -> NDArray[np.uint8]:
    """RGB (N, 3) of the image, grey or colour, at pixels (N, 2)."""
    x, y = np.rint(pixels).astype(int).T
    height, width = image.shape[:2]
    picked = image[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)]
    return np.repeat(picked[:, None], 3, axis=1) if picked.ndim == 1 else np.ascontiguousarray(picked[:, :3])


def ply_bytes(cloud: Cloud) -> bytes:
    """A binary little-endian PLY of x y z (float) and red green blue (uchar)."""
    header = (
        "ply\nformat binary_little_endian 1.0\ncomment scene coordinates of an ace_ros map\n"
        f"element vertex {len(cloud)}\n"
        "property float x\nproperty float y\nproperty float z\n"
        "property uchar red\nproperty uchar green\nproperty uchar blue\nend_header\n"
    )
    table = np.empty(len(cloud), dtype=[("xyz", "<f4", 3), ("rgb", "u1", 3)])
    table["xyz"], table["rgb"] = cloud.points, cloud.colours
    return header.encode("ascii") + table.tobytes()

"""A COLMAP text model: cameras.txt, images.txt and points3D.txt, with tracks."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ace_ros.camera import Camera
from ace_ros.generated.textures import Texture
from ace_ros.geometry import Matrix

_CORNERS = 40  # an image
_SAME_DEPTH = 0.01  # relative


@dataclass(frozen=True)
class View:
    """A rendered image: its name, map_from_camera (4, 4) and depth (H, W); the image itself is on disk."""

    name: str
    pose: Matrix
    depth: NDArray[np.float32]


@dataclass
class Tracks:
    """Points of the scene with the pixels that they were seen at.

    Attributes:
        points: (N, 3) in the axes of the views' poses.
        colours: (N, 3) uint8.
        seen: per image the (point, x, y) in pixels.
    """

    points: NDArray[np.float64]
    colours: NDArray[np.uint8]
    seen: dict[int, list[tuple[int, float, float]]]


def corners(image: Texture, view: View, camera: Camera) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Points (N, 3) of the scene and colours (N, 3) at an image's corners that are not edges of things."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    around = np.ones((5, 5), np.uint8)
    nearest, farthest = cv2.erode(view.depth, around), cv2.dilate(view.depth, around)
    smooth = (np.isfinite(farthest) & (farthest / (1 + 5 * _SAME_DEPTH) < nearest)).astype(np.uint8)
    found = cv2.goodFeaturesToTrack(grey, _CORNERS, 0.01, 12, mask=smooth)
    pixels = np.zeros((0, 2)) if found is None else found.reshape(-1, 2).astype(np.float64)
    column, row = pixels.astype(int).T
    rays = camera.rays(pixels.astype(int))
    points = rays / rays[:, 2:] * view.depth[row, column][:, None] @ view.pose[:3, :3].T + view.pose[:3, 3]
    return points, image[row, column]


def tracked(points: NDArray[np.float64], colours: NDArray[np.uint8], views: list[View], camera: Camera) -> Tracks:
    """The points that at least two views see, each where it is exactly."""
    seen: dict[int, list[tuple[int, float, float]]] = defaultdict(list)
    counts = np.zeros(len(points), int)
    for index, view in enumerate(views):
        local = (points - view.pose[:3, 3]) @ view.pose[:3, :3]
        pixels = camera.project(local)
        inside = (pixels > -0.5).all(axis=1) & (pixels < (camera.width - 0.5, camera.height - 0.5)).all(axis=1)
        for number in np.flatnonzero(inside):
            x, y = pixels[number]
            depth = view.depth[round(y), round(x)]
            if abs(depth - local[number, 2]) < _SAME_DEPTH * local[number, 2]:
                seen[index].append((int(number), float(x), float(y)))
                counts[number] += 1
    kept = np.flatnonzero(counts >= 2)
    new = {int(number): k for k, number in enumerate(kept)}
    left = {index: [(new[n], x, y) for n, x, y in rows if n in new] for index, rows in seen.items()}
    return Tracks(points[kept], colours[kept], left)


def write_model(folder: Path, camera: Camera, views: list[View], tracks: Tracks, similarity: Matrix) -> None:
    """Write the model with poses and points taken through ``similarity`` (4, 4), a rotation and a scale.

    COLMAP counts pixels from the corner of the image and names poses camera_from_world.
    """
    scale = np.cbrt(np.linalg.det(similarity[:3, :3]))
    size = f"{camera.width} {camera.height} {camera.fx:.9g} {camera.fy:.9g} {camera.cx + 0.5:.9g} {camera.cy + 0.5:.9g}"
    (folder / "cameras.txt").write_text(f"# CAMERA_ID, MODEL, WIDTH, HEIGHT, PARAMS[]\n1 PINHOLE {size}\n")
    images = ["# IMAGE_ID, QW, QX, QY, QZ, TX, TY, TZ, CAMERA_ID, NAME", "# POINTS2D[] as (X, Y, POINT3D_ID)"]
    observers: dict[int, list[str]] = defaultdict(list)
    for index, view in enumerate(views):
        rotation = similarity[:3, :3] / scale @ view.pose[:3, :3]
        centre = similarity[:3, :3] @ view.pose[:3, 3] + similarity[:3, 3]
        x, y, z, w = Rotation.from_matrix(rotation.T).as_quat()
        numbers = " ".join(f"{value:.12g}" for value in (w, x, y, z, *(-rotation.T @ centre)))
        images.append(f"{index + 1} {numbers} 1 {view.name}")
        rows = tracks.seen.get(index, [])
        images.append(" ".join(f"{px + 0.5:.3f} {py + 0.5:.3f} {number + 1}" for number, px, py in rows))
        for place, (number, _, _) in enumerate(rows):
            observers[number].append(f"{index + 1} {place}")
    (folder / "images.txt").write_text("\n".join(images) + "\n")
    lines = ["# POINT3D_ID, X, Y, Z, R, G, B, ERROR, TRACK[] as (IMAGE_ID, POINT2D_IDX)"]
    for number, (point, colour) in enumerate(zip(tracks.points, tracks.colours, strict=True)):
        place = similarity[:3, :3] @ point + similarity[:3, 3]
        values = (*(f"{value:.9g}" for value in place), *(str(value) for value in colour), "0", *observers[number])
        lines.append(f"{number + 1} {' '.join(values)}")
    (folder / "points3D.txt").write_text("\n".join(lines) + "\n")

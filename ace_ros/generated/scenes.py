"""The generated scenes as recordings on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ace_ros.camera import Camera
from ace_ros.generated.renderer import Renderer
from ace_ros.generated.room import room_surfaces
from ace_ros.generated.sensor import exposed, fresh, save
from ace_ros.generated.trajectory import mapping_drive, query_drive


def room_camera(size: tuple[int, int] = (640, 480)) -> Camera:
    """The room's camera, about 63 degrees wide, for images of ``size`` (width, height)."""
    width, height = size
    focal = 525.0 * width / 640
    return Camera(width, height, focal, focal, (width - 1) / 2, (height - 1) / 2)


def make_room(folder: Path | str, train: int = 200, test: int = 60, size: tuple[int, int] = (640, 480), seed: int = 0) -> Path:
    """Render a furnished room in metres: a mapping drive in ``train/`` and a query drive in ``test/``.

    Args:
        folder: new; it gets the layout of ACE: per split ``rgb/``, ``poses/`` (camera to world) and ``calibration/`` (K).
        train, test: frames of each drive; the way is always the same.
        size: of the images, (width, height).
        seed: of the textures and the noise.

    Raises:
        InputError: the folder is not empty or can't be written, or the photographs for the posters are missing.
    """
    path = fresh(folder)
    camera = room_camera(size)
    renderer = Renderer(room_surfaces(seed))
    for part, (split, poses) in enumerate((("train", mapping_drive(train)), ("test", query_drive(test)))):
        for kind in ("rgb", "poses", "calibration"):
            (path / split / kind).mkdir(parents=True)
        for index, pose in enumerate(poses):
            image, _ = renderer.render(camera, pose)
            name = f"frame-{index:06d}"
            save(path / split / "rgb" / f"{name}.color.jpg", exposed(image, np.random.default_rng((seed, part, index))))
            np.savetxt(path / split / "poses" / f"{name}.pose.txt", pose, fmt="%.9g")
            np.savetxt(path / split / "calibration" / f"{name}.calibration.txt", camera.matrix, fmt="%.9g")
    return path

"""The generated scenes as recordings on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ace_ros.camera import Camera
from ace_ros.generated.colmap import View, corners, tracked, write_model
from ace_ros.generated.courtyard import Sky, courtyard_surfaces
from ace_ros.generated.people import People
from ace_ros.generated.renderer import Renderer
from ace_ros.generated.room import room_surfaces
from ace_ros.generated.sensor import exposed, fresh, room_camera, save, write_frame
from ace_ros.generated.trajectory import mapping_drive, photographs, query_drive

UNIT = 0.2731  # of the courtyard's files, for a metre: as arbitrary as what structure from motion gives


def make_room(
    folder: Path | str,
    train: int = 200,
    test: int = 60,
    size: tuple[int, int] = (640, 480),
    seed: int = 0,
    moved: bool = False,
    people: bool = False,
) -> Path:
    """Render a furnished room in metres: a mapping drive in ``train/`` and a query drive in ``test/``.

    Args:
        folder: new; it gets ACE's layout: per split ``rgb/``, ``poses/`` (camera to world), ``calibration/`` (K).
        train, test: frames of each drive; the way is always the same.
        size: of the images, (width, height).
        seed: of the textures and the noise. moved: a third of the furniture stands elsewhere.
        people: stand and walk about on both drives, and a screen changes what it shows.

    Raises:
        InputError: the folder is not empty or can't be written, or the photographs for the posters are missing.
    """
    path = fresh(folder)
    camera = room_camera(size)
    renderer = Renderer(room_surfaces(seed, moved))
    for part, (split, poses) in enumerate((("train", mapping_drive(train)), ("test", query_drive(test)))):
        for kind in ("rgb", "poses", "calibration"):
            (path / split / kind).mkdir(parents=True)
        crowd = People(seed, later=split == "test") if people else None
        for index, pose in enumerate(poses):
            there = Renderer.joined([renderer, Renderer(crowd.at(index / len(poses)))]) if crowd else renderer
            image, _ = there.render(camera, pose)
            name = f"frame-{index:06d}"
            write_frame(path / split, name, exposed(image, np.random.default_rng((seed, part, index))), camera, pose)
    return path


def courtyard_camera(size: tuple[int, int] = (800, 600)) -> Camera:
    """The courtyard's camera, about 58 degrees wide, for images of ``size`` (width, height)."""
    width, height = size
    focal = 0.9 * width
    return Camera(width, height, focal, focal, (width - 1) / 2, (height - 1) / 2)


def make_courtyard(
    folder: Path | str, train: int = 100, test: int = 20, size: tuple[int, int] = (800, 600), seed: int = 0
) -> Path:
    """Render photographs of a courtyard: things near and far, a horizon, sparse views, arbitrary units.

    Args:
        folder: new; it gets a COLMAP text model: ``sparse/0``, ``images/``, and ``test.txt`` with the queries' names.
        train, test: how many photographs to map from and to find; both are spread over the same round.
        size: of the images, (width, height).
        seed: of the textures, the views and the noise.

    Raises:
        InputError: the folder is not empty or can't be written, or the photographs for the posters are missing.
    """
    path = fresh(folder)
    (path / "images").mkdir()
    (path / "sparse" / "0").mkdir(parents=True)
    camera, sky = courtyard_camera(size), Sky(seed)
    renderer = Renderer(courtyard_surfaces(seed), tile=1.5)
    views, points, colours = [], [], []
    for index, pose in enumerate(photographs(train + test, np.random.default_rng((seed, 2)))):
        image, depth = renderer.render(camera, pose, sky.seen(camera, pose))
        view = View(f"photo_{index:04d}.jpg", pose, depth)
        save(path / "images" / view.name, exposed(image, np.random.default_rng((seed, 3, index))))
        place, colour = corners(image, view, camera)
        views.append(view)
        points.append(place)
        colours.append(colour)
    tracks = tracked(np.concatenate(points), np.concatenate(colours), views, camera)
    write_model(path / "sparse" / "0", camera, views, tracks, courtyard_similarity())
    queries = np.sort(np.random.default_rng((seed, 4)).choice(len(views), test, replace=False))
    (path / "test.txt").write_text("".join(f"{views[index].name}\n" for index in queries))
    return path


def courtyard_similarity() -> NDArray[np.float64]:
    """(4, 4): from the courtyard in metres, z up, to the units and axes of its files."""
    similarity = np.eye(4)
    similarity[:3, :3] = UNIT * Rotation.from_euler("xyz", (100, 20, 35), degrees=True).as_matrix()
    similarity[:3, 3] = (0.4, -0.2, 1.1)
    return similarity

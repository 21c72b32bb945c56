"""Pictures through any lens: sides of a cube about the camera, drawn as pinholes see them, and looked up by rays."""

from __future__ import annotations

import json
import math
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ace_ros.camera import Camera
from ace_ros.generated.renderer import Renderer
from ace_ros.generated.room import room_surfaces
from ace_ros.generated.sensor import exposed, fresh, save
from ace_ros.generated.textures import Texture
from ace_ros.generated.trajectory import mapping_drive, query_drive
from ace_ros.geometry import CUBE, OPENGL_FROM_OPENCV, Matrix

_SAMPLES = 2  # a pixel's side, in samples
_SHARPER = 1.2  # times the pixels for an angle that the lens has: what is looked up is blurred a little
_OVER = 1.02  # how much more than its side of the cube a picture shows, so that edges are looked up within it

# 120 and 180 degrees over the width of 640 pixels, as KB4: mild coefficients of a real lens's kind.
FISHEYES = {
    120: Camera(640, 480, 300.0, 300.0, 319.5, 239.5, (0.02, -0.01, 0.003, -0.0005), "equidistant"),
    180: Camera(640, 480, 200.0, 200.0, 319.5, 239.5, (0.01, -0.005, 0.002, -0.0003), "equidistant"),
}


def render_through(renderer: Renderer, camera: Camera, map_from_camera: Matrix) -> Texture:
    """The image, uint8 (H, W, 3) RGB, of a camera with whatever lens; black where it images nothing."""
    if camera.model == "pinhole" and not camera.distortion:
        return renderer.render(camera, map_from_camera)[0]
    fine = camera.resized(camera.width * _SAMPLES, camera.height * _SAMPLES)
    x, y = np.meshgrid(np.arange(float(fine.width)), np.arange(float(fine.height)))
    rays = fine.rays(np.stack([x.ravel(), y.ravel()], 1))
    there = np.isfinite(rays).all(1)
    side = np.where(there, np.argmax(np.nan_to_num(rays) @ CUBE[:, 2].T, axis=1), -1)
    image = np.zeros((fine.height, fine.width, 3), np.uint8)
    face = _face(camera)
    for number in np.unique(side[there]):
        pose = map_from_camera.copy()
        pose[:3, :3] = map_from_camera[:3, :3] @ CUBE[number].T
        picture, _ = renderer.render(face, pose)
        here = side == number
        pixels = np.full((len(rays), 2), -1.0, np.float32)
        pixels[here] = face.project(rays[here] @ CUBE[number].T)
        looked_up = cv2.remap(picture, pixels.reshape(*x.shape, 2), None, cv2.INTER_LINEAR)
        cv2.copyTo(looked_up, _mask(here, x.shape), image)
    return np.asarray(cv2.resize(image, (camera.width, camera.height), interpolation=cv2.INTER_AREA), np.uint8)


def _face(camera: Camera) -> Camera:
    focal = _SHARPER * camera.focal
    side = 2 * math.ceil(focal * _OVER)
    return Camera(side, side, focal, focal, (side - 1) / 2, (side - 1) / 2)


def _mask(chosen: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    return chosen.reshape(shape).astype(np.uint8)


def make_wide_room(folder: Path | str, camera: Camera, train: int = 100, test: int = 30, seed: int = 0) -> Path:
    """Render the furnished room through a lens: a pinhole without distortion, or a fisheye (KB4).

    Args:
        folder: new; it gets nerfstudio's layout: ``images/`` and ``transforms.json``, which names the queries.
        camera: of all images. train, test: frames of the drives of :func:`ace_ros.generated.make_room`.
        seed: of the textures and the noise.

    Raises:
        InputError: the folder is not empty or can't be written, or the photographs for the posters are missing.
    """
    path = fresh(folder)
    (path / "images").mkdir()
    renderer = Renderer(room_surfaces(seed))
    names: dict[str, list[str]] = {"train": [], "test": []}
    frames = []
    for part, (split, poses) in enumerate((("train", mapping_drive(train)), ("test", query_drive(test)))):
        for index, pose in enumerate(poses):
            image = render_through(renderer, camera, pose)
            name = f"images/{split}-{index:04d}.jpg"
            save(path / name, exposed(image, np.random.default_rng((seed, part, index))))
            names[split].append(name)
            frames.append({"file_path": name, "transform_matrix": (pose @ OPENGL_FROM_OPENCV).tolist()})
    fisheye = camera.model == "equidistant"
    content = {
        "camera_model": "OPENCV_FISHEYE" if fisheye else "OPENCV",
        "w": camera.width, "h": camera.height, "fl_x": camera.fx, "fl_y": camera.fy,
        "cx": camera.cx + 0.5, "cy": camera.cy + 0.5,
        **({f"k{number}": value for number, value in enumerate(camera.distortion, 1)} if fisheye else {}),
        "frames": frames, "train_filenames": names["train"], "test_filenames": names["test"],
    }  # fmt: skip
    (path / "transforms.json").write_text(json.dumps(content))
    return path

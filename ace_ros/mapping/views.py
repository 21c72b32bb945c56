"""The mapping views: a pose and the keypoints of each, all that mapping ever keeps of an image."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ace_ros.camera import Camera
from ace_ros.features.encoder import USUAL_LIKENESS, Encoder, Likeness
from ace_ros.features.features import EncodedImage
from ace_ros.geometry import Matrix, check_pose
from ace_ros.image import Image, Pixels
from ace_ros.map.mapped_frames import pixel_digest


@dataclass(frozen=True)
class View:
    """One posed image after encoding.

    Attributes:
        name: for messages.
        map_from_camera: (4, 4) float64.
        encoded: its keypoints; all errors are measured in pixels at the size of encoding.
        digest: of the image's pixels. stamp: ns, if it has one that no other recording has.
    """

    name: str
    map_from_camera: Matrix
    encoded: EncodedImage
    digest: int = 0
    stamp: int | None = None


def encode_view(
    encoder: Encoder,
    keypoints: int,
    image: Pixels,
    camera: Camera,
    map_from_camera: Matrix,
    name: str,
    stamp: int | None,
) -> View:
    """A posed frame as it is kept: on the host, descriptors in half precision; the image is forgotten.

    Raises:
        InputError: an unusable image or pose.
    """
    pose = check_pose(map_from_camera, name)
    encoded = encoder.encode(Image(image, camera, name), keypoints)
    kept = replace(encoded, features=encoded.features.stored_as(torch.half, torch.device("cpu")))
    return View(name, pose, kept, pixel_digest(image), stamp)


class PackedViews:
    """Views as tensors of equal length, in a local frame: the map's frame less ``origin``.

    Attributes:
        origin: (3,) float64, the mean camera centre; the rest is float32 and small.
        rotations: (V, 3, 3) map_from_camera. centres: (V, 3). focals: (V,) pixels.
        descriptors: (V, N, D). normalised: (V, N, 2). scores: (V, N). valid: (V, N) bool, False is padding.
        extents: (V, 2) largest |x/z|, |y/z| that the image shows.
        likeness: how alike descriptors of one point are.
    """

    def __init__(
        self, views: list[View], keypoints: int, device: torch.device, likeness: Likeness = USUAL_LIKENESS
    ) -> None:
        self.likeness = likeness
        self.count, self.keypoints, self.device = len(views), keypoints, device
        poses = np.stack([view.map_from_camera for view in views])
        self.origin: NDArray[np.float64] = poses[:, :3, 3].mean(0)
        self.rotations = torch.from_numpy(poses[:, :3, :3]).float().to(device)
        self.centres = torch.from_numpy(poses[:, :3, 3] - self.origin).float().to(device)
        self.focals = torch.tensor([view.encoded.focal for view in views], device=device)
        self.extents = torch.tensor(np.stack([_extent(view.encoded.camera) for view in views])).float().to(device)
        dimensions = views[0].encoded.features.descriptors.shape[1]
        self.descriptors = torch.zeros(self.count, keypoints, dimensions, device=device)
        self.normalised = torch.zeros(self.count, keypoints, 2, device=device)
        self.scores = torch.zeros(self.count, keypoints, device=device)
        self.valid = torch.zeros(self.count, keypoints, dtype=torch.bool, device=device)
        for i, view in enumerate(views):
            best = view.encoded.features.best(keypoints)
            n = len(best)
            self.descriptors[i, :n] = best.descriptors.to(device)
            self.normalised[i, :n] = torch.from_numpy(view.encoded.normalised[:n]).float().to(device)
            self.scores[i, :n] = best.scores.to(device)
            self.valid[i, :n] = True

    def rays(self, i: int) -> Tensor:
        """Unit viewing rays (N, 3) of view ``i`` in the axes of the map."""
        return torch.nn.functional.normalize(homogeneous(self.normalised[i]), dim=-1) @ self.rotations[i].T


def homogeneous(normalised: Tensor) -> Tensor:
    """Append a one: (..., 2) to (..., 3)."""
    return torch.cat([normalised, torch.ones_like(normalised[..., :1])], -1)


def spread(packed: PackedViews, count: int) -> NDArray[np.int64]:
    """Indices of ``count`` views that cover all poses, in order; all if they are fewer."""
    centres, axes = packed.centres.cpu().numpy(), packed.rotations[:, :, 2].cpu().numpy()
    return _farthest(centres, axes, count)


def spread_poses(poses: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """As :func:`spread`, of poses (V, 4, 4) map_from_camera."""
    return _farthest(poses[:, :3, 3], poses[:, :3, 2], count)


_TURN = 0.5  # radians of viewing direction that count as the median distance from the middle, set by hand


def _farthest(centres: NDArray[np.floating], axes: NDArray[np.floating], count: int) -> NDArray[np.int64]:
    """Farthest point sampling; half a radian of viewing direction counts as the median distance from the middle."""
    if len(centres) <= count:
        return np.arange(len(centres))
    middle = np.linalg.norm(centres - np.median(centres, 0), axis=1)
    poses = np.concatenate([centres / max(float(np.median(middle)), 1e-9), axes / _TURN], 1)
    chosen = [0]
    distance = np.full(len(poses), np.inf)
    while len(chosen) < count:
        distance = np.minimum(distance, ((poses - poses[chosen[-1]]) ** 2).sum(1))
        chosen.append(int(distance.argmax()))
    return np.sort(np.array(chosen))


def _extent(camera: Camera) -> NDArray[np.float64]:
    corners = np.array([[0, 0], [camera.width - 1, 0], [0, camera.height - 1], [camera.width - 1, camera.height - 1]])
    return np.asarray(np.abs(camera.normalise(corners)).max(0))

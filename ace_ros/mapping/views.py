"""The mapping views: a pose, the keypoints and a small grey picture of each, all that is kept of an image."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ace_ros.camera import Camera
from ace_ros.features.encoder import USUAL_LIKENESS, Encoder, Likeness
from ace_ros.features.features import EncodedImage
from ace_ros.features.picture import Picture
from ace_ros.geometry import Matrix, check_pose
from ace_ros.image import Image, Pixels
from ace_ros.map.mapped_frames import pixel_digest

_MARGIN = 0.03  # of a unit ray, two degrees, about what an image shows
_RIM_STEPS = 17  # points a side of the image by which its rays are bounded
_PROBES, _RIM = 6, 0.85  # points a side of the image by which overlap is judged; how far out they lie


@dataclass(frozen=True)
class View:
    """One posed image after encoding.

    Attributes:
        name: for messages.
        map_from_camera: (4, 4) float64.
        encoded: its keypoints; all errors are measured in pixels at the size of encoding.
        digest: of the image's pixels. stamp: ns, if it has one that no other recording has.
        stored: its picture (:meth:`.Picture.stored`); empty where there is none.
    """

    name: str
    map_from_camera: Matrix
    encoded: EncodedImage
    digest: int = 0
    stamp: int | None = None
    stored: bytes = b""

    @property
    def picture(self) -> Picture | None:
        """Its grey values; not kept."""
        return Picture.read(self.stored, self.encoded.camera) if self.stored else None


def encode_view(
    encoder: Encoder,
    keypoints: int,
    image: Pixels,
    camera: Camera,
    map_from_camera: Matrix,
    name: str,
    stamp: int | None,
) -> View:
    """A posed frame as it is kept: on the host, descriptors in half precision, and a small grey picture.

    Raises:
        InputError: an unusable image or pose.
    """
    pose = check_pose(map_from_camera, name)
    encoded = encoder.encode(Image(image, camera, name), keypoints)
    features = encoded.features.stored_as(torch.half, torch.device("cpu"))
    stored = encoded.picture.stored() if encoded.picture is not None else b""
    kept = replace(encoded, features=features, picture=None)
    return View(name, pose, kept, pixel_digest(image), stamp, stored)


class PackedViews:
    """Views as tensors of equal length, in a local frame: the map's frame less ``origin``.

    Attributes:
        origin: (3,) float64, the mean camera centre; the rest is float32 and small.
        rotations: (V, 3, 3) map_from_camera. centres: (V, 3). focals: (V,) pixels.
        descriptors: (V, N, D). rays: (V, N, 3) unit, in the axes of the map. scores: (V, N).
        valid: (V, N) bool, False is padding.
        low, high: (V, 3) box about the rays of the image's own, camera axes. probes: of each view some rays (P, 3)
            spread over the image, camera axes.
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
        shown = [_shown(view.encoded.camera) for view in views]
        self.low, self.high = (torch.stack([one[k] for one in shown]).to(device) for k in (0, 1))
        self.probes = [one[2].to(device) for one in shown]
        dimensions = views[0].encoded.features.descriptors.shape[1]
        self.descriptors = torch.zeros(self.count, keypoints, dimensions, device=device)
        self.rays = torch.zeros(self.count, keypoints, 3, device=device)
        self.scores = torch.zeros(self.count, keypoints, device=device)
        self.valid = torch.zeros(self.count, keypoints, dtype=torch.bool, device=device)
        for i, view in enumerate(views):
            best = view.encoded.features.best(keypoints)
            n = len(best)
            self.descriptors[i, :n] = best.descriptors.to(device)
            rays = view.encoded.rays[:n] @ view.map_from_camera[:3, :3].T
            self.rays[i, :n] = torch.from_numpy(rays).float().to(device)
            self.scores[i, :n] = best.scores.to(device)
            self.valid[i, :n] = True

    def show(self, which: Tensor, directions: Tensor) -> Tensor:
        """(K, P) bool: whether these views (K,) show what lies in these directions (K, P, 3), axes of the map."""
        turned = torch.einsum("kab,kpa->kpb", self.rotations[which], directions)
        low, high = self.low[which][:, None] - _MARGIN, self.high[which][:, None] + _MARGIN
        return ((turned > low) & (turned < high)).all(-1)


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


@lru_cache(maxsize=64)
def _shown(camera: Camera) -> tuple[Tensor, Tensor, Tensor]:
    """See ``low``, ``high`` and ``probes`` of :class:`PackedViews`."""
    ahead = np.array([[0.0, 0.0, 1.0]])  # where a lens images nothing at all, nor is there a keypoint
    rays, probes = (torch.from_numpy(found if len(found) else ahead).float() for found in (
        camera.grid(_RIM_STEPS), camera.grid(_PROBES, _RIM)
    ))  # fmt: skip
    return rays.amin(0), rays.amax(0), probes

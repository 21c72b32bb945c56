"""The recipe of the ACE paper on our encoder and frames, written from the facts that it published.

Features at cell centres of augmented images (scale 2/3 to 3/2, rotation up to 15 degrees, brightness and contrast),
sampled uniformly, 1,024 an image, 8 million in all; a head 512 wide; AdamW with a one-cycle rate up to 5e-3; batches
of 5,120, 16 passes; the tanh loss whose width falls from 51 to 1 px on a circle. No keypoints, no triangulated points,
no landmarks. Poses come from all cells of a query by our own solver, so that the comparison is one of mapping.

With a budget of time a fifth of it fills the buffer and the rest trains, as in the paper's five minutes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ace_ros.camera import Camera
from ace_ros.cli.console import peak_rss_bytes
from ace_ros.device import fast_dtype, resolve_device
from ace_ros.features.grey import check_image
from ace_ros.features.xfeat import PROFILE, XFeatEncoder
from ace_ros.geometry import Matrix
from ace_ros.localization import solver
from ace_ros.map.head import Head, HeadShape
from ace_ros.mapping.loss import softclamp_threshold
from ace_ros.recordings import PosedFrame
from bench import scenes
from bench.measure import Row, Stopwatch, run_queries

_CELL = PROFILE.stride
_HEIGHT = 480
_NEAREST, _FARTHEST, _PULLED_TO = 0.1, 1000.0, 10.0  # metres
_FARTHEST_ERROR = 1000.0  # pixels
_FILL = 0.2  # of a budget
_RANSAC, _ITERATIONS = 10.0, 1000


@dataclass(frozen=True)
class Recipe:
    """The paper's figures; ``seconds`` of mapping (None: all samples, all passes), by wall or processor clock."""

    seconds: float | None = None
    clock: str = "wall"
    samples: int = 8_000_000
    per_image: int = 1024
    passes: int = 16
    batch: int = 5120
    width: int = 512
    rate: float = 5e-3
    seed: int = 0

    def __post_init__(self) -> None:
        if self.clock not in ("wall", "cpu"):
            raise ValueError(f"clock: '{self.clock}' is neither wall nor cpu")

    def now(self) -> float:
        return time.process_time() if self.clock == "cpu" else time.monotonic()


@dataclass(frozen=True)
class Samples:
    """The training buffer: features (S, D) half, normalised (S, 2), index of the view (S,); and of each view
    rotation (V, 3, 3), centre (V, 3) less the mean centre, and focal length (V,) in pixels."""

    features: Tensor
    normalised: Tensor
    views: Tensor
    rotations: Tensor
    centres: Tensor
    focals: Tensor


class CellEncoder(XFeatEncoder):
    """XFeat's descriptors of all cells, at their centres."""

    @torch.inference_mode()
    def cells(self, grey: NDArray[np.uint8]) -> Tensor:
        """(h * w, D) unit descriptors of a grey image whose sides are multiples of 32."""
        maps, _, _ = self.maps(grey)
        return torch.nn.functional.normalize(maps[0].float().flatten(1).T, dim=1)


def measure(scene: Path, queries: int | None = None, device: str = "cpu", **options: object) -> Row:
    """Map by the recipe and localize the queries; the row of figures."""
    watch = Stopwatch()
    recipe = Recipe(**options)  # type: ignore[arg-type]
    started = recipe.now() - watch.read()["cpu_seconds" if recipe.clock == "cpu" else "seconds"]
    torch.manual_seed(recipe.seed)
    encoder = CellEncoder(resolve_device(device), _HEIGHT)
    recording = scenes.mapping_frames(scene)
    frames = recording.frames
    origin = np.mean([frame.map_from_camera[:3, 3] for frame in frames if frame.map_from_camera is not None], 0)
    samples = fill(frames, encoder, origin, recipe, started)
    filled = watch.read()["cpu_seconds"]
    head, steps = train(samples, recipe, started)
    figures = {**watch.read(), "peak_rss_bytes": peak_rss_bytes()}
    return {
        **figures,
        "stages_cpu_seconds": {"filling": filled, "training": figures["cpu_seconds"]},
        "frames": len(frames),
        "metric": recording.metric,
        "samples": len(samples.features),
        "steps": steps,
        "map_bytes": 2 * sum(p.numel() for p in head.parameters()),
        **run_queries(scenes.query_frames(scene, queries), localizer(head, encoder, origin)),
    }


def fill(
    frames: list[PosedFrame], encoder: CellEncoder, origin: NDArray[np.float64], recipe: Recipe, started: float
) -> Samples:
    """Augment, encode and sample the frames, over and over, until there are enough samples or the time is up."""
    generator = np.random.default_rng(recipe.seed)
    kept: list[tuple[Tensor, Tensor]] = []
    poses, focals = [], []
    total = 0
    for frame, grey in _endless(frames, generator):
        features, normalised, focal = _augmented(grey, frame.camera, encoder, generator)
        chosen = torch.randperm(len(features))[: recipe.per_image]
        kept.append((features[chosen].half(), normalised[chosen]))
        poses.append(frame.map_from_camera)
        focals.append(focal)
        total += len(chosen)
        up = recipe.seconds is not None and recipe.now() - started > _FILL * recipe.seconds
        if up or total >= recipe.samples:
            break
    device, matrices = encoder.device, np.stack([pose for pose in poses if pose is not None])
    counts = torch.tensor([len(features) for features, _ in kept])
    return Samples(
        torch.cat([features for features, _ in kept]),
        torch.cat([normalised for _, normalised in kept]),
        torch.repeat_interleave(torch.arange(len(kept)), counts).to(device),
        torch.from_numpy(matrices[:, :3, :3]).float().to(device),
        torch.from_numpy(matrices[:, :3, 3] - origin).float().to(device),
        torch.tensor(focals).float().to(device),
    )


def _endless(
    frames: list[PosedFrame], generator: np.random.Generator
) -> Iterator[tuple[PosedFrame, NDArray[np.uint8]]]:
    """Frames in random order, pass after pass, each read and reduced once."""
    images: dict[int, NDArray[np.uint8]] = {}
    while True:
        for i in generator.permutation(len(frames)).tolist():
            if i not in images:
                images[i] = _reduced(frames[i].read())
            yield frames[i], images[i]


def _reduced(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    grey = check_image(image)
    scale = min(1.0, _HEIGHT / min(grey.shape))
    return grey if scale == 1 else np.asarray(cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))


def _augmented(
    grey: NDArray[np.uint8], camera: Camera, encoder: CellEncoder, generator: np.random.Generator
) -> tuple[Tensor, Tensor, float]:
    """Cells of an image scaled, turned about its principal point and relit: features, normalised, focal length.

    The normalised point of a cell is that of the place of its centre in the image as it was taken: the pose stays.
    """
    scale, angle = generator.uniform(2 / 3, 3 / 2), generator.uniform(-15, 15)
    gain, offset = generator.uniform(0.9, 1.1), generator.uniform(-0.1, 0.1)
    size = _multiple(scale * grey.shape[1]), _multiple(scale * grey.shape[0])
    small = camera.resized(grey.shape[1], grey.shape[0])
    matrix = cv2.getRotationMatrix2D((small.cx, small.cy), angle, scale)
    matrix[:, 2] += (np.array(size) - 1) / 2 - (small.cx, small.cy)
    warped = cv2.warpAffine(grey, matrix, size, flags=cv2.INTER_LINEAR)
    mean = float(grey.mean())
    relit = np.clip((warped - mean) * gain + mean * (1 + offset), 0, 255).astype(np.uint8)
    places = cv2.transform(_centres(size)[None], cv2.invertAffineTransform(matrix))[0]
    inside = ((places >= 0) & (places <= (small.width - 1, small.height - 1))).all(1)
    features = encoder.cells(relit)[torch.from_numpy(inside).to(encoder.device)]
    rays = small.rays(places[inside])
    return features, torch.from_numpy(rays[:, :2] / rays[:, 2:]).float().to(encoder.device), scale * small.focal


def _multiple(side: float) -> int:
    return max(2, round(side / 32)) * 32


def _centres(size: tuple[int, int]) -> NDArray[np.float64]:
    """Pixels (h * w, 2) of the centres of the cells of an image of ``size`` (width, height)."""
    y, x = np.mgrid[: size[1] // _CELL, : size[0] // _CELL]
    return np.stack([x, y], -1).reshape(-1, 2) * float(_CELL) + (_CELL - 1) / 2


def train(
    samples: Samples, recipe: Recipe, started: float, report: Callable[[int, Head], bool] = lambda steps, head: False
) -> tuple[Head, int]:
    """Train a head; ``report`` is called after each step and may stop the training. Returns head and steps."""
    device = samples.features.device
    head = Head(HeadShape(samples.features.shape[1], recipe.width, 2)).to(device)
    optimizer = torch.optim.AdamW(head.parameters(), lr=recipe.rate)
    dtype = fast_dtype(device)
    total = recipe.passes * max(1, len(samples.features) // recipe.batch)
    begun, steps, progress = recipe.now(), 0, 0.0
    order = torch.empty(0, dtype=torch.long)
    while progress < 1:
        if len(order) < recipe.batch:
            order = torch.randperm(len(samples.features), device=device)
        index, order = order[: recipe.batch], order[recipe.batch :]
        for group in optimizer.param_groups:
            group["lr"] = recipe.rate * one_cycle(progress)
        loss = recipe_loss(head(samples.features[index], dtype), samples, index, softclamp_threshold(progress, 51.0))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        steps += 1
        if report(steps, head):
            break
        if recipe.seconds is None:
            progress = steps / total
        else:
            progress = (recipe.now() - begun) / max(1e-9, started + recipe.seconds - begun)
    return head.requires_grad_(False), steps


def one_cycle(progress: float, rise: float = 0.3, start: float = 0.1) -> float:
    """Factor on the rate: cosine from ``start`` up to 1 at ``rise`` of the training, cosine down to nothing."""
    if progress < rise:
        return start + (1 - start) * 0.5 * (1 - math.cos(math.pi * progress / rise))
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (progress - rise) / (1 - rise))))


def recipe_loss(points: Tensor, samples: Samples, index: Tensor, threshold: float) -> Tensor:
    """Mean tanh loss of predicted points (B, 3), metres; invalid ones are pulled to 10 m on their rays."""
    view, normalised = samples.views[index], samples.normalised[index]
    local = torch.einsum("nab,na->nb", samples.rotations[view], points - samples.centres[view])
    depth = local[:, 2]
    error = (local[:, :2] / depth.clamp_min(_NEAREST)[:, None] - normalised).abs().sum(1) * samples.focals[view]
    valid = (depth > _NEAREST) & (depth < _FARTHEST) & (error < _FARTHEST_ERROR)
    target = _PULLED_TO * torch.cat([normalised, torch.ones_like(normalised[:, :1])], 1)
    pull = (local - target).abs().sum(1)
    return torch.where(valid, threshold * torch.tanh(error / threshold), pull).mean()


def localizer(
    head: Head, encoder: CellEncoder, origin: NDArray[np.float64]
) -> Callable[[NDArray[np.uint8], Camera], tuple[str, Matrix | None]]:
    """Localize by all cells of an image."""

    def localize(image: NDArray[np.uint8], camera: Camera) -> tuple[str, Matrix | None]:
        grey = _reduced(image)
        size = _multiple(grey.shape[1]), _multiple(grey.shape[0])
        resized = np.asarray(cv2.resize(grey, size)) if size != grey.shape[::-1] else grey
        small = camera.resized(*size)
        points = head.predict(encoder.cells(resized)).cpu().numpy().astype(np.float64)
        rays = small.rays(_centres(size))
        found = solver.ransac(rays, points, small.focal, _RANSAC, _ITERATIONS)
        if found is None:
            return "LOST", None
        near = solver.reprojection_errors(found[0], rays, points, small.focal) < _RANSAC
        pose = found[0]
        if near.sum() >= 6:
            observed = solver.Observations(rays[near], points[near], np.full(int(near.sum()), _RANSAC / 3))
            pose, _ = solver.refine(pose, observed, small.focal)
        pose = pose.copy()
        pose[:3, 3] += origin
        return "LOCALIZED", pose

    return localize

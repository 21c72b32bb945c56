"""Posed frames in, a map out."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timezone

import numpy as np
import torch
from numpy.typing import NDArray

from ace_ros.camera import Camera
from ace_ros.device import resolve_device
from ace_ros.errors import Cancelled, InputError, MappingError
from ace_ros.features.encoder import Encoder, make_encoder, parse_encoder, working_size
from ace_ros.geometry import Matrix, check_pose
from ace_ros.map.head import HeadShape
from ace_ros.map.header import MapHeader
from ace_ros.map.landmarks import quantize
from ace_ros.map.mapped_frames import MappedFrames, pixel_digest
from ace_ros.map.scene_map import SceneMap
from ace_ros.mapping import matching
from ace_ros.mapping.buffer import TrainingBuffer
from ace_ros.mapping.calibration import calibrate, miss
from ace_ros.mapping.options import MIN_FRAMES, MapOptions
from ace_ros.mapping.selection import select
from ace_ros.mapping.training import TrainingOptions, settle_depth, train
from ace_ros.mapping.triangulation import Tracks, triangulate
from ace_ros.mapping.views import PackedViews, View, spread


@dataclass(frozen=True)
class Progress:
    """Where a build stands.

    Attributes:
        stage: triangulating, training or calibrating. done, total: of the stage.
        loss: mean training loss, pixels. inliers: fraction of samples within 10 px. seconds_left: of the stage.
        held_back: median distance by which the head alone, as far as it is trained, misses a few views that were
            held back; units of the map, infinite where it finds no pose.
    """

    stage: str
    done: int
    total: int
    loss: float | None = None
    inliers: float | None = None
    seconds_left: float | None = None
    held_back: float | None = None


class Mapper:
    """Collects posed frames, encoding each at once, and builds a map of them.

    Args:
        options: see :class:`MapOptions`. map_frame: name of the frame that the poses are in.
        metric: whether a unit of the poses is a metre.
    """

    def __init__(self, options: MapOptions | None = None, map_frame: str = "map", metric: bool = True) -> None:
        options = options or MapOptions()
        identity, weights = parse_encoder(options.encoder, options.encoder_weights)
        self.options = replace(options, encoder=identity, encoder_weights=weights)
        self._map_frame, self._metric = map_frame, metric
        self._device = resolve_device(self.options.device)
        self._encoder = make_encoder(
            self.options.encoder, self._device, self.options.image_size, self.options.encoder_weights
        )
        self._views: list[View] = []
        self._digests: list[int] = []
        self._stamps: list[int] = []

    def __len__(self) -> int:
        return len(self._views)

    def add(
        self,
        image: NDArray[np.uint8],
        camera: Camera,
        map_from_camera: Matrix,
        name: str = "frame",
        stamp: int | None = None,
    ) -> None:
        """Take a posed frame: encode it and forget the image.

        The map will know its pixels again, and its ``stamp``, ns, if it has one that no other recording has.

        Raises:
            InputError: an unusable image or pose; the frame is not taken, the others stay.
        """
        pose = check_pose(map_from_camera, name)
        if image.shape[:2] != (camera.height, camera.width):
            raise InputError(
                f"{name}: the image is {image.shape[1]} x {image.shape[0]} pixels, its camera says "
                f"{camera.width} x {camera.height}"
            )
        features = self._encoder(image, self.options.keypoints)
        features = replace(features, descriptors=features.descriptors.half())
        normalised = torch.from_numpy(camera.normalise(features.pixels.cpu().numpy())).float()
        size = working_size(camera.width, camera.height, self.options.image_size)
        focal = camera.focal * float(np.sqrt(size[0] * size[1] / (camera.width * camera.height)))
        self._views.append(View(name, pose, camera, focal, features, normalised))
        self._digests.append(pixel_digest(image))
        self._stamps += [] if stamp is None else [stamp]

    def build(
        self, progress: Callable[[Progress], None] = lambda p: None, cancelled: Callable[[], bool] = lambda: False
    ) -> SceneMap:
        """Build a map of the frames taken so far; they stay, so that more can be added and built again.

        Args:
            progress: called often from this thread. cancelled: polled often.

        Raises:
            MappingError: fewer than 10 frames, or training diverged. Cancelled: as asked.
        """
        if len(self) < MIN_FRAMES:
            raise MappingError(f"a map needs at least {MIN_FRAMES} usable frames with poses, there are {len(self)}")
        torch.manual_seed(self.options.seed)
        scene_map = _Build(self._views, self.options, self._device, _Reporter(progress, cancelled)).run(
            self._map_frame, self._metric, self._encoder
        )
        return replace(scene_map, mapped=MappedFrames.of(self._digests, self._stamps))


class _Reporter:
    """Turns counts into :class:`Progress`, and a wish to stop into :class:`Cancelled`."""

    def __init__(self, progress: Callable[[Progress], None], cancelled: Callable[[], bool]) -> None:
        self._progress, self._cancelled = progress, cancelled
        self._stage, self._start = "", 0.0
        self.seconds: dict[str, float] = {}
        self.held_back: float | None = None

    def __call__(
        self, stage: str, done: int, total: int, loss: float | None = None, inliers: float | None = None
    ) -> None:
        if self._cancelled():
            raise Cancelled("mapping was cancelled; nothing was written")
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._start = stage, now
        self.seconds[stage] = now - self._start
        left = (now - self._start) * (total - done) / done if done else None
        self._progress(
            Progress(stage, done, total, loss, inliers, left, self.held_back if stage == "training" else None)
        )


class _Build:
    """One build: views in, map out."""

    def __init__(self, views: list[View], options: MapOptions, device: torch.device, report: _Reporter) -> None:
        self._options, self._device, self._report = options, device, report
        self._held_back, self._views = _hold_back(views)
        self._packed = PackedViews(self._views, options.keypoints, device)
        if self._packed.count > options.views:
            self._views = [self._views[i] for i in spread(self._packed, options.views)]
            self._packed = PackedViews(self._views, options.keypoints, device)

    def run(self, map_frame: str, metric: bool, encoder: Encoder) -> SceneMap:
        options, packed = self._options, self._packed
        tracks, depth = self._triangulate(encoder.has_keypoints)
        generator = torch.Generator(self._device).manual_seed(options.seed)
        buffer = TrainingBuffer(
            packed, depth, options.samples, tracks.points, tracks.view, tracks.keypoint, tracks.track, generator
        )
        shape = _head_shape(encoder, options)
        head, statistics = train(
            buffer,
            TrainingOptions(options.steps, options.seconds, options.batch, shape=shape),
            generator,
            lambda done, total, loss, inliers: self._report("training", done, total, loss, inliers),
            lambda head: setattr(self._report, "held_back", miss(head, self._held_back, packed.origin, depth)),
        )
        if not encoder.has_keypoints:
            depth = settle_depth(head, buffer, depth)
        kept = select(tracks, packed, options.landmarks)
        centres = packed.centres.cpu().numpy().astype(np.float64) + packed.origin
        header = MapHeader(
            encoder=encoder.identity,
            encoder_sha256=encoder.sha256,
            encoder_size=options.image_size,
            head=shape,
            origin=tuple(packed.origin.tolist()),
            median_depth=depth,
            map_frame=map_frame,
            metric=metric,
            extent=(tuple(centres.min(0).tolist()), tuple(centres.max(0).tolist())),
            created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            frames=packed.count,
            training={
                "steps": statistics.steps,
                "loss": statistics.loss,
                "inliers": statistics.inliers,
                "samples": len(buffer),
                "tracks": len(tracks),
                **{f"{stage}_seconds": round(seconds, 1) for stage, seconds in self._report.seconds.items()},
            },
        )
        codes = quantize(tracks.descriptors[kept])
        scene_map = SceneMap(header, head.cpu(), tracks.points[kept].cpu().numpy(), codes)
        return calibrate(
            scene_map, self._held_back, str(self._device), options.encoder_weights,
            lambda done, total: self._report("calibrating", done, total),
        )  # fmt: skip

    def _triangulate(self, has_keypoints: bool) -> tuple[Tracks, float]:
        """Tracks, and the median depth of the scene.

        Without parallax or keypoints there are no tracks, and the depth is a guess.
        """
        packed, options = self._packed, self._options
        self._report("triangulating", 0, 1)
        depth = matching.scene_depth(packed, spread(packed, options.landmark_views)) if has_keypoints else None
        if depth is not None:
            tracks = triangulate(
                packed, options.landmark_views, depth, lambda done, total: self._report("triangulating", done, total)
            )
            return tracks, depth
        empty = torch.empty(0, dtype=torch.long, device=self._device)
        points = torch.empty(0, 3, device=self._device)
        descriptors = torch.empty(0, packed.descriptors.shape[2], device=self._device)
        reach = float(packed.centres.norm(dim=1).max())
        return Tracks(points, descriptors, empty, empty, empty), max(3.0 * reach, 1.0)


def _head_shape(encoder: Encoder, options: MapOptions) -> HeadShape:
    """With ACE's own encoder the head is one that can be exported."""
    if encoder.identity == "ace":
        return HeadShape(encoder.dimensions, encoder.dimensions, options.blocks, "ace")
    return HeadShape(encoder.dimensions, options.width, options.blocks)


def _hold_back(views: list[View]) -> tuple[list[View], list[View]]:
    """Views to calibrate on, at most 40 and about one in fifteen, and the others."""
    count = min(40, max(2, len(views) // 15))
    chosen = set(np.linspace(0, len(views) - 1, count + 2).round().astype(int)[1:-1].tolist())
    return [view for i, view in enumerate(views) if i in chosen], [v for i, v in enumerate(views) if i not in chosen]

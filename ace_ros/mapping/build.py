"""One place built, stage by stage: views, landmarks, head, calibration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial

import numpy as np
import torch

from ace_ros.features.encoder import Encoder, EncoderProfile
from ace_ros.map.head import Head, HeadShape
from ace_ros.map.header import MapHeader
from ace_ros.map.landmarks import quantize
from ace_ros.map.place import Place
from ace_ros.mapping import matching
from ace_ros.mapping.buffer import TrainingBuffer
from ace_ros.mapping.calibration import calibrate, miss
from ace_ros.mapping.options import MapOptions
from ace_ros.mapping.progress import Reporter
from ace_ros.mapping.revisited import Revisited
from ace_ros.mapping.selection import select
from ace_ros.mapping.sharpening import Seen, sharpened
from ace_ros.mapping.training import TrainingOptions, settle_depth, train
from ace_ros.mapping.triangulation import Tracks, triangulate
from ace_ros.mapping.views import PackedViews, View, spread, spread_poses

_HELD_BACK = 15  # one view in so many calibrates the map instead of making it, set by hand
_MOST_HELD_BACK = 40  # and this many at most: each costs a map three queries; set by hand
_GUESSED_DEPTH = 3.0  # times how far the cameras stand from their middle, where nothing was triangulated


@dataclass(frozen=True)
class Site:
    """What all places of a map share: the name of the frame of the poses, and whether its unit is the metre."""

    map_frame: str
    metric: bool


def build_place(
    views: Sequence[View],
    lent: Sequence[View],
    encoder: Encoder,
    options: MapOptions,
    site: Site,
    report: Reporter,
) -> Place:
    """A place of its own views and of those that its neighbours lend: these teach it, but neither count nor calibrate.

    ``options`` leave nothing open, see :meth:`MapOptions.for_places`.
    The same seed on the same machine gives the same one.

    Raises:
        MappingError: training diverged. Cancelled: as the reporter was told.
    """
    torch.manual_seed(options.seed)
    profile, device = encoder.profile, encoder.device
    held_back, taught = hold_back(list(views))
    own = min(len(taught), options.views)
    taught += lent
    if len(taught) > options.views:
        poses = np.stack([view.map_from_camera for view in taught])
        taught = [taught[i] for i in spread_poses(poses, options.views)]
    packed = PackedViews(taught, options.keypoints, device, profile.likeness)
    tracks, known = tracked(packed, options, profile, report)
    depth = known or max(_GUESSED_DEPTH * float(packed.centres.norm(dim=1).max()), 1.0)
    generator = torch.Generator(device).manual_seed(options.seed)
    buffer = TrainingBuffer(
        packed, depth, options.samples, tracks.points, tracks.view, tracks.keypoint, tracks.track, generator
    )
    kept = select(tracks, packed, options.landmarks)
    seen = Seen.of(tracks, kept, packed)
    exact = sharpened(tracks.points[kept], seen, packed, taught, partial(report, "sharpening"))
    head, figures = _train(buffer, held_back, packed, depth, options, profile, generator, report)
    if not profile.has_keypoints:
        depth = settle_depth(head, buffer, depth)
    centres = packed.centres.cpu().numpy().astype(np.float64) + packed.origin
    header = MapHeader(
        encoder=profile.name,
        encoder_sha256=encoder.sha256,
        encoder_size=options.image_size,
        encoder_enlarge=options.enlarge,
        head=head.shape,
        origin=tuple(packed.origin.tolist()),
        median_depth=depth,
        map_frame=site.map_frame,
        metric=site.metric,
        extent=(tuple(centres.min(0).tolist()), tuple(centres.max(0).tolist())),
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        frames=min(own, packed.count),
        training={**figures, "tracks": len(tracks), **report.figures()},
    )
    codes = quantize(tracks.descriptors[kept], profile.code_range)
    place = Place(header, head.cpu(), exact.points.cpu().numpy(), codes, exact.patches)
    revisited = Revisited(tracks, kept, exact, packed, profile)
    return calibrate(place, held_back, device, partial(report, "calibrating"), revisited)


def hold_back(views: list[View]) -> tuple[list[View], list[View]]:
    """Views to calibrate on, and the others."""
    count = min(_MOST_HELD_BACK, max(2, len(views) // _HELD_BACK))
    chosen = set(np.linspace(0, len(views) - 1, count + 2).round().astype(int)[1:-1].tolist())
    return [view for i, view in enumerate(views) if i in chosen], [v for i, v in enumerate(views) if i not in chosen]


def tracked(
    packed: PackedViews, options: MapOptions, profile: EncoderProfile, report: Reporter
) -> tuple[Tracks, float | None]:
    """Tracks, and the median depth of the scene; none of either without parallax or keypoints."""
    report("triangulating", 0, 1)
    count = options.landmark_views
    depth = matching.scene_depth(packed, spread(packed, count)) if profile.has_keypoints else None
    if depth is None:
        return Tracks.none(packed), None
    return triangulate(packed, count, depth, options.landmarks, partial(report, "triangulating")), depth


def _train(
    buffer: TrainingBuffer,
    held_back: list[View],
    packed: PackedViews,
    depth: float,
    options: MapOptions,
    profile: EncoderProfile,
    generator: torch.Generator,
    report: Reporter,
) -> tuple[Head, dict[str, int | float]]:
    """The head, and figures of its training for the map's header."""
    assert options.steps is not None and options.width is not None
    shape = HeadShape(profile.dimensions, profile.head_width or options.width, options.blocks, profile.head_layout)

    def look(head: Head) -> None:
        report.held_back = miss(head, held_back, packed.origin, depth)

    head, statistics = train(
        buffer,
        TrainingOptions(options.steps, options.seconds, options.batch, shape=shape, supervision=options.supervision),
        generator,
        lambda done, total, loss, inliers: report("training", done, total, loss, inliers),
        look,
    )
    return head, {
        "steps": statistics.steps,
        "loss": statistics.loss,
        "inliers": statistics.inliers,
        "samples": len(buffer),
        "sample_bytes": buffer.bytes_per_sample,
    }

"""What a competent user would pick today: features, known poses, triangulation, retrieval, PnP, by pycolmap.

Keyframes are chosen and paired by their poses and by VLAD, matched (mutual nearest neighbours), checked against
the known epipolar geometry and triangulated by COLMAP. A map is kept as small as it goes: one mean descriptor of a byte
a dimension for each point, which points each keyframe sees, and its VLAD vector. A query is matched against all
points that its best keyframes see; COLMAP's LO-RANSAC and refinement give the pose.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pycolmap
import torch
from numpy.typing import NDArray

from ace_ros.camera import Camera
from ace_ros.cli.console import peak_rss_bytes
from ace_ros.geometry import Matrix, invert
from ace_ros.image import Pixels
from ace_ros.recordings import PosedFrame
from bench import scenes
from bench.features import Extractor, Floats, cluster_centres, mutual, residuals, sift, unit_length, xfeat
from bench.measure import Row, Stopwatch, run_queries

pycolmap.logging.minloglevel = 2

_EPIPOLAR = 4.0  # pixels, under the known poses: COLMAP's default for two views
_SHORTEST_TRACK = 3  # views, so that a point is confirmed by one that it was not made from


@dataclass(frozen=True)
class Kind:
    """Matching rules of a kind of feature: cosine that a match needs, and Lowe's ratio (1 for none)."""

    least_cosine: float
    ratio: float
    query_ratio: float


# XFeat's cosine is the default of its authors' matcher; SIFT's ratios, near COLMAP's 0.8, are set by hand.
_KINDS = {"sift": Kind(0.0, 0.85, 0.9), "xfeat": Kind(0.82, 1.0, 1.0)}


@dataclass(frozen=True)
class View:
    """A keyframe: undistorted keypoints (N, 2) in pixels from the principal point, and their descriptors."""

    pose: Matrix
    camera: Camera
    keypoints: NDArray[np.float64]
    descriptors: torch.Tensor

    @property
    def focal(self) -> float:
        return self.camera.focal


@dataclass(frozen=True)
class StructureMap:
    """What is kept: points (P, 3), descriptors (P, D) int8, points seen by each keyframe, VLAD (V, K * D)."""

    points: Floats
    codes: NDArray[np.int8]
    seen: list[NDArray[np.int32]]
    vlad: NDArray[np.float16]
    centres: NDArray[np.float16]
    median_depth: float

    @property
    def bytes(self) -> int:
        fixed = self.points.nbytes + self.codes.nbytes + self.vlad.nbytes + self.centres.nbytes
        return fixed + sum(indices.nbytes for indices in self.seen)


def measure(
    scene: Path,
    features: str = "sift",
    keyframes: int = 200,
    keypoints: int = 2048,
    neighbours: int = 20,
    retrieved: int = 10,
    clusters: int = 32,
    max_error: float = 6.0,
    queries: int | None = None,
) -> Row:
    """Map a scene by structure and localize its queries; the row of figures."""
    watch, kind = Stopwatch(), _KINDS[features]
    extract = xfeat(keypoints) if features == "xfeat" else sift(keypoints)
    recording = scenes.mapping_frames(scene, keyframes)
    views = [_view(frame, extract) for frame in recording.frames]
    stages = {"features": watch.read()["cpu_seconds"]}
    centres = cluster_centres(torch.cat([view.descriptors[::8] for view in views]), clusters)
    vlad = torch.stack([residuals(view.descriptors, centres) for view in views])
    matches = {pair: _matched(views[pair[0]], views[pair[1]], kind) for pair in _pairs(views, vlad, neighbours)}
    stages["matching"] = watch.read()["cpu_seconds"]
    structure = _triangulated(views, matches, vlad, centres)
    mapping = watch.read()
    stages["triangulation"] = mapping["cpu_seconds"]
    memory = peak_rss_bytes()
    localizer = _Localizer(structure, kind, extract, retrieved, max_error)
    return {
        **mapping,
        "stages_cpu_seconds": stages,
        "frames": len(views),
        "metric": recording.metric,
        "pairs": len(matches),
        "points": len(structure.points),
        "map_bytes": structure.bytes,
        "peak_rss_bytes": memory,
        "median_depth": structure.median_depth,
        **run_queries(scenes.query_frames(scene, queries), localizer.localize),
    }


def _undistorted(pixels: Floats, camera: Camera) -> NDArray[np.float64]:
    rays = camera.rays(pixels)
    return np.asarray(rays[:, :2] / rays[:, 2:] * camera.focal)


def _view(frame: PosedFrame, extract: Extractor) -> View:
    assert frame.map_from_camera is not None
    pixels, descriptors = extract(frame.read())
    return View(frame.map_from_camera, frame.camera, _undistorted(pixels, frame.camera), torch.from_numpy(descriptors))


def _pairs(views: list[View], vlad: torch.Tensor, count: int) -> list[tuple[int, int]]:
    """Half of each keyframe's partners are its nearest that look the same way, half those that look most alike."""
    centres = np.stack([view.pose[:3, 3] for view in views])
    axes = np.stack([view.pose[:3, 2] for view in views])
    alike = (vlad @ vlad.T).numpy()
    pairs = set()
    for i in range(len(views)):
        facing = axes @ axes[i]
        distance = np.linalg.norm(centres - centres[i], axis=1)
        near = np.argsort(np.where(facing > np.cos(np.radians(45)), distance, np.inf))[: count // 2 + 1]
        similar = np.argsort(-np.where(facing > np.cos(np.radians(75)), alike[i], -np.inf))[: count // 2 + 1]
        pairs |= {(min(i, int(j)), max(i, int(j))) for j in (*near, *similar) if i != j}
    return sorted(pairs)


def _matched(a: View, b: View, kind: Kind) -> NDArray[np.uint32]:
    """Matches (M, 2) of two keyframes that agree with their known poses."""
    if min(len(a.descriptors), len(b.descriptors)) < 2:
        return np.empty((0, 2), np.uint32)
    i, j = (index.numpy() for index in mutual(a.descriptors, b.descriptors, kind.least_cosine, kind.ratio))
    b_from_a = invert(b.pose) @ a.pose
    x = np.c_[a.keypoints[i] / a.focal, np.ones(len(i))]
    y = np.c_[b.keypoints[j] / b.focal, np.ones(len(j))]
    t = b_from_a[:3, 3]
    essential = np.array([[0, -t[2], t[1]], [t[2], 0, -t[0]], [-t[1], t[0], 0]]) @ b_from_a[:3, :3]
    there, here = x @ essential.T, y @ essential
    scalar = np.abs((y * there).sum(1))
    error = scalar * np.maximum(
        b.focal / np.maximum(np.linalg.norm(there[:, :2], axis=1), 1e-12),
        a.focal / np.maximum(np.linalg.norm(here[:, :2], axis=1), 1e-12),
    )
    good = error < _EPIPOLAR
    return np.stack([i[good], j[good]], 1).astype(np.uint32)


def _triangulated(
    views: list[View], matches: dict[tuple[int, int], NDArray[np.uint32]], vlad: torch.Tensor, centres: torch.Tensor
) -> StructureMap:
    """COLMAP's triangulation under fixed poses, with its refinement of the points."""
    reconstruction = pycolmap.Reconstruction()
    options = pycolmap.IncrementalPipelineOptions(extract_colors=False, random_seed=0)
    with tempfile.TemporaryDirectory() as folder:
        database = pycolmap.Database.open(f"{folder}/database.db")
        for number, view in enumerate(views, 1):
            camera = pycolmap_camera(view.camera)
            camera.camera_id = number
            reconstruction.add_camera_with_trivial_rig(camera)
            name = f"{number:06d}"
            image = pycolmap.Image(name=name, camera_id=number, image_id=number)
            image.points2D = pycolmap.Point2DList([pycolmap.Point2D(p) for p in view.keypoints])
            reconstruction.add_image_with_trivial_frame(image, pycolmap.Rigid3d(invert(view.pose)[:3]))
            database.write_camera(camera, use_camera_id=True)
            database.write_rig(reconstruction.rig(number), use_rig_id=True)
            database.write_frame(reconstruction.frame(number), use_frame_id=True)
            database.write_image(reconstruction.image(number), use_image_id=True)
            database.write_keypoints(number, view.keypoints.astype(np.float32))
        for (i, j), found in matches.items():
            if len(found):
                geometry = pycolmap.TwoViewGeometry(
                    config=pycolmap.TwoViewGeometryConfiguration.CALIBRATED, inlier_matches=found
                )
                database.write_matches(i + 1, j + 1, found)
                database.write_two_view_geometry(i + 1, j + 1, geometry)
        database.close()
        Path(f"{folder}/out").mkdir()
        result = pycolmap.triangulate_points(
            reconstruction, f"{folder}/database.db", folder, f"{folder}/out", options=options
        )
    return _kept(result, views, vlad, centres)


def _kept(
    result: pycolmap.Reconstruction, views: list[View], vlad: torch.Tensor, centres: torch.Tensor
) -> StructureMap:
    points: list[Floats] = []
    looks, depths = [], []
    seen: list[list[int]] = [[] for _ in views]
    for point in result.points3D.values():
        elements = point.track.elements
        if len(elements) < _SHORTEST_TRACK:
            continue
        looks.append(sum(views[e.image_id - 1].descriptors[e.point2D_idx] for e in elements).numpy())
        for number in {e.image_id - 1 for e in elements}:
            seen[number].append(len(points))
            depths.append((invert(views[number].pose) @ np.r_[point.xyz, 1.0])[2])
        points.append(point.xyz)
    codes = np.clip(np.round(unit_length(np.array(looks, dtype=np.float32)) * 254), -127, 127).astype(np.int8)
    return StructureMap(
        np.array(points, dtype=np.float32),
        codes,
        [np.array(indices, dtype=np.int32) for indices in seen],
        vlad.numpy().astype(np.float16),
        centres.numpy().astype(np.float16),
        float(np.median(depths)),
    )


def pycolmap_camera(camera: Camera) -> pycolmap.Camera:
    """A pinhole whose pixels are counted from the principal point."""
    return pycolmap.Camera(
        model="SIMPLE_PINHOLE", width=camera.width, height=camera.height, params=[camera.focal, 0.0, 0.0]
    )


class _Localizer:
    """Retrieval, matching and PnP in a map of structure."""

    def __init__(
        self, structure: StructureMap, kind: Kind, extract: Extractor, retrieved: int, max_error: float
    ) -> None:
        self._map, self._kind, self._extract, self._retrieved = structure, kind, extract, retrieved
        self._looks = torch.from_numpy(unit_length(structure.codes.astype(np.float32)))
        self._vlad = torch.from_numpy(structure.vlad.astype(np.float32))
        self._centres = torch.from_numpy(structure.centres.astype(np.float32))
        self._options = pycolmap.AbsolutePoseEstimationOptions()
        self._options.ransac.max_error = max_error
        self._options.ransac.random_seed = 0

    def localize(self, image: Pixels, camera: Camera) -> tuple[str, Matrix | None]:
        pixels, descriptors = self._extract(image)
        looks = torch.from_numpy(descriptors)
        best = (self._vlad @ residuals(looks, self._centres)).topk(min(self._retrieved, len(self._vlad))).indices
        near = np.unique(np.concatenate([self._map.seen[i] for i in best.tolist()]))
        if len(looks) < 2 or len(near) < 2:
            return "LOST", None
        keypoint, point = mutual(looks, self._looks[near], self._kind.least_cosine, self._kind.query_ratio)
        if len(keypoint) < 6:
            return "LOST", None
        answer = pycolmap.estimate_and_refine_absolute_pose(
            _undistorted(pixels[keypoint.numpy()], camera),
            self._map.points[near[point.numpy()]].astype(np.float64),
            pycolmap_camera(camera),
            self._options,
        )
        if answer is None:
            return "LOST", None
        camera_from_map = np.eye(4)
        camera_from_map[:3] = answer["cam_from_world"].matrix()
        return "LOCALIZED", invert(camera_from_map)

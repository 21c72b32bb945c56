"""What the tests of the core share: views of a world of points that is known exactly, and a small map of the room."""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from ace_ros.camera import Camera
from ace_ros.features.features import EncodedImage, Features
from ace_ros.generated import room_camera
from ace_ros.generated.renderer import Renderer
from ace_ros.generated.room import room_surfaces
from ace_ros.generated.sensor import exposed
from ace_ros.generated.trajectory import looking, mapping_drive, query_drive
from ace_ros.geometry import invert, transform
from ace_ros.map.scene_map import SceneMap
from ace_ros.mapping.mapper import Mapper
from ace_ros.mapping.options import MapOptions
from ace_ros.mapping.triangulation import Tracks
from ace_ros.mapping.views import PackedViews, View

CPU = torch.device("cpu")
CAMERA = Camera(640, 480, 500.0, 500.0, 319.5, 239.5)


def disturbed(pose, error):
    """The pose that is off by ``error`` (6,), in the sense of pose_residual."""
    result = np.eye(4)
    result[:3, :3] = Rotation.from_rotvec(error[3:]).as_matrix() @ pose[:3, :3]
    result[:3, 3] = pose[:3, 3] + error[:3]
    return result


def unit(rows, dimensions, rng):
    vectors = rng.standard_normal((rows, dimensions)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@dataclass(frozen=True)
class World:
    """Points with a look of their own, and views of them.

    Attributes:
        points: (P, 3) map frame. looks: (P, D) unit. views: of them.
        ids: of each view (N,), which point a keypoint shows, -1 for none.
    """

    points: np.ndarray
    looks: np.ndarray
    views: list[View]
    ids: list[np.ndarray]

    def packed(self, device=CPU) -> PackedViews:
        return PackedViews(self.views, max(map(len, self.ids)), device)

    def id_of(self, view, keypoint):
        return np.array([self.ids[v][k] for v, k in zip(view.tolist(), keypoint.tolist(), strict=True)])


def make_world(points=400, views=16, noise=0.0, liars=0, dimensions=64, seed=3, at=(0.0, 0.0, 0.0)) -> World:
    """A box of points seen from an arc before it.

    Args:
        noise: of the keypoints, pixels. liars: keypoints a view with the look of a point that is elsewhere.
        at: where in the map the middle of the box is.
    """
    rng = np.random.default_rng(seed)
    xyz = rng.uniform((-2, -1.5, -1), (2, 1.5, 1), (points, 3))
    looks = unit(points, dimensions, rng)
    made, ids = [], []
    for index, angle in enumerate(np.linspace(-0.5, 0.5, views)):
        eye = (5.5 * np.sin(angle), -5.5 * np.cos(angle), 0.4 * np.sin(5 * angle))
        pose = looking(eye, np.pi / 2 + angle, 0.0, rng.normal(0, 0.05))
        pixels = CAMERA.project(transform(invert(pose), xyz))
        shown = np.flatnonzero(((pixels > 0) & (pixels < (639, 479))).all(1))
        shown = rng.permutation(shown)
        lying = rng.choice(points, liars, replace=False)
        seen = pixels[shown] + noise * rng.standard_normal((len(shown), 2))
        seen = np.concatenate([seen, rng.uniform(0, (639, 479), (liars, 2))])
        descriptors = np.concatenate([looks[shown], looks[lying]])
        # Nothing looks quite the same twice; the cosine stays above 0.98.
        descriptors += 0.02 * rng.standard_normal(descriptors.shape).astype(np.float32)
        descriptors /= np.linalg.norm(descriptors, axis=1, keepdims=True)
        order = rng.permutation(len(seen))
        features = Features(
            torch.from_numpy(descriptors[order]),
            torch.from_numpy(seen[order]).float(),
            torch.from_numpy(np.sort(rng.uniform(0.2, 0.9, len(seen)))[::-1].copy()).float(),
        )
        pose[:3, 3] += at
        made.append(View(f"view {index}", pose, EncodedImage(features, CAMERA, CAMERA.focal)))
        ids.append(np.concatenate([shown, np.full(liars, -1)])[order])
    return World(xyz + np.asarray(at), looks, made, ids)


def true_tracks(world: World, packed: PackedViews) -> Tracks:
    """Every keypoint as an observation of the point that it shows."""
    rows = [(v, k, i) for v, ids in enumerate(world.ids) for k, i in enumerate(ids.tolist()) if i >= 0]
    view, keypoint, track = torch.tensor(rows).T
    points = torch.from_numpy(world.points - packed.origin).float()
    return Tracks(points, torch.from_numpy(world.looks), view, keypoint, track)


@dataclass(frozen=True)
class SmallRoom:
    """A quickly made map of the generated room.

    Attributes:
        camera: of all images. poses: mapping and query poses, map_from_camera. images: likewise.
    """

    camera: Camera
    poses: list[np.ndarray]
    images: list[np.ndarray]
    query_poses: list[np.ndarray]
    query_images: list[np.ndarray]
    map: SceneMap


# Images of the tests are small so that they are quickly encoded.
OPTIONS = MapOptions(steps=250, batch=1024, samples=300, width=128, enlarge=1.0)
# For tests that ask for the same map to the last bit: a GPU adds in any order.
QUICK = MapOptions(
    device="cpu", steps=20, batch=256, samples=100, keypoints=300, width=64, blocks=1, landmarks=500, enlarge=1.0
)


@cache
def room_renderer() -> Renderer:
    return Renderer(room_surfaces())


@cache
def small_room() -> SmallRoom:
    """60 mapping frames, 15 queries; once a session, for all files of tests."""
    camera = room_camera((400, 300))
    rng = np.random.default_rng(5)
    poses, query_poses = mapping_drive(60), query_drive(15)
    images, query_images = (
        [exposed(room_renderer().render(camera, pose)[0], rng) for pose in some] for some in (poses, query_poses)
    )
    scene_map = map_of(images, poses, camera, OPTIONS)
    return SmallRoom(camera, poses, images, query_poses, query_images, scene_map)


def map_of(images, poses, camera, options) -> SceneMap:
    mapper = Mapper(options)
    for index, (image, pose) in enumerate(zip(images, poses, strict=True)):
        mapper.add(image, camera, pose, f"frame {index}")
    return mapper.build()


def contents(scene_map: SceneMap) -> list:
    """All of a map but the time."""
    held = []
    for place in scene_map.places:
        training = {key: value for key, value in place.header.training.items() if not key.endswith("seconds")}
        weights = {name: value.numpy().tobytes() for name, value in place.head.state_dict().items()}
        header = replace(place.header, created="", training=training)
        held.append((header, weights, place.points.tobytes(), place.codes.tobytes()))
    return held

"""Patches of landmarks: cut, laid onto images, kept in the map's file, and a witness of the pose."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from core_making import CAMERA, CPU, OPTIONS, disturbed, make_world, map_of, small_room, true_tracks
from map_making import made_map, rewritten
from scipy.ndimage import gaussian_filter

from ace_ros.camera import Camera
from ace_ros.errors import MapFileError
from ace_ros.features.picture import Picture
from ace_ros.geometry import pose_error
from ace_ros.image import Image
from ace_ros.localization.estimate import Evidence
from ace_ros.localization.localizer import Localizer
from ace_ros.localization.state import State
from ace_ros.localization.verdict import borne_out, judge, support
from ace_ros.map.header import Calibration
from ace_ros.map.patches import AREA, laid, visible
from ace_ros.map.scene_map import SceneMap
from ace_ros.mapping import calibration
from ace_ros.mapping.believed import Believed, nearer, with_scales
from ace_ros.mapping.chance import with_likeness
from ace_ros.mapping.sharpening import Seen, sharpened

WALL = 4.0  # before the first camera, which looks along z


@pytest.fixture(scope="module")
def room():
    return small_room()


# A wall of noise, seen through a pinhole from anywhere, to the last decimal.


@pytest.fixture(scope="module")
def wall():
    """Grey values of a wall, a millimetre apart, smooth enough that between them nothing is lost."""
    noise = gaussian_filter(np.random.default_rng(0).normal(size=(4000, 5000)), 12.0)
    return (128 + 50 * noise / noise.std()).astype(np.float32)


def seen(wall, pose, camera=CAMERA):
    """The picture of the wall from a pose, wall_from_camera."""
    x, y = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    rays = camera.rays(np.stack([x, y], -1).reshape(-1, 2)) @ pose[:3, :3].T
    hit = pose[:3, 3] + rays * ((WALL - pose[2, 3]) / rays[:, 2])[:, None]
    column, row = (hit[:, 0] * 1000 + 2500).round().astype(int), (hit[:, 1] * 1000 + 2000).round().astype(int)
    values = wall[np.clip(row, 0, 3999), np.clip(column, 0, 4999)].reshape(camera.height, camera.width)
    return Picture(np.clip(values, 0, 255).astype(np.uint8), camera, (camera.width, camera.height))


def wall_points(count=150):
    xy = np.random.default_rng(1).uniform((-1.8, -1.3), (1.8, 1.3), (count, 2))
    return np.column_stack([xy, np.full(count, WALL)]).astype(np.float32)


def views_of(wall, poses, points):
    """Views of the wall with its points for keypoints, off by half a pixel; and what keypoints say of them."""
    rng = np.random.default_rng(2)
    world = make_world(points=len(points), views=len(poses))
    made = []
    for view, pose in zip(world.views, poses, strict=True):
        pixels = CAMERA.project((points - pose[:3, 3]) @ pose[:3, :3]) + rng.normal(0, 0.5, (len(points), 2))
        features = view.encoded.features
        encoded = replace(
            view.encoded,
            features=replace(
                features,
                pixels=torch.from_numpy(pixels).float(),
                descriptors=torch.from_numpy(world.looks),
                scores=torch.linspace(1, 0.5, len(points)),
            ),
        )
        made.append(replace(view, map_from_camera=pose, encoded=encoded, stored=seen(wall, pose).stored()))
    ids = [np.arange(len(points))] * len(poses)
    return replace(world, points=points.astype(np.float64), views=made, ids=ids)


def poses_before(count, seed=3):
    rng = np.random.default_rng(seed)
    reach = np.array([0.4, 0.3, 0.5, 0.1, 0.1, 0.2])
    return [disturbed(np.eye(4), rng.uniform(-reach, reach)) for _ in range(count)]


@pytest.fixture(scope="module")
def exact(wall):
    """Landmarks on the wall, put off by a centimetre, and made exact by eight views."""
    world = views_of(wall, poses_before(8), wall_points())
    packed = world.packed()
    tracks = true_tracks(world, packed)
    off = tracks.points + 0.01 * torch.from_numpy(np.random.default_rng(4).normal(size=tracks.points.shape)).float()
    done = []
    result = sharpened(
        off, Seen.of(tracks, torch.arange(len(off)), packed), packed, world.views, lambda *at: done.append(at)
    )
    assert all(0 <= one <= total for one, total in done)
    return world, packed, off, result


def test_landmarks_become_several_times_as_exact(exact):
    """What a landmark is, its patch says: the spot on the wall that it was cut from. How far the wall is, is known."""
    _, packed, off, result = exact
    held = result.patches.known
    assert held.mean() > 0.9 and (result.reference[torch.from_numpy(held)] >= 0).all()
    before, after = (np.abs(points.numpy()[held, 2] - (WALL - packed.origin[2])) for points in (off, result.points))
    assert np.median(before) > 0.005 and np.median(after) < 0.0015
    assert (np.bincount(result.seen.landmark.numpy(), minlength=len(off))[held] >= 3).all()


def test_a_patch_is_found_from_elsewhere_to_a_tenth_of_a_pixel_whatever_the_light(exact, wall):
    _, packed, _, result = exact
    points = result.points.numpy()
    for number, pose in enumerate(poses_before(3, seed=9)):
        picture = seen(wall, pose)
        picture.grey[:] = np.clip(picture.grey * 0.5 + 20 * number, 0, 255)
        local = pose.copy()
        local[:3, 3] -= packed.origin
        astray = disturbed(local, np.array([0.006, -0.006, 0.01, 0.002, -0.002, 0.002]))
        which = visible(result.patches, points, picture, astray, 400)
        there = laid(result.patches, points, which, picture, astray)
        good = there.likeness > 0.8
        assert good.mean() > 0.9 and np.median(there.shift[good]) > 0.5
        true = CAMERA.project((points[which] - local[:3, 3]) @ local[:3, :3])
        assert np.median(np.linalg.norm(there.pixels - true, axis=1)[good]) < 0.15


def test_patches_are_not_looked_for_from_behind_nor_much_nearer_or_farther(exact, wall):
    _, packed, _, result = exact
    points, count = result.points.numpy(), result.patches.known.sum()

    def shown(pose):
        return len(visible(result.patches, points, seen(wall, np.eye(4)), pose, 400))

    ahead = np.eye(4)
    ahead[:3, 3] -= packed.origin
    assert shown(ahead) > 0.8 * count and len(visible(result.patches, points, seen(wall, ahead), ahead, 7)) == 7
    behind, near, far = ahead.copy(), ahead.copy(), ahead.copy()
    behind[:3, :3], behind[2, 3] = np.diag([-1.0, 1.0, -1.0]), 2 * WALL
    near[2, 3] += 0.6 * WALL
    far[2, 3] -= 2 * WALL
    assert shown(behind) == shown(near) == shown(far) == 0


def test_views_without_pictures_leave_landmarks_as_they_are():
    world = make_world()
    packed = world.packed()
    tracks = true_tracks(world, packed)
    seen_by = Seen.of(tracks, torch.arange(len(tracks)), packed)
    result = sharpened(tracks.points, seen_by, packed, world.views, lambda done, total: None)
    assert torch.equal(result.points, tracks.points) and not result.patches.known.any()
    assert len(result.seen.landmark) == len(seen_by.landmark)


@pytest.mark.parametrize("what", ["nothing", "stripes"])
def test_a_wall_without_anything_on_it_has_none_nor_one_with_stripes(wall, what):
    """Along a stripe a patch would fit anywhere."""
    stripes = np.broadcast_to(128 + 60 * np.sin(np.arange(4000) / 20)[:, None], wall.shape)
    world = views_of(np.full_like(wall, 90.0) if what == "nothing" else stripes, poses_before(5), wall_points())
    packed = world.packed()
    tracks = true_tracks(world, packed)
    result = sharpened(
        tracks.points, Seen.of(tracks, torch.arange(len(tracks)), packed), packed, world.views, lambda done, total: None
    )
    assert not result.patches.known.any() and torch.equal(result.points, tracks.points)


# A map of the generated room.


def test_queries_are_several_times_as_exact_with_them(room):
    errors = []
    for scene_map in (room.map, replace(room.map, places=(room.map.places[0].without_patches(),))):
        localizer = Localizer(scene_map, device="cpu")
        answers = [localizer.localize(image, room.camera) for image in room.query_images]
        assert all(one.state is State.LOCALIZED for one in answers)
        errors.append([pose_error(a.map_from_camera, p) for a, p in zip(answers, room.query_poses, strict=True)])
    with_them, without = np.median(errors, axis=1)
    assert (with_them < without / 3).all() and with_them[0] < 0.003 and with_them[1] < 0.06


def test_at_a_wrong_pose_hardly_any_fits(room):
    localizer, wrong = Localizer(room.map, device="cpu"), []
    estimator = localizer._atlas.place(0)[0]
    origin = np.asarray(room.map.header.origin)
    for image, pose in zip(room.query_images, np.roll(room.query_poses, 5, axis=0), strict=True):
        encoded = localizer.encode(Image(image, room.camera))
        local = pose.copy()
        local[:3, 3] -= origin
        close = estimator.closer(estimator.paired(encoded, estimator.ask(encoded), local), local).close
        wrong.append((close.found(local), close.asked))
    assert sum(found for found, _ in wrong) < 0.02 * sum(asked for _, asked in wrong)
    assert sum(asked for _, asked in wrong) > 1000


def test_the_file_keeps_them_and_one_without_any_is_read_as_well(room, tmp_path):
    path = tmp_path / "room.safetensors"
    room.map.save(path)
    (before,), (back,) = room.map.places, SceneMap.load(path).places
    assert before.patches.known.any() and len(back.patches) == len(back.points)
    for name in ("pixels", "axes", "spacing"):
        some = before.patches.known
        np.testing.assert_array_equal(getattr(back.patches, name)[some], getattr(before.patches, name)[some])
    made_map().save(path)
    (old,) = SceneMap.load(path).places
    assert not old.patches.known.any() and len(old.patches) == len(old.points)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("patches.pixels", torch.zeros(3, AREA - 1, dtype=torch.uint8), "patches.pixels: must be uint8"),
        ("patches.pixels", torch.zeros(3, AREA), "patches.pixels: must be uint8"),
        ("patches.axes", torch.zeros(2, 2, 3, dtype=torch.int8), "patches.axes: must be int8"),
        ("patches.spacing", torch.tensor([1.0, -1.0, 1.0]), "patches.spacing: holds values"),
        ("patches.spacing", torch.tensor([1.0, float("nan"), 1.0]), "patches.spacing: holds values"),
        ("patches.spacing", None, "patches.spacing: is missing"),
        ("patches.landmarks", torch.tensor([0, 5, 5]), "patches.landmarks: must be numbers of the 200 landmarks"),
        ("patches.landmarks", torch.tensor([-1, 5, 6]), "patches.landmarks: must be numbers of the 200 landmarks"),
        ("patches.landmarks", torch.tensor([0, 5, 200]), "patches.landmarks: must be numbers of the 200 landmarks"),
    ],
)
def test_damaged_ones_are_refused_by_their_name(tmp_path, name, value, told):
    path = tmp_path / "m.safetensors"
    good = {
        "patches.landmarks": torch.tensor([0, 7, 199]),
        "patches.pixels": torch.arange(3 * AREA, dtype=torch.uint8).view(3, AREA),
        "patches.axes": torch.ones(3, 2, 3, dtype=torch.int8),
        "patches.spacing": torch.ones(3),
    }
    made_map().save(path)
    rewritten(path, tensors=good)
    assert np.flatnonzero(SceneMap.load(path).places[0].patches.known).tolist() == [0, 7, 199]
    rewritten(path, tensors={name: value})
    with pytest.raises(MapFileError, match=told):
        SceneMap.load(path)


# What they are worth.


def evidence(patches, asked, landmarks=30):
    return Evidence(
        30.0, 1000, 500, landmark_inliers=landmarks, matched=5, coverage=0.4, well_conditioned=True,
        patches=patches, patches_asked=asked,
    )  # fmt: skip


def test_a_pose_of_few_landmarks_is_believed_where_patches_bear_it_out():
    known = Calibration(chance_landmarks=20.0, self_similar=40.0, self_matched=10.0, chance_patches=0.04)
    assert judge(evidence(0, 300), known).state is not State.LOCALIZED
    assert judge(evidence(47, 300), known).state is not State.LOCALIZED  # four times chance are 48
    told = judge(evidence(60, 300), known)
    assert told.state is State.LOCALIZED and told.confidence > 0.9
    assert not borne_out(evidence(39, 60), known)  # so few may all be of one thing
    assert support(evidence(60, 300), known) > support(evidence(50, 300), known)
    corner = replace(evidence(60, 300), coverage=0.1)
    assert judge(corner, known).state is State.UNCERTAIN


def held_back(errors, patches=200):
    """Views that are off by so much, units of the map and degrees alike."""
    return [Believed(k, np.zeros(6), (error, error), np.eye(6), np.eye(6), patches) for k, error in enumerate(errors)]


def test_patches_lead_where_they_bring_held_back_views_nearer_to_their_poses():
    alone = held_back([2.0, 2.0, 2.0], patches=0)
    assert nearer(held_back([1.0, 1.5, 9.0]), alone)  # one that goes astray does not decide
    assert not nearer(held_back([2.1, 2.1, 0.1]), alone)
    assert not nearer(held_back([1.9, 1.9, 1.0]), alone)  # they are not worth their bytes, and count as landmarks do
    assert nearer(held_back([9.0, 9.0, 9.0], patches=23), alone)  # too few to lead any: they do no harm


@pytest.mark.parametrize("views", [1, 2, 4, 12])
def test_ellipsoids_hold_what_they_say_however_few_views_taught_them(views):
    """Places differ: of recordings the factor that is right lies between 1 and 30, and two views hardly tell it."""
    rng, held = np.random.default_rng(views), []
    for _ in range(120):
        right = 3.0 * np.exp(rng.normal(0, 1.0))
        off = rng.normal(0, np.sqrt(right), (views, 6))
        told = [Believed(k, one, (0.0, 0.0), np.eye(6), np.zeros((6, 6)), 200) for k, one in enumerate(off)]
        learnt = with_scales(Calibration(), told, told, None)
        for scale in (learnt.covariance_scale, learnt.led_scale):
            held.append((rng.normal(0, np.sqrt(right), (200, 6)) ** 2).sum(1) / scale < 12.59)
    assert 0.93 < np.mean(held) < 0.98


def test_a_place_keeps_no_patches_that_lead_nothing(room, monkeypatch):
    """Where mapping poses are off as much as keypoints are, all that they would do is make the map larger."""
    assert room.map.places[0].patches.known.any() and room.map.places[0].header.calibration.led_scale > 0
    monkeypatch.setattr(calibration, "nearer", lambda led, alone: False)
    place = map_of(room.images, room.poses, room.camera, replace(OPTIONS, steps=20)).places[0]
    assert not place.patches.known.any() and place.header.calibration.led_scale == 0


def test_a_place_that_shows_the_same_elsewhere_asks_for_more_patches(room):
    """What bears poses out in other places bears out none where there is another of what it shows."""
    place, known = room.map.places[0], Calibration()
    images = [Localizer(room.map, device="cpu").encode(Image(image, room.camera)) for image in room.query_images[:2]]
    poses = room.query_poses[:2]
    alone = with_likeness(known, place, images, poses, CPU)
    assert alone.chance_patches < 0.03 and alone.self_similar < 40
    behind = place.points - np.float32(40) * poses[0][:3, 2].astype(np.float32)
    twice = replace(
        place,
        points=np.concatenate([place.points, behind]),
        codes=np.concatenate([place.codes, place.codes]),
        patches=place.patches.followed_by(place.patches),
    ).with_landmarks(np.arange(2 * len(behind)).reshape(2, -1).T.ravel())  # by turns: those seen most often come first
    told = with_likeness(known, twice, images[:1], poses[:1], CPU)
    assert told.chance_patches > 0.1 and told.self_similar > 100
    assert borne_out(evidence(100, 300), alone) and not borne_out(evidence(100, 300), told)


def test_a_picture_is_kept_as_jpeg_and_reduced_but_never_enlarged():
    grey = (128 + 60 * gaussian_filter(np.random.default_rng(0).normal(size=(600, 800)), 4.0) * 12).clip(0, 255)
    camera = Camera(800, 600, 700.0, 700.0, 399.5, 299.5)
    picture = Picture(grey.astype(np.uint8), camera, (400, 300))
    assert picture.grey.shape == (300, 400) and picture.camera.fx == 350.0
    assert Picture(grey.astype(np.uint8), camera, (1600, 1200)).grey.shape == (600, 800)
    back = Picture.read(picture.stored(), camera)
    assert back.camera == picture.camera
    assert np.abs(back.grey.astype(float) - picture.grey).mean() < 2.0
    assert picture.at(np.zeros((0, AREA, 2), np.float32)).shape == (0, AREA, 3)


def test_patches_face_the_way_in_which_they_were_seen(exact):
    _, _, _, result = exact
    facing = result.patches.facing[result.patches.known]
    np.testing.assert_allclose(np.linalg.norm(facing, axis=1), 1.0, atol=1e-5)
    assert (facing[:, 2] > 0.8).all()

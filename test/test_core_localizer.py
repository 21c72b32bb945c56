"""Queries in the generated room: found where they are, and never believed where they are not."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from core_making import CPU, disturbed, small_room
from map_making import with_header, with_place
from scipy.spatial.transform import Rotation

from ace_ros.camera import Camera
from ace_ros.errors import InputError, MapFileError
from ace_ros.generated.textures import photograph
from ace_ros.generated.trajectory import looking
from ace_ros.geometry import pose_error, pose_residual, transform
from ace_ros.image import Image
from ace_ros.localization.estimator import PoseEstimator
from ace_ros.localization.localizer import Localizer
from ace_ros.localization.options import LocalizeOptions
from ace_ros.localization.state import Reason, State
from ace_ros.map.scene_map import SceneMap


@pytest.fixture(scope="module")
def room():
    return small_room()


@pytest.fixture(scope="module")
def localizer(room):
    return Localizer(room.map, device="cpu")


@pytest.fixture(scope="module")
def answers(room, localizer):
    return [localizer.localize(image, room.camera) for image in room.query_images]


def errors_of(answers, poses):
    return np.array([pose_error(answer.map_from_camera, pose) for answer, pose in zip(answers, poses, strict=True)])


def test_queries_are_found_where_they_are(room, answers):
    assert sum(answer.state is State.LOCALIZED for answer in answers) >= 14
    translation, rotation = np.median(errors_of(answers, room.query_poses), axis=0)
    assert translation < 0.02 and rotation < 0.5
    assert errors_of(answers, room.query_poses)[:, 0].max() < 0.1


def test_an_answer_holds_together(room, answers):
    for answer in answers:
        assert (answer.reason == "") == (answer.state is State.LOCALIZED)
        assert 0 <= answer.confidence <= 1 and answer.map_from_camera.dtype == np.float64
        assert answer.inlier_mask.sum() == answer.inliers <= answer.candidates <= 1000 * 2
        assert len(answer.pixels) == len(answer.scene_coordinates) == len(answer.inlier_mask)
        local = transform(np.linalg.inv(answer.map_from_camera), answer.scene_coordinates)
        off = np.linalg.norm(room.camera.project(local) - answer.pixels, axis=1)[answer.inlier_mask]
        assert np.median(off) == pytest.approx(answer.reprojection_error, rel=0.05)
        assert 0 < answer.reprojection_error < 3
        assert set(answer.timings) == {"encode", "match", "solve", "total"}
        assert all(seconds >= 0 for seconds in answer.timings.values())


def test_covariances_are_proper_and_about_right(room, answers):
    values = []
    for answer, truth in zip(answers, room.query_poses, strict=True):
        covariance = answer.covariance
        assert covariance.shape == (6, 6) and np.array_equal(covariance, covariance.T)
        assert (np.linalg.eigvalsh(covariance) > 0).all()
        residual = pose_residual(answer.map_from_camera, truth)
        values.append(residual @ np.linalg.solve(covariance, residual))
        sigma = np.sqrt(np.diag(covariance))
        assert (sigma[:3] > 1e-4).all() and (sigma[:3] < 0.1).all()
    # 6 when right, and four held-back views don't teach more; but poses that patches lead are off by a tenth of the
    # pixel that is added for what is not exact between two days, of which there is one here.
    assert 0.1 < np.median(values) < 30


def test_the_same_image_has_the_same_answer(room, localizer, answers):
    again = localizer.localize(room.query_images[3].copy(), room.camera)
    assert np.array_equal(again.map_from_camera, answers[3].map_from_camera)
    assert np.array_equal(again.covariance, answers[3].covariance) and again.confidence == answers[3].confidence


def test_grey_is_as_good_as_rgb(room, localizer, answers):
    for index in (0, 7):
        grey = cv2.cvtColor(room.query_images[index], cv2.COLOR_RGB2GRAY)
        answer = localizer.localize(grey, room.camera)
        assert np.array_equal(answer.map_from_camera, answers[index].map_from_camera)


def test_mapping_views_are_found_too(room, localizer):
    some = range(5, 60, 9)
    answers = [localizer.localize(room.images[i], room.camera) for i in some]
    assert all(answer.state is State.LOCALIZED for answer in answers)
    assert np.median(errors_of(answers, [room.poses[i] for i in some])[:, 0]) < 0.02


def test_another_camera_finds_itself_as_well(room, localizer):
    """Wider, of other proportions, and with its principal point off the middle."""
    from core_making import room_renderer

    camera = Camera(480, 270, 300.0, 310.0, 225.0, 150.0)
    poses = room.query_poses[::4]
    answers = [localizer.localize(room_renderer().render(camera, pose)[0], camera) for pose in poses]
    assert all(answer.state is State.LOCALIZED for answer in answers)
    assert np.median(errors_of(answers, poses)[:, 0]) < 0.03


@pytest.mark.parametrize("distortion", [(-0.25, 0.08, 0.001, -0.001, 0.0), (0.15, -0.05, 0.0, 0.002)])
def test_a_distorted_image_is_as_good(room, localizer, answers, distortion):
    distorted = replace(room.camera, distortion=distortion)
    grid = np.stack(np.meshgrid(np.arange(400), np.arange(300)), -1).reshape(-1, 2)
    rays = distorted.rays(grid)
    source = (rays[:, :2] / rays[:, 2:] * room.camera.fx + (room.camera.cx, room.camera.cy)).astype(np.float32)
    source = source.reshape(300, 400, 2)
    found, ignored, poses = [], [], room.query_poses[::3]
    for image in room.query_images[::3]:
        warped = cv2.remap(image, source, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
        found.append(localizer.localize(warped, distorted))
        ignored.append(localizer.localize(warped, room.camera))
    assert all(answer.state is State.LOCALIZED for answer in found)
    error = np.median(errors_of(found, poses)[:, 0])
    assert error < 0.025
    assert np.median(errors_of(ignored, poses)[:, 0]) > error  # not to know of the distortion costs


def foreign_images():
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (15, 20, 3), np.uint8)
    board = np.uint8(255) * ((np.indices((300, 400)) // 25).sum(0) % 2).astype(np.uint8)
    yield "black", np.zeros((300, 400, 3), np.uint8)
    yield "white", np.full((300, 400), 255, np.uint8)
    yield "noise", rng.integers(0, 256, (300, 400, 3), np.uint8)
    yield "blobs", cv2.resize(small, (400, 300), interpolation=cv2.INTER_CUBIC)
    yield "checkerboard", board
    for name in ("brick.png", "motorcycle_left.png", "horse.png", "clock_motion.png", "color.png"):
        yield name, cv2.resize(photograph(name), (400, 300), interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize(("name", "image"), foreign_images())
def test_images_of_elsewhere_are_never_believed(room, localizer, name, image):
    for prior in (None, room.query_poses[0]):
        answer = localizer.localize(image, room.camera, prior)
        assert answer.state is not State.LOCALIZED and answer.reason
        assert answer.confidence < 0.9
        if answer.map_from_camera is None:
            assert answer.state is State.LOST and answer.covariance is None and len(answer.pixels) == 0


def test_a_dark_image_is_told_as_such(room, localizer):
    answer = localizer.localize(np.zeros((300, 400), np.uint8), room.camera)
    assert answer.state is State.LOST and "dark, blurred or covered" in answer.reason


def test_a_covered_half_does_not_hide_the_place(room, localizer):
    image = room.query_images[12].copy()
    image[:, :200] = 0
    answer = localizer.localize(image, room.camera)
    assert answer.map_from_camera is not None and pose_error(answer.map_from_camera, room.query_poses[12])[0] < 0.1


def test_a_right_prior_gives_the_same_pose(room, localizer, answers):
    for index in (1, 8, 14):
        prior = disturbed(room.query_poses[index], np.array([0.02, -0.01, 0.01, 0.01, -0.005, 0.01]))
        answer = localizer.localize(room.query_images[index], room.camera, prior)
        assert answer.state is State.LOCALIZED
        translation, rotation = pose_error(answer.map_from_camera, answers[index].map_from_camera)
        assert translation < 0.005 and rotation < 0.1
        assert np.array_equal(
            prior, disturbed(room.query_poses[index], np.array([0.02, -0.01, 0.01, 0.01, -0.005, 0.01]))
        )


def test_a_wrong_prior_is_dropped_within_the_call(room, localizer, answers):
    wrong = (
        looking((0.0, 0.0, 1.4), 0.0, 0.0),
        disturbed(room.query_poses[8], np.array([0.5, 0.5, 0, 0, 0, 1.5])),
        looking((1e4, 0.0, 0.0), 1.0, 0.5),
    )
    for prior in wrong:
        answer = localizer.localize(room.query_images[8], room.camera, prior)
        assert answer.state is State.LOCALIZED
        np.testing.assert_allclose(answer.map_from_camera, answers[8].map_from_camera, atol=5e-3)


@pytest.mark.parametrize(
    "image",
    [np.zeros((300, 401), np.uint8), np.zeros((400, 300, 3), np.uint8), np.zeros((300, 400, 4), np.uint8),
     np.zeros((300, 400), np.float32)],
)  # fmt: skip
def test_images_that_cannot_be_used_are_refused(room, localizer, image):
    with pytest.raises(InputError, match="image"):
        localizer.localize(image, room.camera)


def test_a_map_from_a_file_answers_alike(room, answers, tmp_path):
    room.map.save(tmp_path / "m")
    localizer = Localizer(SceneMap.load(tmp_path / "m"), device="cpu")
    for index in (2, 11):
        answer = localizer.localize(room.query_images[index], room.camera)
        assert pose_error(answer.map_from_camera, answers[index].map_from_camera)[0] < 0.002


def test_fewer_keypoints_still_find_the_place(room):
    localizer = Localizer(room.map, LocalizeOptions(keypoints=400, iterations=200), "cpu")
    answers = [localizer.localize(image, room.camera) for image in room.query_images[::3]]
    assert max(answer.candidates for answer in answers) <= 2 * 400
    assert np.median(errors_of(answers, room.query_poses[::3])[:, 0]) < 0.04


def test_a_head_without_landmarks_finds_the_place_roughly(room):
    """Its own evidence then; the landmarks are not missed by any line of code."""
    bare = replace(room.map, places=(room.map.places[0].with_landmarks(slice(0)),))
    localizer = Localizer(bare, device="cpu")
    answers = [localizer.localize(image, room.camera) for image in room.images[::6]]
    found = [answer.map_from_camera is not None for answer in answers]
    assert sum(found) >= 5
    poses = [pose for pose, good in zip(room.poses[::6], found, strict=True) if good]
    errors = errors_of([answer for answer, good in zip(answers, found, strict=True) if good], poses)
    assert np.median(errors[:, 0]) < 0.6
    assert not any(answer.evidence.landmark_inliers for answer in answers)


def test_other_weights_are_refused(room):
    other = with_header(room.map, encoder_sha256="0" * 64)
    with pytest.raises(MapFileError, match="use the same weights or map again"):
        Localizer(other, device="cpu")
    with pytest.raises(InputError, match="is not a device"):
        Localizer(room.map, device="toaster")


@pytest.mark.parametrize("degrees", [4.0, 8.0, 12.0])
def test_a_pose_that_fits_one_side_of_the_image_is_led_on_to_the_rest(room, degrees):
    """As after RANSAC on a single thing: turned about what is on the left, where errors stay small."""
    localizer = Localizer(room.map, device="cpu")
    (place,) = room.map.places
    search = PoseEstimator(place, CPU, 50.0).search
    none = np.zeros((0, 3))
    for image, truth in zip(room.query_images[:4], room.query_poses[:4], strict=True):
        encoded = localizer.encode(Image(image, room.camera))
        local = truth.copy()
        local[:3, 3] -= place.header.origin
        near = search._near(encoded, local, 4.0)
        left = near.point[np.argsort(encoded.rays[near.keypoint][:, 0])[: len(near) // 4]]
        pivot = np.median(place.points[left], axis=0)
        turned = Rotation.from_rotvec(np.radians(degrees) * local[:3, 1]).as_matrix()
        astray = local.copy()
        astray[:3, :3] = turned @ local[:3, :3]
        astray[:3, 3] = pivot + turned @ (local[:3, 3] - pivot)
        first = search.weigh(encoded, none, search._polish(encoded, astray, (12.0, 4.0)))
        rested = search._settle(encoded, none, first)
        translation, rotation = pose_error(rested.pose, local)
        assert translation < 0.05 and rotation < 1.0 and rested.rank >= 0.98 * first.rank  # but for a pixel


def test_the_room_is_asked_for_beside_a_moved_thing_and_what_chance_has(room):
    """88 matches of a thing that was moved, 20 that agree by chance, 14 of the room, and 300 of nothing, less like."""
    rng = np.random.default_rng(4)
    poses = [disturbed(np.eye(4), rng.uniform(-0.7, 0.7, 6)) for _ in range(3)]
    rays, points, likeness = [], [], []
    for pose, count in zip(poses, (88, 20, 14), strict=True):
        local = rng.uniform((-2, -1.5, 3), (2, 1.5, 6), (count, 3))
        rays.append(local)
        points.append(transform(pose, local))
        likeness.append(rng.uniform(0.8, 1.0, count))
    rays.append(rng.uniform((-2, -1.5, 3), (2, 1.5, 6), (300, 3)))
    points.append(rng.uniform(-6, 6, (300, 3)))
    likeness.append(rng.uniform(0.7, 0.9, 300))
    order = np.argsort(-np.concatenate(likeness))
    seen = np.concatenate(rays)[order]
    seen /= np.linalg.norm(seen, axis=1, keepdims=True)
    found, first = PoseEstimator(room.map.places[0], CPU, 50.0).search._by_landmarks(
        seen, np.concatenate(points)[order], 500.0
    )
    assert first >= 88
    for pose in poses:
        assert min(pose_error(other, pose)[0] for other in found) < 0.05


def test_a_room_of_which_half_moved_a_little_fixes_no_pose(room):
    """Two poses 8 % of the depth apart, and half of the landmarks for each: neither is believed, and the covariance
    holds both."""
    (place,) = room.map.places
    points, shift = place.points.copy(), 0.25
    points[np.random.default_rng(0).random(len(points)) < 0.5, 0] += shift
    localizer = Localizer(with_place(room.map, points=points), device="cpu")
    answers = [localizer.localize(image, room.camera) for image in room.query_images[:12]]
    torn = [answer for answer in answers if answer.evidence.play[0] > 0.5 * shift / place.header.median_depth]
    assert len(torn) >= 3
    for answer in torn:
        assert answer.state is State.UNCERTAIN and answer.reason_code is Reason.AMBIGUOUS
        assert "explain the image equally well" in answer.reason
        far = answer.evidence.play[0] * place.header.median_depth  # to the other pose
        assert np.sqrt(np.trace(answer.covariance[:3, :3])) > 0.95 * far

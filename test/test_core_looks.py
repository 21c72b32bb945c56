"""An image looked at again, smaller and turned: its keypoints lie where they lie, and more poses are told."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from core_making import small_room
from scipy.spatial.transform import Rotation

from ace_ros.camera import Camera
from ace_ros.features.look import Look
from ace_ros.geometry import pose_error
from ace_ros.image import Image
from ace_ros.localization.localizer import Localizer
from ace_ros.localization.trust import State, TrustModel
from ace_ros.map.header import Calibration


@pytest.fixture(scope="module")
def room():
    return small_room()


@pytest.fixture
def localizer(room):
    return Localizer(room.map, device="cpu")


def encodings(localizer, monkeypatch):
    """The looks that the localizer takes, as it takes them."""
    looks, encode = [], localizer.encode
    monkeypatch.setattr(localizer, "encode", lambda image, look: looks.append(look) or encode(image, look))
    return looks


def smeared(image, length):
    kernel = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1 / length
    return cv2.filter2D(image, -1, kernel)


def on_its_side(image, camera, pose, turns):
    """What a camera gives that is rolled by quarter turns where another one stood: image, camera and pose of it."""
    camera_from_camera = np.eye(4)
    camera_from_camera[:3, :3] = Rotation.from_euler("z", 90 * turns, degrees=True).as_matrix()
    for _ in range(turns):
        image = np.rot90(image)
        camera = Camera(camera.height, camera.width, camera.fy, camera.fx, camera.cy, camera.width - 1 - camera.cx)
    return np.ascontiguousarray(image), camera, pose @ camera_from_camera


@pytest.mark.parametrize("turns", range(4))
def test_pixels_come_back_to_where_they_were(turns):
    image = np.arange(96 * 160, dtype=np.int64).reshape(96, 160)
    held = np.rot90(image, turns)
    y, x = np.mgrid[: held.shape[0], : held.shape[1]].reshape(2, -1)
    back = Look(turns=turns).back(torch.from_numpy(np.stack([x, y], 1)).double(), held, 160, 96).numpy()
    assert np.array_equal(image[back[:, 1].astype(int), back[:, 0].astype(int)], held[y, x])


@pytest.mark.parametrize("turns", range(4))
def test_keypoints_of_any_look_lie_on_what_they_show(room, localizer, turns):
    """Found in an image that is held otherwise, they lead to the pose of the image as it was given."""
    image, camera, pose = on_its_side(room.query_images[3], room.camera, room.query_poses[3], turns)
    full = localizer.encode(Image(image, camera)).focal
    for scale in (1.0, 0.8, 0.6):
        encoded = localizer.encode(Image(image, camera), Look(scale, -turns % 4))
        assert encoded.camera is camera
        assert encoded.focal == pytest.approx(full * encoded.scale)
        assert encoded.scale == pytest.approx(scale, rel=0.07)  # sides are multiples of 32
        answer = localizer.answer(encoded)
        assert answer.state is State.LOCALIZED
        translation, rotation = pose_error(answer.map_from_camera, pose)
        assert translation < 0.05 and rotation < 1.0


def test_a_smear_is_seen_through(room, localizer):
    """Some that are not believed at first are, and rightly; what is believed at first stays what it is."""
    more = 0
    for image, pose in zip(room.query_images, room.query_poses, strict=True):
        image = smeared(image, 9)
        first = localizer.answer(localizer.encode(Image(image, room.camera)))
        answer = localizer.localize(image, room.camera)
        if first.state is State.LOCALIZED:
            assert np.array_equal(answer.map_from_camera, first.map_from_camera)
            assert answer.confidence == first.confidence
        elif answer.state is State.LOCALIZED:
            more += 1
            assert pose_error(answer.map_from_camera, pose)[0] < 0.1
    assert more >= 2


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_camera_may_be_mounted_as_it_likes(room, localizer, monkeypatch, turns):
    held = [
        on_its_side(image, room.camera, pose, turns)
        for image, pose in zip(room.query_images, room.query_poses, strict=True)
    ]
    image, camera, pose = held[3]
    assert localizer.answer(localizer.encode(Image(image, camera), Look())).state is State.LOST
    looks = encodings(localizer, monkeypatch)
    answers = [localizer.localize(image, camera) for image, camera, _ in held[3:8]]
    assert all(answer.state is State.LOCALIZED for answer in answers)
    for answer, (_, _, pose) in zip(answers, held[3:8], strict=True):
        translation, rotation = pose_error(answer.map_from_camera, pose)
        assert translation < 0.05 and rotation < 1.0
    # The first tells how the camera is held; from then on it is asked that way, and once.
    assert looks[-5:] == [Look(turns=-turns % 4)] * 5
    del looks[:]
    assert localizer.localize(*held[8][:2], prior=held[7][2]).state is State.LOCALIZED
    assert looks == [Look(turns=-turns % 4)]


def test_a_second_camera_is_held_in_its_own_way(room, localizer):
    """Each is known by itself, though the robot knows from the other where it is."""
    upright, pose = room.query_images[4], room.query_poses[4]
    image, camera, turned = on_its_side(upright, room.camera, pose, 2)
    camera = replace(camera, fx=camera.fx * 1.001)  # no two cameras are the same
    for _ in range(2):
        for shown, by, truth in ((upright, room.camera, pose), (image, camera, turned)):
            answer = localizer.localize(shown, by, prior=truth)
            assert answer.state is State.LOCALIZED and pose_error(answer.map_from_camera, truth)[0] < 0.05


def test_what_shows_nothing_is_looked_at_once(room, localizer, monkeypatch):
    looks = encodings(localizer, monkeypatch)
    assert localizer.localize(np.full((300, 400), 7, np.uint8), room.camera).state is State.LOST
    assert looks == [Look()]


def test_what_is_lost_is_looked_at_from_all_sides(room, localizer, monkeypatch):
    looks = encodings(localizer, monkeypatch)
    noise = cv2.resize(np.random.default_rng(3).integers(0, 255, (60, 80), np.uint8), (400, 300))
    answer = localizer.localize(noise, room.camera)
    assert answer.state is State.LOST and answer.sight.encoded.scale == 1.0
    assert looks == [Look(), Look(0.8), Look(0.6), Look(turns=2), Look(turns=1), Look(turns=3)]
    assert answer.timings["total"] >= answer.timings["encode"] + answer.timings["match"] + answer.timings["solve"]
    # Of a camera that was localized it is known how it is held: while a pose is expected, it isn't asked again.
    localizer.localize(room.query_images[3], room.camera)
    del looks[:]
    localizer.localize(noise, room.camera, prior=room.query_poses[3])
    assert looks == [Look(), Look(0.8), Look(0.6)]


def test_what_is_seen_smaller_has_to_say_more(room, localizer):
    """Pixels that are wider take more in by chance."""
    trust = TrustModel(Calibration(self_similar=30.0, self_matched=12.0), lean=0.25)
    as_it_is, smaller = (
        localizer.answer(localizer.encode(Image(room.query_images[3], room.camera), look)).sight.found[0].estimate
        for look in (Look(), Look(0.6))
    )
    assert trust.calibration_for(as_it_is) == trust.calibration
    wider = trust.calibration_for(smaller)
    for name in ("chance_landmarks", "chance_head", "self_similar", "self_matched"):
        assert getattr(wider, name) == pytest.approx(getattr(trust.calibration, name) / np.sqrt(smaller.encoded.scale))
    beyond = smaller.evidence.landmark_inliers - wider.chance_landmarks
    assert trust.excess(smaller) == pytest.approx(max(0.0, beyond))

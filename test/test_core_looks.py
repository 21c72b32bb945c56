"""An image looked at again, smaller and turned: its keypoints lie where they lie, and more poses are told."""

import itertools
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from core_making import CPU, OPTIONS, room_renderer, small_room
from map_making import with_header
from scipy.spatial.transform import Rotation

from ace_ros.camera import Camera
from ace_ros.features.grey import working_size
from ace_ros.features.look import Look
from ace_ros.features.registry import make_encoder
from ace_ros.generated import room_camera
from ace_ros.generated.trajectory import mapping_drive, query_drive
from ace_ros.geometry import pose_error
from ace_ros.image import Image
from ace_ros.localization.localizer import Localizer
from ace_ros.localization.search import PoseSearch
from ace_ros.localization.state import State
from ace_ros.localization.trust import TrustModel
from ace_ros.map.header import Calibration
from ace_ros.mapping.mapper import Mapper


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


def noise(size):
    return cv2.resize(np.random.default_rng(3).integers(0, 255, (60, 80), np.uint8), size)


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
    shown = zip(room.query_images, room.query_poses, strict=True)
    for (sharp, pose), length in itertools.product(shown, (15, 21)):
        image = smeared(sharp, length)
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
    unknown, camera = noise((640, 480)), room.camera.resized(640, 480)
    answer = localizer.localize(unknown, camera)
    assert answer.state is State.LOST and answer.sight.encoded.scale == 1.0
    assert looks == [Look(), Look(0.8), Look(0.6), Look(turns=2), Look(turns=1), Look(turns=3)]
    assert answer.timings["total"] >= answer.timings["encode"] + answer.timings["match"] + answer.timings["solve"]
    # Of a camera that was localized it is known how it is held: while a pose is expected, it isn't asked again.
    localizer.localize(cv2.resize(room.query_images[3], (640, 480)), camera)
    del looks[:]
    localizer.localize(unknown, camera, prior=room.query_poses[3])
    assert looks == [Look(), Look(0.8), Look(0.6)]


def test_an_image_of_few_pixels_is_not_made_smaller_still(room, localizer, monkeypatch):
    looks = encodings(localizer, monkeypatch)
    for size, expected in (((400, 300), [Look(0.8)]), ((320, 240), [])):
        del looks[:]
        localizer.localize(noise(size), room.camera.resized(*size))
        assert looks[1:-3] == expected


def test_what_is_seen_smaller_has_to_say_more(room, localizer):
    """Pixels that are wider take more in by chance."""
    trust = TrustModel(Calibration(self_similar=30.0, self_matched=12.0), lean=0.25)
    as_it_is, smaller = (
        localizer.answer(localizer.encode(Image(room.query_images[3], room.camera), look)).sight.found[0].estimate
        for look in (Look(), Look(0.6))
    )
    assert trust.calibration_for(as_it_is.encoded.scale) == trust.calibration
    wider = trust.calibration_for(smaller.encoded.scale)
    for name in ("chance_landmarks", "chance_head", "self_similar", "self_matched"):
        assert getattr(wider, name) == pytest.approx(getattr(trust.calibration, name) / np.sqrt(smaller.encoded.scale))
    told = smaller.evidence
    beyond = max(0.0, told.landmark_inliers - wider.chance_landmarks)
    assert trust.excess(smaller) == pytest.approx(beyond + told.patches - 0.03 * told.patches_asked)


def test_small_images_are_enlarged_so_far_and_no_farther():
    assert working_size(160, 120, 480, enlarge=3.0) == (480, 352)
    assert working_size(320, 240, 480, enlarge=3.0) == (640, 480)
    assert working_size(640, 480, 480, enlarge=3.0) == working_size(640, 480, 480)
    assert working_size(1920, 1080, 480, enlarge=3.0) == working_size(1920, 1080, 480)


def test_keypoints_of_an_enlarged_image_lie_in_the_image_as_it_is(room):
    """Of the same picture with a tenth of the pixels; where both find keypoints, these are not a pixel apart."""
    large = room.query_images[3]
    small = cv2.resize(large, (128, 96), interpolation=cv2.INTER_AREA)
    camera, counts = room.camera.resized(128, 96), []
    for enlarge in (1.0, 3.0):
        encoded = make_encoder("xfeat", CPU, 480, None, enlarge).encode(Image(small, camera), 1000)
        assert encoded.scale == 1.0 and encoded.focal == pytest.approx(camera.focal * enlarge, rel=0.1)
        assert (encoded.pixels > -1).all() and (encoded.pixels < (128, 96)).all()
        counts.append(len(encoded))
    assert counts[1] > 2 * counts[0]
    found = encoded.pixels[:100]
    seen = make_encoder("xfeat", CPU, 480).encode(Image(large, room.camera), 1000).pixels
    expected = (seen + 0.5) * (128 / 400, 96 / 300) - 0.5
    apart = found[:, None] - expected[None]
    nearest = np.linalg.norm(apart, axis=2).argmin(1)
    off = apart[np.arange(len(found)), nearest]
    near = np.linalg.norm(off, axis=1) < 1.0
    assert near.sum() >= 60 and (np.abs(off[near].mean(0)) < 0.15).all()  # by chance a quarter are


@pytest.fixture(scope="module")
def tiny_maps():
    """The room by a camera of 160 x 120 pixels, as the images are and enlarged: maps, images, camera and poses."""
    camera, poses = room_camera((160, 120)), query_drive(12)
    images, queries = ([room_renderer().render(camera, p)[0] for p in some] for some in (mapping_drive(60), poses))
    maps = []
    for enlarge in (1.0, 3.0):
        mapper = Mapper(replace(OPTIONS, enlarge=enlarge))
        for image, pose in zip(images, mapping_drive(60), strict=True):
            mapper.add(image, camera, pose)
        maps.append(mapper.build())
    return maps, queries, camera, poses


def test_a_map_of_small_images_is_more_exact_where_they_are_enlarged(tiny_maps):
    maps, queries, camera, poses = tiny_maps
    localized, errors = [], []
    for scene_map in maps:
        localizer = Localizer(scene_map, device="cpu")
        answers = [localizer.localize(image, camera) for image in queries]
        off = [
            np.inf if answer.map_from_camera is None else pose_error(answer.map_from_camera, pose)[0]
            for answer, pose in zip(answers, poses, strict=True)
        ]
        believed = [error for error, answer in zip(off, answers, strict=True) if answer.state is State.LOCALIZED]
        assert all(error < 0.1 for error in believed)
        localized.append(len(believed))
        errors.append(float(np.median(off)))  # of all: what one map believes may be the easiest few
    assert localized[1] >= max(10, localized[0])
    assert errors[1] < 0.8 * errors[0] and errors[1] < 0.005


def test_a_map_is_asked_as_it_was_made(tiny_maps):
    """One of before images were enlarged says nothing of it, and its queries aren't."""
    maps, queries, camera, _ = tiny_maps
    for scene_map, enlarge in zip(maps, (1.0, 3.0), strict=True):
        assert scene_map.header.encoder_enlarge == enlarge
        encoded = Localizer(scene_map, device="cpu").encode(Image(queries[0], camera))
        assert encoded.focal == pytest.approx(camera.focal * enlarge, rel=0.1)
    encoded = Localizer(with_header(maps[1], encoder_enlarge=1.0), device="cpu").encode(Image(queries[0], camera))
    assert encoded.focal == pytest.approx(camera.focal, rel=0.1)


def test_a_look_that_could_not_be_believed_is_not_searched(room, localizer, monkeypatch):
    """What too few matches agree with is not led on; what enough agree with is found just as it is otherwise."""
    led = []
    whole = PoseSearch._polish
    monkeypatch.setattr(PoseSearch, "_polish", lambda self, *given: led.append(1) or whole(self, *given))
    known = localizer.encode(Image(room.query_images[3], room.camera))
    usual, sure = localizer.answer(known), localizer.answer(known, sure_only=True)
    assert usual.state is sure.state is State.LOCALIZED
    assert np.array_equal(usual.map_from_camera, sure.map_from_camera)
    (header,) = room.map.headers
    elsewhere = localizer.encode(Image(noise((400, 300)), room.camera))
    del led[:]
    first = localizer.answer(elsewhere)
    assert first.state is State.LOST and led and first.evidence.matched < header.calibration.self_matched
    del led[:]
    again = localizer.answer(elsewhere, sure_only=True)
    assert again.state is State.LOST and not led and again.map_from_camera is None

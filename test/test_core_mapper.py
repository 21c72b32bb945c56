"""Frames in, a map out: what is refused, how it is stopped, and that it comes out the same again."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from core_making import OPTIONS, QUICK, contents, map_of, small_room

from ace_ros.errors import Cancelled, InputError, MappingError
from ace_ros.generated.trajectory import looking
from ace_ros.geometry import pose_error
from ace_ros.localization.localizer import Localizer
from ace_ros.map.scene_map import SceneMap
from ace_ros.mapping.mapper import Mapper
from ace_ros.mapping.options import MapOptions


@pytest.fixture(scope="module")
def room():
    return small_room()


@pytest.fixture
def mapper(room):
    """With 12 frames, enough for a map."""
    mapper = Mapper(QUICK, map_frame="odom", metric=False)
    for image, pose in list(zip(room.images, room.poses, strict=True))[:24:2]:
        mapper.add(image, room.camera, pose)
    return mapper


@pytest.fixture
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_fewer_than_ten_frames_are_no_map(room):
    mapper = Mapper(QUICK)
    for count in range(10):
        assert len(mapper) == count
        with pytest.raises(MappingError, match=f"at least 10 usable frames with poses, there are {count}"):
            mapper.build()
        mapper.add(room.images[count], room.camera, room.poses[count])
    assert mapper.build().header.frames == 8  # two are held back


def test_bad_frames_are_refused_and_not_taken(room):
    mapper = Mapper(QUICK)
    image, camera, pose = room.images[0], room.camera, room.poses[0]
    broken, mirrored, scaled = (pose.copy() for _ in range(3))
    broken[0, 3] = np.nan
    mirrored[:3, 0] *= -1
    scaled[:3, :3] *= 2
    for bad in (
        (image[:, :-1], camera, pose),
        (image.astype(np.float32), camera, pose),
        (np.dstack([image, image[..., 0]]), camera, pose),
        (image[:32, :32], replace(camera, width=32, height=32), pose),
        (image, camera, broken),
        (image, camera, mirrored),
        (image, camera, scaled),
        (image, camera, pose[:3]),
    ):
        with pytest.raises(InputError, match=r"frame 7|image"):
            mapper.add(*bad, "frame 7")
        assert len(mapper) == 0
    mapper.add(image, camera, pose)
    assert len(mapper) == 1


@pytest.mark.parametrize(
    "options",
    [{"steps": 0}, {"batch": 1}, {"landmarks": -1}, {"views": 5}, {"seconds": 0.0}, {"seconds": float("nan")},
     {"image_size": 64}, {"width": 0}],
)  # fmt: skip
def test_options_that_make_no_sense(options):
    with pytest.raises(InputError, match=next(iter(options))):
        MapOptions(**options)
    with pytest.raises(InputError, match="device"):
        Mapper(MapOptions(device="toaster"))


def test_the_header_tells_what_was_done(mapper, room):
    header = mapper.build().header
    assert (header.map_frame, header.metric, header.frames, header.encoder) == ("odom", False, 10, "xfeat")
    assert header.training["steps"] == 20 and header.training["samples"] <= 10 * 100
    assert header.held_back.frames == 2
    centres = np.array([pose[:3, 3] for pose in room.poses[:24:2]])
    assert (np.array(header.extent[0]) >= centres.min(0) - 1e-6).all()
    assert (np.array(header.extent[1]) <= centres.max(0) + 1e-6).all()
    assert header.created.endswith("+00:00")


def test_progress_tells_every_stage(mapper):
    told = []
    mapper.build(told.append)
    stages = [progress.stage for progress in told]
    assert list(dict.fromkeys(stages)) == ["triangulating", "sharpening", "training", "calibrating"]
    for progress in told:
        assert 0 <= progress.done <= progress.total
        assert (progress.loss is not None) == (progress.stage == "training")
        assert progress.seconds_left is None or progress.seconds_left >= 0
    assert [p.done for p in told if p.stage == "training"] == [1, 20]


@pytest.mark.parametrize("stage", ["triangulating", "sharpening", "training", "calibrating"])
def test_a_build_that_is_cancelled_can_be_done_later(mapper, stage, one_thread):
    untouched = contents(mapper.build())
    seen = []
    with pytest.raises(Cancelled, match="cancelled"):
        mapper.build(lambda progress: seen.append(progress.stage), lambda: stage in seen)
    assert seen[-1] == stage and seen.count(stage) == 1
    assert len(mapper) == 12 and contents(mapper.build()) == untouched


def test_cancelled_before_it_began(mapper):
    with pytest.raises(Cancelled):
        mapper.build(cancelled=lambda: True)


def test_frames_can_be_added_after_a_build(mapper, room):
    before = mapper.build()
    for index in (30, 32, 34):
        mapper.add(room.images[index], room.camera, room.poses[index])
    assert mapper.build().header.frames == before.header.frames + 3


def test_the_same_seed_gives_the_same_map(mapper, room, one_thread, tmp_path):
    one = mapper.build()
    fresh = Mapper(QUICK, map_frame="odom", metric=False)
    for image, pose in list(zip(room.images, room.poses, strict=True))[:24:2]:
        fresh.add(image, room.camera, pose)
    torch.manual_seed(12345)
    assert contents(fresh.build()) == contents(one)
    for name, scene_map in (("a", one), ("b", fresh.build())):
        scene_map.save(tmp_path / name)
    assert contents(SceneMap.load(tmp_path / "a")) == contents(SceneMap.load(tmp_path / "b"))
    other = Mapper(replace(QUICK, seed=1), map_frame="odom", metric=False)
    for image, pose in list(zip(room.images, room.poses, strict=True))[:24:2]:
        other.add(image, room.camera, pose)
    assert contents(other.build())[0][1] != contents(one)[0][1]


def test_no_more_views_than_asked(room):
    mapper = Mapper(replace(QUICK, views=10))
    for image, pose in list(zip(room.images, room.poses, strict=True))[:30]:
        mapper.add(image, room.camera, pose)
    header = mapper.build().header
    assert header.frames == 10
    reach = np.ptp([pose[:3, 3] for pose in room.poses[:30]], axis=0)
    # Spread over all poses, not the first ones.
    assert (np.subtract(*header.extent[::-1])[:2] > 0.7 * reach[:2]).all()


def test_no_more_landmarks_than_asked(room):
    assert len(small_room().map.landmarks) > 2000
    some = Mapper(replace(QUICK, landmarks=100))
    for image, pose in list(zip(room.images, room.poses, strict=True))[:12]:
        some.add(image, room.camera, pose)
    assert some.build().landmarks.shape == (100, 3)


def test_landmarks_lie_where_the_room_is(room):
    """Walls at 3.5 m at most: hardly a landmark is beyond them."""
    points = room.map.landmarks
    assert np.quantile(np.abs(points[:, :2]), 0.99) < 4.5
    assert np.quantile(points[:, 2], 0.01) > -0.3 and np.quantile(points[:, 2], 0.99) < 3.3


def test_the_expected_accuracy_is_that_of_held_back_views(room):
    held = room.map.header.held_back
    assert held.frames == 4 and held.localized >= 3
    assert 0 < held.median_translation < 0.03 and 0 < held.median_rotation_deg < 0.6
    assert held.nees_mean > 0
    calibration = room.map.header.calibration
    assert 0 < calibration.landmark_weight < 1 and calibration.chance_landmarks >= 8
    assert calibration.chance_head >= 0.03 and 0.1 < calibration.covariance_scale < 1000


def test_a_camera_on_a_tripod_makes_a_map_without_landmarks(room):
    """Without parallax nothing has a depth. It must not crash, nor claim a pose that it can't know."""
    from core_making import room_renderer

    poses = [looking((0.0, 0.0, 1.4), 0.05 * k, 0.0) for k in range(14)]
    images = [room_renderer().render(room.camera, pose)[0] for pose in poses]
    scene_map = map_of(images, poses, room.camera, QUICK)
    assert scene_map.landmarks.shape == (0, 3) and scene_map.places[0].codes.shape == (0, 64)
    assert scene_map.header.median_depth > 0
    # No held-back view is known again, so nothing is learnt of covariances: they are wider than is usual.
    assert scene_map.header.held_back.localized == 0 and 8 < scene_map.header.calibration.covariance_scale < 9
    answer = Localizer(scene_map, device="cpu").localize(images[3], room.camera)
    assert 0 <= answer.confidence <= 1


def test_a_map_far_from_the_origin_is_as_accurate(room):
    """A thousand kilometres away, as in UTM; float32 alone would round to 6 cm there."""
    away = np.array([1e6, -2e6, 500.0])

    def moved(pose):
        pose = pose.copy()
        pose[:3, 3] += away
        return pose

    poses = [moved(pose) for pose in room.poses]
    scene_map = map_of(room.images, poses, room.camera, replace(OPTIONS, steps=50))
    localizer = Localizer(scene_map, device="cpu")
    np.testing.assert_allclose(np.array(scene_map.header.origin) - away, room.map.header.origin, atol=1e-6)
    answers = [localizer.localize(image, room.camera) for image in room.query_images]
    errors = np.array([
        pose_error(answer.map_from_camera, moved(truth))
        for answer, truth in zip(answers, room.query_poses, strict=True)
    ])  # fmt: skip
    assert np.median(errors[:, 0]) < 0.02 and np.median(errors[:, 1]) < 0.5
    assert np.abs(np.median(answers[0].scene_coordinates, axis=0) - away).max() < 5

"""A recording with an origin of its own finds its way into a map's frame, robustly, and says how surely."""

import json

import numpy as np
import pytest
from core_making import small_room
from scipy.spatial.transform import Rotation

from ace_ros.errors import InputError, MappingError
from ace_ros.generated.trajectory import looking
from ace_ros.geometry import invert, pose_error
from ace_ros.growing.aligning import Sighting, align
from ace_ros.growing.alignment import Alignment

SIGMA = np.array([0.01, 0.01, 0.01, 0.003, 0.003, 0.003])


def offset(rng, metres=3.0, degrees=40.0):
    """A transform by so much in a random direction."""
    pose = np.eye(4)
    axis, way = (v / np.linalg.norm(v) for v in rng.standard_normal((2, 3)))
    pose[:3, :3] = Rotation.from_rotvec(np.radians(degrees) * axis).as_matrix()
    pose[:3, 3] = metres * way
    return pose


def sightings(rng, truth, scale=1.0, count=40, wrong=0, noise=1.0, spread=4.0, origin=0.0):
    """Poses along a drive, localized with errors as their covariances say; some are anywhere."""
    made = []
    for k in range(count):
        eye = origin + spread * np.array([np.cos(k / 7), np.sin(k / 5), 0.2 * np.sin(k / 3)])
        camera = looking(eye, k / 6, 0.1)
        recorded = invert(truth) @ camera
        recorded[:3, 3] /= scale
        error = noise * SIGMA * rng.standard_normal(6)
        found = camera.copy()
        found[:3, :3] = Rotation.from_rotvec(error[3:]).as_matrix() @ camera[:3, :3]
        found[:3, 3] += error[:3]
        if k < wrong:
            found = looking(rng.uniform(-5, 5, 3), rng.uniform(0, 6), 0.2)
        made.append(Sighting(recorded, found, np.diag(SIGMA**2), 3.0))
    return made


@pytest.mark.parametrize("with_scale", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_the_offset_is_found_among_wrong_localizations(seed, with_scale):
    rng = np.random.default_rng(seed)
    truth, scale = offset(rng), 0.37 if with_scale else 1.0
    found = align(sightings(rng, truth, scale, wrong=15), of=60, with_scale=with_scale)
    shift, turn = pose_error(found.map_from_recording, truth)
    assert shift < 0.02 and turn < 0.2
    assert abs(found.scale / scale - 1) < 0.002
    assert 20 <= found.agreeing <= 25 and (found.localized, found.of) == (40, 60)
    assert found.rms_translation < 0.03 and found.rms_rotation_deg < 0.5
    assert found.pose(invert(truth) @ np.eye(4)).shape == (4, 4)


@pytest.mark.parametrize("noise", [1.0, 4.0])
def test_the_covariance_is_honest_whether_or_not_those_of_the_frames_are(noise):
    """NEES of seven numbers; frames whose covariances are four times too small are told by their spread."""
    nees = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        truth = offset(rng)
        found = align(sightings(rng, truth, 2.0, noise=noise), of=40, with_scale=True)
        shift = found.map_from_recording[:3, 3] - truth[:3, 3]
        turn = Rotation.from_matrix(found.map_from_recording[:3, :3] @ truth[:3, :3].T).as_rotvec()
        error = np.concatenate([shift, turn, [np.log(found.scale / 2.0)]])
        nees.append(error @ np.linalg.solve(found.covariance, error))
    assert 4 < np.mean(nees) < 11


def test_far_from_the_origin_and_large():
    rng = np.random.default_rng(0)
    truth = offset(rng)
    found = align(sightings(rng, truth, spread=200.0, origin=1e4), of=40, with_scale=False)
    where = looking((1e4, 1e4, 1e4), 0, 0)
    assert pose_error(found.pose(invert(truth) @ where), where)[0] < 0.02
    assert found.sigma_translation < 0.02


def test_what_is_refused():
    rng = np.random.default_rng(1)
    truth = offset(rng)
    with pytest.raises(MappingError, match="4 of 30 frames were localized"):
        align(sightings(rng, truth, count=4), of=30, with_scale=False)
    with pytest.raises(MappingError, match=r"40 of 50 frames were localized, \d+ of these agree"):
        align(sightings(rng, truth, wrong=36), of=50, with_scale=False)
    with pytest.raises(MappingError, match="the scale can't be told"):
        align(sightings(rng, truth, spread=0.01), of=40, with_scale=True)
    both = sightings(rng, truth, count=20) + sightings(rng, offset(rng), count=18)
    with pytest.raises(MappingError, match="two places for this recording: 38 of 40"):
        align(both, of=40, with_scale=False)


def test_a_file_of_it_is_read_as_it_was_written_or_refused(tmp_path):
    rng = np.random.default_rng(2)
    found = align(sightings(rng, offset(rng), 0.5), of=40, with_scale=True)
    path = tmp_path / "alignment.json"
    path.write_text(json.dumps(found.to_json()))
    back = Alignment.load(path)
    assert np.allclose(back.map_from_recording, found.map_from_recording, atol=1e-12)
    assert (back.scale, back.agreeing, back.rms_translation) == (found.scale, found.agreeing, found.rms_translation)
    for content, said in (
        ("no", r"is no JSON \(Expecting value: line 1"), ("[]", "not an alignment"), ("{}", "not an alignment"),
        (json.dumps(found.to_json() | {"scale": 0}), "scale of 0"),
        (json.dumps(found.to_json() | {"map_from_recording": np.diag([1, 1, 2, 1]).tolist()}), "not a rotation"),
    ):  # fmt: skip
        path.write_text(content)
        with pytest.raises(InputError, match=said):
            Alignment.load(path)
    with pytest.raises(InputError, match="can't be read"):
        Alignment.load(tmp_path / "none.json")


@pytest.mark.slow
def test_a_second_drive_through_the_room_with_its_own_origin():
    """3 m and 40 degrees off, and in other units: found within 1 cm, 0.2 deg, 0.2 %."""
    from ace_ros.growing.sighting import sighted
    from ace_ros.localization.localizer import Localizer

    room = small_room()
    truth, scale = offset(np.random.default_rng(3)), 0.4
    frames = []
    for image, pose in zip(room.query_images, room.query_poses, strict=True):
        recorded = invert(truth) @ pose
        recorded[:3, 3] /= scale
        frames.append((image, recorded))
    localizer = Localizer(room.map, device="cpu")
    seen = [one for image, pose in frames if (one := sighted(localizer, image, room.camera, pose)) is not None]
    found = align(seen, of=len(frames), with_scale=True)
    centre = np.mean([pose[:3, 3] for pose in room.query_poses], 0)
    middle = looking(centre, 0, 0)
    recorded = invert(truth) @ middle
    recorded[:3, 3] /= scale
    shift, turn = pose_error(found.pose(recorded), middle)
    assert shift < 0.01 and turn < 0.2 and abs(found.scale / scale - 1) < 0.005

"""A room through a fisheye of 180 degrees: rendered, read, mapped and localized in, as through any lens."""

import numpy as np
import pytest
import torch
from core_making import OPTIONS, room_renderer

from ace_ros.camera import Camera
from ace_ros.features.features import EncodedImage, Features
from ace_ros.generated import room_camera
from ace_ros.generated.trajectory import mapping_drive
from ace_ros.generated.wide import FISHEYES, render_through
from ace_ros.geometry import pose_error
from ace_ros.localization.localizer import Localizer
from ace_ros.localization.state import State
from ace_ros.mapping.mapper import Mapper
from ace_ros.recordings import open_recording

pytestmark = pytest.mark.slow


def test_a_pinhole_looked_up_on_the_cube_is_the_pinhole():
    """A lens that is told apart by its model alone: the same picture, but for what looking it up blurs."""
    camera, pose = room_camera((320, 240)), mapping_drive(50)[20]
    omni = Camera(320, 240, camera.fx, camera.fy, camera.cx, camera.cy, (0.0,), "omni")  # xi = 0: a pinhole
    exact, looked_up = (render_through(room_renderer(), one, pose).astype(float) for one in (camera, omni))
    off = np.abs(exact - looked_up).mean(2)
    assert np.median(off) < 4 and off.mean() < 8
    moved = np.abs(exact[:, 1:] - looked_up[:, :-1]).mean()  # a pixel aside
    assert off.mean() < 0.8 * moved


def test_what_a_lens_does_not_image_is_black_and_gives_no_keypoint():
    camera = FISHEYES[180].resized(320, 240)
    small = Camera(320, 240, 60.0, 60.0, 159.5, 119.5, (0.0, -0.03, 0.0, 0.0), "equidistant")
    image = render_through(room_renderer(), small, mapping_drive(50)[20])
    y, x = np.mgrid[:240, :320]
    beyond = np.isnan(small.rays(np.stack([x.ravel(), y.ravel()], 1))).any(1).reshape(240, 320)
    assert 0.1 < beyond.mean() < 0.9 and image[beyond].mean() < 3
    pixels = np.array([[0.0, 0.0], [159.0, 119.0], [319.0, 0.0], [200.0, 100.0]])
    features = Features(torch.eye(4), torch.from_numpy(pixels).float(), torch.ones(4))
    assert len(EncodedImage(features, camera, 100.0).imaged()) >= 2
    kept = EncodedImage(features, small, 60.0).imaged()
    assert kept.pixels.tolist() == pixels[[1, 3]].tolist() and np.isfinite(kept.rays).all()
    assert kept.descriptors.argmax(1).tolist() == [1, 3]


def test_a_room_through_a_fisheye(wide_room):
    mapping, queries = (open_recording(wide_room, split).frames for split in ("train", "test"))
    assert (len(mapping), len(queries)) == (50, 12) and mapping[0].camera.model == "equidistant"
    mapper = Mapper(OPTIONS)
    for frame in mapping:
        mapper.add(frame.read(), frame.camera, frame.map_from_camera, frame.name)
    localizer = Localizer(mapper.build(), device="cpu")
    assert len(localizer.scene_map.places) == 1
    errors, aside = [], 0
    for frame in queries:
        answer = localizer.localize(frame.read(), frame.camera)
        if answer.state is State.LOCALIZED:
            errors.append(pose_error(answer.map_from_camera, frame.map_from_camera))
        angle = np.arccos(localizer.encode(frame.image()).rays[:, 2])
        aside += int((angle > np.radians(75)).sum())
    assert aside > 100 * len(queries) / 12  # what a plane before the camera could hardly hold
    assert len(errors) >= 11
    translation, rotation = np.median(errors, axis=0)
    assert translation < 0.03 and rotation < 0.6

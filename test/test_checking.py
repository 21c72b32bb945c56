"""A recording is held against its own images before it is mapped: what was misread is found, what is right passes."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from ace_command import ace_here, refused

from ace_ros.checking import check
from ace_ros.checking.verdict import judge
from ace_ros.features.registry import make_encoder
from ace_ros.geometry import invert
from ace_ros.recordings import SplitOptions, open_recording
from ace_ros.recordings.readings import POSES

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.checks import ALTERED, altered, found

SCENES = ["redkitchen", "fox", "bonsai", "tello_moved", "euroc_v101", "kitti00_small"]


@pytest.fixture(scope="module")
def encoder():
    return make_encoder("xfeat", torch.device("cpu"), 480)


def recognised(pairs):
    """How the recording is judged as given, and what of its alterations was not found."""
    return judge(pairs), [way for way in ALTERED if not found(judge([altered(pair, way) for pair in pairs]), way)]


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.slow
def test_real_recordings_pass_and_are_found_in_every_alteration(scenes_dir, encoder, name):
    if not (scenes_dir / name).is_dir():
        pytest.skip(f"there is no {name}")
    pairs = check(open_recording(scenes_dir / name).frames, encoder)[1]
    verdict, missed = recognised(pairs)
    assert verdict.meant is None and verdict.given.median < 2.0, verdict.sentence
    assert missed == []


@pytest.fixture(scope="module")
def pairs(room, encoder):
    return check(open_recording(room).frames, encoder)[1]


def test_the_generated_room_passes_and_is_found_in_every_alteration(pairs):
    verdict, missed = recognised(pairs)
    assert verdict.meant is None and verdict.given.median < 1.0, verdict.sentence
    assert missed == []
    assert "poses and intrinsics fit the images" in verdict.sentence


def test_a_fisheyes_recording_passes_and_is_found_in_every_alteration(wide_room, encoder):
    verdict, missed = recognised(check(open_recording(wide_room).frames, encoder)[1])
    assert verdict.meant is None and verdict.given.median < 1.0, verdict.sentence
    assert missed == []


def test_the_sentence_names_both_errors_and_the_way_out(pairs):
    sentence = judge([altered(pair, "inverted") for pair in pairs]).sentence
    assert sentence.startswith("the poses look inverted: median epipolar error ")
    assert "px as given, 0." in sentence and "--poses world-to-camera reads them so" in sentence
    sentence = judge([altered(pair, "focal +10 %") for pair in pairs]).sentence
    assert sentence.startswith("the intrinsics look wrong: ") and "--focal-scale 0.9" in sentence


def test_a_camera_that_only_turns_is_not_refused(room, encoder):
    """Its poses have no baseline but noise, which points anywhere."""
    noise = np.random.default_rng(2)
    frame = open_recording(room).frames[10]
    image, camera = cv2.resize(frame.read(), None, fx=1.5, fy=1.5), frame.camera
    middle = np.array([[1.0, 0, image.shape[1] / 2], [0, 1, image.shape[0] / 2], [0, 0, 1]])
    far = middle @ np.diag([camera.fx, camera.fy, 1.0])  # of the picture on a sphere around the camera
    frames = []
    for index in range(24):
        turn = np.eye(4)
        turn[:3, :3] = cv2.Rodrigues(np.radians([3 * np.sin(index), 5 * np.cos(index / 2), 4 * np.sin(index / 3)]))[0]
        turn[:3, 3] = 1e-3 * noise.normal(size=3)
        there = camera.matrix @ turn[:3, :3].T @ np.linalg.inv(far)
        seen = cv2.warpPerspective(image, there, (camera.width, camera.height))
        frames.append(replace(frame, name=str(index), map_from_camera=turn, load=lambda seen=seen: seen))
    verdict, pairs = check(frames, encoder)
    assert len(pairs) >= 5 and verdict.meant is None, verdict.sentence
    turned = [replace(frame, map_from_camera=frame.map_from_camera @ np.diag([1.0, -1, -1, 1])) for frame in frames]
    assert check(turned, encoder)[0].meant.reading.name == "opengl"


def test_poses_that_nothing_mends_are_told_and_not_refused(room, encoder):
    noise = np.random.default_rng(3)
    frames = []
    for frame in open_recording(room).frames:
        pose = frame.map_from_camera.copy()
        pose[:3, :3] = pose[:3, :3] @ cv2.Rodrigues(np.radians(6.0) * noise.normal(size=3))[0]
        frames.append(replace(frame, map_from_camera=pose))
    verdict, _ = check(frames, encoder)
    assert verdict.meant is None and "the poses are inexact, or of other images" in verdict.sentence


def test_images_that_show_too_little_are_not_judged(room, encoder):
    frames = [
        replace(frame, load=lambda frame=frame: np.full((frame.camera.height, frame.camera.width), 90, np.uint8))
        for frame in open_recording(room).frames[:30]
    ]
    verdict, pairs = check(frames, encoder)
    assert pairs == [] and verdict.meant is None and "not checked: only 0 pairs" in verdict.sentence
    assert check(frames[:1], encoder)[0].given is None


@pytest.mark.parametrize("name", POSES)
def test_each_way_that_the_option_names_is_undone_by_it(room, name):
    given = open_recording(room).frames[3].map_from_camera
    read = open_recording(room, options=SplitOptions(poses=name)).frames[3].map_from_camera
    np.testing.assert_allclose(read, POSES[name].pose(given))
    if name == "world-to-camera":
        np.testing.assert_allclose(read, invert(given), atol=1e-12)


@pytest.mark.slow
def test_a_recording_with_inverted_poses_is_refused_unless_told_how_it_is_meant(room, tmp_path):
    """Poses in ACE's layout, written the other way round."""
    folder = tmp_path / "inverted" / "train"
    for name in ("rgb", "calibration"):
        (folder / name).mkdir(parents=True)
        for file in sorted((room / "train" / name).iterdir())[::2]:
            (folder / name / file.name).symlink_to(file)
    (folder / "poses").mkdir()
    for file in sorted((room / "train" / "poses").iterdir())[::2]:
        np.savetxt(folder / "poses" / file.name, invert(np.loadtxt(file)))
    quick = ("--steps", "5", "--device", "cpu", "--image-size", "240", "--landmarks", "500", "--landmark-views", "20")
    map_file = tmp_path / "m.safetensors"
    refused(ace_here("map", folder, "-o", map_file, *quick), "the poses look inverted")
    assert not map_file.exists()
    done = ace_here("map", folder, "-o", map_file, "--poses", "world-to-camera", *quick)
    assert done.returncode == 0 and "the poses are taken inverted" in done.stderr, done.stderr
    assert "ace: train 100 of 100 frames, 100 with poses, none left out; pinhole " in done.stderr

    picture, figures = tmp_path / "lines.jpg", tmp_path / "figures.json"
    said = ace_here("check", folder, "--picture", picture, "--json", figures)
    assert said.returncode == 1 and "--poses world-to-camera reads them so" in said.stdout
    assert json.loads(figures.read_text())["meant"]["read"] == "inverted"
    height, width = cv2.imread(str(picture)).shape[:2]
    assert width == 960 and height > 1500  # three pairs, as given and as meant
    said = ace_here("check", folder, "--poses", "world-to-camera")
    assert said.returncode == 0 and "poses and intrinsics fit the images" in said.stdout

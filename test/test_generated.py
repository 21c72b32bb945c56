"""The generated scenes: exact geometry, repeatable, readable as recordings."""

import filecmp
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from ace_ros.camera import Camera
from ace_ros.errors import InputError
from ace_ros.generated import courtyard_camera, make_courtyard, make_room, room_camera
from ace_ros.generated.people import People
from ace_ros.generated.renderer import Renderer
from ace_ros.generated.room import room_surfaces
from ace_ros.generated.scenes import courtyard_similarity
from ace_ros.generated.surfaces import prism, surface
from ace_ros.generated.textures import plain
from ace_ros.generated.trajectory import looking, mapping_drive, query_drive
from ace_ros.recordings import open_recording


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer(room_surfaces())


@pytest.fixture(scope="module")
def small_room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_room(tmp_path_factory.mktemp("small") / "room", train=4, test=2, size=(240, 180))


@pytest.fixture(scope="module")
def small_courtyard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_courtyard(tmp_path_factory.mktemp("small") / "courtyard", train=12, test=3, size=(320, 240))


@pytest.mark.parametrize("eye", [(0.1, 0.2, 2.0), (1.5, -0.5, 1.2), (-1.2, 1.0, 3.0)])
def test_a_checkerboard_is_where_the_camera_says(eye):
    square, count = 40, 9
    board = np.uint8(230) * ((np.indices((count * square,) * 2) // square).sum(axis=0) % 2).astype(np.uint8)
    side = count * square / 300
    floor = surface((-side / 2, side / 2, 0), (side, 0, 0), (0, -side, 0), np.repeat(board[..., None], 3, axis=2))
    camera = Camera(640, 480, 510.0, 525.0, 300.3, 250.6)
    pose = looking(eye, np.arctan2(-eye[1], -eye[0]), -np.arctan2(eye[2], np.hypot(*eye[:2])), 0.3)
    image, depth = Renderer([floor]).render(camera, pose)
    steps = (np.arange(1, count) / count - 0.5) * side
    corners = np.array([(x, y, 0) for x in steps for y in steps])
    local = (corners - pose[:3, 3]) @ pose[:3, :3]
    expected = camera.project(local)
    seen = (expected > 8).all(axis=1) & (expected < (631, 471)).all(axis=1)
    assert seen.sum() > 30
    expected, local = expected[seen].astype(np.float32), local[seen]
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_MAX_ITER, 50, 1e-4)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    found = cv2.cornerSubPix(grey, expected.reshape(-1, 1, 2).copy(), (4, 4), (-1, -1), criteria).reshape(-1, 2)
    assert np.median(np.linalg.norm(found - expected, axis=1)) < 0.05
    assert np.abs((found - expected).mean(axis=0)).max() < 0.03
    column, row = expected.round().astype(int).T
    rays = camera.rays(np.column_stack([column, row]))
    rays /= rays[:, 2:]
    heights = (depth[row, column][:, None] * rays @ pose[:3, :3].T + pose[:3, 3])[:, 2]
    np.testing.assert_allclose(heights, 0, atol=1e-4)


@pytest.mark.parametrize(("first", "second"), [(60, 65), (100, 105), (20, 28)])
def test_depth_carries_one_view_of_the_room_onto_another(renderer, first, second):
    camera, drive = room_camera(), mapping_drive(200)
    first, second = drive[first], drive[second]
    (image, depth), (other, other_depth) = (renderer.render(camera, pose) for pose in (first, second))
    row, column = np.indices(depth.shape)
    rays = camera.rays(np.stack([column, row], axis=-1))
    rays /= rays[:, 2:]
    points = rays * depth.reshape(-1, 1) @ first[:3, :3].T + first[:3, 3]
    local = (points - second[:3, 3]) @ second[:3, :3]
    x, y = np.moveaxis(camera.project(local).reshape(*depth.shape, 2).astype(np.float32), 2, 0)
    warped = cv2.remap(other, x, y, cv2.INTER_CUBIC)
    there = cv2.remap(other_depth, x, y, cv2.INTER_NEAREST)
    inside = (x > 0) & (x < camera.width - 1) & (y > 0) & (y < camera.height - 1)
    same = np.abs(there / local[:, 2].reshape(depth.shape) - 1) < 0.01
    assert inside.mean() > 0.5
    assert same[inside].mean() > 0.85, "the rest hides behind other things"
    mask = cv2.erode(same.astype(np.uint8), np.ones((15, 15)))
    grey, warped = (cv2.cvtColor(each, cv2.COLOR_RGB2GRAY) for each in (image, warped))
    pixels = cv2.goodFeaturesToTrack(grey, 800, 0.01, 8, mask=mask)
    assert len(pixels) > 200
    moved, found, _ = cv2.calcOpticalFlowPyrLK(grey, warped, pixels, None, winSize=(13, 13), maxLevel=0)
    motion = (moved - pixels)[found.ravel() == 1].reshape(-1, 2)
    assert np.median(np.linalg.norm(motion, axis=1)) < 0.08
    assert np.abs(np.median(motion, axis=0)).max() < 0.02


def test_neighbours_leave_no_gaps(renderer):
    """From the middle of the room no ray leaves it, and no round thing shows its inside."""
    for pose in mapping_drive(7):
        assert np.isfinite(renderer.render(room_camera((320, 240)), pose)[1]).all()
    inside = np.linalg.norm([1.0, 0.4])
    column = Renderer(prism((0, 0, 0), 0.4, 1.0, lambda h, w: plain(h, w, (200, 200, 200))))
    image, depth = column.render(room_camera(), looking((-3, 0, 1.6), 0.0, -0.3))
    assert set(np.unique(image[np.isfinite(depth)])) == {200}
    assert depth[np.isfinite(depth)].min() > 3 - inside


def test_corners_for_keypoints_are_everywhere(renderer):
    """Every sixth of every image of the drives has some."""
    camera = room_camera()
    for pose in (*mapping_drive(12), *query_drive(6)):
        grey = cv2.cvtColor(renderer.render(camera, pose)[0], cv2.COLOR_RGB2GRAY)
        pixels = cv2.goodFeaturesToTrack(grey, 1500, 0.003, 4, useHarrisDetector=False).reshape(-1, 2)
        cells = np.histogram2d(pixels[:, 1], pixels[:, 0], bins=(2, 3), range=((0, 480), (0, 640)))[0]
        assert cells.min() >= 5, cells


def test_the_query_drive_is_near_the_mapping_drive_but_not_on_it():
    mapping, queries = np.array(mapping_drive(200)), np.array(query_drive(60))
    distances = np.linalg.norm(queries[:, None, :3, 3] - mapping[None, :, :3, 3], axis=2)
    cosines = (np.einsum("qij,mij->qm", queries[:, :3, :3], mapping[:, :3, :3]) - 1) / 2
    angles = np.degrees(np.arccos(np.clip(cosines, -1, 1)))
    nearest = (distances + np.radians(angles) * 1.5).argmin(axis=1)
    every = np.arange(len(queries))
    assert 0.2 < np.median(distances[every, nearest]) < 0.6
    assert 10 < np.median(angles[every, nearest]) < 25
    for drive in (mapping, queries):
        assert np.linalg.norm(np.diff(drive[:, :3, 3], axis=0), axis=1).max() < 0.1


def test_a_room_is_read_as_it_was_made(small_room):
    train, test = open_recording(small_room, split="train"), open_recording(small_room, split="test")
    for scene, drive in ((train, mapping_drive(4)), (test, query_drive(2))):
        assert scene.metric
        assert len(scene.frames) == len(drive)
        for frame, pose in zip(scene.frames, drive, strict=True):
            np.testing.assert_allclose(frame.map_from_camera, pose, atol=1e-7)
            assert frame.camera == room_camera((240, 180))
            assert frame.read().shape == (180, 240, 3)


def test_a_courtyard_is_read_as_it_was_made(small_courtyard):
    train, test = open_recording(small_courtyard, split="train"), open_recording(small_courtyard, split="test")
    assert (len(train.frames), len(test.frames)) == (12, 3)
    assert not train.metric
    assert not {frame.name for frame in train.frames} & {frame.name for frame in test.frames}
    camera = courtyard_camera((320, 240))
    assert train.frames[0].camera == camera
    model = small_courtyard / "sparse" / "0"
    rows = [line.split() for line in (model / "points3D.txt").read_text().splitlines()[1:]]
    points = {row[0]: np.array(row[1:4], float) for row in rows}
    images = (model / "images.txt").read_text().splitlines()[2:]
    poses = {frame.name: frame.map_from_camera for frame in (*train.frames, *test.frames)}
    depths = []
    for head, seen in zip(images[::2], images[1::2], strict=True):
        pose = next(pose for name, pose in poses.items() if head.split()[-1] in name)
        observed = np.array(seen.split()).reshape(-1, 3)
        local = (np.array([points[number] for number in observed[:, 2]]) - pose[:3, 3]) @ pose[:3, :3]
        np.testing.assert_allclose(camera.project(local) + 0.5, observed[:, :2].astype(float), atol=0.01)
        depths.append(local[:, 2] / np.cbrt(np.linalg.det(courtyard_similarity()[:3, :3])))
    depths = np.concatenate(depths)
    assert len(points) > 100
    assert np.percentile(depths, 2) < 6
    assert depths.max() > 60


def test_the_same_seed_makes_the_same_files(small_room, tmp_path):
    again = make_room(tmp_path / "again", train=4, test=2, size=(240, 180))
    files = sorted(path.relative_to(small_room) for path in small_room.rglob("*.*"))
    assert len(files) == 18
    assert filecmp.cmpfiles(small_room, again, files, shallow=False)[0] == files
    other = make_room(tmp_path / "other", train=1, test=1, size=(240, 180), seed=1)
    image = files[[path.suffix for path in files].index(".jpg")]
    assert (other / "train" / "rgb").is_dir()
    assert not filecmp.cmp(small_room / image, other / image, shallow=False)


def test_nothing_is_overwritten(small_room):
    with pytest.raises(InputError, match="not empty"):
        make_room(small_room)
    command = [sys.executable, "-m", "ace_ros.generated", "courtyard", str(small_room)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 1
    assert "not empty" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_people_come_and_go_and_the_room_stays(tmp_path):
    """The same poses and names; what differs is in front of what was there."""
    empty, busy = (make_room(tmp_path / str(k), 3, 2, (160, 120), people=bool(k)) for k in range(2))
    there = [(a / split / kind, b / split / kind) for a, b in [(empty, busy)] for split in ("train", "test")
             for kind in ("poses", "calibration")]  # fmt: skip
    assert all(filecmp.dircmp(a, b).diff_files == [] for a, b in there)
    for later in (False, True):
        people, pose = People(later=later), looking((-2.5, 0.0, 1.5), 0.0, -0.1)
        camera, room = room_camera((160, 120)), Renderer(room_surfaces())
        _, wall = room.render(camera, pose)
        seen = [Renderer.joined([room, Renderer(people.at(t))]).render(camera, pose)[1] for t in (0.0, 0.3, 0.6, 0.9)]
        assert all((one <= wall + 1e-3).all() for one in seen)
        masks = [one < wall - 1e-3 for one in seen]
        assert all(0.01 < mask.mean() < 0.9 for mask in masks)
        assert all((a != b).mean() > 0.01 for a, b in pairwise(masks))

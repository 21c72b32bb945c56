"""What users get wrong: one clear message, a non-zero exit, and nothing lost or half-written."""

import json
import os
import pickle
import re
import resource
import shutil

import numpy as np
import pytest
from ace_command import ace, ace_here, refused

from ace_ros.generated import make_room

QUICK = ("--steps", "5", "--device", "cpu", "--image-size", "160", "--landmarks", "500")


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    return make_room(tmp_path_factory.mktemp("bad") / "room", train=14, test=4, size=(200, 160))


@pytest.fixture(scope="module")
def good_map(room):
    path = room.parent / "good.safetensors"
    done = ace_here("map", room, "-o", path, *QUICK)
    assert done.returncode == 0, done.stderr
    return path


def test_scenes_that_are_not_there(tmp_path, good_map):
    empty = tmp_path / "empty"
    empty.mkdir()
    (tmp_path / "strange").mkdir()
    (tmp_path / "strange" / "notes.txt").write_text("no recording")
    for scene in (tmp_path / "missing", empty, tmp_path / "strange"):
        refused(ace_here("map", scene, "-o", tmp_path / "m"), scene.name)
        refused(ace_here("evaluate", good_map, scene), scene.name)
        refused(ace_here("bag", scene, "-o", tmp_path / "bag"), scene.name)
    assert not (tmp_path / "m").exists() and not (tmp_path / "bag").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no such map"),
        (b"", "empty"),
        (pickle.dumps({"head": [1, 2]}), "pickle"),
        (b"PK\x03\x04" + bytes(100), "pickle or PyTorch checkpoint"),
        (b"just some text, long enough to be read", "not a map"),
    ],
)
def test_files_that_are_no_maps(tmp_path, room, content, said):
    path = tmp_path / "m.safetensors"
    if content is not None:
        path.write_bytes(content)
    for command in (
        ("info", path),
        ("evaluate", path, room),
        ("localize", path, "a.jpg", "--camera", "200,200,100,80"),
        ("export", path, "--ply", tmp_path / "m.ply"),
    ):
        refused(ace_here(*command), "m.safetensors", said)


def test_maps_that_are_damaged_or_of_another_version(tmp_path, good_map):
    whole = good_map.read_bytes()
    path = tmp_path / "m.safetensors"
    for length in (4, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        refused(ace_here("info", path), "m.safetensors")
    newer = whole.replace(b'\\"format_version\\": 1', b'\\"format_version\\": 7')
    assert newer != whole
    path.write_bytes(newer)
    refused(ace_here("info", path), "version 7")


def test_places_that_cannot_be_written(tmp_path, room):
    old = tmp_path / "file"
    old.write_text("kept")
    for output in (tmp_path, tmp_path / "no" / "m", old / "m", "/proc/m"):
        refused(ace_here("map", room, "-o", output, *QUICK), str(output))
    refused(ace_here("map", room, "-o", tmp_path / "m", "--json", tmp_path / "no" / "m.json", *QUICK), "m.json")
    assert old.read_text() == "kept" and [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_keeps_the_old_map(tmp_path, room):
    """Files may grow to 20 kB, as on a disk that is full by then."""
    output = tmp_path / "m.safetensors"
    output.write_text("the old map")

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = ace("map", room, "-o", output, *QUICK, preexec_fn=limit, env=environment)
    refused(done, "m.safetensors")
    assert output.read_text() == "the old map" and [p.name for p in tmp_path.iterdir()] == [output.name]


def test_options_that_make_no_sense(tmp_path, room, good_map):
    refused(ace_here("map", room, "-o", tmp_path / "m", "--steps", "0"), "steps")
    refused(ace_here("map", room, "-o", tmp_path / "m", "--device", "warp9"), "warp9")
    refused(ace_here("map", room, "-o", tmp_path / "m", "--encoder", "other"), "other")
    refused(ace_here("map", room, "-o", tmp_path / "m", "--test-every", "1"), "test-every")
    refused(ace_here("evaluate", good_map, room, "--test-list", tmp_path / "missing.txt"), "missing.txt")
    refused(ace_here("evaluate", good_map, room, "--device", "warp9"), "warp9")
    refused(ace_here("export", good_map, room, "--ply", tmp_path / "m.ply", "--points", "0"), "points")
    assert ace_here("evaluate", good_map, room, "--split", "half").returncode == 2
    assert not list(tmp_path.iterdir())


def frames_left(room, folder, count=14):
    """A copy of the room's mapping frames, the first ``count`` of them."""
    for kind in ("rgb", "poses", "calibration"):
        (folder / kind).mkdir(parents=True)
        for path in sorted((room / "train" / kind).iterdir())[:count]:
            shutil.copy(path, folder / kind)
    return folder


def test_fewer_than_ten_frames_are_no_map(room, tmp_path):
    scene = frames_left(room, tmp_path / "few", 9)
    refused(ace_here("map", scene, "-o", tmp_path / "m.safetensors", *QUICK), "at least 10", "9")
    assert not (tmp_path / "m.safetensors").exists()


def test_frames_that_cannot_be_used_are_named_and_left_out(room, tmp_path):
    scene = frames_left(room, tmp_path / "damaged")
    images, pose = sorted((scene / "rgb").iterdir()), sorted((scene / "poses").iterdir())[7]
    images[3].write_bytes(images[3].read_bytes()[:3000])
    images[5].write_bytes(b"")
    matrix = np.loadtxt(pose)
    matrix[0, 3] = np.nan
    np.savetxt(pose, matrix)
    done = ace_here("map", scene, "-o", tmp_path / "m.safetensors", "--json", tmp_path / "m.json", *QUICK)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "m.json").read_text())["frames"] == 11
    said = done.stderr.replace("\n", " ")
    for number, kind in (
        (3, "the image is truncated"),
        (5, "the image is empty"),
        (7, "the pose holds NaN or infinity"),
    ):
        assert re.search(rf"1 of 14 frames left out: {kind}, e\.g\. \S*frame-0*{number}\.", said), said


def test_poses_that_are_not_rigid(room, tmp_path):
    scene = frames_left(room, tmp_path / "scaled")
    pose = sorted((scene / "poses").iterdir())[4]
    matrix = np.loadtxt(pose)
    matrix[:3, :3] *= 2
    np.savetxt(pose, matrix)
    done = ace_here("map", scene, "-o", tmp_path / "m.safetensors", *QUICK)
    assert done.returncode == 0 and "1 of 14 frames left out: the pose is not rigid" in done.stderr, done.stderr
    strict = ace_here("map", scene, "-o", tmp_path / "m.safetensors", "--strict", *QUICK)
    refused(strict, pose.name, "not a rotation", "without --strict it is left out")

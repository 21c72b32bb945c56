"""`ace align`, `extend` and `repair` as people run them: a second drive with an origin of its own."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from ace_command import ace_here, refused, succeeded
from map_making import with_header
from scipy.spatial.transform import Rotation

from ace_ros.generated import make_room
from ace_ros.geometry import invert, pose_error
from ace_ros.map.scene_map import SceneMap

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def drives(tmp_path_factory):
    """A map of a room, and a second drive through it whose poses are 3 m and 40 degrees off."""
    folder = tmp_path_factory.mktemp("growing")
    room = make_room(folder / "room", train=48, test=24, size=(400, 300))
    quick = ("--steps", "150", "--device", "cpu", "--width", "64", "--image-size", "288")
    succeeded(ace_here("map", room, "-o", folder / "room.safetensors", *quick))
    truth = np.eye(4)
    truth[:3, :3] = Rotation.from_rotvec(np.radians(40) * np.array([0.6, 0.0, 0.8])).as_matrix()
    truth[:3, 3] = 1.0, 2.0, 2.0
    second = folder / "second"
    shutil.copytree(room / "test", second / "train")
    for path in (second / "train" / "poses").iterdir():
        np.savetxt(path, invert(truth) @ np.loadtxt(path), fmt="%.9g")
    return SimpleNamespace(
        folder=folder, map=folder / "room.safetensors", room=room, second=second, truth=truth,
        alignment=folder / "alignment.json",
    )  # fmt: skip


def test_align_finds_the_offset_and_extend_and_repair_take_it(drives, tmp_path):
    done = succeeded(ace_here("align", drives.map, drives.second, "-o", drives.alignment))
    assert "24 were asked" in done.stdout and "uncertainty" in done.stdout
    found = json.loads(drives.alignment.read_text())
    middle = np.eye(4)
    middle[:3, 3] = invert(drives.truth)[:3, 3]  # the room's middle
    shift, turn = pose_error(np.array(found["map_from_recording"]) @ middle, drives.truth @ middle)
    assert shift < 0.01 and turn < 0.2 and found["scale"] == 1.0 and found["agreeing"] >= 12
    before, figures = drives.map.read_bytes(), tmp_path / "figures.json"
    new = tmp_path / "new.safetensors"
    given = (drives.map, drives.second, "--alignment", drives.alignment, "-o", new, "--json", figures)
    done = succeeded(ace_here("extend", *given))
    told = json.loads(figures.read_text())
    assert told["known"] >= 20 and told["new_places"] == [] and "elsewhere" not in done.stderr
    done = succeeded(ace_here("repair", *given))
    assert "landmarks forgotten" in done.stdout and json.loads(figures.read_text())["places"] == 1
    header = SceneMap.load(new).header
    assert [(s.name, s.command) for s in header.sources] == [("room", "map"), ("second", "repair")]
    assert drives.map.read_bytes() == before
    assert "repair second" in succeeded(ace_here("info", new)).stdout


def test_poses_in_another_frame_are_found_out(drives, tmp_path):
    done = ace_here("extend", drives.map, drives.second, "-o", tmp_path / "new", "--steps", "5")
    assert "localized elsewhere than their poses say" in done.stderr.replace("\n", " ")
    other = tmp_path / "other.safetensors"
    with_header(SceneMap.load(drives.map), map_frame="odom").save(other)
    refused(ace_here("extend", other, drives.room, "-o", tmp_path / "x"), "are in 'map', the map is in 'odom'", "align")
    with_header(SceneMap.load(drives.map), metric=False).save(other)
    refused(ace_here("repair", other, drives.room, "-o", tmp_path / "x"), "in metres", "arbitrary scale")
    refused(
        ace_here("extend", drives.map, drives.second, "--alignment", tmp_path / "none", "-o", tmp_path / "x"), "none"
    )
    assert not (tmp_path / "x").exists()


def test_an_alignment_without_agreement_is_refused(drives, tmp_path):
    rng = np.random.default_rng(0)
    shutil.copytree(drives.second, tmp_path / "shuffled")
    paths = sorted((tmp_path / "shuffled" / "train" / "poses").iterdir())
    poses = [path.read_text() for path in paths]
    for path, number in zip(paths, rng.permutation(len(paths)), strict=True):
        path.write_text(poses[number])
    written = tmp_path / "a.json"
    refused(ace_here("align", drives.map, tmp_path / "shuffled", "-o", written), "of 24 frames were localized", "agree")
    assert not written.exists()

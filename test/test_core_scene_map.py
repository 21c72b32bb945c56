"""The map's file: whole or not at all, back as it was, and refused with a reason when it is anything else."""

import json
import os
import pickle
import struct
import subprocess
import sys
from dataclasses import asdict, replace

import numpy as np
import pytest
import safetensors.torch
import torch
from map_making import made_map, rewritten, with_header

from ace_ros.dependencies import XFEAT_SHA256
from ace_ros.errors import MapFileError
from ace_ros.localization.localizer import Localizer
from ace_ros.map.header import HeldBack
from ace_ros.map.scene_map import SceneMap


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "place.safetensors"
    made_map().save(path)
    return path


def same_place(back, place):
    """But for the head's half precision."""
    assert back.header == place.header
    np.testing.assert_array_equal(back.points, place.points)
    np.testing.assert_array_equal(back.codes, place.codes)
    assert back.points.dtype == np.float32 and back.codes.dtype == np.int8
    for name, value in place.head.state_dict().items():
        assert torch.equal(back.head.state_dict()[name], value.half().float())
    assert not any(parameter.requires_grad for parameter in back.head.parameters())


def test_a_map_comes_back_as_it_was(tmp_path):
    scene_map, path = made_map(), tmp_path / "place.safetensors"
    size = scene_map.save(path)
    assert size == path.stat().st_size
    back = SceneMap.load(str(path))
    assert back.header == scene_map.header
    same_place(back.places[0], scene_map.places[0])
    back.save(tmp_path / "again.safetensors")
    assert SceneMap.load(tmp_path / "again.safetensors").header == scene_map.header


def test_the_origin_is_exact_a_thousand_kilometres_away(saved):
    assert SceneMap.load(saved).header.origin == (1e6 + 0.123456789, -1e6 / 3, 7.0)


def test_a_map_without_landmarks(tmp_path):
    path = tmp_path / "m"
    scene_map = made_map()
    replace(scene_map, places=(scene_map.places[0].with_landmarks(slice(0)),)).save(path)
    back = SceneMap.load(path)
    assert back.landmarks.shape == (0, 3) and back.places[0].codes.shape == (0, 64)


def test_a_map_is_readable_as_the_umask_says(tmp_path):
    old = os.umask(0o027)
    try:
        made_map().save(tmp_path / "m")
    finally:
        os.umask(old)
    assert (tmp_path / "m").stat().st_mode & 0o777 == 0o640


def test_the_description_tells_what_matters():
    text = made_map().describe()
    for part in ("kitchen (metres)", "200", "1000000.123", "123 frames", "0.0123 m, 0.25 deg", "7 localized of 8",
                 "3.00 x 2.50 x 0.25 m", "steps 300, loss 4.25", XFEAT_SHA256[:12]):  # fmt: skip
        assert part in text
    scene_map = made_map()
    unknown = with_header(scene_map, metric=False, held_back=HeldBack(3))
    assert "arbitrary scale" in unknown.describe() and "not measured" in unknown.describe()


def test_saving_replaces_and_leaves_nothing_beside(saved):
    other = made_map()
    other = with_header(other, map_frame="hall")
    other.save(saved)
    assert SceneMap.load(saved).header.map_frame == "hall"
    assert [p.name for p in saved.parent.iterdir()] == [saved.name]


@pytest.mark.parametrize("place", ["no/such/folder/m", "file/m", "folder", "/proc/m"])
def test_places_that_cannot_be_written(tmp_path, place):
    (tmp_path / "file").write_text("kept")
    (tmp_path / "folder").mkdir()
    with pytest.raises(MapFileError, match=r"could not be written.*nothing was changed"):
        made_map().save(tmp_path / place)
    assert (tmp_path / "file").read_text() == "kept"
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["file", "folder"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_keeps_the_old_map(saved):
    before = saved.read_bytes()
    saved.parent.chmod(0o555)
    try:
        with pytest.raises(MapFileError, match=f"{saved}: could not be written"):
            made_map().save(saved)
    finally:
        saved.parent.chmod(0o755)
    assert saved.read_bytes() == before


_FULL = """
import resource, sys
from ace_ros.errors import MapFileError
from ace_ros.map.scene_map import SceneMap
scene_map = SceneMap.load(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    scene_map.save(sys.argv[1])
except MapFileError as error:
    print(error)
"""


def test_a_full_disk_keeps_the_old_map(saved):
    """A file may grow to 10 kB, as on a disk that is full by then."""
    before = saved.read_bytes()
    assert len(before) > 10_000
    done = subprocess.run([sys.executable, "-B", "-c", _FULL, str(saved)], capture_output=True, text=True, timeout=120)
    assert f"{saved}: could not be written" in done.stdout and done.stderr == ""
    assert saved.read_bytes() == before and [p.name for p in saved.parent.iterdir()] == [saved.name]


def refused(path, said):
    with pytest.raises(MapFileError) as caught:
        SceneMap.load(path)
    assert str(path) in str(caught.value) and said in str(caught.value)


class _Boom:
    def __reduce__(self):
        return os.mkdir, ("ran",)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no such map; make one with: ace map"),
        (b"", "the file is empty"),
        (pickle.dumps(_Boom()), "a pickle or PyTorch checkpoint"),
        (b"A photograph of a kitchen, say, or a shopping list", "not a map of ace_ros"),
        (struct.pack("<Q", 10**15) + b"{}", "truncated or damaged"),
        (bytes(1000), "not a map of ace_ros"),
    ],
)
def test_what_is_no_map_is_refused(tmp_path, monkeypatch, content, said):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "m.safetensors"
    if content is not None:
        path.write_bytes(content)
    refused(path, said)
    assert not (tmp_path / "ran").exists()


def test_a_folder_is_refused(tmp_path):
    refused(tmp_path, "not a file")


def test_a_checkpoint_of_torch_is_refused_without_being_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "m.pt"
    for legacy in (False, True):
        torch.save({"head": torch.zeros(3), "more": _Boom()}, path, _use_new_zipfile_serialization=not legacy)
        refused(path, "a pickle or PyTorch checkpoint, not a map; it was not loaded, because pickles can run code")
    assert not (tmp_path / "ran").exists()


def test_other_safetensors_are_refused(tmp_path):
    path = tmp_path / "m.safetensors"
    for metadata in (None, {"format": "pt"}):
        safetensors.torch.save_file({"weight": torch.zeros(4)}, path, metadata)
        refused(path, "a safetensors file, but not a map")


@pytest.mark.parametrize("share", [0.0005, 0.01, 0.3, 0.9, 0.9999])
def test_truncated_maps_are_refused(saved, share):
    whole = saved.read_bytes()
    saved.write_bytes(whole[: max(1, int(share * len(whole)))])
    refused(saved, "")


def test_another_version_is_refused(saved):
    rewritten(saved, format_version=3)
    refused(saved, "the map has format version 3, this ace_ros reads versions 1 and 2")


def test_a_field_from_the_future_is_no_harm(saved):
    rewritten(saved, mood="sunny")
    assert SceneMap.load(saved).header == made_map().header


@pytest.mark.parametrize(
    "header",
    [
        {"origin": "here"}, {"origin": [1, 2]}, {"extent": None}, {"head": None}, {"head": {"depth": 3}},
        {"head": {"dimensions": 64, "width": "wide", "blocks": 1}}, {"head": {"dimensions": 64.5, "width": 32}},
        {"head": {"dimensions": 64, "width": -1, "blocks": 1}}, {"head": {"layout": "gothic"}},
        {"calibration": 7}, {"held_back": {"frames": [], "x": 1}},
    ],
)  # fmt: skip
def test_damaged_headers_are_refused(saved, header):
    rewritten(saved, **header)
    refused(saved, "map again")


@pytest.mark.parametrize(
    "tensors",
    [
        {"landmarks.points": torch.full((200, 3), float("nan"))},
        {"landmarks.points": torch.zeros(200, 2)},
        {"landmarks.points": torch.zeros(199, 3)},
        {"landmarks.codes": None},
        {"landmarks.codes": torch.zeros(200, 32, dtype=torch.int8)},
        {"landmarks.codes": torch.zeros(200, dtype=torch.int8)},
        {"landmarks.codes": torch.zeros(200, 64)},
        {"head.out.bias": torch.full((4,), float("inf")).half()},
        {"head.out.weight": torch.zeros(4, 16).half()},
        {"head.first.bias": None},
        {"head.extra": torch.zeros(1)},
    ],
)
def test_damaged_contents_are_refused(saved, tensors):
    rewritten(saved, tensors)
    refused(saved, "map again")


def test_random_damage_is_refused_or_harmless(saved):
    """Bits that flip anywhere: a map that loads is whole, and what doesn't is an error that is meant for a person."""
    rng = np.random.default_rng(0)
    whole = np.frombuffer(saved.read_bytes(), np.uint8)
    start = 8 + struct.unpack("<Q", whole[:8].tobytes())[0]
    refusals = 0
    for trial in range(300):
        data = whole.copy()
        where = rng.integers(0, start if trial % 3 else len(data), rng.integers(1, 4))
        data[where] = rng.integers(32, 127, len(where)) if trial % 2 else rng.integers(0, 256, len(where))
        saved.write_bytes(data.tobytes())
        try:
            back = SceneMap.load(saved)
            back.describe()
            points = back.places[0].points
            assert points.shape == (200, 3) and np.isfinite(points).all() and back.places[0].codes.shape == (200, 64)
        except MapFileError:
            refusals += 1
    assert refusals > 50


def test_weights_of_another_encoder_are_refused():
    scene_map = made_map()
    Localizer(scene_map, device="cpu")
    other = with_header(scene_map, encoder_sha256="ab" * 32)
    with pytest.raises(MapFileError, match=r"made with encoder xfeat of weights abababababab.*map again"):
        Localizer(other, device="cpu")


def test_the_header_is_plain_json(saved):
    with safetensors.safe_open(saved, framework="np") as file:
        values = json.loads(file.metadata()["header"])
    assert values["map_frame"] == "kitchen" and values.keys() == asdict(made_map().header).keys()

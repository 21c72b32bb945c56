"""The header of a map: what each field may hold, in code and from a file, and how it is refused by its name."""

import json
from dataclasses import asdict, fields, replace

import numpy as np
import pytest
import torch
from map_making import made_map, rewritten, with_place

from ace_ros.errors import MapFileError, MapVersionError
from ace_ros.features.registry import make_encoder
from ace_ros.map.head import Head, HeadShape
from ace_ros.map.header import Calibration, HeldBack, MapHeader, parse_headers
from ace_ros.map.scene_map import SceneMap


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "place.safetensors"
    made_map().save(path)
    return path


def refusal(make) -> str:
    with pytest.raises(MapFileError) as caught:
        make()
    return str(caught.value)


def test_a_field_is_refused_in_code_by_its_name():
    header = made_map().header
    told = refusal(lambda: Calibration(chance_head="x"))
    assert told == 'header field calibration.chance_head: must be a number in [0, 1], it is "x"'
    told = refusal(lambda: replace(header, median_depth=0.0))
    assert told.startswith("header field median_depth: must be a number in [1e-09, 1e+09], it is 0.0")
    assert "header field origin[1]" in refusal(lambda: replace(header, origin=(0.0, np.nan, 0.0)))
    assert "header field head.width" in refusal(lambda: HeadShape(64, 10**9, 2))
    assert "header field head.layout: must be ours or ace" in refusal(lambda: HeadShape(layout="gothic"))
    assert "header field held_back.localized: must be at most the 3" in refusal(lambda: HeldBack(3, 4))
    low, high = header.extent
    assert "header field extent[1][0]" in refusal(lambda: replace(header, extent=(high, low)))


def test_numbers_of_python_and_numpy_are_taken_and_truth_values_are_none():
    calibration = Calibration(head_sigma=4, landmark_sigma=np.float32(0.5), covariance_scale=np.int64(3))
    assert [type(value) for value in asdict(calibration).values()] == [float] * 11
    assert type(HeldBack(np.int32(4)).frames) is int
    for wrong in (True, "4", None, [4.0], float("inf"), 10**400):
        assert "calibration.head_sigma" in refusal(lambda wrong=wrong: Calibration(head_sigma=wrong))
    assert "held_back.frames" in refusal(lambda: HeldBack(True))
    assert "held_back.frames" in refusal(lambda: HeldBack(4.0))


@pytest.mark.parametrize("name", [entry.name for entry in fields(MapHeader)])
def test_no_field_may_be_missing_or_null(saved, name):
    whole = saved.read_bytes()
    rewritten(saved, {}, **{name: None})
    assert f"{saved}: header field {name}" in refusal(lambda: SceneMap.load(saved))
    values = asdict(made_map().header)
    del values[name]
    came_later = {"sources": (), "encoder_enlarge": 1.0}
    if name in came_later:
        assert getattr(parse_headers(json.dumps(values))[0], name) == came_later[name]
        return
    assert refusal(lambda: parse_headers(json.dumps(values))) == f"header field {name}: is missing"
    saved.write_bytes(whole)
    SceneMap.load(saved)


def test_what_is_free_holds_what_json_has_and_no_more():
    header = made_map().header
    free = {"steps": 3, "loss": 0.5, "fast": True, "note": "", "none": None, "stamps": [1, 2**62], "pairs": [[1, "a"]]}
    assert replace(header, training=free).training == free
    assert parse_headers(json.dumps(asdict(replace(header, training=free))))[0].training == free
    for wrong in (float("nan"), 2**63, "two\nlines", {"a": 1}, "\ud800", [[[[1]]]], b"x", np.zeros(3)):
        assert "header field training.loss" in refusal(lambda wrong=wrong: replace(header, training={"loss": wrong}))
    assert "header field training" in refusal(lambda: replace(header, training={7: 1}))
    assert "header field training" in refusal(lambda: replace(header, training=[1]))


@pytest.mark.parametrize("text", ["", "null", "[]", "7", "{", "[" * 100_000, '{"a":' * 100_000, "1" * 5000])
def test_what_is_no_header_is_told(text):
    assert "header" in refusal(lambda: parse_headers(text))


def test_the_version_is_looked_at_before_anything_else():
    with pytest.raises(MapVersionError, match="format version 9, this ace_ros reads versions 1 and 2"):
        parse_headers('{"format_version": 9, "place": "of another kind"}')
    assert "format_version: must be a whole number" in refusal(lambda: parse_headers('{"format_version": "x"}'))


def test_sizes_take_no_memory_before_they_are_known_to_be_true(saved):
    """A head of 8192 x 8192 in a hundred blocks would be 80 GB."""

    def load():
        SceneMap.load(saved)

    rewritten(saved, head={"dimensions": 64, "width": 8192, "blocks": 100, "layout": "ours"})
    assert "tensor head.first.weight: must be float16 of shape (8192, 64)" in refusal(load)
    rewritten(saved, head={"dimensions": 64, "width": 10**9, "blocks": 1, "layout": "ours"})
    assert "header field head.width: must be a whole number in [1, 8192], it is 1000000000" in refusal(load)
    rewritten(saved, head={"dimensions": 64, "width": 32, "blocks": 1, "layout": "ace"})
    assert "header field head.dimensions: must be 512 in the layout ace, it is 64" in refusal(load)


@pytest.mark.parametrize(
    ("name", "tensor", "said"),
    [
        ("head.out.bias", None, "is missing"),
        ("head.more", torch.zeros(1), "is not of a head"),
        ("head.out.bias", torch.zeros(4), "must be float16 of shape (4)"),
        ("head.out.bias", torch.zeros(5).half(), "must be float16 of shape (4)"),
        ("head.out.bias", torch.full((4,), float("nan")).half(), "holds values that are not finite"),
        ("landmarks.points", torch.zeros(200, 3).double(), "must be float32 of shape (any, 3)"),
        ("landmarks.points", torch.full((200, 3), 1e13), "holds values that are not finite"),
        ("landmarks.codes", torch.zeros(200, 32).to(torch.int8), "must be int8 of shape (200, 64)"),
        ("frames.digests", None, "is missing"),
        ("frames.digests", torch.zeros(7).long(), "knows 7 frames, header field frames says 123"),
        ("frames.stamps", torch.zeros(3), "must be int64 of shape (any)"),
        ("frames.stamps", torch.tensor([2, 1]), "must be sorted"),
    ],
)
def test_a_tensor_that_is_not_what_the_header_says_is_refused_by_its_name(saved, name, tensor, said):
    rewritten(saved, {name: tensor})
    assert f"{saved}: tensor {name}: {said}" in refusal(lambda: SceneMap.load(saved))


def test_maps_of_before_some_fields_are_read(saved):
    header = asdict(made_map().header)
    del header["head"]["layout"], header["encoder_enlarge"]
    for name in ("landmark_weight", "self_similar", "self_matched"):
        del header["calibration"][name]
    rewritten(saved, {"frames.digests": None, "frames.stamps": None}, **header)
    back = SceneMap.load(saved)
    assert back.header.encoder_enlarge == 1.0
    assert back.header.head.layout == "ours" and back.header.calibration.landmark_weight == 0.5
    assert len(back.mapped) == 0 and "none is known again" in back.describe()


def test_a_head_for_another_encoder_is_refused():
    """All that the file holds goes together, but not with the encoder that it names."""
    scene_map = made_map()
    encoder = make_encoder("xfeat", torch.device("cpu"), 480)
    scene_map.check_encoder(encoder)
    shape = HeadShape(32, 32, 1)
    other = with_place(scene_map, header=replace(scene_map.header, head=shape), head=Head(shape))
    with pytest.raises(MapVersionError, match=r"header field head\.dimensions: must be the 64 of encoder xfeat"):
        other.check_encoder(encoder)

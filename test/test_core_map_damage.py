"""Maps damaged in any way are refused by the name of what is wrong, or answer: nothing else comes of them."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
from map_making import made_map

from ace_ros.errors import MapFileError
from ace_ros.map.describing import describe
from ace_ros.map.header import parse_headers
from ace_ros.recordings import PosedFrame

hypothesis = pytest.importorskip("hypothesis")
st = hypothesis.strategies
ROOT = Path(__file__).resolve().parents[1]
if not (ROOT / "bench").is_dir():
    pytest.skip("bench/ is not beside the tests", allow_module_level=True)
sys.path.append(str(ROOT))  # at the end: ace_ros is the installed one

from bench.damage import contents, damaged, names_of, paths, replace_value  # noqa: E402
from bench.fuzz_maps import check, small_map, use  # noqa: E402

STEADY = {"derandomize": True, "database": None, "deadline": None}  # the same on every run, and as long as it takes
HEADER = json.loads(json.dumps(asdict(made_map().header)))
# Of the calibration, what older maps have not.
LATER = ("landmark_weight", "self_similar", "self_matched", "led_scale", "patch_sigma", "chance_patches")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """What is in a map that localizes, where damaged ones go, and a frame to ask them about."""
    folder = tmp_path_factory.mktemp("damaged")
    path, frame = small_map(folder)
    image = frame.read()
    frame = PosedFrame(frame.name, frame.stamp, frame.camera, frame.map_from_camera, lambda: image)
    assert use(path, frame) == "LOCALIZED"
    return contents(path), folder / "damaged.safetensors", frame


@hypothesis.settings(**STEADY, max_examples=150, suppress_health_check=list(hypothesis.HealthCheck))
@hypothesis.given(st.data())
def test_a_damaged_map_is_refused_by_name_or_answers(whole, data):
    intact, path, frame = whole
    content, touched = damaged(intact, lambda options: data.draw(st.sampled_from(options)))
    path.write_bytes(content)
    check(path, touched, frame)


@hypothesis.settings(**STEADY, max_examples=400)
@hypothesis.given(st.sampled_from(paths(HEADER)), JSON)
def test_whatever_json_puts_in_a_fields_place(path, value):
    """What is taken comes back the same and can be described."""
    values = json.loads(json.dumps(HEADER))
    replace_value(values, path, lambda _: value)
    try:
        (header,) = parse_headers(json.dumps(values))
    except MapFileError as error:
        assert any(name in str(error) for name in names_of(path))
        assert str(error).isprintable() and len(str(error)) < 300
    else:
        assert parse_headers(json.dumps(asdict(header), allow_nan=False)) == (header,)
        assert describe([header], 1, 1).isprintable() or "\n" in describe([header], 1, 1)


@hypothesis.settings(**STEADY, max_examples=100)
@hypothesis.given(st.data())
def test_a_header_without_one_of_its_values(data):
    path = data.draw(st.sampled_from(paths(HEADER)))
    values = json.loads(json.dumps(HEADER))
    replace_value(values, path, None)
    later = [("calibration", name) for name in LATER]
    optional = ("training",), ("head", "layout"), *later, ("sources",), ("encoder_enlarge",)
    if path in optional[1:] or (path[0] == "training" and len(path) > 1):
        parse_headers(json.dumps(values))
        return
    with pytest.raises(MapFileError, match=f"header field {path[0]}"):
        parse_headers(json.dumps(values))

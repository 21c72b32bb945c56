"""Heads in the format that ACE publishes, with random weights: against the formula in a few lines, in and out."""

import contextlib
import io
import json
import signal
import subprocess
from dataclasses import replace

import numpy as np
import pytest
import torch
from map_making import rewritten, with_place
from official_making import BOUNDS, coordinates_of, encoder_state, head_state

from ace_ros.cli import main
from ace_ros.errors import InputError, MapFileError
from ace_ros.features.ace import AceEncoder
from ace_ros.generated import make_room, room_camera
from ace_ros.map.head import HeadShape
from ace_ros.map.heads import make_head
from ace_ros.map.official import export_head, head_bytes, import_head
from ace_ros.map.scene_map import SceneMap
from ace_ros.recordings import open_recording

SHA = "0" * 64


@pytest.fixture(autouse=True, scope="module")
def usual_ctrl_c():
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


def ace(*arguments):
    """The command in this process: starting one with torch in it takes seconds."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([str(argument) for argument in arguments])
    assert "unexpected" not in err.getvalue()
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def saved(path, state):
    torch.save(state, path)
    return path


def features(count=500, seed=1):
    return torch.randn(count, 512, generator=torch.Generator().manual_seed(seed)) * 2


def in_map(scene_map, descriptors, dtype=torch.float32):
    points = scene_map.places[0].head(descriptors, dtype) * scene_map.header.median_depth
    return points.double() + torch.tensor(scene_map.header.origin, dtype=torch.float64)


def same(a, b):
    return a.keys() == b.keys() and all(a[k].dtype == b[k].dtype and torch.equal(a[k], b[k]) for k in a)


@pytest.mark.parametrize("blocks", [1, 2, 4])
def test_an_imported_head_computes_the_published_formula(tmp_path, blocks):
    state = head_state(blocks)
    scene_map = import_head(saved(tmp_path / "head.pt", state), SHA)
    truth = coordinates_of(features(), state)
    found = in_map(scene_map, features())
    assert scene_map.header.head == HeadShape(512, 512, blocks, "ace")
    assert torch.allclose(found, truth, rtol=1e-4, atol=1e-4 * float(truth.abs().max()))


def test_both_bounds_of_the_scale_are_kept(tmp_path):
    state = head_state()
    for shift, divisor in ((-500.0, BOUNDS["max_inv_scale"]), (500.0, BOUNDS["min_inv_scale"])):
        bias = state["fc3.bias"].clone()
        bias[3] = shift
        pushed = state | {"fc3.bias": bias, "fc3.weight": state["fc3.weight"].clone()}
        pushed["fc3.weight"][3] = 0
        scene_map = import_head(saved(tmp_path / "head.pt", pushed), SHA)
        found = scene_map.places[0].head(features())
        assert torch.allclose(found.double(), coordinates_of(features(), pushed) - pushed["mean"].double().flatten(),
                              rtol=1e-4, atol=1e-4)  # fmt: skip
        middle = pushed | {name: torch.tensor([1.0]).half() for name in ("max_inv_scale", "min_inv_scale")}
        undivided = import_head(saved(tmp_path / "one.pt", middle), SHA).places[0].head(features())
        assert torch.allclose(found * divisor, undivided, rtol=1e-4)


@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_export_gives_back_what_was_imported(tmp_path, blocks):
    state = head_state(blocks, mean=(1234.5, -0.001, 77.77))
    scene_map = import_head(saved(tmp_path / "head.pt", state), SHA, map_frame="site")
    scene_map.save(tmp_path / "map.safetensors")
    again, rounding = export_head(SceneMap.load(tmp_path / "map.safetensors"))
    assert same(again, state) and rounding == 0
    (tmp_path / "again.pt").write_bytes(head_bytes(again))
    assert same(torch.load(tmp_path / "again.pt", weights_only=True), state)


def test_single_numbers_may_come_without_a_dimension(tmp_path):
    state = head_state()
    scalars = {name: state[name].reshape(()) for name in BOUNDS}
    scene_map = import_head(saved(tmp_path / "head.pt", state | scalars), SHA)
    assert same(export_head(scene_map)[0], state)


def trained_like(tmp_path, origin, depth):
    """A map as mapping with the ACE encoder leaves it: in the unit frame."""
    scene_map = import_head(saved(tmp_path / "head.pt", head_state()), SHA)
    torch.manual_seed(0)
    head = make_head(HeadShape(512, 512, 2, "ace"))
    head.load_state_dict({name: value.half().float() for name, value in head.state_dict().items()})
    head.requires_grad_(False)
    return with_place(scene_map, head=head, header=replace(scene_map.header, origin=origin, median_depth=depth))


def test_an_exported_map_answers_in_the_units_of_the_map(tmp_path):
    scene_map = trained_like(tmp_path, (0.5, -8.0, 2.0), 3.7)
    state, rounding = export_head(scene_map)
    assert rounding == 0 and {value.dtype for value in state.values()} == {torch.float16}
    truth = in_map(scene_map, features())
    found = coordinates_of(features(), state)
    assert torch.allclose(found, truth, rtol=2e-3, atol=2e-3 * float((truth - truth.mean(0)).abs().max()))


def test_how_far_the_half_precision_mean_is_off_is_told(tmp_path):
    scene_map = trained_like(tmp_path, (1000.2, 0.0, 0.0), 2.0)
    state, rounding = export_head(scene_map)
    assert state["mean"].shape == (1, 3, 1, 1) and float(state["mean"][0, 0]) == 1000.0
    assert rounding == pytest.approx(0.2)


def test_what_half_precision_cannot_hold_is_refused(tmp_path):
    with pytest.raises(InputError, match="half precision"):
        export_head(trained_like(tmp_path, (500_000.0, 4_000_000.0, 0.0), 2.0))


def without(state, name):
    return {key: value for key, value in state.items() if key != name}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda state: without(state, "mean"), "no 'mean'"),
        (lambda state: without(state, "0c1.bias"), "no '0c1.bias'"),
        (lambda state: without(state, "0c0.weight"), "'0c0.bias' is unknown"),
        (lambda state: state | {"head_skip.weight": torch.zeros(512, 256, 1, 1)}, "'head_skip.weight' is unknown"),
        (lambda state: state | {"fc3.weight": torch.zeros(3, 512, 1, 1)}, r"'fc3.weight' is \(3, 512, 1, 1\)"),
        (lambda state: state | {"mean": torch.zeros(3)}, "'mean'"),
        (lambda state: state | {"fc1.bias": torch.full((512,), torch.inf)}, "not finite"),
        (lambda state: state | {"fc1.bias": torch.full((512,), 1e6)}, "not finite in half precision"),
        (lambda state: state | {"h_beta": torch.zeros(1)}, "h_beta.*not positive"),
        (lambda state: encoder_state(), "no 'mean'"),
        (lambda state: torch.zeros(3), "not one of named tensors"),
    ],
)
def test_other_files_are_refused(tmp_path, change, said):
    path = saved(tmp_path / "head.pt", change(head_state()))
    with pytest.raises(InputError, match=said) as refused:
        import_head(path, SHA)
    assert str(path) in str(refused.value)


def test_a_damaged_layout_in_a_map_is_refused(tmp_path):
    scene_map = import_head(saved(tmp_path / "head.pt", head_state()), SHA)
    path = tmp_path / "map.safetensors"
    scene_map.save(path)
    whole = path.read_bytes()
    for old, new in ((rb"\"layout\": \"ace\"", rb"\"layout\": \"axe\""), (rb"\"width\": 512", rb"\"width\": 511")):
        assert whole.count(old) == 1
        path.write_bytes(whole.replace(old, new))
        with pytest.raises(MapFileError, match=r"map\.safetensors"):
            SceneMap.load(path)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A small room, random weights of an encoder, and the map that the command line makes with them."""
    folder = tmp_path_factory.mktemp("official")
    make_room(folder / "room", train=12, test=2, size=(160, 128))
    saved(folder / "encoder.pt", encoder_state())
    done = ace(
        "map", folder / "room", "-o", folder / "map.safetensors", "--encoder", f"ace:{folder / 'encoder.pt'}",
        "--steps", "25", "--batch", "512", "--device", "cpu", "--image-size", "128",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_mapping_with_the_official_encoder_gives_a_head_and_no_landmarks(place):
    scene_map = SceneMap.load(place / "map.safetensors")
    header = scene_map.header
    assert header.encoder == "ace" and header.head == HeadShape(512, 512, 2, "ace")
    assert len(scene_map.landmarks) == 0
    assert "as ACE publishes them" in scene_map.describe()


def test_the_median_depth_is_that_of_the_trained_head(place):
    scene_map = SceneMap.load(place / "map.safetensors")
    encoder = AceEncoder(torch.device("cpu"), 128, place / "encoder.pt")
    depths = []
    for frame in open_recording(place / "room", split="train").frames:
        points = in_map(scene_map, encoder(frame.read(), 1000).descriptors).numpy()
        depths.append((points - frame.map_from_camera[:3, 3]) @ frame.map_from_camera[:3, 2])
    found = np.concatenate(depths)
    assert scene_map.header.median_depth == pytest.approx(float(np.median(found[found > 0])), rel=0.1)


def test_localizing_needs_the_weights_of_mapping(place, tmp_path):
    image = next((place / "room" / "test" / "rgb").iterdir())
    camera = room_camera((160, 128))
    asked = (
        "localize",
        place / "map.safetensors",
        image,
        "--camera",
        f"{camera.fx},{camera.fy},{camera.cx},{camera.cy}",
    )
    done = ace(*asked)
    assert done.returncode == 1 and "--encoder-weights" in done.stderr
    done = ace(*asked, "--encoder-weights", saved(tmp_path / "other.pt", encoder_state(seed=1)))
    assert done.returncode == 1 and "use the same weights" in done.stderr
    done = ace(*asked, "--encoder-weights", place / "encoder.pt")
    assert done.returncode in (0, 3) and image.name in done.stdout and not done.stderr


def test_import_and_export_by_command(place, tmp_path):
    state = head_state()
    saved(tmp_path / "head.pt", state)
    done = ace(
        "import", tmp_path / "head.pt", "-o", tmp_path / "map.safetensors",
        "--encoder", f"ace:{place / 'encoder.pt'}", "--map-frame", "site",
    )  # fmt: skip
    assert done.returncode == 0 and "expected accuracy: unknown" in done.stdout, done.stderr
    said = ace("info", tmp_path / "map.safetensors").stdout
    assert "the head was imported" in said and "site" in said
    header = json.loads(ace("info", tmp_path / "map.safetensors", "--json").stdout)
    assert header["format_version"] == 1 and header["head"]["layout"] == "ace"
    done = ace("export", tmp_path / "map.safetensors", "--ace", tmp_path / "again.pt")
    assert done.returncode == 0 and "2 residual blocks" in done.stdout and not done.stderr
    assert same(torch.load(tmp_path / "again.pt", weights_only=True), state)
    done = ace("evaluate", tmp_path / "map.safetensors", place / "room", "--encoder-weights", place / "encoder.pt")
    assert done.returncode == 0, done.stderr


def test_a_map_of_our_own_training_is_exported(place, tmp_path):
    done = ace("export", place / "map.safetensors", "--ace", tmp_path / "head.pt")
    assert done.returncode == 0 and "rounds the scene's mean" in done.stderr
    scene_map = import_head(tmp_path / "head.pt", SHA)
    ours = SceneMap.load(place / "map.safetensors")
    truth = in_map(ours, features())
    assert torch.allclose(in_map(scene_map, features()), truth, rtol=1e-2, atol=1e-2 * float(truth.abs().max()))


def test_commands_say_what_they_cannot_do(place, tmp_path):
    head, output = saved(tmp_path / "head.pt", head_state()), tmp_path / "map.safetensors"
    for arguments, said in (
        (("import", head, "-o", output, "--encoder", "xfeat"), "ace:PATH"),
        (("import", head, "-o", output, "--encoder", "ace"), "ace:PATH"),
        (("import", head, "-o", output, "--encoder", f"ace:{tmp_path / 'no.pt'}"), "no.pt"),
        (("import", head, "-o", output, "--encoder", f"ace:{head}"), "not the encoder"),
        (("import", place / "encoder.pt", "-o", output, "--encoder", f"ace:{place / 'encoder.pt'}"), "not a head"),
        (("export", place / "map.safetensors"), "--ace FILE"),
        (("export", place / "map.safetensors", "--ply", tmp_path / "x.ply"), "no landmarks"),
        (("map", place / "room", "-o", output, "--encoder", "ace"), "ace:PATH"),
    ):
        done = ace(*arguments)
        assert done.returncode == 1 and said in done.stderr, (arguments, done.stderr)
    assert [path.name for path in tmp_path.iterdir()] == ["head.pt"]


def test_a_map_of_such_a_head_with_bounds_that_can_not_be_is_refused(tmp_path):
    path = tmp_path / "map.safetensors"
    import_head(saved(tmp_path / "head.pt", head_state()), SHA).save(path)
    for name in BOUNDS:
        whole = path.read_bytes()
        rewritten(path, {f"head.{name}": torch.zeros(1).half()})
        with pytest.raises(MapFileError, match=f"tensor head.{name}: must be positive"):
            SceneMap.load(path)
        path.write_bytes(whole)

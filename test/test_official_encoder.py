"""ACE's own encoder: the published layout, with random weights, against the same formula in a few lines."""

import hashlib
import pickle

import numpy as np
import pytest
import torch
from official_making import encoder_state, features_of

from ace_ros.errors import InputError
from ace_ros.features.ace import AceEncoder, AceNetwork
from ace_ros.features.registry import make_encoder, parse_encoder

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("official") / "encoder.pt"
    torch.save(encoder_state(), path)
    return path


def picture(width, height, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)


def test_the_network_computes_the_published_formula(weights):
    grey = picture(96, 64)
    truth = features_of(grey, encoder_state())
    assert truth.shape == (512, 8, 12)
    found = AceNetwork.load(weights)((torch.from_numpy(grey)[None, None].float() / 255 - 0.4) / 0.25)[0]
    assert torch.allclose(found.double(), truth, atol=1e-4 * float(truth.abs().max()))


def test_features_belong_to_the_cells_whose_centres_they_name(weights):
    encoder = AceEncoder(CPU, 480, weights)
    grey = picture(96, 64)
    truth = features_of(grey, encoder_state())
    found = encoder(grey, 10_000)
    assert len(found) == 96 and found.descriptors.shape == (96, 512) and found.descriptors.dtype == torch.float32
    cell = (found.pixels - 3.5) / 8
    assert torch.equal(cell, cell.round()) and len({tuple(c) for c in cell.tolist()}) == 96
    column, row = cell.long().unbind(1)
    error = (found.descriptors.double() - truth[:, row, column].T).norm(dim=1)
    # bfloat16, where the processor has it, keeps eight bits; a feature of another cell is off by its own length.
    assert float((error / truth[:, row, column].norm(dim=0)).max()) < 0.05
    assert torch.equal(found.scores, torch.ones(96))


def test_fewer_cells_cover_the_image_and_are_always_the_same(weights):
    encoder = AceEncoder(CPU, 480, weights)
    few, more = encoder(picture(320, 240), 100), encoder(picture(320, 240, seed=1), 300)
    assert len(few) == 100 and len(more) == 300
    assert torch.equal(few.pixels, more.pixels[:100])
    counts, _, _ = np.histogram2d(*more.pixels.T.numpy(), bins=(4, 3), range=((0, 320), (0, 240)))
    assert counts.min() >= 22 and counts.max() <= 28


def test_cells_of_a_reduced_image_lie_in_the_image_that_was_given(weights):
    found = AceEncoder(CPU, 128, weights)(picture(384, 256), 10_000)
    assert len(found) == 24 * 16
    x, y = found.pixels.numpy().T
    assert sorted(set(x)) == pytest.approx(np.arange(24) * 16 + 7.5)
    assert sorted(set(y)) == pytest.approx(np.arange(16) * 16 + 7.5)


def test_colour_is_taken_as_grey(weights):
    encoder = AceEncoder(CPU, 480, weights)
    grey = picture(64, 64)
    assert torch.equal(encoder(grey, 64).descriptors, encoder(np.repeat(grey[..., None], 3, 2), 64).descriptors)


def test_maps_name_the_file_by_its_hash(weights):
    encoder = make_encoder("ace", CPU, 480, weights)
    assert encoder.identity == "ace" and encoder.dimensions == 512 and not encoder.has_keypoints
    assert encoder.sha256 == hashlib.sha256(weights.read_bytes()).hexdigest()


def test_how_an_encoder_is_named(weights, monkeypatch):
    assert parse_encoder(f"ace:{weights}") == ("ace", weights)
    assert parse_encoder("ace", weights) == ("ace", weights)
    assert parse_encoder("xfeat") == ("xfeat", None)
    monkeypatch.setenv("HOME", "/home/someone")
    assert str(parse_encoder("ace:~/encoder.pt")[1]) == "/home/someone/encoder.pt"
    with pytest.raises(InputError, match=r"don't come with ace_ros.*ace:PATH.*--encoder-weights"):
        make_encoder("ace", CPU, 480, None)


def without(state, name):
    return {key: value for key, value in state.items() if key != name}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda state: without(state, "res2_skip.bias"), "no 'res2_skip.bias'"),
        (lambda state: state | {"conv5.weight": torch.zeros(1)}, "'conv5.weight' is unknown"),
        (lambda state: state | {"conv1.weight": torch.zeros(32, 3, 3, 3)}, r"\(32, 3, 3, 3\).*\(32, 1, 3, 3\)"),
        (lambda state: state | {"conv2.bias": torch.full((64,), torch.nan)}, "not finite"),
        (lambda state: list(state.values()), "not one of named tensors"),
        (lambda state: {"encoder": state}, "not one of named tensors"),
    ],
)
def test_other_state_dicts_are_refused(tmp_path, change, said):
    path = tmp_path / "encoder.pt"
    torch.save(change(encoder_state()), path)
    with pytest.raises(InputError, match=said) as refused:
        AceEncoder(CPU, 480, path)
    assert str(path) in str(refused.value)


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("write", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value))])
def test_code_in_a_file_is_not_run(tmp_path, write):
    path, sprung = tmp_path / "encoder.pt", tmp_path / "sprung"
    write(encoder_state() | {"conv1.weight": Trap(sprung)}, path)
    with pytest.raises(InputError, match="can run code"):
        AceEncoder(CPU, 480, path)
    assert not sprung.exists()


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04 and no more", b"\x80\x02}q\x00", bytes(range(256))])
def test_damaged_files_are_refused(tmp_path, content):
    path = tmp_path / "encoder.pt"
    path.write_bytes(content)
    with pytest.raises(InputError, match="not a PyTorch file"):
        AceEncoder(CPU, 480, path)


def test_missing_files_are_named(tmp_path):
    for path in (tmp_path / "missing.pt", tmp_path):
        with pytest.raises(InputError, match="could not be read"):
            AceEncoder(CPU, 480, path)

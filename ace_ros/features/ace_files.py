"""Files that ACE (Brachmann et al., CVPR 2023) publishes: PyTorch's, of named tensors."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import Tensor

from ace_ros.errors import InputError

DIMENSIONS = 512  # of the encoder's features and of every hidden layer of a head


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """The tensors of a PyTorch file, float32, by name. Never runs code that a file may bring.

    Raises:
        InputError: missing, or not a file of named tensors.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about pickles that are refused anyway
            state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise InputError(f"{path}: could not be read ({error.strerror or error})") from None
    except Exception:  # a damaged pickle can fail in any way
        raise InputError(
            f"{path}: not a PyTorch file of named tensors; it was not loaded, because other pickles can run code"
        ) from None
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) and v.is_floating_point() for v in state.values()):
        raise InputError(f"{path}: a PyTorch file, but not one of named tensors (a state dict)")
    return {str(name): value.float() for name, value in state.items()}


def check_shapes(path: Path, state: dict[str, Tensor], expected: dict[str, tuple[int, ...]], kind: str) -> None:
    """Compare a state dict with the one that it must be.

    Raises:
        InputError: an entry is missing, unknown, or of another shape.
    """
    for name, shape in expected.items():
        if name not in state:
            raise InputError(f"{path}: not {kind}: it has no '{name}'")
        if tuple(state[name].shape) != shape:
            raise InputError(f"{path}: not {kind}: '{name}' is {tuple(state[name].shape)}, it should be {shape}")
    for name in state:
        if name not in expected:
            raise InputError(f"{path}: not {kind}: '{name}' is unknown")

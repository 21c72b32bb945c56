"""Encoders by name. Adding one is a file with a PROFILE, and a line here."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import torch

from ace_ros.errors import InputError
from ace_ros.features.encoder import Encoder, EncoderProfile

#: name -> module that holds its PROFILE; imported when it is asked for
_MODULES = {
    "xfeat": "ace_ros.features.xfeat",
    "ace": "ace_ros.features.ace",
}
_registered: dict[str, EncoderProfile] = {}


def register(profile: EncoderProfile) -> None:
    """Make an encoder of your own known by its name, for maps and for this process."""
    _registered[profile.name] = profile


def profile_of(name: str) -> EncoderProfile:
    """The encoder of that name.

    Raises:
        InputError: there is none.
    """
    if name in _registered:
        return _registered[name]
    if name in _MODULES:
        profile: EncoderProfile = import_module(_MODULES[name]).PROFILE
        return profile
    raise InputError(f"encoder: '{name}' is unknown; there are {', '.join([*_MODULES, *_registered])}")


def make_encoder(
    name: str, device: torch.device, short_side: int, weights: Path | None = None, enlarge: float = 1.0
) -> Encoder:
    """The encoder of that name; ``weights`` is its file where it is not the packaged one.

    Args:
        enlarge: see :class:`ace_ros.features.encoder.Encoder`.

    Raises:
        InputError: no such encoder, or its weights are not to be had.
    """
    encoder = profile_of(name).make(device, short_side, weights)
    encoder.enlarge = enlarge
    return encoder


def parse_encoder(text: str, weights: Path | None = None) -> tuple[str, Path | None]:
    """``ace:PATH`` as name and weights' file; without a path the file is ``weights``."""
    name, _, path = text.partition(":")
    return name, Path(path).expanduser() if path else weights

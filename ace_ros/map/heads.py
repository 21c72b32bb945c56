"""Heads by their layout."""

from __future__ import annotations

from ace_ros.map.ace_head import AceHead
from ace_ros.map.head import Head, HeadShape

_LAYOUTS = {"ours": Head, "ace": AceHead}


def make_head(shape: HeadShape) -> Head:
    """An untrained head of that shape."""
    return _LAYOUTS[shape.layout](shape)

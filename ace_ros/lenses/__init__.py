"""Lenses: how rays come onto the plane behind them and back, up to the whole sphere; a registry by name."""

from ace_ros.lenses.lens import Lens
from ace_ros.lenses.registry import lens_of

__all__ = ["Lens", "lens_of"]

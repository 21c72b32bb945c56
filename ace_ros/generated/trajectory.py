"""Smooth drives of a hand-held or robot-borne camera."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ace_ros.geometry import Matrix


def looking(eye: ArrayLike, yaw: float, pitch: float, roll: float = 0.0) -> Matrix:
    """map_from_camera (4, 4) of a camera in a map with z up.

    Args:
        eye: (3,) position.
        yaw, pitch, roll: radians; yaw from x towards y, pitch upwards, roll about the optical axis.
    """
    forward = np.array([np.cos(yaw) * np.cos(pitch), np.sin(yaw) * np.cos(pitch), np.sin(pitch)])
    right = np.array([np.sin(yaw), -np.cos(yaw), 0.0])
    down = np.cross(forward, right)
    pose = np.eye(4)
    pose[:3, 0] = np.cos(roll) * right + np.sin(roll) * down
    pose[:3, 1] = np.cos(roll) * down - np.sin(roll) * right
    pose[:3, 2] = forward
    pose[:3, 3] = eye
    return pose


def mapping_drive(count: int) -> list[Matrix]:
    """One and a half rounds through the room; at first the camera looks across it, at last at the wall beside."""
    return [_on_the_way(t) for t in np.linspace(0, 1, count)]


def query_drive(count: int) -> list[Matrix]:
    """Part of the way back, further inside, lower, and looking elsewhere."""
    return [_on_the_way(t, inside=0.36, lower=0.12, turned=0.3) for t in np.linspace(0.8, 0.4, count)]


def photographs(count: int, rng: np.random.Generator) -> list[Matrix]:
    """Sparse views from a round through the courtyard: two in three across its middle, one in three outward."""
    poses = []
    for k in range(count):
        around = (k + rng.uniform(-0.3, 0.3)) * 2 * np.pi / count
        radius = rng.uniform(4.8, 7.6)
        eye = np.array([radius * np.cos(around), radius * np.sin(around), rng.uniform(1.4, 1.95)])
        target = np.append(rng.uniform(-1.5, 1.5, 2), rng.uniform(1.0, 2.2))
        if k % 3 == 2:
            target = 2 * eye - target
        ahead = target - eye
        yaw = np.arctan2(ahead[1], ahead[0])
        pitch = rng.uniform(-0.06, 0.16)
        poses.append(looking(eye, yaw, pitch, rng.normal(0, 0.04)))
    return poses


def _on_the_way(t: float, inside: float = 0.0, lower: float = 0.0, turned: float = 0.0) -> Matrix:
    around = 3 * np.pi * t - 0.4
    widths = np.array([1.45, 1.1]) + 0.15 * np.sin(7 * t) - inside
    height = 1.38 + 0.17 * np.sin(11 * t) - lower
    yaw = around + np.pi * (1 + t) + 0.25 * np.sin(9 * t) + turned
    pitch = -0.16 + 0.14 * np.sin(13 * t + 1) + 0.5 * turned
    roll = 0.05 * np.sin(17 * t) + 0.02 * np.sin(41 * t) - 0.6 * turned
    return looking((widths[0] * np.cos(around), widths[1] * np.sin(around), height), yaw, pitch, roll)

"""Rigid transforms as plain tuples: a translation x y z and a unit quaternion x y z w."""

from __future__ import annotations

import math
from typing import NamedTuple

Vector = tuple[float, float, float]
Quaternion = tuple[float, float, float, float]


class Rigid(NamedTuple):
    translation: Vector
    rotation: Quaternion


IDENTITY = Rigid((0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0))


def multiply(a: Quaternion, b: Quaternion) -> Quaternion:
    ax, ay, az, aw = a
    bx, by, bz, bw = b
    return (
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
        aw * bw - ax * bx - ay * by - az * bz,
    )


def rotate(q: Quaternion, v: Vector) -> Vector:
    x, y, z, w = q
    # v + 2 u x (u x v + w v), with u the vector part of q
    cx, cy, cz = y * v[2] - z * v[1] + w * v[0], z * v[0] - x * v[2] + w * v[1], x * v[1] - y * v[0] + w * v[2]
    return (v[0] + 2 * (y * cz - z * cy), v[1] + 2 * (z * cx - x * cz), v[2] + 2 * (x * cy - y * cx))


def compose(a_from_b: Rigid, b_from_c: Rigid) -> Rigid:
    """a_from_c."""
    x, y, z = rotate(a_from_b.rotation, b_from_c.translation)
    tx, ty, tz = a_from_b.translation
    return Rigid((x + tx, y + ty, z + tz), multiply(a_from_b.rotation, b_from_c.rotation))


def invert(a_from_b: Rigid) -> Rigid:
    """b_from_a."""
    x, y, z, w = a_from_b.rotation
    back = (-x, -y, -z, w)
    tx, ty, tz = rotate(back, a_from_b.translation)
    return Rigid((-tx, -ty, -tz), back)


def interpolate(a: Rigid, b: Rigid, ratio: float) -> Rigid:
    """Straight between the translations, and along the shorter arc between the rotations; ratio in 0..1."""
    (ax, ay, az), (bx, by, bz) = a.translation, b.translation
    translation = (ax + ratio * (bx - ax), ay + ratio * (by - ay), az + ratio * (bz - az))
    cosine = sum(p * q for p, q in zip(a.rotation, b.rotation, strict=True))
    sign = -1.0 if cosine < 0 else 1.0
    angle = math.acos(min(1.0, abs(cosine)))
    if math.sin(angle) < 1e-9:
        return Rigid(translation, a.rotation)
    wa = math.sin((1 - ratio) * angle) / math.sin(angle)
    wb = sign * math.sin(ratio * angle) / math.sin(angle)
    (px, py, pz, pw), (qx, qy, qz, qw) = a.rotation, b.rotation
    return Rigid(translation, (wa * px + wb * qx, wa * py + wb * qy, wa * pz + wb * qz, wa * pw + wb * qw))

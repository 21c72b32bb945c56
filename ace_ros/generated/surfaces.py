"""Textured parallelograms in the map's axes, boxes made of them, and the light that falls on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ace_ros.generated.textures import Paint, Texture

Vector = NDArray[np.float64]


_SKIN = 0.01  # how far in front of its surface a shadow ray starts


@dataclass(frozen=True)
class Surface:
    """A textured parallelogram.

    Attributes:
        origin: (3,) the texture's top left corner.
        right, down: (3,) edges along the texture's width and height, as seen from the front.
        texture: uint8 (h, w, 3) RGB.
        two_sided: seen from behind too (mirrored).
        glows: not shaded: a lamp, a window, a screen.
    """

    origin: Vector
    right: Vector
    down: Vector
    texture: Texture
    two_sided: bool = False
    glows: bool = False

    @property
    def away(self) -> Vector:
        """Unit normal (3,), pointing from the front to the back."""
        normal = np.cross(self.right, self.down)
        return np.asarray(normal / np.linalg.norm(normal))


def surface(
    origin: ArrayLike, right: ArrayLike, down: ArrayLike, paint: Paint | Texture, density: float = 400, **kind: bool
) -> Surface:
    """A surface whose paint is made at ``density`` pixels a unit, or is a ready texture."""
    edges = [np.asarray(edge, dtype=np.float64) for edge in (right, down)]
    if callable(paint):
        width, height = (max(8, round(float(np.linalg.norm(edge)) * density)) for edge in edges)
        paint = paint(height, width)
    return Surface(np.asarray(origin, dtype=np.float64), edges[0], edges[1], paint, **kind)


def box(
    low: ArrayLike,
    high: ArrayLike,
    paint: Paint | Texture,
    density: float = 400,
    turn: float = 0.0,
    faces: Mapping[str, Paint | Texture] | None = None,
) -> list[Surface]:
    """An upright box from corner to corner, turned by ``turn`` radians about its own axis.

    ``faces`` paints some sides otherwise: west (-x), east (+x), south (-y), north (+y), top, bottom.
    """
    a, b = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
    x, y, z = np.diag(b - a)
    sides = {
        "south": ((a[0], a[1], b[2]), x, -z),
        "north": ((b[0], b[1], b[2]), -x, -z),
        "west": ((a[0], b[1], b[2]), -y, -z),
        "east": ((b[0], a[1], b[2]), y, -z),
        "top": ((a[0], b[1], b[2]), x, -y),
        "bottom": ((a[0], a[1], a[2]), x, y),
    }
    cosine, sine = np.cos(turn), np.sin(turn)
    rotation = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
    centre = (a + b) / 2
    return [
        surface(
            rotation @ (origin - centre) + centre,
            rotation @ right,
            rotation @ down,
            (faces or {}).get(side, paint),
            density,
        )
        for side, (origin, right, down) in sides.items()
    ]


def prism(
    foot: ArrayLike, radius: float, height: float, paint: Paint, sides: int = 12, density: float = 400
) -> list[Surface]:
    """A round thing: an upright prism without a bottom, closed by a lid."""
    centre = np.asarray(foot, dtype=np.float64)
    angles = -np.arange(sides + 1) * 2 * np.pi / sides
    rim = centre + np.stack([radius * np.cos(angles), radius * np.sin(angles), np.full(sides + 1, height)], axis=1)
    length = 2 * np.pi * radius
    around = paint(max(8, round(height * density)), max(8 * sides, round(length * density)))
    strips = np.array_split(around, sides, axis=1)
    # Seen from outside, the texture runs to the right, which is counter-clockwise from above.
    walls = [
        surface(rim[k + 1], rim[k] - rim[k + 1], (0, 0, -height), np.ascontiguousarray(strips[sides - 1 - k]))
        for k in range(sides)
    ]
    return [*walls, *_lid(rim[:-1], centre, radius, paint, density)]


def _lid(rim: Vector, centre: Vector, radius: float, paint: Paint, density: float) -> list[Surface]:
    """A regular polygon as the rectangles between its opposite edges, all cut out of one picture."""
    size = max(8, round(2 * radius * density))
    disc, half = paint(size, size), len(rim) // 2
    lids = []
    for k in range(half):
        corners = rim[[k, (k + 1) % len(rim), (k + half + 1) % len(rim)]]
        # Seen from above with y up, the rim runs clockwise: along an edge is right, across the lid is down.
        right, down = corners[1] - corners[0], corners[2] - corners[1]
        width, height = (max(8, round(float(np.linalg.norm(edge)) * density)) for edge in (right, down))
        texel = ((corners - centre)[:, :2] * (1, -1) / (2 * radius) + 0.5) * size
        target = np.array([[0, 0], [width, 0], [width, height]], np.float32) - 0.5
        warp = cv2.getAffineTransform(np.float32(texel - 0.5), target.astype(np.float32))
        texture = cv2.warpAffine(disc, warp, (width, height), borderMode=cv2.BORDER_REPLICATE)
        lids.append(Surface(corners[0], right, down, texture))
    return lids


@dataclass(frozen=True)
class Light:
    """A lamp seen as a rectangle of points.

    Attributes:
        points: (N, 3) where the light comes from; soft shadows need several.
        power: brightness at one unit of distance.
        falloff: 2 for a lamp, 0 for the sun.
    """

    points: Vector
    power: float
    falloff: float = 2.0


def bounds(surfaces: Iterable[Surface]) -> Vector:
    """The axis-aligned box (2, 3) around surfaces."""
    corners = [s.origin + a * s.right + b * s.down for s in surfaces for a in (0, 1) for b in (0, 1)]
    return np.array([np.min(corners, axis=0), np.max(corners, axis=0)])


def moved(surfaces: Iterable[Surface], pose: ArrayLike) -> list[Surface]:
    """The surfaces taken elsewhere by a transform (4, 4) that mirrors nothing; their textures are shared."""
    transform = np.asarray(pose, dtype=np.float64)
    turn, shift = transform[:3, :3], transform[:3, 3]
    return [replace(s, origin=turn @ s.origin + shift, right=turn @ s.right, down=turn @ s.down) for s in surfaces]


def lit(
    surfaces: Sequence[Surface], lights: list[Light], blockers: Vector, ambient: float, cell: float = 0.1
) -> list[Surface]:
    """The surfaces with light and soft shadows painted on.

    Args:
        blockers: (N, 2, 3) axis-aligned boxes that throw shadows.
        ambient: brightness without any lamp, of 1.
        cell: distance between the points where the light is computed, units.
    """
    shaded = [s for s in surfaces if not s.glows]
    places = [_grid(s, cell) for s in shaded]
    counts = [a.size for a, _ in places]
    away = np.repeat([s.away for s in shaded], counts, axis=0)
    both = np.repeat([s.two_sided for s in shaded], counts)
    points = np.concatenate(
        [
            s.origin + a.reshape(-1, 1) * s.right + b.reshape(-1, 1) * s.down
            for s, (a, b) in zip(shaded, places, strict=True)
        ]
    )
    points -= _SKIN * away
    total = np.full(len(points), ambient)
    for light in lights:
        for source in light.points:
            ray = source - points
            distance = np.linalg.norm(ray, axis=1)
            facing = -(ray * away).sum(axis=1) / distance
            facing = np.where(both, np.abs(facing), np.maximum(facing, 0))
            strength = light.power / len(light.points) * facing / np.maximum(distance, 0.3) ** light.falloff
            total += strength * ~_blocked(points, ray, blockers)
    fields = iter(np.split(total, np.cumsum(counts)[:-1]))
    grids = iter(places)
    return [
        s if s.glows else replace(s, texture=_shaded(s.texture, next(fields).reshape(next(grids)[0].shape)))
        for s in surfaces
    ]


def _grid(s: Surface, cell: float) -> tuple[Vector, Vector]:
    """Where along ``right`` and ``down`` the light is computed, both (rows, columns), from 0 to 1."""
    columns, rows = (int(np.clip(np.linalg.norm(edge) / cell, 2, 160)) for edge in (s.right, s.down))
    a, b = np.meshgrid((np.arange(columns) + 0.5) / columns, (np.arange(rows) + 0.5) / rows)
    return a, b


def _shaded(texture: Texture, light: Vector) -> Texture:
    # Light adds up in linear terms, textures are stored with a display's gamma.
    field = cv2.resize((light ** (1 / 2.2)).astype(np.float32), texture.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return np.clip(texture * field[..., None], 0, 255).astype(np.uint8)


def _blocked(points: Vector, rays: Vector, blockers: Vector) -> NDArray[np.bool_]:
    """Whether a box lies between each point (N, 3) and point + ray."""
    hit = np.zeros(len(points), bool)
    x, y, z = (np.ascontiguousarray(points[:, axis]) for axis in range(3))
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = 1 / rays.T.copy()
        for box_ in blockers:
            enter, leave = np.zeros(len(points)), np.ones(len(points))
            for axis, place in enumerate((x, y, z)):
                first, second = ((limit - place) * inverse[axis] for limit in box_[:, axis])
                np.maximum(enter, np.minimum(first, second), out=enter)
                np.minimum(leave, np.maximum(first, second), out=leave)
            hit |= enter < leave
    return hit

"""Furniture of a building's rooms. Each piece stands with its back to y = 0, its front towards -y, from x = 0 on.

A piece is a list of things, a thing a list of surfaces; every piece varies with the generator that it gets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np

from ace_ros.generated.building.pictures import picture
from ace_ros.generated.room import plant
from ace_ros.generated.surfaces import Surface, box, prism
from ace_ros.generated.textures import Colour, Paint, any_colour, books, cardboard, fabric, framed, plain, stones, wood

Thing = list[Surface]
_DENSITY = 300  # texels a metre; a pixel of the default camera at 1.3 m
_WOODS: tuple[Colour, ...] = (
    (188, 152, 108), (206, 170, 120), (112, 74, 48), (140, 90, 60), (220, 208, 186), (84, 60, 46), (150, 120, 96),
)  # fmt: skip


@dataclass(frozen=True)
class Piece:
    """A piece of furniture: its things, and the box (width, depth, height) that it needs, m."""

    things: list[Thing]
    size: tuple[float, float, float]


def _timber(rng: np.random.Generator) -> Paint:
    return partial(wood, rng, colour=_WOODS[rng.integers(len(_WOODS))])


def _cloth(rng: np.random.Generator, striped: bool = False) -> Paint:
    first, second = (any_colour(rng, 40, 215) for _ in range(2))
    return partial(fabric, rng, colour=first, second=second if striped else None)


def _on_top(rng: np.random.Generator, width: float, depth: float, z: float) -> list[Thing]:
    """A vase, a parcel, a pile of books: what stands on a piece."""
    vase = any_colour(rng, 60, 200)
    makers: list[Callable[[float, float], Thing]] = [
        lambda x, y: prism((x, y, z), 0.07, rng.uniform(0.15, 0.3), partial(stones, rng, colour=vase, size=(14, 22))),
        lambda x, y: box(
            (x - 0.12, y - 0.1, z), (x + 0.12, y + 0.1, z + rng.uniform(0.12, 0.25)), partial(cardboard, rng),
            _DENSITY, rng.uniform(-0.5, 0.5),
        ),
        lambda x, y: box(
            (x - 0.11, y - 0.08, z), (x + 0.11, y + 0.08, z + 0.07), partial(books, rng), 400, rng.uniform(-0.6, 0.6),
            {"top": framed(picture(rng, 100, 140), 64, 88)},
        ),
    ]  # fmt: skip
    places = np.arange(0.18, width - 0.12, 0.34)
    return [makers[rng.integers(3)](float(x), -depth / 2 + rng.uniform(-0.03, 0.03)) for x in places]


def bookcase(rng: np.random.Generator) -> Piece:
    width, depth, height = rng.uniform(0.8, 1.3), 0.3, float(rng.choice((1.25, 1.65, 2.05)))
    pale = _timber(rng)
    things = [
        box((x, -depth, 0), (x + 0.03, 0, height), pale, _DENSITY) for x in (0.0, width - 0.03)
    ]  # fmt: skip
    count = round(height / 0.4)
    gap = (height - 0.08) / count
    for z in 0.05 + gap * np.arange(count + 1):
        things.append(box((0.03, -depth, z), (width - 0.03, 0, z + 0.03), pale, _DENSITY))
        if z < height - 0.2:
            split = rng.uniform(0.5, 0.85) * width
            things.append(box((0.03, 0.05 - depth, z + 0.03), (split, 0, z + gap - 0.04), partial(books, rng), 400))
            low, high = (split + 0.04, 0.07 - depth, z + 0.03), (width - 0.05, -0.02, z + gap * rng.uniform(0.5, 0.85))
            things.append(box(low, high, partial(cardboard, rng), _DENSITY))
    return Piece(things, (width, depth, height))


def chest(rng: np.random.Generator) -> Piece:
    width, depth, height = rng.uniform(0.8, 1.2), 0.42, rng.uniform(0.7, 0.9)
    front = _timber(rng)(240, 360)
    columns, rows = int(rng.integers(1, 4)), int(rng.integers(2, 5))
    for x in np.linspace(0, 360, columns + 1)[:-1].astype(int):
        for y in np.linspace(0, 240, rows + 1)[:-1].astype(int):
            right, low = x + 360 // columns, y + 240 // rows
            cv2.rectangle(front, (x + 4, y + 4), (right - 5, low - 5), (60, 44, 32), 2, cv2.LINE_AA)
            cv2.circle(front, ((x + right) // 2, (y + low) // 2), 5, (215, 200, 150), -1, cv2.LINE_AA)
    body = box((0, -depth, 0), (width, 0, height), _timber(rng), _DENSITY, faces={"south": front})
    return Piece([body, *_on_top(rng, width, depth, height)], (width, depth, height + 0.3))


def desk(rng: np.random.Generator) -> Piece:
    """A table with a screen, a keyboard and papers, and a chair."""
    width, depth = rng.uniform(1.15, 1.5), 0.62
    pine, black = _timber(rng), partial(plain, colour=(30, 30, 32))
    top = pine(round(depth * _DENSITY), round(width * _DENSITY))
    for _ in range(3):
        paper = picture(rng, 60, 45)
        y, x = int(rng.integers(60, top.shape[0] - 62)), int(rng.integers(5, top.shape[1] - 50))
        top[y : y + 60, x : x + 45] = paper
    middle = width * rng.uniform(0.4, 0.6)
    edge = int((middle - 0.22) * _DENSITY)
    top[100:140, edge : edge + 132] = stones(rng, 40, 132, (60, 60, 64), (9, 9))
    things = [box((0, -depth, 0.71), (width, 0, 0.74), pine, _DENSITY, faces={"top": top})]
    things += [
        box((x, y, 0), (x + 0.05, y + 0.05, 0.71), pine, _DENSITY)
        for x in (0.0, width - 0.05) for y in (-depth, -0.05)
    ]  # fmt: skip
    screen = cv2.copyMakeBorder(picture(rng, 130, 220), 6, 6, 6, 6, cv2.BORDER_CONSTANT, value=(22, 22, 24))
    things.append(
        box((middle - 0.35, -0.2, 0.84), (middle + 0.35, -0.15, 1.22), black, _DENSITY, faces={"south": screen})
    )
    things.append(box((middle - 0.06, -0.16, 0.74), (middle + 0.06, -0.1, 1.0), black, _DENSITY))
    things.append(_mug(rng, middle + 0.42))
    seat = _cloth(rng)
    left, back = middle - 0.22, -depth - 0.54
    things.append(box((left, back, 0.43), (left + 0.44, back + 0.42, 0.48), seat, _DENSITY))
    things.append(box((left, back, 0.48), (left + 0.44, back + 0.04, 0.92), _cloth(rng, striped=True), _DENSITY))
    steel = partial(plain, colour=(90, 92, 96))
    feet = [(x, y) for x in (left, left + 0.41) for y in (back, back + 0.39)]
    things += [box((x, y, 0), (x + 0.03, y + 0.03, 0.43), steel) for x, y in feet]
    return Piece(things, (width, depth, 1.25))


def _mug(rng: np.random.Generator, x: float) -> Thing:
    return prism((x, -0.35, 0.74), 0.04, 0.1, _cloth(rng, striped=True))


def sofa(rng: np.random.Generator) -> Piece:
    width, depth, cloth = rng.uniform(1.4, 1.8), 0.75, _cloth(rng)
    things = [
        box((0, -depth, 0.08), (width, 0, 0.42), cloth, _DENSITY),
        box((0, -0.2, 0.42), (width, 0, 0.84), cloth, _DENSITY),
        *(box((x, -depth, 0.42), (x + 0.16, -0.2, 0.6), cloth, _DENSITY) for x in (0.0, width - 0.16)),
    ]
    for x in np.arange(0.22, width - 0.55, 0.5):
        pillow = _cloth(rng, striped=True)
        things.append(box((x, -0.36, 0.43), (x + 0.38, -0.22, 0.78), pillow, _DENSITY, rng.uniform(-0.12, 0.12)))
    return Piece(things, (width, depth, 0.85))


def bed(rng: np.random.Generator) -> Piece:
    """Along the wall, with a patterned blanket."""
    width, depth, timber = 1.85, 0.9, _timber(rng)
    blanket = _cloth(rng, striped=True)(round(depth * _DENSITY), round(1.3 * _DENSITY))
    tone = any_colour(rng, 60, 200)
    blanket[60:-60, 60:-60] = stones(rng, blanket.shape[0] - 120, blanket.shape[1] - 120, tone, (34, 34))
    things = [
        box((0.05, -depth, 0.1), (width, 0, 0.4), _cloth(rng), _DENSITY),
        box((0, -depth, 0), (0.05, 0, 0.95), timber, _DENSITY),
        box((0.5, -depth - 0.01, 0.2), (width - 0.05, 0.0, 0.46), _cloth(rng), _DENSITY, faces={"top": blanket}),
        box((0.1, -depth + 0.15, 0.4), (0.45, -0.15, 0.52), _cloth(rng, striped=True), _DENSITY),
    ]
    return Piece(things, (width, depth, 0.95))


def wardrobe(rng: np.random.Generator) -> Piece:
    width, depth, height = rng.uniform(0.85, 1.1), 0.5, rng.uniform(1.8, 2.1)
    doors = _timber(rng)(540, 300)
    for x in (0, 150):
        for y in (0, 270):
            cv2.rectangle(doors, (x + 14, y + 14), (x + 136, y + 256), (70, 54, 40), 3, cv2.LINE_AA)
    doors[60:200, 30:120] = picture(rng, 140, 90)
    doors[330:450, 180:270] = picture(rng, 120, 90)
    body = box((0, -depth, 0), (width, 0, height), _timber(rng), _DENSITY, faces={"south": doors})
    return Piece([body], (width, depth, height))


def parcels(rng: np.random.Generator) -> Piece:
    things = []
    for x in (0.05, 0.62):
        z = 0.0
        for size in rng.uniform(0.28, 0.45, int(rng.integers(1, 3))):
            low, high = (x, -0.05 - size, z), (x + size, -0.05, z + size * 0.8)
            things.append(box(low, high, partial(cardboard, rng), _DENSITY, rng.uniform(-0.15, 0.15)))
            z += size * 0.8
    return Piece(things, (1.15, 0.5, 0.75))


def pot_plant(rng: np.random.Generator) -> Piece:
    return Piece(plant(rng, (0.3, -0.3, 0.0)), (0.6, 0.6, 1.05))


def floor_lamp(rng: np.random.Generator) -> Piece:
    steel, shade = partial(plain, colour=(66, 66, 68)), _cloth(rng, striped=True)
    foot = [prism((0.2, -0.2, 0), 0.13, 0.03, steel), prism((0.2, -0.2, 0.03), 0.012, 1.35, steel, 6)]
    return Piece([*foot, prism((0.2, -0.2, 1.38), 0.16, 0.28, shade)], (0.4, 0.4, 1.7))


def low_table(rng: np.random.Generator) -> list[Thing]:
    """A table for the middle of a room, its own middle in the origin."""
    timber, half = _timber(rng), rng.uniform(0.3, 0.42)
    things = [box((-half, -0.28, 0.36), (half, 0.28, 0.4), timber, _DENSITY)]
    things += [
        box((x, y, 0.012), (x + 0.05, y + 0.05, 0.36), timber, _DENSITY)
        for x in (-half, half - 0.05)
        for y in (-0.28, 0.23)
    ]
    pose = np.array([-half + 0.05, 0.14, 0.0])
    for thing in _on_top(rng, 2 * half - 0.1, 0.28, 0.4):
        things.append([Surface(s.origin + pose, s.right, s.down, s.texture) for s in thing])
    return things


PIECES: tuple[Callable[[np.random.Generator], Piece], ...] = (
    bookcase, chest, desk, sofa, bed, wardrobe, parcels, pot_plant, floor_lamp, bookcase, chest,
)  # fmt: skip

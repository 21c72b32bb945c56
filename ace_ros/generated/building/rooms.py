"""What a room or a bay shows, in axes of its own: the origin in the middle of its floor, its door in the south wall."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from ace_ros.generated.building.furniture import PIECES, Piece, Thing, low_table
from ace_ros.generated.building.layout import HEIGHT, WALL, Shape
from ace_ros.generated.building.pictures import picture, poster
from ace_ros.generated.room import notices, view
from ace_ros.generated.surfaces import Light, Surface, bounds, box, lit, moved, surface
from ace_ros.generated.textures import (
    Colour,
    Paint,
    any_colour,
    fabric,
    noise,
    plain,
    planks,
    plaster,
    stones,
    tint,
    wood,
)
from ace_ros.geometry import Matrix

DENSITY = 300  # texels a metre
_LAMP = 1.9  # power: a table under the lamp is as bright as its texture
_WALLS: tuple[Colour, ...] = (
    (214, 204, 184), (176, 192, 196), (206, 186, 170), (188, 200, 176), (220, 206, 160), (196, 184, 206),
    (222, 216, 208), (168, 180, 170), (210, 172, 150),
)  # fmt: skip
_BRICKS: tuple[Colour, ...] = ((172, 96, 72), (196, 180, 160), (128, 110, 104))
_FRAMES: tuple[Colour, ...] = ((42, 38, 36), (186, 146, 96), (120, 84, 56), (226, 222, 214))


def room_surfaces(shape: Shape) -> list[Surface]:
    """Everything that the room shows, with light and shadow; only ``shape`` decides."""
    rng = np.random.default_rng(shape.seed)
    things, hung = _furnished(rng, shape)
    blockers = np.array([bounds(thing) for thing in things])
    surfaces = [*_shell(rng, shape), *hung, *_lamp((0.0, 0.0)), *(s for thing in things for s in thing)]
    surfaces = [s for s in surfaces if not s.two_sided or _inside(s, shape)]  # no leaf grows through a wall
    return lit(surfaces, [_light((0.0, 0.0), _LAMP)], blockers, ambient=0.32, cell=0.12)


def wall_paint(rng: np.random.Generator) -> Paint:
    """Plaster, in one of four walls bricks, in one of four with a frieze."""
    colour = _WALLS[rng.integers(len(_WALLS))]
    kind = rng.random()
    if kind < 0.25:
        brick = _BRICKS[rng.integers(len(_BRICKS))]
        return partial(stones, rng, colour=brick, size=(int(rng.integers(20, 30)), int(rng.integers(50, 90))))
    if kind < 0.5:
        return partial(_frieze, rng, colour, any_colour(rng, 60, 190))
    return partial(plaster, rng, colour=colour)


def _frieze(rng: np.random.Generator, colour: Colour, second: Colour, height: int, width: int) -> np.ndarray:
    """Plaster, painted otherwise below, and a band of tiles between."""
    image = plaster(rng, height, width, colour)
    border, band = int(height * 0.62), int(height * 0.05) + 4
    if height - border > band > 8:
        image[border:] = plaster(rng, height - border, width, second)
        image[border : border + band] = stones(rng, band, width, colour, (max(6, band // 2), 26), 2.0)
    return image


def floor_paint(rng: np.random.Generator) -> Paint:
    kind, tone = rng.integers(3), rng.uniform(0.75, 1.2)
    if kind == 0:
        brown = tuple(np.array((158, 112, 72)) * tone)
        return lambda h, w: planks(rng, h, w, brown, int(rng.integers(28, 50)), int(rng.integers(250, 420)))
    if kind == 1:
        grey = tuple(np.array((176, 164, 146)) * tone * rng.uniform(0.9, 1.1, 3))
        side = int(rng.integers(60, 120))
        return partial(stones, rng, colour=grey, size=(side, side))
    return partial(_carpet, rng, any_colour(rng, 60, 160))


def _carpet(rng: np.random.Generator, colour: Colour, height: int, width: int) -> np.ndarray:
    spots = (noise(rng, height, width, (24, 24), 2) > 1.1) * np.float32(0.35)
    return tint(
        colour, 0.12 * noise(rng, height, width, (5, 5), 2) + 0.08 * noise(rng, height, width, (150, 150)) + spots
    )


def ceiling_paint(rng: np.random.Generator) -> Paint:
    side, tone = int(rng.integers(90, 180)), rng.uniform(205, 230)
    return partial(stones, rng, colour=(tone, tone - 2, tone - 8), size=(side, side), vary=0.4)


def picture_on_wall(rng: np.random.Generator, texture: np.ndarray, middle: float, bottom: float) -> Thing:
    """A picture of 300 texels a metre on a wall along x, in furniture's axes."""
    height, width = (side / DENSITY for side in texture.shape[:2])
    frame = partial(wood, rng, colour=_FRAMES[rng.integers(len(_FRAMES))])
    low, high = (middle - width / 2, -0.03, bottom), (middle + width / 2, 0.0, bottom + height)
    return box(low, high, frame, 200, faces={"south": texture})


def along_wall(place: tuple[float, float], rounds: float) -> Matrix:
    """Pose (4, 4) for furniture whose back is to a wall: where it starts, and quarter turns from facing south."""
    cosine, sine = np.round((np.cos(rounds * np.pi / 2), np.sin(rounds * np.pi / 2)))
    pose = np.eye(4)
    pose[:2, :2] = [[cosine, -sine], [sine, cosine]]
    pose[:2, 3] = place
    return pose


def _lamp(place: tuple[float, float]) -> list[Surface]:
    lamp = np.full((96, 96, 3), 252, np.uint8)
    lamp[::12] = lamp[:, ::12] = 214
    x, y = place
    return [surface((x - 0.35, y - 0.35, HEIGHT - 0.02), (0.7, 0, 0), (0, 0.7, 0), lamp, glows=True)]


def _inside(s: Surface, shape: Shape) -> bool:
    low, high = bounds([s])
    half = np.array([shape.width, shape.depth]) / 2
    return bool((low[:2] > -half).all() and (high[:2] < half).all())


def _shell(rng: np.random.Generator, shape: Shape) -> list[Surface]:
    x, y, z = shape.width / 2, shape.depth / 2, HEIGHT
    (wide, tall), outer = shape.opening, shape.depth / 2 + WALL
    a, b = shape.door - wide / 2, shape.door + wide / 2
    south, white = wall_paint(rng), partial(plaster, rng, colour=(226, 224, 218))
    make = partial(surface, density=DENSITY)
    return [
        make((-x, y, 0), (2 * x, 0, 0), (0, -2 * y, 0), floor_paint(rng)),
        make((-x, -y, z), (2 * x, 0, 0), (0, 2 * y, 0), ceiling_paint(rng)),
        make((-x, y, z), (2 * x, 0, 0), (0, 0, -z), wall_paint(rng)),
        make((-x, -y, z), (0, 2 * y, 0), (0, 0, -z), wall_paint(rng)),
        make((x, y, z), (0, -2 * y, 0), (0, 0, -z), wall_paint(rng)),
        make((x, -y, z), (b - x, 0, 0), (0, 0, -z), south),
        make((a, -y, z), (-x - a, 0, 0), (0, 0, -z), south),
        make((b, -y, z), (a - b, 0, 0), (0, 0, tall - z), south),
        make((a, -outer, tall), (0, WALL, 0), (0, 0, -tall), white),
        make((b, -y, tall), (0, -WALL, 0), (0, 0, -tall), white),
        make((a, -outer, tall), (b - a, 0, 0), (0, WALL, 0), white),
        make((a, -y, 0), (b - a, 0, 0), (0, -WALL, 0), partial(wood, rng, colour=(120, 96, 72))),
    ]


def _furnished(rng: np.random.Generator, shape: Shape) -> tuple[list[Thing], list[Surface]]:
    """Things along three walls, pictures above and between them, a rug and a table in the middle."""
    x, y = shape.width / 2, shape.depth / 2
    order = [PIECES[k] for k in rng.permutation(len(PIECES))]
    walls = [
        (along_wall((-x, y), 0), 0.05, 2 * x - 0.05, []),
        (along_wall((-x, -y), 1), 0.1, 2 * y - 1.0, [(2 * y - 1.0, 2 * y - 0.1, 1.0)]),
        (along_wall((x, y), -1), 1.0, 2 * y - 0.1, [(0.1, 1.0, 1.0)]),
    ]
    things: list[Thing] = []
    hung: list[Surface] = []
    for number, (pose, start, end, corner) in enumerate(walls):
        placed, bare = _in_a_row(rng, order, start, end)
        bare += corner
        for piece, at in placed:
            shift = pose @ _shifted(at)
            things += [moved(thing, shift) for thing in piece.things]
        for k, (left, right, top) in enumerate(bare):
            item = _window(rng, (left + right) / 2) if number == 0 and k == 0 else hung_in_a_row(rng, left, right, top)
            hung += moved(item, pose)
    hung += _beside_the_door(rng, shape)
    rug = _rug(rng)
    things += [rug, *low_table(rng)]
    return things, hung


def _shifted(x: float) -> Matrix:
    pose = np.eye(4)
    pose[0, 3] = x
    return pose


def _in_a_row(
    rng: np.random.Generator, order: list[Callable[[np.random.Generator], Piece]], start: float, end: float
) -> tuple[list[tuple[Piece, float]], list[tuple[float, float, float]]]:
    """Pieces with where they start, taken off ``order``; and (left, right, top) of where the wall above is bare."""
    placed, bare, at = [], [], start + rng.uniform(0, 0.1)
    for make in list(order):
        piece = make(rng)
        width, _, height = piece.size
        if at + width > end:
            continue
        order.remove(make)
        placed.append((piece, at))
        if height < 1.5:
            bare.append((at, at + width, height))
        at += width + rng.uniform(0.05, 0.25)
    if end - at > 0.35:
        bare.append((at, end, 0.7))
    return placed, bare


def hung_in_a_row(rng: np.random.Generator, left: float, right: float, top: float) -> Thing:
    """Pictures, posters and boards of notices side by side over what is ``top`` high."""
    hung: Thing = []
    at = left + 0.05
    while right - at > 0.3:
        width = min(right - at - 0.05, rng.uniform(0.4, 0.9))
        bottom = max(top + 0.1, rng.uniform(1.0, 1.3))
        height = min(HEIGHT - 0.1 - bottom, width * rng.uniform(0.7, 1.4))
        size = (round(height * DENSITY), round(width * DENSITY))
        make = (picture, poster, picture)[rng.integers(3)]
        texture = notices(rng)[: size[0], : size[1]] if min(size) > 200 and rng.random() < 0.3 else make(rng, *size)
        hung += picture_on_wall(rng, texture, at + width / 2, bottom)
        at += width + rng.uniform(0.08, 0.25)
    return hung


def _window(rng: np.random.Generator, middle: float) -> list[Surface]:
    """A window of 1 x 0.95 m with its frame and sill."""
    a, b, low, high = middle - 0.5, middle + 0.5, 1.3, 2.25
    pane = surface((a, -0.01, high), (b - a, 0, 0), (0, 0, low - high), view(rng), glows=True)
    white = partial(plaster, rng, colour=(230, 228, 222))
    frame = [
        ((a - 0.06, -0.06, low - 0.06), (a, 0, high + 0.06)), ((b, -0.06, low - 0.06), (b + 0.06, 0, high + 0.06)),
        ((a, -0.06, high), (b, 0, high + 0.06)), ((middle - 0.025, -0.05, low), (middle + 0.025, 0, high)),
        ((a - 0.1, -0.14, low - 0.1), (b + 0.1, 0, low - 0.05)),
    ]  # fmt: skip
    return [pane, *(s for lower, upper in frame for s in box(lower, upper, white, DENSITY))]


def _beside_the_door(rng: np.random.Generator, shape: Shape) -> list[Surface]:
    """The leaf of the open door lies against the wall on its wider side, a picture hangs on the other."""
    x, y, (wide, _) = shape.width / 2, shape.depth / 2, shape.opening
    pose = along_wall((x, -y), 2)  # along the south wall from the east
    a, b = x - shape.door - wide / 2, x - shape.door + wide / 2
    if shape.bay:
        boards = [(0.0, a), (b, 2 * x)]
    else:
        leaf = wood(rng, 600, 270, any_colour(rng, 90, 210))
        for top in (40, 230, 400):
            leaf[top : top + 140, 40:230] = leaf[top : top + 140, 40:230] // 4 * 3
        leaf[20:200, 60:210] = poster(rng, 180, 150)
        left, right = (b, min(b + 0.9, 2 * x)) if shape.door > 0 else (max(a - 0.9, 0.0), a)
        door = box((left, -0.08, 0.01), (right, -0.04, 2.03), partial(plain, colour=(150, 140, 124)), 100,
                   faces={"south": leaf})  # fmt: skip
        return moved([*door, *_narrow(rng, *((0.0, a) if shape.door > 0 else (b, 2 * x)))], pose)
    return moved([s for board in boards for s in _narrow(rng, *board)], pose)


def _narrow(rng: np.random.Generator, left: float, right: float) -> Thing:
    width = min(0.6, right - left - 0.1)
    if width < 0.2:
        return []
    texture = picture(rng, round(width * rng.uniform(1.0, 1.6) * DENSITY), round(width * DENSITY))
    return picture_on_wall(rng, texture, (left + right) / 2, 1.1)


def _rug(rng: np.random.Generator) -> Thing:
    first, second = (any_colour(rng, 40, 210) for _ in range(2))
    top = fabric(rng, 420, 540, first, second)
    top[70:350, 90:450] = stones(rng, 280, 360, second, (int(rng.integers(24, 50)),) * 2, 1.5)
    top[[0, 1, 2, -1, -2, -3]] = 215
    return box((-0.9, -0.7, 0), (0.9, 0.7, 0.012), partial(fabric, rng, colour=first), DENSITY, faces={"top": top})


def lamps_along(length: float, pitch: float) -> tuple[list[Surface], list[Light]]:
    """Lamps in the ceiling of a corridor along x, and their light."""
    places = [((k + 0.5) * pitch, 0.0) for k in range(max(1, round(length / pitch)))]
    return [s for place in places for s in _lamp(place)], [_light(place, 1.7) for place in places]


def _light(place: tuple[float, float], power: float) -> Light:
    points = [[place[0] + x, place[1] + y, HEIGHT - 0.08] for x in (-0.25, 0.25) for y in (-0.25, 0.25)]
    return Light(np.array(points), power)

"""What corridors and stairs show, in the building's axes."""

from __future__ import annotations

from functools import partial

import numpy as np

from ace_ros.generated.building.furniture import Thing, chest, pot_plant
from ace_ros.generated.building.layout import CORRIDOR, HEIGHT, PITCH, STAIRS, STOREY, Cell, Layout, door_span
from ace_ros.generated.building.pictures import picture, poster, sign
from ace_ros.generated.building.rooms import (
    DENSITY,
    along_wall,
    ceiling_paint,
    floor_paint,
    hung_in_a_row,
    lamps_along,
    picture_on_wall,
    wall_paint,
)
from ace_ros.generated.surfaces import Light, Surface, bounds, box, lit, moved, surface
from ace_ros.generated.textures import stones, wood

SLAB = 1.4  # how far the upper floor reaches into the staircase, m
STEPS = 8  # of each of its two flights
TREAD = 0.35


def corridor_surfaces(layout: Layout, floor: int, seed: int) -> list[Surface]:
    """A corridor with its openings, a sign at each door, pictures between them, and here and there a thing."""
    rng = np.random.default_rng((seed, 3, floor))
    x, y = layout.length, CORRIDOR
    make = partial(surface, density=DENSITY)
    shell = [
        make((0, y, 0), (x, 0, 0), (0, -2 * y, 0), floor_paint(rng)),
        make((0, -y, HEIGHT), (x, 0, 0), (0, 2 * y, 0), ceiling_paint(rng)),
        make((0, -y, HEIGHT), (0, 2 * y, 0), (0, 0, -HEIGHT), wall_paint(rng)),
        *moved(picture_on_wall(rng, poster(rng, 330, 300), y, 0.9), along_wall((0.0, -y), 1)),
    ]
    things: list[Thing] = []
    for side in (1, -1):
        cells = sorted(
            (c for c in layout.cells if c.room.floor == floor and c.side == side), key=lambda c: side * c.column
        )
        walls, stood = _long_wall(rng, layout.length, side, cells)
        shell += walls
        things += stood
    lamps, lights = lamps_along(layout.length, PITCH)
    blockers = np.array([bounds(thing) for thing in things]).reshape(-1, 2, 3)
    surfaces = [*shell, *lamps, *(s for thing in things for s in thing)]
    surfaces = [s for s in surfaces if not s.two_sided or np.abs(bounds([s])[:, 1]).max() < CORRIDOR]
    bright = lit(surfaces, lights, blockers, ambient=0.3, cell=0.15)
    return moved(bright, _raised(floor))


def _raised(floor: int) -> np.ndarray:
    pose = np.eye(4)
    pose[2, 3] = STOREY * floor
    return pose


def _long_wall(
    rng: np.random.Generator, length: float, side: int, cells: list[Cell]
) -> tuple[list[Surface], list[Thing]]:
    """One side of a corridor; made along its own x from the left, as seen from the corridor."""
    place = along_wall((0.0, CORRIDOR) if side > 0 else (length, -CORRIDOR), 0 if side > 0 else 2)
    paint = wall_paint(rng)
    wall: list[Surface] = []
    things: list[Thing] = []
    at = 0.0

    def panel(a: float, b: float, low: float, high: float) -> None:
        wall.append(surface((a, 0, high), (b - a, 0, 0), (0, 0, low - high), paint, DENSITY))

    for cell in cells:
        a, b = sorted(x if side > 0 else length - x for x in door_span(cell))
        panel(at, a, 0, HEIGHT)
        panel(a, b, cell.shape.opening[1], HEIGHT)
        stood = _decorated(rng, at, a - 0.35)
        wall += stood[0]
        things += stood[1]
        if not cell.shape.bay:
            number = sign(rng, cell.room.name.removeprefix("room-"), 66, 96)
            wall += picture_on_wall(rng, number, a - 0.22, 1.4)
        at = b
    panel(at, length, 0, HEIGHT)
    stood = _decorated(rng, at, length)
    return moved([*wall, *stood[0]], place), [moved(thing, place) for thing in (*things, *stood[1])]


def _decorated(rng: np.random.Generator, left: float, right: float) -> tuple[list[Surface], list[Thing]]:
    """Pictures, posters and signs, and sometimes a thing, between two doors."""
    hung = hung_in_a_row(rng, left + 0.1, right, 0.9)
    things: list[Thing] = []
    if right - left > 1.6 and rng.random() < 0.6:
        piece = (pot_plant, chest)[rng.integers(2)](rng)
        pose = np.eye(4)
        pose[0, 3] = rng.uniform(left + 0.1, right - piece.size[0] - 0.1)
        flat = np.diag([1.0, 0.6, 1.0, 1.0])  # not to stand in the way
        things += [moved(thing, pose @ flat) for thing in piece.things]
    return hung, things


def stair_surfaces(layout: Layout, seed: int) -> list[Surface]:
    """Two flights with a landing in a shaft of both floors' height."""
    rng = np.random.default_rng((seed, 4))
    a, b, y, top = layout.length, layout.length + STAIRS, CORRIDOR, STOREY + HEIGHT
    make = partial(surface, density=DENSITY)
    shaft = [
        make((a, y, 0), (b - a, 0, 0), (0, -2 * y, 0), floor_paint(rng)),
        make((a, -y, top), (b - a, 0, 0), (0, 2 * y, 0), ceiling_paint(rng)),
        make((a, y, top), (b - a, 0, 0), (0, 0, -top), wall_paint(rng)),
        make((b, -y, top), (a - b, 0, 0), (0, 0, -top), wall_paint(rng)),
        make((b, y, top), (0, -2 * y, 0), (0, 0, -top), wall_paint(rng)),
    ]
    for place, rounds in (((a, y), 0), ((b, -y), 2)):
        shaft += moved(_gallery(rng), along_wall(place, rounds))
    shaft += moved(picture_on_wall(rng, poster(rng, 420, 360), y, 2.4), along_wall((b, y), -1))
    blocks = _steps(rng, a)
    lights = [
        Light(np.array([[a + 0.8, 0, top - 0.1], [a + 4.0, 0, top - 0.1]]), 3.4),
        Light(np.array([[a + 0.8, -0.5, HEIGHT - 0.1]]), 1.0),
    ]
    surfaces = [*shaft, *(s for block in blocks for s in block)]
    return lit(surfaces, lights, np.array([bounds(block) for block in blocks]), ambient=0.4, cell=0.15)


def _gallery(rng: np.random.Generator) -> list[Surface]:
    """Pictures at all heights of the shaft's long walls."""
    hung: list[Surface] = []
    for z in (1.0, 2.3, 3.6, 4.6):
        for x in np.arange(0.5, STAIRS - 0.4, 0.9):
            size = (int(rng.integers(140, 220)), int(rng.integers(150, 230)))
            hung += picture_on_wall(rng, picture(rng, *size), x + rng.uniform(-0.05, 0.05), z + rng.uniform(0, 0.2))
    return hung


def _steps(rng: np.random.Generator, start: float) -> list[Thing]:
    """The upper floor's edge, the steps, and the landing."""
    timber = partial(wood, rng, colour=(164, 124, 82))
    brick = partial(stones, rng, colour=(184, 168, 150), size=(24, 62))
    rise, y = STOREY / (2 * STEPS), CORRIDOR
    first, turn, end = start + SLAB, start + SLAB + STEPS * TREAD, start + STAIRS
    edge = box((start, -y, HEIGHT), (first, y, STOREY), brick, DENSITY, faces={"top": timber})
    blocks = [edge, box((turn, -y, 0), (end, y, STEPS * rise), brick, DENSITY, faces={"top": timber})]
    for k in range(STEPS):
        x, z = first + k * TREAD, (k + 1) * rise
        if k < STEPS - 1:
            blocks.append(box((x, -y, 0), (x + TREAD, 0, z), brick, DENSITY, faces={"top": timber}))
        x, z = turn - (k + 1) * TREAD, STEPS * rise + (k + 1) * rise
        blocks.append(box((x, 0, 0), (x + TREAD, y, z), brick, DENSITY, faces={"top": timber}))
    return blocks

"""Where the rooms of a building are: two floors, a corridor along each, rooms on both sides, stairs at the east end.

Metres, z up. A corridor runs along x from 0, its middle is y = 0. A room is made in axes of its own: origin in the
middle of its floor, its door in the south wall; on the corridor's south side it stands turned by half a round.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ace_ros.generated.building.plan import Room
from ace_ros.geometry import Matrix

FLOORS = 2
HEIGHT = 2.6  # of a room
STOREY = 3.0  # from floor to floor
PITCH = 4.3  # from room to room along a corridor
CORRIDOR = 1.1  # from its middle to its walls
WALL = 0.15
STAIRS = 5.5  # length of the staircase along x
_MOST = (4.1, 3.7)  # width and depth of the largest room
_LEAST = (3.7, 3.2)


@dataclass(frozen=True)
class Shape:
    """What a room looks like: two rooms of one shape are twins.

    Attributes:
        seed: of its furniture and textures.
        width, depth: inside, m.
        door: x of the middle of its opening, in its own axes.
        opening: (width, height) of the door's opening, m.
        bay: open towards the corridor.
    """

    seed: tuple[int, ...]
    width: float
    depth: float
    door: float
    opening: tuple[float, float]
    bay: bool = False


@dataclass(frozen=True)
class Cell:
    """A room or a bay in its place.

    Attributes:
        building_from_room: (4, 4).
        column: place along the corridor, from the west.
        side: 1 north of the corridor, -1 south of it.
    """

    room: Room
    shape: Shape
    building_from_room: Matrix
    column: int
    side: int


@dataclass(frozen=True)
class Portal:
    """An opening between two rooms by their names; corners (4, 3) in order around it."""

    first: str
    second: str
    corners: Matrix


@dataclass(frozen=True)
class Layout:
    """All of a building.

    Attributes:
        cells: rooms and bays.
        corridors: by floor.
        stairs: they join the corridors.
        portals: through which one sees from room to room.
        length: of the corridors, m.
    """

    cells: tuple[Cell, ...]
    corridors: tuple[Room, ...]
    stairs: Room
    portals: tuple[Portal, ...]
    length: float

    @property
    def rooms(self) -> tuple[Room, ...]:
        return (*(cell.room for cell in self.cells), *self.corridors, self.stairs)


def plan_building(rooms: int, seed: int) -> Layout:
    """A building of so many rooms; from 4 on with twins, from 8 on with four equal bays besides."""
    bays = rooms >= 8
    upper = rooms // FLOORS
    counts = (rooms - upper, upper)
    first = 1 if bays else 0  # the bays are in the first column of each floor
    length = (first + (counts[0] + 1) // 2) * PITCH
    pairs = _twin_pairs(rooms, counts)
    cells = []
    for floor, count in enumerate(counts):
        if bays:
            shape = _shape((seed, 9), bay=True)
            cells += [_cell(f"bay-{2 * floor + k + 1}", floor, 0, 1 - 2 * k, shape, "bays") for k in range(2)]
        for k in range(count):
            pair = next((n for n, pair in enumerate(pairs) if (floor, k) in pair), None)
            shape = _shape((seed, 1, floor, k) if pair is None else (seed, 2, pair))
            name, group = f"room-{floor + 1}{k + 1:02d}", None if pair is None else f"twins-{pair + 1}"
            cells.append(_cell(name, floor, first + k // 2, 1 - 2 * (k % 2), shape, group))
    corridors = tuple(_box(f"corridor-{f + 1}", f, (0, -CORRIDOR), (length, CORRIDOR)) for f in range(FLOORS))
    top = STOREY * (FLOORS - 1) + HEIGHT
    stairs = Room("stairs", 0, (length, -CORRIDOR, 0.0), (length + STAIRS, CORRIDOR, top))
    portals = [_door(cell, corridors[cell.room.floor]) for cell in cells]
    portals += [_stair_door(corridor, stairs) for corridor in corridors]
    return Layout(tuple(cells), corridors, stairs, tuple(portals), length)


def _twin_pairs(rooms: int, counts: tuple[int, int]) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """(floor, number) of twins: over two floors; over the ground floor; over the first floor."""
    last = counts[1] - 1
    pairs = [((0, 0), (1, last)), ((0, 1), (0, counts[0] - 2)), ((1, 2), (1, last - 2))]
    return pairs[: 3 if rooms >= 16 else 2 if rooms >= 8 else 1 if rooms >= 4 else 0]


def _shape(seed: tuple[int, ...], bay: bool = False) -> Shape:
    rng = np.random.default_rng(seed)
    width, depth = (round(float(rng.uniform(a, b)), 2) for a, b in zip(_LEAST, _MOST, strict=True))
    if bay:
        return Shape(seed, width, depth, 0.0, (width - 0.8, 2.3), bay=True)
    return Shape(seed, width, depth, round(float(rng.uniform(-0.45, 0.45)), 2), (0.95, 2.05))


def _cell(name: str, floor: int, column: int, side: int, shape: Shape, twins: str | None) -> Cell:
    centre = ((column + 0.5) * PITCH, side * (CORRIDOR + WALL + shape.depth / 2), floor * STOREY)
    pose = np.diag([side, side, 1.0, 1.0])
    pose[:3, 3] = centre
    near, far = side * CORRIDOR, side * (CORRIDOR + WALL + shape.depth)
    low, high = (centre[0] - shape.width / 2, min(near, far)), (centre[0] + shape.width / 2, max(near, far))
    return Cell(_box(name, floor, low, high, twins), shape, pose, column, side)


def _box(name: str, floor: int, low: tuple[float, float], high: tuple[float, float], twins: str | None = None) -> Room:
    z = floor * STOREY
    return Room(name, floor, (*low, z), (*high, z + HEIGHT), twins)


def door_span(cell: Cell) -> tuple[float, float]:
    """x in the building of the two sides of a cell's opening, the smaller first."""
    middle, half = cell.building_from_room[0, 3] + cell.side * cell.shape.door, cell.shape.opening[0] / 2
    return float(middle - half), float(middle + half)


def _door(cell: Cell, corridor: Room) -> Portal:
    (a, b), y, z = door_span(cell), cell.side * CORRIDOR, corridor.low[2]
    top = z + cell.shape.opening[1]
    return Portal(cell.room.name, corridor.name, np.array([(a, y, z), (b, y, z), (b, y, top), (a, y, top)]))


def _stair_door(corridor: Room, stairs: Room) -> Portal:
    x, (low, high) = corridor.high[0], (corridor.low[2], corridor.high[2])
    a, b = -CORRIDOR, CORRIDOR
    return Portal(corridor.name, stairs.name, np.array([(x, a, low), (x, b, low), (x, b, high), (x, a, high)]))

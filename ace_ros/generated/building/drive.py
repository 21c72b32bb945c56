"""Drives through a building: along its corridors, in, around and out of every room, and over the stairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ace_ros.generated.building.halls import SLAB, STEPS, TREAD
from ace_ros.generated.building.layout import CORRIDOR, PITCH, STOREY, WALL, Cell, Layout
from ace_ros.generated.trajectory import looking
from ace_ros.geometry import Matrix

Way = NDArray[np.float64]  # (N, 6): x, y, z, yaw, pitch, roll; z above the floor that is stood on
_NORTH, _EAST, _WEST = np.pi / 2, 0.0, np.pi


@dataclass(frozen=True)
class Habit:
    """How a camera is moved: how much further inside the rooms, lower (m) and turned (rad) than the mapping drive's."""

    inside: float = 0.0
    lower: float = 0.0
    turned: float = 0.0


def mapping_drive(layout: Layout, per_room: int) -> list[Matrix]:
    """Each floor once looking along, once visiting the rooms; the stairs up, down and up."""
    habit = Habit()
    across = max(2, per_room // 4)  # frames along one room's piece of corridor
    columns = list(range(round(layout.length / PITCH)))
    ways = [_along(layout, 0, columns[::-1], across, habit, per_room, visit=False)]
    ways.append(_along(layout, 0, columns, across, habit, per_room, visit=True))
    ways += [_stairs(layout, max(4, per_room // 2), habit, down) for down in (False, True, False)]
    ways.append(_along(layout, 1, columns[::-1], across, habit, per_room, visit=True))
    ways.append(_along(layout, 1, columns, across, habit, per_room, visit=False))
    return _poses(ways)


def query_drive(layout: Layout, per_room: int) -> list[Matrix]:
    """Every room again, the other way: from the upper floor down, further inside, lower, and looking elsewhere."""
    habit = Habit(inside=0.25, lower=0.18, turned=0.25)
    across = max(1, per_room // 4)
    columns = list(range(round(layout.length / PITCH)))
    ways = [
        _along(layout, 1, columns, across, habit, per_room, visit=True),
        _stairs(layout, max(2, per_room // 2), habit, down=True),
        _along(layout, 0, columns[::-1], across, habit, per_room, visit=True),
    ]
    return _poses(ways)


def _poses(ways: list[Way]) -> list[Matrix]:
    return [looking(row[:3], row[3], row[4], row[5]) for way in ways for row in way]


def _along(layout: Layout, floor: int, columns: list[int], count: int, habit: Habit, per_room: int, visit: bool) -> Way:
    """A corridor from one end to the other in the order of its columns, looking ahead and to both sides by turns."""
    east = len(columns) == 1 or columns[0] < columns[-1]
    ahead = _EAST if east else _WEST
    ways = []
    for column in columns:
        doors = [c for c in layout.cells if c.room.floor == floor and c.column == column] if visit else []
        left, right = column * PITCH + 0.5, (column + 1) * PITCH + 0.5
        middle = column * PITCH + PITCH / 2
        first = (count + 1) // 2
        legs = [(left, middle, first), (middle, min(right, layout.length), count - first)]
        if not east:
            legs = [(b, a, n) for a, b, n in reversed(legs)]
        ways.append(_corridor(*legs[0], ahead, habit, floor))
        ways += [_visit(cell, ahead, habit, per_room) for cell in doors]
        ways.append(_corridor(*legs[1], ahead, habit, floor))
    return np.concatenate(ways)


def _corridor(start: float, end: float, count: int, ahead: float, habit: Habit, floor: int) -> Way:
    x = np.linspace(start, end, count, endpoint=False)
    phase = 2 * np.pi * x / PITCH
    side = 1 if ahead == _EAST else -1
    y = side * (0.2 * np.sin(0.7 * phase) - 1.2 * habit.inside)
    yaw = ahead + 0.75 * np.sin(2.3 * phase) + habit.turned
    return _way(x, y, floor, yaw, 0.3 * phase, habit)


def _way(x: Way, y: Way, floor: float | Way, yaw: Way, phase: Way, habit: Habit) -> Way:
    """Adds the height of the camera, its pitch and its roll, which sway with ``phase``."""
    z = floor * STOREY + 1.38 + 0.12 * np.sin(1.7 * phase) - habit.lower
    pitch = -0.14 + 0.12 * np.sin(2.1 * phase + 1) + 0.4 * habit.turned
    roll = 0.05 * np.sin(2.7 * phase) - 0.5 * habit.turned
    return np.column_stack([x, y, z, yaw, pitch, roll])


def _visit(cell: Cell, ahead: float, habit: Habit, count: int) -> Way:
    """From the corridor's middle through the door, one and a half rounds, and out; in the room's axes at first."""
    shape, door = cell.shape, cell.shape.door
    turn = 0.0 if cell.side > 0 else np.pi
    wall, hall = shape.depth / 2, shape.depth / 2 + WALL + CORRIDOR
    coming = int(max(1, round(0.12 * count)))
    leaving = int(max(1, round(0.14 * count)))
    reverse = habit.inside > 0
    t = np.linspace(0.95, 0.15, count - coming - leaving) if reverse else np.linspace(0, 1, count - coming - leaving)
    x, y, yaw = _round(t, shape.width / 2 - 1.0 - habit.inside, shape.depth / 2 - 0.85 - habit.inside, habit.turned)
    along = ahead - turn
    inward = [(door, -hall, along), (door, 0.3 - wall - WALL, _NORTH), (door * 0.8, 0.35 - wall, _NORTH)]
    outward = [(door * 0.8, 0.4 - wall, -_NORTH), (door, -wall - WALL, -_NORTH), (door, -hall, along)]
    before = _between([*inward, (x[0], y[0], yaw[0])], coming)
    after = _between([(x[-1], y[-1], yaw[-1]), *outward], leaving + 1)[1:]
    x, y, yaw = np.concatenate([before, np.column_stack([x, y, yaw]), after]).T
    place = cell.building_from_room
    world = np.column_stack([x, y]) @ place[:2, :2].T + place[:2, 3]
    phase = np.linspace(0, 3 * np.pi, len(x))
    return _way(world[:, 0], world[:, 1], cell.room.floor, yaw + turn, phase, habit)


def _round(t: Way, across: float, along: float, turned: float) -> tuple[Way, Way, Way]:
    """Around the middle of a room; at first the camera looks across it, at last rather ahead."""
    around = 3 * np.pi * t - np.pi / 2
    sway = 0.08 * np.sin(7 * t)
    yaw = around + np.pi * (1 + 0.55 * t) + 0.25 * np.sin(9 * t) + turned
    return (across + sway) * np.cos(around), (along + sway) * np.sin(around), yaw


def _between(points: list[tuple[float, float, float]], count: int) -> Way:
    """``count`` rows (x, y, yaw) on a line of points, without its last; turns the shorter way."""
    rows = np.array(points, dtype=np.float64)
    rows[:, 2] = np.unwrap(rows[:, 2])
    length = np.concatenate([[0], np.cumsum(0.2 + np.linalg.norm(np.diff(rows[:, :2], axis=0), axis=1))])
    at = np.linspace(0, length[-1], count, endpoint=False)
    return np.column_stack([np.interp(at, length, column) for column in rows.T])


def _stairs(layout: Layout, count: int, habit: Habit, down: bool) -> Way:
    """Over both flights, looking where the way leads and to both sides."""
    foot, turn = SLAB, SLAB + STEPS * TREAD
    half, high = STOREY / 2, STOREY
    path = np.array([
        (0.0, 0.0, 0.0, 0.0), (foot - 0.4, -0.55, 0.0, 0.0), (foot, -0.55, 0.0, 0.0), (turn, -0.55, half, 0.1),
        (turn + 0.6, -0.45, half, 0.3 * np.pi), (turn + 0.6, 0.45, half, 0.7 * np.pi),
        (turn, 0.55, half, np.pi), (foot, 0.55, high, np.pi), (foot - 0.4, 0.4, high, np.pi), (0.0, 0.0, high, np.pi),
    ])  # fmt: skip
    if down:
        path = path[::-1] + np.array([0, 0, 0, np.pi])
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(path[:, :3], axis=0), axis=1))])
    at = (np.arange(count) + 0.5) / count * length[-1]
    x, y, z, yaw = (np.interp(at, length, column) for column in path.T)
    phase = 3 * np.pi * at / length[-1]
    yaw += 0.35 * np.sin(2.3 * phase) + habit.turned
    inner = y + np.sign(y) * -0.3 * habit.inside
    return _way(layout.length + x, inner, z / STOREY, yaw, phase, habit)

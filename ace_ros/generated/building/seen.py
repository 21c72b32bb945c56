"""Which rooms a camera can see at all, and a renderer of just these."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from ace_ros.camera import Camera
from ace_ros.generated.building.halls import corridor_surfaces, stair_surfaces
from ace_ros.generated.building.layout import Portal, Shape, plan_building
from ace_ros.generated.building.rooms import room_surfaces
from ace_ros.generated.renderer import Renderer, clipped
from ace_ros.generated.surfaces import Surface, moved
from ace_ros.geometry import Matrix

_AT_THE_DOOR = 0.3  # m from a portal, where the whole image may show what is behind it
_NEAR = 0.02
Window = tuple[float, float, float, float]  # left, top, right, bottom, pixels


def seen_from(room: str, portals: tuple[Portal, ...], camera: Camera, map_from_camera: Matrix) -> set[str]:
    """Names of the rooms that may show in an image taken in ``room``; never one too few.

    From room to room through the portals, each narrowing the rectangle of the image in which more can be seen.
    """
    found = {room}
    windows = {portal.first + portal.second: _window(portal, camera, map_from_camera) for portal in portals}

    def look(here: str, window: Window, way: tuple[str, ...]) -> None:
        for portal in portals:
            if here not in (portal.first, portal.second):
                continue
            there = portal.second if here == portal.first else portal.first
            opening = windows[portal.first + portal.second]
            if there in way or opening is None:
                continue
            left, top = max(window[0], opening[0]), max(window[1], opening[1])
            right, bottom = min(window[2], opening[2]), min(window[3], opening[3])
            if left < right and top < bottom:
                found.add(there)
                look(there, (left, top, right, bottom), (*way, there))

    look(room, _whole(camera), (room,))
    return found


def _whole(camera: Camera) -> Window:
    return -0.5, -0.5, camera.width - 0.5, camera.height - 0.5


def _window(portal: Portal, camera: Camera, pose: Matrix) -> Window | None:
    """The rectangle around an opening in the image, with a pixel to spare."""
    eye = pose[:3, 3]
    low, high = portal.corners.min(axis=0), portal.corners.max(axis=0)
    if np.linalg.norm(eye - np.clip(eye, low, high)) < _AT_THE_DOOR:
        return _whole(camera)
    polygon = clipped((portal.corners - eye) @ pose[:3, :3], _NEAR)
    if len(polygon) < 3:
        return None
    pixels = polygon[:, :2] / polygon[:, 2:] * (camera.fx, camera.fy) + (camera.cx, camera.cy)
    (left, top), (right, bottom) = pixels.min(axis=0) - 1, pixels.max(axis=0) + 1
    return float(left), float(top), float(right), float(bottom)


class Building:
    """A building that is drawn from anywhere inside; rooms are made when they are first seen.

    Args:
        rooms: how many, without bays, corridors and stairs.
        seed: of everything.
    """

    def __init__(self, rooms: int, seed: int) -> None:
        self.seed = seed
        self.layout = plan_building(rooms, seed)
        self._cells = {cell.room.name: cell for cell in self.layout.cells}
        self._renderers: dict[str, Renderer] = {}
        self.surfaces_of_shape: Callable[[Shape], list[Surface]] = lru_cache(maxsize=8)(room_surfaces)

    def surfaces(self, room: str) -> list[Surface]:
        """What one room shows, in the building's axes."""
        if room in self._cells:
            cell = self._cells[room]
            return moved(self.surfaces_of_shape(cell.shape), cell.building_from_room)
        for floor, corridor in enumerate(self.layout.corridors):
            if corridor.name == room:
                return corridor_surfaces(self.layout, floor, self.seed)
        return stair_surfaces(self.layout, self.seed)

    def render(self, room: str, camera: Camera, map_from_camera: Matrix) -> tuple[np.ndarray, np.ndarray]:
        """Image and depth as ``Renderer.render`` gives them, from a camera that stands in ``room``."""
        return self.renderer(seen_from(room, self.layout.portals, camera, map_from_camera)).render(
            camera, map_from_camera
        )

    def renderer(self, rooms: set[str]) -> Renderer:
        """Draws these rooms."""
        for room in rooms - self._renderers.keys():
            self._renderers[room] = Renderer(self.surfaces(room))
        return Renderer.joined([self._renderers[room] for room in sorted(rooms)])

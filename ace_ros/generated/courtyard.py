"""A courtyard under the open sky, built in metres with z up: near things, facades, and a town as far as 150 m away."""

from __future__ import annotations

from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from ace_ros.camera import Camera
from ace_ros.generated.surfaces import Light, Surface, bounds, box, lit, prism, surface
from ace_ros.generated.textures import (
    Colour,
    Texture,
    cardboard,
    fabric,
    framed,
    label,
    noise,
    photograph,
    plain,
    plaster,
    stones,
    tint,
    wood,
)
from ace_ros.geometry import Matrix

_SUN = np.array([-60.0, -110.0, 130.0])


def courtyard_surfaces(seed: int = 0) -> list[Surface]:
    """Everything but the sky, lit by the sun."""
    rng = np.random.default_rng(seed)
    near = [*_furniture(rng), *_trees(rng)]
    buildings = _buildings(rng)
    blockers = np.array([bounds(item) for item in (*near, *buildings)])
    surfaces = [*_ground(rng), *(s for item in (*near, *buildings) for s in item)]
    return [*lit(surfaces, [Light(_SUN[None], 0.95, falloff=0)], blockers, ambient=0.33, cell=0.25), *_far(rng)]


def _ground(rng: np.random.Generator) -> list[Surface]:
    paving = stones(rng, 2600, 2600, (158, 150, 138), (52, 52))
    for _ in range(500):
        x, y, size = rng.integers(0, 2600), rng.integers(0, 2600), int(rng.integers(4, 22))
        stain = paving[y : y + 3 * size, x : x + 3 * size]
        stain[:] = (
            stain
            * np.clip(1 - 0.25 * np.abs(noise(rng, stain.shape[0], stain.shape[1], (size, size), 2)), 0.3, 1)[..., None]
        )
    grass = cv2.cvtColor(photograph("grass.png"), cv2.COLOR_RGB2GRAY).astype(np.float32)
    lawn = np.tile(cv2.resize(grass, (256, 256), interpolation=cv2.INTER_AREA), (10, 10)) / 140
    lawn *= 1 + 0.18 * noise(rng, 2560, 2560, (400, 400))
    green = np.clip(lawn[..., None] * np.array((92, 112, 58)), 0, 255).astype(np.uint8)
    return [
        surface((-13, 13, 0), (26, 0, 0), (0, -26, 0), paving),
        surface((-160, 160, -0.06), (320, 0, 0), (0, -320, 0), green),
    ]


def _facade(
    rng: np.random.Generator, height: int, width: int, wall: Colour, floors: int, bays: int, door: bool = True
) -> Texture:
    """Rows of windows in a wall of plaster or brick; pixels in, pixels out."""
    brick = rng.random() < 0.5
    unit = max(3, height // floors // 22)
    image = stones(rng, height, width, wall, (unit, unit * 3)) if brick else plaster(rng, height, width, wall)
    storey, bay = height / floors, width / bays
    for floor in range(floors):
        for column in range(bays):
            w, h = int(bay * 0.42), int(storey * 0.55)
            x, y = int((column + 0.5) * bay - w / 2), int(floor * storey + storey * 0.22)
            if door and floor == floors - 1 and column % 4 == 1:
                image[y : y + int(storey * 0.78), x : x + w] = wood(
                    rng, min(int(storey * 0.78), height - y), w, (96, 62, 44)
                )
                continue
            _window(rng, image[y : y + h, x : x + w])
            sill = image[y + h : y + h + max(2, h // 14), max(0, x - w // 8) : x + w + w // 8]
            sill[:] = np.minimum(255, np.array(wall) * 1.25)
        line = int(floor * storey)
        image[line : line + max(2, int(storey / 18))] = np.array(wall) * 0.72
    return image


def _window(rng: np.random.Generator, pane: Texture) -> None:
    height, width = pane.shape[:2]
    shine = np.linspace(rng.uniform(0.2, 0.8), rng.uniform(-0.3, 0.2), height, dtype=np.float32)[:, None]
    pane[:] = tint((66, 80, 98), shine + 0.2 * noise(rng, height, width, (height / 2, width / 2), 3))
    if rng.random() < 0.6:
        side = int(width * rng.uniform(0.15, 0.45))
        pane[:, :side] = tint((190, 182, 160), 0.2 * noise(rng, height, side, (height * 2, max(2, side / 4)), 2))
    frame = (228, 226, 220) if rng.random() < 0.8 else (96, 70, 52)
    thick = max(1, width // 18)
    cv2.rectangle(pane, (0, 0), (width - 1, height - 1), frame, 2 * thick)
    cv2.line(pane, (width // 2, 0), (width // 2, height), frame, thick)
    cv2.line(pane, (0, height // 3), (width, height // 3), frame, thick)


def _house(
    rng: np.random.Generator,
    low: tuple[float, ...],
    high: tuple[float, ...],
    wall: Colour,
    density: float,
    turn: float = 0,
) -> list[Surface]:
    size = np.subtract(high, low)
    floors, grey = max(1, round(size[2] / 3.4)), partial(stones, rng, colour=(120, 116, 112), size=(12, 20))
    sides = {
        side: partial(_facade, rng, wall=wall, floors=floors, bays=max(2, round(length / 2.9)))
        for side, length in (("south", size[0]), ("north", size[0]), ("east", size[1]), ("west", size[1]))
    }
    return box(low, high, grey, density, turn, sides)


def _buildings(rng: np.random.Generator) -> list[list[Surface]]:
    """North, east and west of the yard; towards the south it is open, but for a low wall."""
    stone = partial(stones, rng, colour=(196, 186, 166), size=(30, 64))
    yard = [
        _house(rng, (-13, 12, 0), (13, 22, 10.5), (206, 184, 146), 110),
        _house(rng, (12, -8, 0), (22, 12, 7.2), (178, 106, 84), 110),
        _house(rng, (-22, -3, 0), (-12, 12, 13.5), (196, 200, 196), 110),
        box((-13, -13.2, 0), (-3, -12.8, 1.1), stone, 100), box((3, -13.2, 0), (13, -12.8, 1.1), stone, 100),
        box((-2, 11.2, 0), (2, 12, 0.3), stone, 150), box((-2.2, 10.9, 3.4), (2.2, 12, 3.8), stone, 150),
    ]  # fmt: skip
    yard += [
        prism((x, 11.2, 0.3), 0.22, 3.1, partial(stones, rng, colour=(214, 206, 188), size=(60, 200)), density=150)
        for x in (-1.8, 1.8)
    ]
    yard += [
        box((x, 11.3, 4.0 + 3.4 * k), (x + 2.2, 12, 4.15 + 3.4 * k), stone, 150) for x in (-9.5, 6.5) for k in range(2)
    ]
    return yard


def _far(rng: np.random.Generator) -> list[Surface]:
    """A town south of the yard, thinner and bluer with the distance."""
    surfaces: list[Surface] = []
    for k in range(34):
        distance = 48 * (150 / 48) ** (k / 33)
        across = rng.choice((-1, 1)) * rng.uniform(0.14, 0.95) * distance  # a street leads south
        centre = np.array([across, -np.sqrt(max(distance**2 - across**2, 200.0))])
        half, tall = rng.uniform(4, 8, 2) * (1 + distance / 150), rng.uniform(5, 11) * (1 + distance / 150)
        wall = tuple(np.array((206, 184, 158)) * rng.uniform(0.7, 1.1) * rng.uniform(0.88, 1.12, 3))
        house = _house(
            rng, (*(centre - half), -0.1), (*(centre + half), tall), wall, 700 / distance + 8, rng.uniform(-0.5, 0.5)
        )
        for s in house:
            facing = 0.62 + 0.38 * max(0.0, float(-s.away @ _SUN / np.linalg.norm(_SUN)))
            haze = 1 - np.exp(-distance / 260)
            s.texture[:] = s.texture * (facing * (1 - haze)) + np.array((186, 202, 220)) * haze
        surfaces += house
    return surfaces


def _furniture(rng: np.random.Generator) -> list[list[Surface]]:
    oak, granite = (
        partial(wood, rng, colour=(150, 108, 70)),
        partial(stones, rng, colour=(150, 146, 142), size=(26, 50)),
    )
    things = [
        prism((0, 0, 0), 1.7, 0.55, granite, 20, 150),
        prism((0, 0, 0.55), 0.5, 0.9, granite, 12, 250),
        prism((0, 0, 1.45), 0.28, 0.8, partial(stones, rng, colour=(180, 172, 158), size=(20, 30)), 10),
    ]
    for x, y, turn in ((-3.2, 1.0, 0.3), (2.6, -2.6, -0.5), (3.0, 2.4, 0.9), (-2.2, -3.1, 0.1)):
        things += [box((x - 0.8, y - 0.22, 0.42), (x + 0.8, y + 0.22, 0.48), oak, 250, turn)]
        things += [box((x - 0.7, y - 0.2, 0), (x + 0.7, y + 0.2, 0.42), granite, 200, turn)]
    names = ("astronaut.png", "chelsea.png", "rocket.jpg", "coffee.png")
    posters = np.hstack([framed(photograph(name), 300, 300) for name in names])
    pasted = lambda height, width: cv2.resize(posters, (width, height), interpolation=cv2.INTER_AREA)  # noqa: E731
    things += [prism((-9.5, 8.6, 0), 0.65, 2.8, pasted, 16, 200)]
    notice = plain(160, 240, (230, 226, 214))
    label(rng, notice)
    cup = framed(photograph("coffee.png"), 300, 360)
    things += [
        box((8.6, 8.4, 0), (10.6, 10.2, 2.4), partial(wood, rng, colour=(70, 104, 92)), 150, 0.2, {"south": cup}),
        box((-10.4, -6.3, 0), (-9.3, -6.2, 1.8), oak, 200, 0.6, {"south": notice, "north": notice}),
    ]
    for x, y in ((9.4, -5.8), (10.1, -6.3), (9.7, -7.0), (-9.7, 2.6), (-10.2, 3.4)):
        things += [
            box(
                (x, y, 0),
                (x + 0.55, y + 0.5, rng.uniform(0.4, 0.9)),
                partial(cardboard, rng),
                300,
                rng.uniform(-0.6, 0.6),
            )
        ]
    things += [
        prism((x, y, 0), 0.3, 0.9, partial(fabric, rng, colour=(64, 92, 120), second=(150, 150, 150)), 12, 250)
        for x, y in ((9.9, 3.1), (10.5, 2.3), (-8.8, -9.5))
    ]
    return things


def _trees(rng: np.random.Generator) -> list[list[Surface]]:
    trees = []
    for x, y in ((-7.8, -10.6), (8.2, -11.0), (10.2, 6.0), (-10.3, -1.2), (0.5, -15.0)):
        trunk = prism((x, y, 0), 0.17, 2.6, partial(wood, rng, colour=(104, 84, 66)), 8, 150)
        leaves = []
        for _ in range(240):
            place = rng.standard_normal(3) * (0.95, 0.95, 0.7) + (x, y, 3.4)
            right = rng.standard_normal(3)
            down = np.cross(right, rng.standard_normal(3))
            size = rng.uniform(0.2, 0.42, 2)
            green = tint(
                (rng.uniform(50, 105), rng.uniform(95, 140), rng.uniform(35, 60)), 0.35 * noise(rng, 40, 40, (12, 8), 3)
            )
            right, down = size[0] * right / np.linalg.norm(right), size[1] * down / np.linalg.norm(down)
            leaves.append(surface(place, right, down, green, two_sided=True))
        trees += [trunk, leaves]
    return trees


class Sky:
    """Clouds and hills at infinity, painted on a cylinder."""

    def __init__(self, seed: int = 0) -> None:
        rng = np.random.default_rng((seed, 1))
        height, width = 700, 2048  # elevation 1.4 to -0.1 radians, all around
        cover = noise(rng, height, width + 256, (120, 300), 5)
        ramp = np.linspace(0, 1, 256, dtype=np.float32)
        cover[:, :256] = cover[:, :256] * ramp + cover[:, width:] * (1 - ramp)
        cloud = np.clip(cover[:, :width] * 0.55 + 0.15, 0, 1)[..., None]
        up = np.linspace(1, 0, height, dtype=np.float32)[:, None, None]
        blue = np.array((96, 146, 214)) * up + np.array((188, 210, 232)) * (1 - up)
        image = blue * (1 - cloud) + 246 * cloud
        around = np.arange(width) * 2 * np.pi / width
        for layer, colour in enumerate(((150, 170, 186), (112, 138, 128))):
            ridge = (
                sum(np.sin(around * k + rng.uniform(0, 6)) / k for k in (2, 3, 5, 9, 17, 40)) * 0.018
                + 0.085
                - 0.04 * layer
            )
            below = np.arange(height)[:, None] > (1.4 - ridge) / 1.5 * height
            image = np.where(below[..., None], tint(colour, 0.1 * noise(rng, height, width, (20, 30))), image)
        self._image = image.astype(np.uint8)

    def seen(self, camera: Camera, map_from_camera: Matrix) -> Texture:
        """What a camera sees where nothing else is, of twice its image's size."""
        x, y = np.meshgrid(
            (np.arange(camera.width) - camera.cx) / camera.fx, (np.arange(camera.height) - camera.cy) / camera.fy
        )
        rays: NDArray[np.float64] = np.stack([x, y, np.ones_like(x)], axis=-1) @ map_from_camera[:3, :3].T
        height, width = self._image.shape[:2]
        column = (np.arctan2(rays[..., 1], rays[..., 0]) % (2 * np.pi)) * width / (2 * np.pi)
        row = (1.4 - np.arctan2(rays[..., 2], np.hypot(rays[..., 0], rays[..., 1]))) / 1.5 * height
        padded = np.concatenate([self._image, self._image[:, :1]], axis=1)
        small = cv2.remap(
            padded, column.astype(np.float32), row.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return cv2.resize(small, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)

"""What doesn't stay in the room: somebody who walks, two who stand here and there, and a screen that changes."""

from __future__ import annotations

from functools import partial

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from ace_ros.generated.room import HALF
from ace_ros.generated.surfaces import Surface, box, moved
from ace_ros.generated.textures import Texture, any_colour, fabric, photograph, plain

# Where those who stand do so, one after the other: while the room is mapped, and later.
_STANDS = {
    False: (((-1.0, 0.6), (0.9, -0.6), (-0.3, 1.5), (1.6, 0.8), (-1.9, -0.5), (0.5, 0.4)),
            ((1.8, 1.4), (-0.6, -1.3), (-2.0, 1.0), (0.2, -0.4))),
    True: (((0.3, -0.9), (-0.9, -0.2), (1.0, 0.6), (-0.5, 0.9), (0.8, -0.1), (-1.3, 1.2)),
           ((-1.5, 0.2), (0.1, 0.8), (1.5, -0.7), (0.5, 1.2))),
}  # fmt: skip
_PRINTS = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg")  # on shirts, and for faces
_SHOWN = (*_PRINTS, "camera.png", "hubble_deep_field.jpg", "retina.jpg", "coins.png")  # on the screen
_PICTURES = 20  # that it shows in a drive


class People:
    """Three people and a screen: as many surfaces as stand, hang and walk there at a time.

    Args:
        seed: of their clothes. later: they are elsewhere than while the room is mapped.
    """

    def __init__(self, seed: int = 0, later: bool = False) -> None:
        self._later = later
        self._walker, *self._standing = (_person(np.random.default_rng((seed, k)), k) for k in range(3))

    def at(self, t: float) -> list[Surface]:
        """All of it at a time in [0, 1) of a drive."""
        around = 2 * np.pi * (5 * t + 0.16 if self._later else 7 * t)
        wide, deep = (0.8, 0.7) if self._later else (1.2, 0.9)
        surfaces = _placed(self._walker, wide * np.cos(around), deep * np.sin(around), around)
        for person, stands in zip(self._standing, _STANDS[self._later], strict=True):
            number = int(t * len(stands))
            surfaces += _placed(person, *stands[number], turn=2.4 * number + self._later)
        return surfaces + _screen(int(t * _PICTURES) + 3 * self._later)


def _person(rng: np.random.Generator, number: int) -> list[Surface]:
    """Upright, in the middle of the floor: legs, a chest with a print on it, and a head."""
    cloth = partial(fabric, rng, colour=any_colour(rng, 40, 200), second=any_colour(rng, 40, 240))
    printed = dict.fromkeys(("south", "north"), _picture(_PRINTS[number], 208, 240))
    face = dict.fromkeys(("south", "north", "west", "east"), _picture(_PRINTS[number + 1], 80, 100))
    return [
        *box((-0.22, -0.13, 0), (0.22, 0.13, 0.85), cloth),
        *box((-0.26, -0.15, 0.85), (0.26, 0.15, 1.45), cloth, faces=printed),
        *box((-0.1, -0.1, 1.5), (0.1, 0.1, 1.75), partial(plain, colour=(90, 70, 60)), faces=face),
    ]


def _screen(number: int) -> list[Surface]:
    """On the south wall."""
    y = -HALF[1]
    shown = _picture(_SHOWN[number % len(_SHOWN)], 600, 360)
    black = partial(plain, colour=(30, 30, 32))
    return box((-0.6, y + 0.05, 1.0), (0.9, y + 0.1, 1.9), black, faces={"north": shown})


def _picture(name: str, width: int, height: int) -> Texture:
    return cv2.resize(photograph(name), (width, height), interpolation=cv2.INTER_AREA)


def _placed(person: list[Surface], x: float, y: float, turn: float) -> list[Surface]:
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_euler("z", turn).as_matrix()
    pose[:2, 3] = x, y
    return moved(person, pose)

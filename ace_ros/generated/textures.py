"""Textures: photographs that scikit-image ships, and materials made from noise. All are uint8 (h, w, 3) RGB."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ace_ros.errors import InputError

Texture = NDArray[np.uint8]
Field = NDArray[np.float32]
Paint = Callable[[int, int], Texture]  # height, width in pixels -> texture
Colour = tuple[float, float, float]

_WORDS = (
    "ATLAS", "Optics", "Der Wald", "MAPS", "Algebra", "Poems", "Le Monde", "ROBOTS", "Vision", "Stars", "Birds",
    "History of Art", "Kalman", "NOVEL", "Geometry", "The Sea", "Cooking", "Chess", "Tales", "LIGHT", "Journal",
)  # fmt: skip
_CLOTHS: tuple[Colour, ...] = (
    (150, 44, 40), (44, 66, 112), (40, 88, 66), (196, 160, 92), (182, 176, 160), (60, 54, 52), (112, 70, 48),
    (190, 110, 50), (92, 112, 140), (120, 40, 72),
)  # fmt: skip


def photograph(name: str) -> Texture:
    """One of the photographs in scikit-image's wheel (CC0, public domain, or free of known restrictions).

    Raises:
        InputError: scikit-image is not installed.
    """
    found = importlib.util.find_spec("skimage")
    path = Path(found.origin).parent / "data" / name if found and found.origin else None
    if path is None or not path.is_file():
        raise InputError(
            f"a generated scene needs scikit-image's photographs, and {name} was not found: pip install scikit-image"
        )
    return _read(path)


@cache
def _read(path: Path) -> Texture:
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except OSError as error:
        raise InputError(f"{path}: can't be read as an image: install scikit-image anew") from error


def noise(rng: np.random.Generator, height: int, width: int, cells: tuple[float, float], octaves: int = 4) -> Field:
    """Fractal noise (height, width) float32, about unit variance; the coarsest cell is ``cells`` (y, x) pixels."""
    total = np.zeros((height, width), np.float32)
    weight, power = 1.0, 0.0
    for octave in range(octaves):
        rows = max(2, round(height / cells[0] * 2**octave) + 1)
        columns = max(2, round(width / cells[1] * 2**octave) + 1)
        if rows > height or columns > width:
            rows, columns = min(rows, height), min(columns, width)
        grid = rng.standard_normal((rows, columns), dtype=np.float32)
        total += weight * cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
        power += weight**2
        weight *= 0.6
    return total / np.float32(np.sqrt(power) * 0.75)


def tint(colour: Colour, modulation: Field) -> Texture:
    """``colour`` times (1 + modulation (h, w))."""
    return np.clip(np.asarray(colour, np.float32) * (1 + modulation[..., None]), 0, 255).astype(np.uint8)


def any_colour(rng: np.random.Generator, low: float, high: float) -> Colour:
    """A colour whose channels all lie between ``low`` and ``high``, grey levels."""
    red, green, blue = rng.uniform(low, high, 3)
    return float(red), float(green), float(blue)


def plain(height: int, width: int, colour: Colour) -> Texture:
    return np.full((height, width, 3), colour, np.uint8)


def plaster(rng: np.random.Generator, height: int, width: int, colour: Colour) -> Texture:
    """Painted wall: uneven paint, roughness, scuffs and a few hairline cracks."""
    field = 0.035 * noise(rng, height, width, (300, 300)) + 0.03 * noise(rng, height, width, (14, 14), 3)
    marks = np.zeros((height, width), np.float32)
    for _ in range(height * width // 5000):
        x, y = rng.integers(0, width), rng.integers(0, height)
        angle, length = rng.uniform(0, np.pi), rng.exponential(10) + 1
        end = (int(x + length * np.cos(angle)), int(y + length * np.sin(angle)))
        cv2.line(marks, (int(x), int(y)), end, float(rng.uniform(-0.35, 0.12)), int(rng.integers(1, 4)), cv2.LINE_AA)
    return tint(colour, field + cv2.GaussianBlur(marks, (0, 0), 0.8))


def wood(rng: np.random.Generator, height: int, width: int, colour: Colour) -> Texture:
    """Boards with the grain along the width."""
    rings = noise(rng, height, width, (60, 700), 3)
    grain = 0.10 * np.sin(rings * 9) + 0.09 * noise(rng, height, width, (6, 160), 3) + 0.05 * rings
    image = tint(colour, grain.astype(np.float32))
    for _ in range(max(1, height * width // 60000)):
        x, y, size = rng.integers(0, width), rng.integers(0, height), int(rng.integers(2, 7))
        dark = tuple(float(channel) * 0.45 for channel in colour)
        cv2.ellipse(image, (int(x), int(y)), (size * 2, size), 0, 0, 360, dark, -1, cv2.LINE_AA)
    return image


def planks(rng: np.random.Generator, height: int, width: int, colour: Colour, across: int, along: int) -> Texture:
    """A floor of boards, ``across`` pixels wide and about ``along`` long."""
    image = wood(rng, height, width, colour)
    source = image.copy()
    for y in range(0, height, across):
        x = -int(rng.integers(0, along))
        while x < width:
            length = int(along * rng.uniform(0.7, 1.3))
            left, right, rows = max(0, x), min(width, x + length), min(across, height - y)
            if right > left:
                top, start = rng.integers(0, height - rows + 1), rng.integers(0, width - (right - left) + 1)
                piece = source[top : top + rows, start : start + right - left] * rng.uniform(0.72, 1.18)
                image[y : y + rows, left:right] = np.clip(piece, 0, 255)
                image[y : y + rows, left : left + 2] = np.asarray(colour) * 0.3
            x += length
        image[y : y + 2] = np.asarray(colour) * 0.3
    return image


def stones(
    rng: np.random.Generator, height: int, width: int, colour: Colour, size: tuple[int, int], vary: float = 1.0
) -> Texture:
    """Bricks, tiles or paving of ``size`` (y, x) pixels in running bond; every stone differs from the others."""
    base = 0.10 * noise(rng, height, width, (size[0] * 0.8, size[1] * 0.5))
    base += 0.07 * noise(rng, height, width, (4, 4), 2)
    table = (height // size[0] + 1, width // size[1] + 2)
    tones = 1 + vary * rng.uniform(-0.3, 0.2, (*table, 1)) + vary * rng.uniform(-0.05, 0.05, (*table, 3))
    y, x = np.arange(height)[:, None], np.arange(width)
    row = y // size[0]
    column, across = np.divmod(x + size[1] // 2 * (row % 2), size[1])
    joint = max(1, size[0] // 16)
    shade = np.where((y % size[0] < joint) | (across < joint), np.float32(0.55), np.float32(1)) * (1 + base)
    image = tones.astype(np.float32)[row, column] * np.asarray(colour, np.float32) * shade[..., None]
    return np.clip(image, 0, 255).astype(np.uint8)


def fabric(rng: np.random.Generator, height: int, width: int, colour: Colour, second: Colour | None = None) -> Texture:
    """Woven cloth; with a ``second`` colour, in irregular stripes."""
    weave = 0.10 * noise(rng, height, width, (3, 3), 1) + 0.08 * noise(rng, height, width, (120, 120))
    image = tint(colour, weave)
    if second is not None:
        y = 0
        other = tint(second, weave)
        while y < height:
            y += int(rng.uniform(0.03, 0.12) * height) + 2
            thick = int(rng.uniform(0.01, 0.07) * height) + 2
            image[y : y + thick] = other[y : y + thick]
            y += thick
    return image


def books(rng: np.random.Generator, height: int, width: int) -> Texture:
    """Spines of books in a row, with titles, in front of the dark of the shelf."""
    image = tint((38, 30, 26), 0.2 * noise(rng, height, width, (30, 30)))
    x = 0
    while x < width - 12:
        thick = int(rng.uniform(0.07, 0.17) * height) + 4
        if rng.random() < 0.06:
            x += thick
            continue
        tall = int(height * rng.uniform(0.68, 0.97))
        colour = np.array(_CLOTHS[rng.integers(len(_CLOTHS))]) * rng.uniform(0.7, 1.25, 3)
        spine = tint(tuple(colour), 0.10 * noise(rng, tall, thick, (tall, 5), 2))
        ink = (235.0, 225.0, 200.0) if colour.sum() < 380 else (30.0, 25.0, 25.0)
        for band in rng.uniform(0.03, 0.97, rng.integers(1, 4)):
            cv2.line(spine, (0, int(band * tall)), (thick, int(band * tall)), ink, int(rng.integers(1, 4)))
        title = np.zeros((thick, tall), np.uint8)
        scale = thick / 40
        cv2.putText(title, str(rng.choice(_WORDS)), (int(0.2 * tall), int(thick * 0.68)), 2, scale, 255, 1, cv2.LINE_AA)
        spine = np.where(cv2.rotate(title, cv2.ROTATE_90_CLOCKWISE)[..., None] > 90, np.array(ink, np.uint8), spine)
        spine[:, :1] //= 2
        spine[:, -1:] //= 2
        end = min(width, x + thick)
        image[height - tall :, x:end] = spine[:, : end - x]
        x += thick
    return image


def cardboard(rng: np.random.Generator, height: int, width: int) -> Texture:
    """A side of a parcel: tape, a label, stamps."""
    image = tint(
        (176, 136, 92), 0.05 * noise(rng, height, width, (80, 80)) + 0.03 * noise(rng, height, width, (3, 40), 1)
    )
    middle, tape = height // 2, max(2, height // 14)
    image[middle - tape : middle + tape] = image[middle - tape : middle + tape] // 2 + np.array((96, 82, 55), np.uint8)
    y, x = int(height * rng.uniform(0.1, 0.5)), int(width * rng.uniform(0.08, 0.5))
    label(rng, image[y : y + int(height * 0.34), x : x + int(width * 0.4)])
    word = str(rng.choice(("FRAGILE", "THIS SIDE UP", "BOOKS", "LAB 3", "KITCHEN")))
    cv2.putText(image, word, (int(width * 0.08), int(height * 0.92)), 2, width / 300, (120, 30, 25), 2, cv2.LINE_AA)
    return image


def label(rng: np.random.Generator, image: Texture) -> None:
    """Fill ``image`` in place with a printed paper: lines of text and a bar code."""
    height, width = image.shape[:2]
    image[:] = np.uint8(rng.uniform(215, 245, 3))
    y = int(height * 0.16)
    while y < height * 0.68:
        cv2.putText(
            image, str(rng.choice(_WORDS)), (int(width * 0.06), y), 1, max(0.6, width / 160), (35, 35, 45), 1, 16
        )
        y += max(10, height // 5)
    for x in range(int(width * 0.06), int(width * 0.94), 3):
        image[int(height * 0.74) : int(height * 0.92), x : x + int(rng.integers(1, 3))] = 25


def framed(picture: Texture, height: int, width: int, border: float = 0.05) -> Texture:
    """``picture`` cropped to the format of (height, width), with a white margin."""
    edge = int(border * min(height, width))
    inner_height, inner_width = height - 2 * edge, width - 2 * edge
    scale = min(picture.shape[0] / inner_height, picture.shape[1] / inner_width)
    rows, columns = int(inner_height * scale), int(inner_width * scale)
    top, left = (picture.shape[0] - rows) // 2, (picture.shape[1] - columns) // 2
    inner = cv2.resize(
        picture[top : top + rows, left : left + columns], (inner_width, inner_height), interpolation=cv2.INTER_AREA
    )
    return cv2.copyMakeBorder(inner, edge, edge, edge, edge, cv2.BORDER_CONSTANT, value=(238, 235, 228))

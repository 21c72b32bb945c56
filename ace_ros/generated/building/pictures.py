"""Pictures, posters and signs of a building: no two are the same."""

from __future__ import annotations

import cv2
import numpy as np

from ace_ros.generated.textures import Texture, any_colour, framed, noise, photograph, plain, tint

_PHOTOGRAPHS = (
    "astronaut.png", "chelsea.png", "hubble_deep_field.jpg", "rocket.jpg", "camera.png", "coffee.png", "ihc.png",
    "retina.jpg", "page.png", "motorcycle_left.png", "coins.png", "text.png",
)  # fmt: skip
_WORDS = ("EXIT", "LAB", "KITCHEN", "ARCHIVE", "PRINTER", "MEETING", "STAFF", "STORE", "LIBRARY", "FIRST AID", "POST")


def picture(rng: np.random.Generator, height: int, width: int) -> Texture:
    """A framed picture of its own: a piece of a photograph in other colours, or a painting."""
    return framed(_painting(rng) if rng.random() < 0.6 else _cut(rng), height, width)


def _cut(rng: np.random.Generator) -> Texture:
    image = photograph(_PHOTOGRAPHS[rng.integers(len(_PHOTOGRAPHS))])
    height, width = image.shape[:2]
    rows, columns = (int(side * rng.uniform(0.45, 0.8)) for side in (height, width))
    top, left = int(rng.integers(height - rows)), int(rng.integers(width - columns))
    piece = image[top : top + rows, left : left + columns, rng.permutation(3)]
    if rng.random() < 0.5:
        piece = piece[:, ::-1]
    return np.ascontiguousarray(np.clip(piece * rng.uniform(0.75, 1.2, 3), 0, 255).astype(np.uint8))


def _painting(rng: np.random.Generator) -> Texture:
    """Shapes and strokes on a ground of two colours."""
    size = 360
    low, high = rng.uniform(60, 230, (2, 3))
    ground = np.clip(noise(rng, size, size, (160, 160), 3) * 0.5 + 0.5, 0, 1)[..., None]
    image = np.ascontiguousarray((low + (high - low) * ground).astype(np.uint8))
    for _ in range(int(rng.integers(14, 30))):
        colour = any_colour(rng, 15, 245)
        x, y = (int(v) for v in rng.integers(0, size, 2))
        reach, kind = int(rng.exponential(35)) + 6, rng.integers(4)
        if kind == 0:
            cv2.circle(image, (x, y), reach, colour, -1 if rng.random() < 0.6 else 4, cv2.LINE_AA)
        elif kind == 1:
            corners = np.array([x, y]) + rng.normal(0, reach, (int(rng.integers(3, 6)), 2))
            cv2.fillConvexPoly(image, cv2.convexHull(corners.astype(np.int32)), colour, cv2.LINE_AA)
        elif kind == 2:
            cv2.line(image, (x, y), tuple(int(v) for v in rng.integers(0, size, 2)), colour, 3, cv2.LINE_AA)
        else:
            cv2.ellipse(image, (x, y), (reach, reach // 2 + 2), rng.uniform(0, 180), 0, 360, colour, -1, cv2.LINE_AA)
    return image


def sign(rng: np.random.Generator, text: str, height: int = 120, width: int = 180) -> Texture:
    """A plate that bears a number or a word."""
    dark = rng.uniform(20, 110, 3)
    image = tint(tuple(dark), 0.05 * noise(rng, height, width, (40, 40), 2))
    cv2.rectangle(image, (4, 4), (width - 5, height - 5), (235, 235, 228), 2, cv2.LINE_AA)
    (reach, tall), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_DUPLEX, 1.0, 2)
    scale = 0.78 * min(width / reach, height / (2 * tall))
    foot = (int((width - scale * reach) / 2), int((height + scale * tall) / 2))
    cv2.putText(image, text, foot, cv2.FONT_HERSHEY_DUPLEX, scale, (240, 240, 232), 2, cv2.LINE_AA)
    return image


def poster(rng: np.random.Generator, height: int, width: int) -> Texture:
    """A word over a picture."""
    sheet = plain(height, width, any_colour(rng, 190, 245))
    head = height // 4
    sheet[:head] = sign(rng, str(rng.choice(_WORDS)), head, width)
    sheet[head:] = picture(rng, height - head, width)
    return sheet

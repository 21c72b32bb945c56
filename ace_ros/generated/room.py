"""A furnished room, 6.4 x 5.2 x 2.6 m, z up, origin in the middle of the floor."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import cv2
import numpy as np

from ace_ros.generated.surfaces import Light, Surface, Vector, bounds, box, lit, prism, surface
from ace_ros.generated.textures import (
    Paint,
    Texture,
    books,
    cardboard,
    fabric,
    framed,
    label,
    noise,
    photograph,
    plain,
    planks,
    plaster,
    stones,
    tint,
    wood,
)

HALF = (3.2, 2.6)  # from the middle to the walls
HEIGHT = 2.6
_LAMPS = ((-1.4, 0.0), (1.4, 0.0))


# A third of the things as they stand after a while, by their number: moved by x and y, and turned, radians.
_MOVES = {3: (0.55, -1.2, 0.9), 4: (0.0, -1.35, 0.0), 8: (0.2, 1.1, 1.0), 9: (2.6, 0.3, 2.0)}


def room_surfaces(seed: int = 0, moved: bool = False) -> list[Surface]:
    """Everything that the room shows, with light and shadow; ``moved``: a third of the furniture stands elsewhere."""
    rng = np.random.default_rng(seed)
    things = [
        _desk(rng), _bookcase(rng, (-2.2, 2.26), 1.6, 2.1), _sofa(rng), _coffee_table(rng), _cabinet(rng),
        _parcels(rng), _bookcase(rng, (1.2, 2.3), 1.1, 1.25), plant(rng, (2.75, 2.15, 0.0)),
        plant(rng, (-2.85, -0.75, 0.0)), _chair(rng),
        _floor_lamp(rng),
    ]  # fmt: skip
    if moved:
        things = [_moved(thing, *_MOVES.get(number, (0.0, 0.0, 0.0))) for number, thing in enumerate(things)]
    blockers = np.array([bounds(item) for thing in things for item in thing])
    surfaces = [*_shell(rng), *_pictures(rng), *(s for thing in things for item in thing for s in item)]
    grid = np.array([[x, y] for x in (-0.25, 0.25) for y in (-0.25, 0.25)])
    lights = [Light(np.column_stack([grid + lamp, np.full(4, HEIGHT - 0.08)]), 1.7) for lamp in _LAMPS]
    window = [[-HALF[0] + 0.05, y, z] for y in (0.1, 0.9) for z in (1.2, 1.8)]
    return lit(surfaces, [*lights, Light(np.array(window), 1.1)], blockers, ambient=0.27)


def _moved(thing: list[list[Surface]], x: float, y: float, turn: float) -> list[list[Surface]]:
    """The thing somewhere else on the floor, turned about its middle."""
    middle = bounds(s for item in thing for s in item).mean(0) * (1, 1, 0)
    cosine, sine = np.cos(turn), np.sin(turn)
    rotation = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
    return [
        [
            replace(
                s,
                origin=rotation @ (s.origin - middle) + middle + (x, y, 0),
                right=rotation @ s.right,
                down=rotation @ s.down,
            )
            for s in item
        ]
        for item in thing
    ]


def _shell(rng: np.random.Generator) -> list[Surface]:
    x, y = HALF
    warm, cool = (214.0, 204.0, 184.0), (176.0, 192.0, 196.0)
    floor = planks(rng, round(y * 800), round(x * 800), (158, 112, 72), 52, 520)
    ceiling = stones(rng, round(y * 500), round(x * 500), (226, 224, 218), (150, 150), 0.3)
    bricks = stones(rng, round(HEIGHT * 400), round(y * 800), (172, 96, 72), (30, 92))
    shell = [
        surface((-x, y, 0), (2 * x, 0, 0), (0, -2 * y, 0), floor),
        surface((-x, -y, HEIGHT), (2 * x, 0, 0), (0, 2 * y, 0), ceiling),
        surface((-x, y, HEIGHT), (2 * x, 0, 0), (0, 0, -HEIGHT), partial(plaster, rng, colour=warm)),
        surface((x, -y, HEIGHT), (-2 * x, 0, 0), (0, 0, -HEIGHT), partial(plaster, rng, colour=cool)),
        surface((-x, -y, HEIGHT), (0, 2 * y, 0), (0, 0, -HEIGHT), partial(plaster, rng, colour=warm)),
        surface((x, y, HEIGHT), (0, -2 * y, 0), (0, 0, -HEIGHT), bricks),
    ]
    white = partial(plaster, rng, colour=(226, 224, 218))
    for low, high in (
        ((-x, y - 0.02, 0), (x, y, 0.09)), ((-x, -y, 0), (x, -y + 0.02, 0.09)), ((-x, -y, 0), (-x + 0.02, y, 0.09)),
    ):  # fmt: skip
        shell += box(low, high, white, 200)
    rug = fabric(rng, 720, 1080, (150, 52, 48), (222, 196, 150))
    emblem = stones(rng, 420, 780, (60, 78, 118), (60, 60))
    rug[150:570, 150:930] = emblem
    rug[[0, 1, 2, 3, -1, -2, -3, -4]] = 215
    shell += box((-1.35, -0.9, 0), (1.35, 0.9, 0.012), partial(fabric, rng, colour=(150, 52, 48)), faces={"top": rug})
    for cx, cy in _LAMPS:
        lamp = np.full((96, 96, 3), 252, np.uint8)
        lamp[::12] = lamp[:, ::12] = 214
        shell.append(surface((cx - 0.35, cy - 0.35, HEIGHT - 0.02), (0.7, 0, 0), (0, 0.7, 0), lamp, glows=True))
    return shell


def _picture(
    wall: str, along: float, bottom: float, width: float, height: float, image: Texture, frame: Paint
) -> list[Surface]:
    """A framed picture on a wall, ``along`` to its middle."""
    texture = framed(image, round(height * 500), round(width * 500))
    x, y = HALF
    a, b, top = along - width / 2, along + width / 2, bottom + height
    low, high = {
        "north": ((a, y - 0.03, bottom), (b, y, top)), "south": ((a, -y, bottom), (b, -y + 0.03, top)),
        "west": ((-x, a, bottom), (-x + 0.03, b, top)), "east": ((x - 0.03, a, bottom), (x, b, top)),
    }[wall]  # fmt: skip
    front = {"north": "south", "south": "north", "west": "east", "east": "west"}[wall]
    return box(low, high, frame, 200, faces={front: texture})


def _pictures(rng: np.random.Generator) -> list[Surface]:
    black, pine = partial(wood, rng, colour=(42, 38, 36)), partial(wood, rng, colour=(186, 146, 96))
    hung = [
        ("north", -0.85, 1.05, 0.75, 0.95, "astronaut.png", black),
        ("north", 0.15, 1.25, 0.9, 0.6, "chelsea.png", pine),
        ("north", 1.25, 1.45, 0.6, 0.8, "hubble_deep_field.jpg", black),
        ("north", 2.2, 1.3, 0.8, 0.95, "rocket.jpg", pine),
        ("south", -2.6, 1.2, 0.7, 0.7, "camera.png", black), ("south", -1.5, 1.45, 1.0, 0.65, "coffee.png", pine),
        ("south", -0.5, 1.3, 0.5, 0.5, "moon.png", black), ("south", 0.2, 1.5, 0.6, 0.45, "coins.png", pine),
        ("south", 2.65, 1.3, 0.6, 0.75, "ihc.png", black),
        ("east", 1.6, 1.25, 0.8, 0.8, "retina.jpg", black), ("east", 0.6, 1.4, 0.75, 0.55, "text.png", pine),
        ("east", -1.9, 1.7, 0.8, 0.5, "page.png", black),
        ("west", -1.6, 1.2, 0.8, 0.8, "gravel.png", pine), ("west", 1.9, 1.3, 0.6, 0.75, "cell.png", black),
    ]  # fmt: skip
    surfaces = [
        s
        for wall, along, bottom, width, height, name, frame in hung
        for s in _picture(wall, along, bottom, width, height, photograph(name), frame)
    ]
    surfaces += _picture("east", -0.5, 1.15, 1.1, 0.85, notices(rng), pine)
    x, y = HALF
    # A door and a window.
    leaf = wood(rng, 820, 360, (196, 180, 150))
    for top in (60, 330, 560):
        cv2.rectangle(leaf, (50, top), (310, top + 200), (128, 112, 88), 3, cv2.LINE_AA)
    surfaces += box(
        (0.95, -y, 0), (1.85, -y + 0.05, 2.05), partial(wood, rng, colour=(196, 180, 150)), faces={"north": leaf}
    )
    surfaces += box((1.7, -y + 0.05, 1.0), (1.8, -y + 0.1, 1.03), partial(plain, colour=(150, 150, 155)))
    surfaces.append(surface((-x + 0.01, -0.1, 2.05), (0, 1.2, 0), (0, 0, -1.1), view(rng), glows=True))
    for low, high in (
        ((-x, -0.16, 0.9), (-x + 0.06, -0.1, 2.1)), ((-x, 1.1, 0.9), (-x + 0.06, 1.16, 2.1)),
        ((-x, 0.47, 0.95), (-x + 0.05, 0.53, 2.05)),
        ((-x, -0.16, 2.05), (-x + 0.06, 1.16, 2.11)), ((-x, -0.25, 0.89), (-x + 0.2, 1.25, 0.95)),
    ):  # fmt: skip
        surfaces += box(low, high, partial(plaster, rng, colour=(230, 228, 222)), 300)
    return surfaces


def notices(rng: np.random.Generator) -> Texture:
    """A board of cork with papers on it."""
    board = tint((178, 132, 84), 0.16 * noise(rng, 425, 550, (9, 9), 2))
    for x in range(30, 480, 110):
        for y in range(30, 330, 140):
            left, top = x + int(rng.integers(-15, 15)), y + int(rng.integers(-15, 15))
            paper = board[top : top + int(rng.integers(80, 125)), left : left + int(rng.integers(60, 95))]
            label(rng, paper)
            paper[:] = paper * rng.uniform(0.75, 1.0, 3)
            cv2.circle(board, (left + 30, top + 5), 4, (190, 40, 40), -1, cv2.LINE_AA)
    return board


def view(rng: np.random.Generator) -> Texture:
    """What the window shows: sky above, a lawn below."""
    lawn = cv2.cvtColor(photograph("grass.png"), cv2.COLOR_RGB2GRAY)
    sky = np.clip(noise(rng, 512, 512, (110, 180)) * 0.5, 0, 1)[..., None]
    image = (np.array((150, 190, 235)) * (1 - sky) + 250 * sky).astype(np.uint8)
    image[300:] = np.uint8(lawn[:212, :, None] * np.array((0.75, 1.0, 0.5)))
    for left in range(0, 512, 37):
        cv2.circle(
            image,
            (left, 300 - int(rng.integers(0, 50))),
            int(rng.integers(25, 60)),
            (52, int(rng.integers(80, 120)), 48),
            -1,
        )
    return image


def _bookcase(rng: np.random.Generator, place: tuple[float, float], width: float, height: float) -> list[list[Surface]]:
    """Boards and rows of books against the north wall; ``place`` is its middle."""
    x0, x1 = place[0] - width / 2, place[0] + width / 2
    back, front = HALF[1], HALF[1] - 0.34
    pale = partial(wood, rng, colour=(188, 152, 108))
    things = [
        box((x0, front, 0), (x0 + 0.03, back, height), pale),
        box((x1 - 0.03, front, 0), (x1, back, height), pale),
    ]
    count = round(height / 0.4)
    for shelf, z in enumerate(np.linspace(0.05, height - 0.03, count + 1)):
        things.append(box((x0 + 0.03, front, z), (x1 - 0.03, back, z + 0.03), pale))
        if shelf < count:
            gap = (height - 0.08) / count - 0.05
            split = rng.uniform(0.55, 0.85) * width
            row = partial(books, rng)
            things.append(box((x0 + 0.03, front + 0.06, z + 0.03), (x0 + split, back, z + gap), row, 500))
            things.append(
                box(
                    (x0 + split + 0.06, front + 0.1, z + 0.03),
                    (x1 - 0.08, back - 0.03, z + gap * 0.7),
                    partial(cardboard, rng),
                )
            )
    return things


def _desk(rng: np.random.Generator) -> list[list[Surface]]:
    """Under the south wall: a table with a screen, papers and a mug."""
    pine = partial(wood, rng, colour=(206, 170, 120))
    x0, x1, y0, y1 = -2.3, -0.5, -2.55, -1.8
    top = wood(rng, 300, 720, (206, 170, 120))
    for left, upper, name in ((40, 60, "page.png"), (500, 120, "text.png")):
        paper = cv2.resize(photograph(name), (120, 150), interpolation=cv2.INTER_AREA)
        top[upper : upper + 150, left : left + 120] = paper
    keys = stones(rng, 60, 190, (60, 60, 64), (13, 13))
    top[200:260, 250:440] = keys
    things = [box((x0, y0, 0.72), (x1, y1, 0.75), pine, faces={"top": top})]
    things += [box((x, y, 0), (x + 0.05, y + 0.05, 0.72), pine) for x in (x0, x1 - 0.05) for y in (y0, y1 - 0.05)]
    screen = cv2.resize(photograph("coffee.png"), (360, 220), interpolation=cv2.INTER_AREA)
    screen = cv2.copyMakeBorder(screen, 10, 10, 10, 10, cv2.BORDER_CONSTANT, value=(22, 22, 24))
    black = partial(plain, colour=(30, 30, 32))
    things += [
        box((-1.75, -2.4, 0.85), (-1.05, -2.35, 1.25), black, faces={"north": screen}),
        box((-1.45, -2.45, 0.75), (-1.35, -2.38, 0.95), black),
    ]
    things += [box((-2.2, -2.45, 0.75), (-1.95, -2.2, 1.02), partial(cardboard, rng), turn=0.3)]
    return [
        *things,
        prism((-0.8, -2.0, 0.75), 0.045, 0.1, partial(fabric, rng, colour=(190, 60, 50), second=(240, 235, 225))),
    ]


def _sofa(rng: np.random.Generator) -> list[list[Surface]]:
    cloth = partial(fabric, rng, colour=(78, 104, 132))
    striped = partial(fabric, rng, colour=(208, 170, 80), second=(60, 60, 90))
    seat = [box((2.3, -1.3, 0.08), (3.1, 0.9, 0.42), cloth), box((2.9, -1.3, 0.42), (3.15, 0.9, 0.85), cloth)]
    arms = [box((2.3, y, 0.08), (3.1, y + 0.18, 0.6), cloth) for y in (-1.48, 0.9)]
    pillows = [box((2.72, y, 0.43), (2.88, y + 0.42, 0.8), striped, turn=0.12) for y in (-1.15, -0.2, 0.4)]
    return seat + arms + pillows


def _coffee_table(rng: np.random.Generator) -> list[list[Surface]]:
    dark = partial(wood, rng, colour=(112, 74, 48))
    table = [box((-0.5, -0.32, 0.38), (0.5, 0.32, 0.42), dark)]
    table += [box((x, y, 0.012), (x + 0.05, y + 0.05, 0.38), dark) for x in (-0.48, 0.43) for y in (-0.3, 0.25)]
    cover = framed(photograph("astronaut.png"), 130, 100, 0.04)
    table += [box((-0.4, -0.2, 0.42), (-0.15, 0.12, 0.45), partial(books, rng), turn=0.4, faces={"top": cover})]
    table += [box((-0.36, -0.16, 0.45), (-0.18, 0.08, 0.475), partial(fabric, rng, colour=(60, 110, 80)), turn=0.1)]
    table += [
        prism((0.12, 0.08, 0.42), 0.05, 0.2, partial(stones, rng, colour=(90, 130, 170), size=(16, 24)), density=600)
    ]
    return [*table, box((0.25, -0.2, 0.42), (0.42, -0.05, 0.55), partial(cardboard, rng), turn=-0.5)]


def _cabinet(rng: np.random.Generator) -> list[list[Surface]]:
    """Drawers under the window, things on top."""
    front = wood(rng, 320, 560, (140, 90, 60))
    for x in (0, 186, 372):
        for y in (0, 106, 212):
            cv2.rectangle(front, (x + 6, y + 6), (x + 180, y + 100), (70, 42, 28), 2, cv2.LINE_AA)
            cv2.circle(front, (x + 93, y + 52), 6, (205, 190, 140), -1, cv2.LINE_AA)
    chest = [box((-3.18, -0.2, 0), (-2.75, 1.2, 0.8), partial(wood, rng, colour=(140, 90, 60)), faces={"east": front})]
    chest += [prism((-2.95, 0.05, 0.8), 0.09, 0.25, partial(stones, rng, colour=(70, 120, 120), size=(20, 36)))]
    chest += [box((-3.1, 0.75, 0.8), (-2.85, 1.1, 0.98), partial(cardboard, rng), turn=-0.2)]
    return [*chest, box((-3.05, 0.35, 0.8), (-2.85, 0.6, 0.86), partial(books, rng), turn=0.5)]


def _parcels(rng: np.random.Generator) -> list[list[Surface]]:
    card = partial(cardboard, rng)
    return [
        box((-3.1, 1.6, 0), (-2.6, 2.15, 0.5), card, turn=0.1),
        box((-3.05, 1.7, 0.5), (-2.65, 2.1, 0.85), card, turn=-0.2),
        box((2.5, -2.4, 0), (3.05, -1.85, 0.6), card, turn=0.15),
        box((2.6, -2.35, 0.6), (3.0, -1.95, 0.95), card, turn=0.4),
        box((0.35, -2.5, 0), (0.8, -2.1, 0.4), card, turn=-0.1),
    ]  # fmt: skip


def _chair(rng: np.random.Generator) -> list[list[Surface]]:
    red = partial(fabric, rng, colour=(168, 62, 48))
    steel = partial(plain, colour=(90, 92, 96))
    chair = [box((-1.65, -1.75, 0.43), (-1.2, -1.3, 0.48), red), box((-1.65, -1.34, 0.55), (-1.2, -1.3, 0.95), red)]
    legs = [box((x, y, 0), (x + 0.03, y + 0.03, 0.43), steel) for x in (-1.65, -1.23) for y in (-1.75, -1.33)]
    return [*chair, *legs, *(box((x, -1.335, 0.43), (x + 0.03, -1.305, 0.55), steel) for x in (-1.6, -1.28))]


def _floor_lamp(rng: np.random.Generator) -> list[list[Surface]]:
    x, y = 2.8, 1.35
    steel = partial(plain, colour=(66, 66, 68))
    shade = partial(fabric, rng, colour=(236, 214, 164), second=(250, 236, 200))
    pole = [prism((x, y, 0), 0.14, 0.03, steel), prism((x, y, 0.03), 0.012, 1.4, steel, 6)]
    return [*pole, prism((x, y, 1.4), 0.17, 0.28, shade)]


def plant(rng: np.random.Generator, foot: tuple[float, float, float]) -> list[list[Surface]]:
    """A pot with long leaves."""
    pot = prism(foot, 0.16, 0.32, partial(stones, rng, colour=(176, 104, 76), size=(24, 60)))
    leaves = []
    for _ in range(26):
        around, up = rng.uniform(0, 2 * np.pi), rng.uniform(0.5, 1.25)
        along = np.array([np.cos(around) * np.cos(up), np.sin(around) * np.cos(up), np.sin(up)])
        side = np.cross(along, rng.standard_normal(3))
        start: Vector = np.asarray(foot) + (0, 0, 0.28) + 0.25 * along * rng.uniform(0, 1)
        length, width = rng.uniform(0.3, 0.62), rng.uniform(0.04, 0.09)
        green = tint(
            (rng.uniform(40, 90), rng.uniform(100, 150), rng.uniform(40, 70)), 0.2 * noise(rng, 120, 24, (40, 5))
        )
        green[:, 11:13] = np.uint8(green[:, 11:13] * 0.6) + 60
        leaves.append(surface(start, width * side / np.linalg.norm(side), length * along, green, two_sided=True))
    return [pot, leaves]

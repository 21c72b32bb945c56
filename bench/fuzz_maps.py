"""Damaged maps by the thousand: each is refused by the name of what is wrong, or is whole and answers.

A small map is made of the generated room, damaged again and again, loaded, described, shown by ``ace info``, and asked
where an image was taken. Anything but the package's own errors is a defect.

examples:
  python -m bench.fuzz_maps --count 20000
  python -m bench.fuzz_maps --count 2000 --seed 7 --keep bad/    maps that broke something are kept there
"""

from __future__ import annotations

import contextlib
import io
import random
import re
import sys
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro

from ace_ros.cli import main as ace
from ace_ros.errors import AceError
from ace_ros.generated import make_room
from ace_ros.localization.localizer import Localizer
from ace_ros.map.scene_map import SceneMap
from ace_ros.mapping.mapper import Mapper
from ace_ros.mapping.options import MapOptions
from ace_ros.recordings import PosedFrame, open_recording
from bench.damage import contents, damaged

_SIZE = (240, 180)  # of the images: the least work that still localizes
_EVERY = 10  # so many of the refused maps are shown to 'ace info' as well
_PLACE = re.compile(r"(header field \w+(?:\.\w+)?|tensor \w+|format version|encoder|the header is no JSON object)")


@dataclass
class Command:
    count: int = 20_000
    """Maps."""
    seed: int = 0
    """Of what is damaged and how."""
    keep: Path | None = None
    """Folder for maps that broke something."""


def small_map(folder: Path) -> tuple[Path, PosedFrame]:
    """A map with a small head of a small room, and a frame that it localizes."""
    room = make_room(folder / "room", train=32, test=1, size=_SIZE)
    mapper = Mapper(MapOptions(steps=150, width=32, blocks=1, landmarks=2000, samples=200, device="cpu"))
    frames = open_recording(room, "train").frames
    for frame in frames:
        assert frame.map_from_camera is not None
        mapper.add(frame.read(), frame.camera, frame.map_from_camera, frame.name, frame.stamp)
    mapper.build().save(folder / "small.safetensors")
    return folder / "small.safetensors", frames[10]


def use(path: Path, frame: PosedFrame) -> str:
    """All that is done with a map; returns what it made of the frame.

    Raises:
        AceError: the map is refused.
    """
    scene_map = SceneMap.load(path)
    scene_map.describe()
    for more in ((), ("--json",)):
        code, said = info(path, *more)
        if code:
            raise AssertionError(f"'ace info' refuses a map that can be loaded: {said}")
    found = Localizer(scene_map, device="cpu").localize(frame.read(), frame.camera)
    assert 0 <= found.confidence <= 1
    for matrix in (found.map_from_camera, found.covariance):
        assert matrix is None or np.isfinite(matrix).all(), "the answer is not finite"
    return found.state.name


def info(path: Path, *more: str) -> tuple[int, str]:
    """'ace info' in this process: exit code, and what it says to stderr."""
    said = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
        code = ace(["info", str(path), *more])
    return code, said.getvalue()


def check(path: Path, touched: tuple[str, ...], frame: PosedFrame, show: bool = True) -> tuple[str, str]:
    """What became of a damaged map, ``answered`` or ``refused``, and how: the state, or what the error names.

    Raises:
        Exception: that is no error of the package, or an error that does not name what was damaged.
    """
    try:
        return "answered", use(path, frame)
    except AceError as error:
        said = str(error)
    if touched and not any(name in said for name in touched):
        raise AssertionError(f"one of {touched} was damaged, and the error names none: {said}")
    if show and "encoder" not in said:
        code, told = info(path)
        if code != 1 or "unexpected" in told:
            raise AssertionError(f"'ace info': {code}, {told}")
    place = _PLACE.search(said)
    return "refused", place.group(1) if place else "the file"


def main(command: Command) -> int:
    torch.set_num_threads(1)
    rng = random.Random(command.seed)
    outcomes: Counter[tuple[str, str]] = Counter()
    faults: list[str] = []
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="ace_fuzz_") as folder:
        made, frame = small_map(Path(folder))
        image = frame.read()
        frame = PosedFrame(frame.name, frame.stamp, frame.camera, frame.map_from_camera, lambda: image)
        whole, path = contents(made), Path(folder) / "damaged.safetensors"
        outcomes["whole", use(made, frame)] += 1
        for index in range(command.count):
            data, touched = damaged(whole, rng.choice)
            path.write_bytes(data)
            try:
                outcomes[check(path, touched, frame, show=index % _EVERY == 0)] += 1
            except Exception as error:
                outcomes["broke", type(error).__name__] += 1
                faults.append("".join(traceback.format_exception(error)))
                if command.keep:
                    command.keep.mkdir(parents=True, exist_ok=True)
                    (command.keep / f"{len(faults)}.safetensors").write_bytes(data)
            if index % 1000 == 999:
                print(f"{index + 1} maps, {time.monotonic() - started:.0f} s, {len(faults)} broke", file=sys.stderr)
    summarise(command.count, outcomes, faults)
    return 1 if faults else 0


def summarise(count: int, outcomes: Counter[tuple[str, str]], faults: list[str]) -> None:
    """Print what came of it, the most frequent first."""
    for kind in ("whole", "answered", "refused", "broke"):
        of_kind: list[tuple[Any, int]] = [(how, n) for (k, how), n in outcomes.most_common() if k == kind]
        if kind != "whole":
            print(f"{kind}: {sum(n for _, n in of_kind)} of {count}")
        for how, n in of_kind:
            print(f"  {n:>7}  {'the undamaged map: ' if kind == 'whole' else ''}{how}")
    for fault in faults[:5]:
        print(fault)


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Command, description=__doc__)))

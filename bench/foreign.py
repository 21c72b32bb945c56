"""Is an image believed in a place where it was not taken? Every recording is asked of every other one's map.

Takes the maps that bench.honesty keeps, made by the defaults. Each image is shown to the maps of the other recordings
as it is; its middle half alone, as by a longer lens; upside down; with half of it or more covered; and mirrored to all,
its own too: no place looks so.

examples:
  python -m bench.honesty && python -m bench.foreign    everything: some 100,000 tries, two hours of two cores
  python -m bench.foreign --scenes fox --every 5        every fifth image of one recording, to all maps
"""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import torch
import tyro

from ace_ros.camera import Camera
from ace_ros.errors import InputError
from ace_ros.features.features import EncodedImage
from ace_ros.features.look import AS_IT_IS, Look
from ace_ros.files import write_whole
from ace_ros.image import Image, Pixels
from ace_ros.localization.localizer import Localizer
from ace_ros.localization.state import State
from ace_ros.map.scene_map import SceneMap
from ace_ros.recordings import PosedFrame, open_recording
from ace_ros.recordings.prefetch import prefetched
from bench import measure, scenes, trust

_WAYS = ("as it is", "its middle", "upside down", "half covered", "mirrored")
_PART = 20  # images of a piece of work


@dataclass
class Command:
    scenes: tuple[str, ...] = ()
    """Whose images: folders in ../shared/scenes, and room and courtyard, which are generated; all by default."""
    every: int = 1
    """Every so many of their images."""
    begin: int = 0
    """The first of these: `--every 2`, then `--every 2 --begin 1` ask all of them in two runs."""
    skip: int = 0
    """So many of the first pieces of work are left out: a run that was stopped says how many it had done."""
    workers: int = os.cpu_count() or 1
    """Processes, each with one thread."""
    maps: Path = measure.ROOT / "build" / "bench" / "honesty"
    """Folder in which bench.honesty has left its maps, and the generated scenes."""


@dataclass
class Count:
    """What became of so many tries, and which were believed."""

    tries: int = 0
    uncertain: int = 0
    believed: list[str] = field(default_factory=list)

    def add(self, other: Count) -> None:
        self.tries += other.tries
        self.uncertain += other.uncertain
        self.believed += other.believed


Counts = dict[str, Count]


def main(command: Command) -> int:
    paths = scenes.find(list(command.scenes), command.maps)
    if not list(command.maps.glob("*.safetensors")):
        raise SystemExit(f"no maps in {command.maps}: python -m bench.honesty makes them")
    parts = {name: -(-len(_frames(path)[command.begin :: command.every]) // _PART) for name, path in paths.items()}
    # Those of all recordings by turns, each spread over its own: what is there early stands for the whole.
    turns = sorted((k / count, k, name) for name, count in parts.items() for k in range(count))
    counts = {way: Count() for way in _WAYS}
    with ProcessPoolExecutor(command.workers, multiprocessing.get_context("spawn")) as pool:
        work = [
            pool.submit(
                _asked, command.maps, name, paths[name], command.begin + k * command.every, parts[name] * command.every
            )
            for _, k, name in turns[command.skip :]
        ]
        for done, one in enumerate(as_completed(work), 1):
            for way, count in one.result().items():
                counts[way].add(count)
                for text in count.believed:
                    print(f"  believed: {text}")
            rows = {way: vars(count) for way, count in counts.items()}
            write_whole(command.maps / "foreign.json", json.dumps(rows, indent=2).encode())
            print(f"{command.skip + done} of {len(turns)}: " + "; ".join(map(_line, counts.items())), flush=True)
    return 0


@lru_cache
def _localizers(folder: Path) -> dict[str, Localizer]:
    torch.set_num_threads(1)
    maps = [path for path in sorted(folder.glob("*.safetensors")) if path.stem in scenes.usual()]
    localizers = {path.stem: Localizer(SceneMap.load(path), device="cpu") for path in maps}
    shared: dict[tuple[int, float], _Once] = {}
    for one in localizers.values():
        header = one.scene_map.header
        key = header.encoder_size, header.encoder_enlarge
        one.encode = shared.setdefault(key, _Once(one.encode))  # type: ignore[method-assign]
    return localizers


class _Once:
    """Encodes an image once for all maps that are asked it: half of what a try costs."""

    def __init__(self, encode: Callable[[Image, Look], EncodedImage]) -> None:
        self._encode, self._pixels = encode, np.empty(0, np.uint8)
        self._seen: dict[Look, EncodedImage] = {}

    def __call__(self, image: Image, look: Look = AS_IT_IS) -> EncodedImage:
        if image.pixels is not self._pixels:
            self._pixels, self._seen = image.pixels, {}
        if look not in self._seen:
            self._seen[look] = self._encode(image, look)
        return self._seen[look]


@lru_cache
def _frames(path: Path) -> list[PosedFrame]:
    return open_recording(path, "all").frames


def _asked(maps: Path, scene: str, path: Path, first: int, step: int) -> Counts:
    """What all maps make of some images of a recording."""
    counts = {way: Count() for way in _WAYS}
    localizers, rng = _localizers(maps), np.random.default_rng(first)
    for frame, image in prefetched(_frames(path)[first::step]):
        if not isinstance(image, InputError):
            _shown(localizers, f"{scene}/{frame.name}", scene, image, frame.camera, counts, rng)
    return counts


def _shown(
    localizers: dict[str, Localizer],
    name: str,
    scene: str,
    image: Pixels,
    camera: Camera,
    counts: Counts,
    rng: np.random.Generator,
) -> None:
    """An image asked of all maps in which it is foreign; each looks at it six times before it says that it is lost."""
    for way, count in counts.items():
        made = _made(image, camera, way, rng)
        for other, localizer in localizers.items():
            if way != "mirrored" and other == scene:
                continue
            answer = localizer.localize(made.pixels, made.camera)
            count.tries += 1
            count.uncertain += answer.state is State.UNCERTAIN
            if answer.state is State.LOCALIZED and answer.evidence is not None:
                evidence = f"{answer.evidence.landmark_inliers} landmarks, {answer.evidence.matched} matches"
                count.believed.append(f"{name} {way} in {other}, confidence {answer.confidence:.3f} ({evidence})")


def _made(image: Pixels, camera: Camera, way: str, rng: np.random.Generator) -> Image:
    if way == "its middle":
        height, width = image.shape[0] // 2, image.shape[1] // 2
        image = cv2.resize(image[height // 2 :, width // 2 :][:height, :width], image.shape[1::-1])
    elif way == "upside down":
        image = image[::-1, ::-1].copy()
    elif way == "mirrored":
        image = image[:, ::-1].copy()
    elif way == "half covered":
        image, camera = trust.harder(image, camera, way, rng)
    return Image(image, camera)


def _line(count: tuple[str, Count]) -> str:
    way, one = count
    return f"{way}: {len(one.believed)} of {one.tries} believed, {one.uncertain} UNCERTAIN"


if __name__ == "__main__":
    raise SystemExit(main(tyro.cli(Command, description=__doc__)))

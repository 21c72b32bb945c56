"""Is an image believed in a place where it was not taken? Every recording is asked of every other one's map.

Takes the maps that bench.honesty keeps, made by the defaults. Each image is shown to the maps of the other recordings
as it is, and its middle half alone, as by a longer lens; and mirrored to all, its own too: no place looks so.

examples:
  python -m bench.honesty && python -m bench.foreign    everything; hours on two cores
  python -m bench.foreign --scenes fox --every 5        every fifth image of one recording, to all maps
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import tyro

from ace_ros.camera import Camera
from ace_ros.errors import InputError
from ace_ros.files import write_whole
from ace_ros.image import Image, Pixels
from ace_ros.localization.localizer import Localizer
from ace_ros.localization.trust import State
from ace_ros.map.scene_map import SceneMap
from ace_ros.recordings import open_recording
from ace_ros.recordings.prefetch import prefetched
from bench import measure, scenes

_WAYS = ("as it is", "its middle", "mirrored")


@dataclass
class Command:
    scenes: tuple[str, ...] = ()
    """Whose images: folders in ../shared/scenes, and room and courtyard, which are generated; all by default."""
    every: int = 1
    """Every so many of their images."""
    maps: Path = measure.ROOT / "build" / "bench" / "honesty"
    """Folder in which bench.honesty has left its maps, and the generated scenes."""


@dataclass
class Count:
    """What became of so many tries, and which were believed."""

    tries: int = 0
    uncertain: int = 0
    believed: list[str] = field(default_factory=list)


def main(command: Command) -> int:
    found = {path.stem: path for path in sorted(command.maps.glob("*.safetensors"))}
    if not found:
        raise SystemExit(f"no maps in {command.maps}: python -m bench.honesty makes them")
    localizers = {name: Localizer(SceneMap.load(path), device="cpu") for name, path in found.items()}
    counts = {way: Count() for way in _WAYS}
    for name, path in scenes.find(list(command.scenes), command.maps).items():
        before = sum(one.tries for one in counts.values())
        for frame, image in prefetched(open_recording(path, "all").frames[:: command.every]):
            if not isinstance(image, InputError):
                _shown(localizers, name, frame.name, image, frame.camera, counts)
        tries = sum(one.tries for one in counts.values()) - before
        print(f"{name}: {tries} tries; so far " + "; ".join(map(_line, counts.items())), flush=True)
    rows = {way: vars(one) for way, one in counts.items()}
    write_whole(command.maps / "foreign.json", json.dumps(rows, indent=2).encode())
    for text in [text for one in counts.values() for text in one.believed]:
        print(f"  believed: {text}")
    return 0


def _shown(
    localizers: dict[str, Localizer], scene: str, name: str, image: Pixels, camera: Camera, counts: dict[str, Count]
) -> None:
    """An image, encoded once a way, asked of all maps in which it is foreign."""
    for way, count in counts.items():
        encoded = next(iter(localizers.values())).encode(_made(image, camera, way))
        for other, localizer in localizers.items():
            if way != "mirrored" and other == scene:
                continue
            answer = localizer.answer(encoded)
            count.tries += 1
            count.uncertain += answer.state is State.UNCERTAIN
            if answer.state is State.LOCALIZED and answer.evidence is not None:
                evidence = f"{answer.evidence.landmark_inliers} landmarks, {answer.evidence.matched} matches"
                count.believed.append(
                    f"{scene}/{name} {way} in {other}, confidence {answer.confidence:.3f} ({evidence})"
                )


def _made(image: Pixels, camera: Camera, way: str) -> Image:
    if way == "its middle":
        height, width = image.shape[0] // 2, image.shape[1] // 2
        image = cv2.resize(image[height // 2 :, width // 2 :][:height, :width], image.shape[1::-1])
    elif way == "mirrored":
        image = image[:, ::-1].copy()
    return Image(image, camera)


def _line(count: tuple[str, Count]) -> str:
    way, one = count
    return f"{way}: {len(one.believed)} of {one.tries} believed, {one.uncertain} UNCERTAIN"


if __name__ == "__main__":
    raise SystemExit(main(tyro.cli(Command, description=__doc__)))

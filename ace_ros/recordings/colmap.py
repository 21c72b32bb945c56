"""COLMAP layout: a model (``sparse/0``, ``sparse``, or the model's folder itself) and its ``images/``."""

from __future__ import annotations

from pathlib import Path

from ace_ros.errors import InputError
from ace_ros.recordings.colmap_model import ModelImage, read_model
from ace_ros.recordings.listing import Entry, Skips, frames_of, natural
from ace_ros.recordings.options import SplitOptions
from ace_ros.recordings.posed_frame import Recording
from ace_ros.recordings.splits import Split, choose

FILES = "sparse/0/cameras.txt and images.txt, or .bin (COLMAP)"


def matches(path: Path) -> bool:
    return _model(path) is not None


def read(path: Path, split: Split, options: SplitOptions) -> Recording:
    model = _model(path)
    assert model is not None
    cameras, images = read_model(model)
    if not images:
        raise InputError(f"{model}: the model has no images")
    root = _root(path, model)
    folder = _image_folder(path, model, images)
    skips = Skips()
    if others := _others(model):
        skips.remarks.append(f"{model} was read; {', '.join(others)} beside it, of other coordinates, was left out")
    entries = []
    for image in sorted(images, key=lambda image: natural(image.name)):
        if image.camera_id not in cameras:
            raise InputError(f"{model}: image {image.name} has camera {image.camera_id}, which is not listed")
        camera, where = cameras[image.camera_id], f"{model}: {image.name}"
        entries.append(Entry(image.name, folder / image.name, camera, image.map_from_camera, where))
    frames = frames_of(entries, skips, f"{model} with {folder}")
    frames, notes = choose(frames, split, options, root)
    return Recording(root.resolve().name, frames, metric=False, notes=skips.notes() + notes)


def _model(path: Path) -> Path | None:
    candidates = [path / "sparse" / "0", path / "sparse", path, path / "0"]
    if (path / "sparse").is_dir():
        candidates += sorted(folder for folder in (path / "sparse").iterdir() if folder.is_dir())
    for folder in candidates:
        if any((folder / f"{name}.{kind}").is_file() for name in ("images", "cameras") for kind in ("txt", "bin")):
            return folder
    return None


def _others(model: Path) -> list[str]:
    if not model.name.isdigit():
        return []
    beside = (folder for folder in model.parent.iterdir() if folder.is_dir() and folder != model)
    return sorted(folder.name for folder in beside if folder.name.isdigit())


def _root(path: Path, model: Path) -> Path:
    """The folder of the recording, when a model's folder was given as well."""
    for folder in (path, *model.resolve().parents[:2]):
        if (folder / "images").is_dir():
            return folder
    return path


def _image_folder(path: Path, model: Path, images: list[ModelImage]) -> Path:
    """The first folder that holds an image of the model."""
    around = [path, model, *model.resolve().parents[:2]]
    candidates = list(dict.fromkeys(place for folder in around for place in (folder / "images", folder)))
    for folder in candidates:
        if any((folder / image.name).is_file() for image in images):
            return folder
    places = ", ".join(map(str, candidates))
    raise InputError(f"{model}: none of its {len(images)} images was found ({images[0].name}, ...); looked in {places}")

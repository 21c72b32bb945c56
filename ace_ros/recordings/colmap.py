"""COLMAP layout: a model (``sparse/0``, ``sparse``, or the model's folder itself) and its ``images/``."""

from __future__ import annotations

from pathlib import Path

from ace_ros.errors import FrameError, InputError
from ace_ros.recordings.colmap_model import ModelImage, read_model
from ace_ros.recordings.image_files import found_image
from ace_ros.recordings.left_out import LeftOut
from ace_ros.recordings.listing import Entry, frames_of, natural
from ace_ros.recordings.options import SplitOptions
from ace_ros.recordings.posed_frame import Recording
from ace_ros.recordings.splits import Split, choose

NAME = "colmap"
FILES = "sparse/0/ or further down cameras.txt and images.txt, or .bin (COLMAP, hloc)"
_NESTED = ("*", "*/*", "*/*/*")  # folders below the one that was given, in which a model is looked for


def matches(path: Path) -> bool:
    return _model(path) is not None


def read(path: Path, split: Split, options: SplitOptions) -> Recording:
    model = _model(path)
    assert model is not None
    left_out = LeftOut(options.strict)
    cameras, images, notes = read_model(model, left_out)
    if not images:
        raise InputError(f"{model}: the model has no images {left_out.reasons()}".rstrip())
    root = _root(path, model)
    folder = _image_folder(path, model, images)
    if others := _others(model):
        notes.append(f"{model} was read; {', '.join(others)} beside it, of other coordinates, was left out")
    entries = []
    for image in sorted(images, key=lambda image: natural(image.name)):
        with left_out.trying(image.name):
            if image.camera_id not in cameras:
                kind = "its camera is not listed"
                raise FrameError(image.where, kind, f"has camera {image.camera_id}, which is not listed")
            file, camera = found_image(folder, image.name), cameras[image.camera_id]
            entries.append(Entry(image.name, file, camera, image.map_from_camera, image.where))
    frames, more = frames_of(entries, left_out, f"{model} with {folder}")
    frames, split_notes = choose(frames, split, options, root)
    notes += [*more, *split_notes]
    return Recording(root.resolve().name, frames, metric=False, notes=notes, left_out=left_out)


def _model(path: Path) -> Path | None:
    """The folder of the model: in its usual places, or the largest one further down (hloc's ``outputs/sfm``)."""
    candidates = [path / "sparse" / "0", path / "sparse", path, path / "0"]
    if (path / "sparse").is_dir():
        candidates += sorted(folder for folder in (path / "sparse").iterdir() if folder.is_dir())
    for folder in candidates:
        if any((folder / f"{name}.{kind}").is_file() for name in ("images", "cameras") for kind in ("txt", "bin")):
            return folder
    nested = [file for depth in _NESTED for kind in ("bin", "txt") for file in path.glob(f"{depth}/images.{kind}")]
    models = [file for file in nested if file.with_name(f"cameras{file.suffix}").is_file()]
    return max(models, key=lambda file: file.stat().st_size).parent if models else None


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
    around += sorted(folder for folder in path.iterdir() if folder.is_dir())
    candidates = list(dict.fromkeys(place for folder in around for place in (folder / "images", folder)))
    for folder in candidates:
        if any(found_image(folder, image.name).is_file() for image in images):
            return folder
    places = ", ".join(map(str, candidates))
    raise InputError(f"{model}: none of its {len(images)} images was found ({images[0].name}, ...); looked in {places}")

"""COLMAP layout: a model (``sparse/0``, ``sparse``, or the model's folder itself) and its ``images/``."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from ace_ros.camera import Camera
from ace_ros.errors import FrameError, InputError
from ace_ros.recordings.colmap_model import ModelImage, image_count, read_model
from ace_ros.recordings.image_files import found_image
from ace_ros.recordings.images import image_size
from ace_ros.recordings.intrinsics import fitted
from ace_ros.recordings.left_out import LeftOut
from ace_ros.recordings.listing import Entry, frames_of, natural
from ace_ros.recordings.options import SplitOptions
from ace_ros.recordings.posed_frame import Recording
from ace_ros.recordings.splits import Split, choose

NAME = "colmap"
FILES = "sparse/0/ or further down cameras.txt and images.txt, or .bin (COLMAP, hloc)"
_NESTED = ("*", "*/*", "*/*/*")  # folders below the one that was given, in which a model is looked for
_ABOVE = 3  # folders above a model, beside which its images are looked for: distorted/sparse/0 of Gaussian splatting
_IMAGES = ("images", "input", ".")  # what folders of images are called; input/ is what Gaussian splatting undistorts


def matches(path: Path) -> bool:
    return _usual(path) is not None or bool(_nested(path))


def whole(path: Path) -> bool:
    """Whether cameras and images of a model lie below; of a broken one the other may be missing."""
    return bool(_nested(path))


def read(path: Path, split: Split, options: SplitOptions) -> Recording:
    model, chosen = _chosen(path)
    left_out = LeftOut(options.strict)
    cameras, images, notes = read_model(model, left_out)
    if not images:
        raise InputError(f"{model}: the model has no images {left_out.reasons()}".rstrip())
    folder, _ = _image_folder(path, model, images, cameras)
    root = _root(path, folder)
    if others := _others(model):
        notes.append(f"{model} was read; {', '.join(others)} beside it, of other coordinates, left out")
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
    notes = [*chosen, *notes, *more, *split_notes]
    return Recording(root.resolve().name, frames, metric=False, notes=notes, left_out=left_out)


def _usual(path: Path) -> Path | None:
    """The folder of the model, in one of its usual places."""
    candidates = [path / "sparse" / "0", path / "sparse", path, path / "0"]
    if (path / "sparse").is_dir():
        candidates += sorted(folder for folder in (path / "sparse").iterdir() if folder.is_dir())
    for folder in candidates:
        if any((folder / f"{name}.{kind}").is_file() for name in ("images", "cameras") for kind in ("txt", "bin")):
            return folder
    return None


def _nested(path: Path) -> list[Path]:
    """Folders of models further down (hloc's ``outputs/sfm``), the largest first."""
    files = [file for depth in _NESTED for kind in ("bin", "txt") for file in path.glob(f"{depth}/images.{kind}")]
    models = [file for file in files if file.with_name(f"cameras{file.suffix}").is_file()]
    models.sort(key=lambda file: -file.stat().st_size)
    return list(dict.fromkeys(file.parent for file in models))


def _chosen(path: Path) -> tuple[Path, list[str]]:
    """The folder of the model with most images, if they are there; of as many the one in the usual place. And notes."""
    usual = _usual(path)
    if usual == path:  # it was pointed at
        return path, []
    models = list(dict.fromkeys([*([usual] if usual else []), *_nested(path)]))
    if len(models) == 1:
        return models[0], []
    counts = {model: image_count(model) for model in models}
    models.sort(key=lambda model: -counts[model])
    notes = []
    for chosen in models:
        if not (fault := _fault(path, chosen)):
            break
        notes.append(f"{chosen}, of {counts[chosen]:,} images, was passed by: {fault}")
    else:  # why, is said when it is read
        return usual or models[0], []
    if chosen != usual:
        other = usual or next(model for model in models if model != chosen)
        notes.append(f"{chosen} was read, of {counts[chosen]:,} images; {other} has {counts[other]:,}")
    return chosen, notes


def _fault(path: Path, model: Path) -> str:
    """Why a model can't be read; empty where it can."""
    try:
        cameras, images, _ = read_model(model, LeftOut())
    except InputError as error:
        return str(error)
    with suppress(InputError):
        if images and _image_folder(path, model, images, cameras)[1]:
            return ""
    return "none of its images was found in its camera's size"


def _others(model: Path) -> list[str]:
    if not model.name.isdigit():
        return []
    beside = (folder for folder in model.parent.iterdir() if folder.is_dir() and folder != model)
    return sorted(folder.name for folder in beside if folder.name.isdigit())


def _root(path: Path, images: Path) -> Path:
    """The folder of the recording, when a model's folder was given as well."""
    if images.resolve().is_relative_to(path.resolve()):
        return path
    return images.parent if images.name in _IMAGES else images


def _image_folder(path: Path, model: Path, images: list[ModelImage], cameras: dict[int, Camera]) -> tuple[Path, bool]:
    """The first folder with an image of its camera's size, or else with any of the model; and whether it is the former.

    Raises:
        InputError: none does.
    """
    around = [path, model, *model.resolve().parents[:_ABOVE]]
    candidates = [folder / name for folder in around for name in _IMAGES]
    children = sorted(folder for folder in path.iterdir() if folder.is_dir())
    candidates += [folder / name for folder in children for name in _IMAGES]
    candidates = list(dict.fromkeys(candidates))
    second = None
    for folder in candidates:
        for image in images:
            if (file := found_image(folder, image.name)).is_file():
                second = second or folder
                if _fits(file, cameras.get(image.camera_id)):
                    return folder, True
    if second is not None:
        return second, False
    places = ", ".join(map(str, candidates))
    raise InputError(f"{model}: none of its {len(images)} images was found ({images[0].name}, ...); looked in {places}")


def _fits(file: Path, camera: Camera | None) -> bool:
    """Whether the image is of its camera's size or shape, however it is turned."""
    size = image_size(file)
    return bool(size and camera and any(fitted(camera, those) for those in (size, size[::-1])))

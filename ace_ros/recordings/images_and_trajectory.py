"""A folder of images and the trajectory that a SLAM system or motion capture wrote of it.

The trajectory lies beside the images under a name that such systems use, or is given by ``--poses FILE``. Images are
told their times by their names (seconds or nanoseconds) or by a list; without times they follow the poses in order.
The poses are taken for those of the camera.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ace_ros.errors import FrameError, InputError
from ace_ros.geometry import Matrix
from ace_ros.recordings.calibrations import calibration_of_file, given_camera
from ace_ros.recordings.image_files import is_beside, photographs
from ace_ros.recordings.intrinsics import CameraFor
from ace_ros.recordings.left_out import LeftOut
from ace_ros.recordings.listing import Entry, frames_of, natural
from ace_ros.recordings.options import SplitOptions, poses_file
from ace_ros.recordings.posed_frame import Recording
from ace_ros.recordings.splits import Split, choose
from ace_ros.recordings.trajectory import MAX_GAP
from ace_ros.recordings.trajectory_files import holds_matrices, parse_stamp, read_matrices, read_trajectory, rows

NAME = "trajectory"
FILES = "a folder of images and a trajectory, CameraTrajectory.txt for one (SLAM systems)"
_TRAJECTORY = re.compile(
    r"(key_?frame|camera|frame|kf|f)?_?traj(ectory)?.*|stamped_(traj|ground).*|(f|kf)_.*|vio|vins_result.*|"
    r"(gt_?)?poses|est(imate)?|groundtruth|odom(etry)?",
    re.I,
)
_IMAGES = (
    "images", "rgb", "image", "color", "image_0", "image_2", "image_left", "image_l", "cam0/data", "cam0",
    "mav0/cam0/data", "frames", "results", "data", "left", ".",
)  # fmt: skip
_LISTS = ("times.txt", "timestamps.txt", "rgb.txt", "data.csv", "associations.txt", "images.txt")
_CALIBRATIONS = (
    "calibration.*", "camera.*", "calib.*", "intrinsics.*", "K.txt", "camera_info.*", "sensor.yaml", "camchain*.yaml",
    "mav0/cam0/sensor.yaml", "cameras.txt", "cam_params.json", "settings.yaml", "*.yaml", "*.yml",
)  # fmt: skip
_TIMES = 10**6  # a name that is a smaller number counts images; a day of microseconds or seconds since 1970 is larger


def matches(path: Path) -> bool:
    return path.is_dir() and bool(_trajectories(path)) and bool(_images(path))


def read(path: Path, split: Split, options: SplitOptions) -> Recording:
    left_out = LeftOut(options.strict)
    images = _images(path) or _only_images(path)
    named = poses_file(options)
    candidates = [named] if named else _trajectories(path)
    if not candidates:
        raise InputError(f"{path}: there is no trajectory beside the images: give --poses FILE")
    file = candidates[0]
    notes = [f"images of {images[0].parent.relative_to(path)}/, poses of {file.name}"]
    if len(candidates) > 1:
        notes.append(f"not used: {', '.join(other.name for other in candidates[1:])} (--poses FILE chooses)")
    camera = camera_of(path, options)
    left_out.listed["frame"] += len(images)
    stamps = _stamps(images, path)
    poses = at_images(file, stamps, len(images), left_out)
    entries = []
    for index, (image, pose) in enumerate(zip(images, poses, strict=True)):
        stamp = stamps[index] if stamps else None
        with left_out.trying(image.name):
            if pose is None:
                raise FrameError(image.name, f"no pose in {file.name} for them")
            entries.append(Entry(image.name, image, camera, pose, str(file), stamp))
    found, more = frames_of(entries, left_out, str(path))
    frames, split_notes = choose(found, split, options, path)
    notes += [*more, *split_notes]
    name = path.resolve().name
    return Recording(name, frames, metric=True, map_frame="world", notes=notes, left_out=left_out)


def camera_of(path: Path, options: SplitOptions) -> CameraFor:
    """The camera that the user or a calibration file in the folder states.

    Raises:
        InputError: nothing does.
    """
    if given := given_camera(options):
        return given
    fault = None
    beside = path.resolve().parent / "cam_params.json"  # of all scenes of Replica
    files = [file for pattern in _CALIBRATIONS for file in sorted(path.glob(pattern))]
    for file in [*files, *([beside] if beside.is_file() else [])]:
        try:
            return calibration_of_file(file).for_images(str(file))
        except InputError as error:
            fault = fault or error
    reason = f" ({fault})" if fault else ""
    raise InputError(
        f"{path}: nothing tells the intrinsics: give --intrinsics fx,fy,cx,cy[,k1,k2,p1,p2[,k3]], or put a "
        f"calibration file there, calibration.yaml for one{reason}"
    )


def at_images(file: Path, stamps: Sequence[int] | None, count: int, left_out: LeftOut) -> list[Matrix | None]:
    """The pose of each image: at its time, or in order where there are no times.

    Raises:
        InputError: nothing tells which pose belongs to which image.
    """
    if holds_matrices(file):
        poses = read_matrices(file, left_out)
        if len(poses) != count:
            raise InputError(f"{file}: {len(poses)} poses without times for {count} images: which belongs to which?")
        return poses
    trajectory = read_trajectory(file, left_out)
    if stamps is None:
        if len(trajectory.stamps) != count:
            raise InputError(
                f"{file}: {len(trajectory.stamps)} poses for {count} images whose names are no times: put a times.txt "
                "beside them, a line an image"
            )
        return list(trajectory.poses)
    poses = trajectory.at(stamps, MAX_GAP)
    if all(pose is None for pose in poses):
        raise InputError(f"{file}: {trajectory.apart(stamps)}")
    return poses


def _trajectories(path: Path) -> list[Path]:
    """Files that are trajectories by name and content."""
    files = [file for file in path.iterdir() if file.suffix.lower() in (".txt", ".csv", ".tum", ".kitti")]
    named = [file for file in files if _TRAJECTORY.fullmatch(file.stem)]
    return sorted((file for file in named if _holds_poses(file)), key=lambda file: (_rank(file), natural(file.name)))


def _rank(file: Path) -> int:
    """A camera's trajectory before a body's or keyframes alone, an estimate before what is called poses."""
    name = file.stem.lower()
    return next((rank for rank, word in enumerate(("cameratraj", "keyframe", "traj", "ground")) if word in name), 9)


def _holds_poses(file: Path) -> bool:
    try:
        found = [words for _, words in rows(file)][:3]
    except InputError:
        return False
    return 2 * sum(len(words) >= 8 for words in found) > len(found)  # most of them: one that is damaged costs itself


def _images(path: Path) -> list[Path]:
    return next((found for name in _IMAGES if (found := photographs(path / name))), [])


def _only_images(path: Path) -> list[Path]:
    """Images of the only folder that holds any, whatever it is called.

    Raises:
        InputError: none does, or several do.
    """
    below = sorted(place for depth in ("*", "*/*") for place in path.glob(depth) if place.is_dir())
    names = [place.relative_to(path) for place in below]
    wanted = [name for name in names if not any(is_beside(part) or part.startswith(".") for part in name.parts)]
    folders = {name: images for name in wanted if (images := photographs(path / name))}
    if not folders:
        raise InputError(f"{path}: there are no images in it, nor in a folder below ({', '.join(_IMAGES[:-1])}, ...)")
    if len(folders) > 1:
        raise InputError(
            f"{path}: several folders hold images ({', '.join(f'{name}/' for name in folders)}): give the one of the "
            f"trajectory instead, with both options: {path / next(iter(folders))} --poses FILE --intrinsics fx,fy,cx,cy"
        )
    return next(iter(folders.values()))


def _stamps(images: Sequence[Path], path: Path) -> list[int] | None:
    """Time of each image, ns: by the names, or by a list; None where neither tells."""
    try:
        if all(float(image.stem) > _TIMES for image in images):
            return [parse_stamp(image.stem, image.name) for image in images]
    except ValueError:
        pass
    for folder in dict.fromkeys((path, images[0].parent, images[0].parent.parent)):
        for name in _LISTS:
            if (folder / name).is_file() and (found := _of_list(folder / name, images)):
                return found
    return None


def _of_list(file: Path, images: Sequence[Path]) -> list[int] | None:
    try:
        found = [(parse_stamp(words[0], where), words[1:]) for where, words in rows(file)]
    except InputError:
        return None
    by_name = {Path(words[0]).name: stamp for stamp, words in found if words}
    if all(image.name in by_name for image in images):
        return [by_name[image.name] for image in images]
    return [stamp for stamp, _ in found] if len(found) == len(images) else None

"""Say where images were taken: one line an image, 'name tx ty tz qx qy qz qw confidence state'.

The pose is that of the camera in the map: position in units of the map, unit quaternion, camera axes x right, y down,
z forward. Of an image that can't be localized, the line says so, with the reason. Of one that several places of the map
explain about equally well, the line has the likeliest pose, and comments after it have them all. The exit code is 0
when every image was localized, 3 when some were not, 1 when some could not be read.

examples:
  ace localize room.safetensors a.jpg b.jpg --camera 525,525,320,240
  ace localize room.safetensors a.jpg --camera camera_info.yaml
  ace localize room.safetensors photos/ --camera room/ --json poses.json
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ace_ros.cli.camera_argument import CameraOf, camera_argument
from ace_ros.cli.console import check_writable, note, write_json
from ace_ros.cli.flags import map_argument
from ace_ros.errors import InputError
from ace_ros.evaluation.trajectory import pose_text
from ace_ros.geometry import Matrix, quaternion_xyzw
from ace_ros.localization.alternatives import Alternative
from ace_ros.localization.answer import Localization
from ace_ros.localization.localizer import Localizer
from ace_ros.localization.options import LocalizeOptions
from ace_ros.map.scene_map import SceneMap
from ace_ros.options import REQUIRED, Options, device_option, option
from ace_ros.recordings import read_image
from ace_ros.recordings.image_files import photographs

SOME_UNREADABLE = 1
SOME_NOT_LOCALIZED = 3


@dataclass(frozen=True)
class Command(Options):
    map: Path = map_argument()
    images: tuple[Path, ...] = option(
        REQUIRED, "Image files, grey or colour, or folders of them.", metavar="IMAGE...", positional=True
    )
    camera: str = option(
        REQUIRED,
        "fx,fy,cx,cy[,k1,k2,p1,p2[,k3...]] in pixels of the images; a calibration file (of ROS, Kalibr, EuRoC, OpenCV, "
        "COLMAP, or K); a recording; or exif.",
        metavar="CAMERA",
    )
    json: Path | None = option(None, "Also write all answers, covariances included, to this file.", metavar="FILE")
    device: str = device_option()
    solving: LocalizeOptions = field(default_factory=LocalizeOptions)

    def run(self) -> int:
        if not self.images:
            raise InputError("no images were given: ace localize MAP IMAGE... --camera ...")
        camera_of = camera_argument(self.camera)
        if self.json:
            check_writable(self.json)
        images = [image for path in self.images for image in _images(path)]
        localizer = Localizer(SceneMap.load(self.map), options=self.solving, device=self.device)
        answers = [self._answer(localizer, image, camera_of) for image in images]
        if self.json:
            write_json(self.json, {"images": answers})
        states = [answer["state"] for answer in answers]
        if None in states:
            return SOME_UNREADABLE
        return 0 if all(state == "LOCALIZED" for state in states) else SOME_NOT_LOCALIZED

    def _answer(self, localizer: Localizer, path: Path, camera_of: CameraOf) -> dict[str, Any]:
        """Localize one image and print its line."""
        try:
            image = read_image(path)
            found = localizer.localize(image, camera_of(path, image.shape[1], image.shape[0]))
        except InputError as error:
            note(str(error) if str(path) in str(error) else f"{path}: {error}")
            return {"name": str(path), "state": None, "reason": str(error)}
        print("\n".join([pose_line(str(path), found), *map(alternative_line, found.alternatives)]), flush=True)
        lost = found.state.name == "LOST"
        return {
            "name": str(path),
            "state": found.state.name,
            "reason": found.reason,
            **_posed(None if lost else found.map_from_camera, found.covariance),
            "place": None if lost else found.place,
            "alternatives": [
                {**_posed(one.map_from_camera, one.covariance), "place": one.place, "probability": one.probability}
                for one in found.alternatives
            ],
            "confidence": found.confidence,
            "inliers": found.inliers,
            "candidates": found.candidates,
        }


def _images(path: Path) -> list[Path]:
    """The image, or those of a folder.

    Raises:
        InputError: a folder that has none.
    """
    if not path.is_dir():
        return [path]
    if not (images := photographs(path)):
        raise InputError(f"{path}: there is no image in this folder")
    return images


def _posed(pose: Matrix | None, covariance: Matrix | None) -> dict[str, Any]:
    return {
        "position": None if pose is None else pose[:3, 3].tolist(),
        "orientation_xyzw": None if pose is None else quaternion_xyzw(pose).tolist(),
        "covariance": None if pose is None or covariance is None else covariance.tolist(),
    }


def alternative_line(one: Alternative) -> str:
    """A comment: ``#   maybe tx ty tz qx qy qz qw in place 3, 48%``."""
    return f"#   maybe {pose_text(one.map_from_camera, 6)} in place {one.place}, {one.probability:.0%}"


def pose_line(name: str, found: Localization) -> str:
    """``name tx ty tz qx qy qz qw confidence state``; ``nan`` for the pose of an image that can't be localized."""
    pose = found.map_from_camera
    if pose is None or found.state.name == "LOST":
        return f"{name} {'nan ' * 7}{found.confidence:.3f} LOST  # can't be localized: {found.reason}"
    reason = f"  # {found.reason}" if found.reason else ""
    return f"{name} {pose_text(pose, 6)} {found.confidence:.3f} {found.state.name}{reason}"

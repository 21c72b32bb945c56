"""Messages to the library's types and back."""

from __future__ import annotations

import numpy as np
import tf_transformations
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, Pose, PoseWithCovariance, Quaternion, Transform, Vector3
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from ace_ros.camera import Camera
from ace_ros.errors import InputError
from ace_ros.geometry import Matrix, check_pose, unit_quaternion
from ace_ros.image import Image as CameraImage
from ace_ros.image import Pixels, check_size
from ace_ros.recordings.encodings import decode_compressed, decode_raw
from ace_ros.recordings.intrinsics import camera_of_info
from ace_ros.recordings.lenses import fault_of

#: what messages call an image that is held against its camera_info
PAIR = "image and camera_info (with its region of interest and binning)"


class CameraError(InputError):
    """A camera_info that can't be used; images that come with it are not to blame."""


def nanoseconds(stamp: Time) -> int:
    """Stamp of a message, ns."""
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)


def time_message(stamp: int) -> Time:
    """Stamp for a message from ns."""
    return Time(sec=stamp // 1_000_000_000, nanosec=stamp % 1_000_000_000)


def pose_matrix(pose: Pose, where: str) -> Matrix:
    """(4, 4) from a pose message.

    Raises:
        InputError: NaN, or a quaternion that is not of unit length (all zeros, say).
    """
    return _matrix(pose.position, pose.orientation, where)


def transform_matrix(transform: Transform, where: str) -> Matrix:
    """(4, 4) from a transform message; raises as :func:`pose_matrix`."""
    return _matrix(transform.translation, transform.rotation, where)


def _matrix(translation: Point | Vector3, rotation: Quaternion, where: str) -> Matrix:
    quaternion = unit_quaternion((rotation.x, rotation.y, rotation.z, rotation.w), where)
    matrix = tf_transformations.quaternion_matrix(quaternion)
    matrix[:3, 3] = translation.x, translation.y, translation.z
    return check_pose(matrix, where)


def pose_message(pose: Matrix) -> Pose:
    """Pose message from (4, 4)."""
    x, y, z = (float(value) for value in pose[:3, 3])
    return Pose(position=Point(x=x, y=y, z=z), orientation=_quaternion(pose))


def pose_with_covariance_message(pose: Matrix, covariance: Matrix) -> PoseWithCovariance:
    """Pose with covariance (6, 6) in REP 103 order."""
    return PoseWithCovariance(pose=pose_message(pose), covariance=np.asarray(covariance, dtype=np.float64).ravel())


def transform_message(pose: Matrix) -> Transform:
    """Transform message from (4, 4)."""
    x, y, z = (float(value) for value in pose[:3, 3])
    return Transform(translation=Vector3(x=x, y=y, z=z), rotation=_quaternion(pose))


def _quaternion(pose: Matrix) -> Quaternion:
    """Rotation of (4, 4), w >= 0."""
    x, y, z, w = (float(value) for value in tf_transformations.quaternion_from_matrix(pose))
    return Quaternion(x=x, y=y, z=z, w=w)


def camera_from_info(info: CameraInfo, rectified: bool = False) -> Camera:
    """The camera of the images that ``info`` goes with: region of interest cut out, then binned.

    Raises:
        InputError: K[0] = 0 (P[0] = 0 for rectified images), or a distortion model or values that can't be used.
    """
    if (info.p if rectified else info.k)[0] == 0.0:
        name = "P" if rectified else "K"
        raise CameraError(
            f"camera_info: {name}[0] = 0, which means that the camera is not calibrated: "
            "calibrate it (ros2 run camera_calibration cameracalibrator), or let the driver load its calibration"
        )
    camera = camera_of_info(info, rectified, "camera_info", remedy=" and set rectified to true")
    if fault := fault_of(camera):
        raise CameraError(f"camera_info: {fault}: calibrate it again")
    return camera


def check_stated_size(image: Image | CompressedImage, camera: Camera) -> None:
    """See that the size that a message states, before it is decoded, is the camera's; a compressed one states none.

    Raises:
        InputError: it is not.
    """
    if isinstance(image, Image):
        check_size(image.width, image.height, camera, PAIR)


def decode(message: Image | CompressedImage, camera: Camera) -> Pixels:
    """Pixels of an image message: uint8, (H, W) or (H, W, 3) RGB.

    Raises:
        InputError: see :func:`pixels_of`; or another size than ``camera`` says.
    """
    return CameraImage(pixels_of(message), camera, PAIR).pixels


def pixels_of(message: Image | CompressedImage) -> Pixels:
    """Pixels of an image message whose camera does not matter: uint8, (H, W) or (H, W, 3) RGB.

    Raises:
        InputError: empty, truncated, unreadable, or of an encoding that can't be converted.
    """
    return decode_raw(message, "image") if isinstance(message, Image) else decode_compressed(message, "image")

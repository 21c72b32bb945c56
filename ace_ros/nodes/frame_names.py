"""Names of frames that can't be published, or that would give a pose which looks right and is wrong."""

from __future__ import annotations

from ace_ros.errors import InputError
from ace_ros.map.header import MapHeader
from ace_ros.nodes.options import LocalizationNodeOptions
from ace_ros.online.reasons import Fault, OnlineReason

_MODES = {"map_to_odom": ("odom_frame", "base_frame"), "map_to_base": ("base_frame",)}  # frames that tf_mode needs


def frame_of(header: MapHeader, options: LocalizationNodeOptions) -> str:
    """The frame of the poses."""
    return options.map_frame or header.map_frame


def check_frames(header: MapHeader, options: LocalizationNodeOptions) -> None:
    """See that with this map the node can say whose poses it publishes, and in which frame.

    Raises:
        InputError: it can't.
    """
    map_frame, mode, base = frame_of(header, options), options.tf_mode, options.base_frame
    if not map_frame:
        raise InputError("parameter map_frame: the map names no frame, give one: map, say")
    for name, frame in (("map_frame", map_frame), ("odom_frame", options.odom_frame), ("base_frame", base)):
        if frame.startswith("/"):
            raise InputError(f"parameter {name}: {_slash(frame)}")
    if options.cameras > 1 and (mode == "map_to_camera" or not base):
        wanted = "name the robot's base_frame, and set tf_mode to another one than map_to_camera"
        raise InputError(f"parameter cameras: {options.cameras} cameras have one pose, that of the robot: {wanted}")
    if options.cameras > 1 and options.camera_frame:
        wanted = "leave it empty, and let each driver set its frame_id"
        raise InputError(f"parameter camera_frame: {options.cameras} cameras can't be in one frame: {wanted}")
    if mode == "map_to_camera":
        return
    for name in _MODES.get(mode, ()):
        if not getattr(options, name):
            raise InputError(f"parameter {name}: it is empty, and tf_mode {mode} needs it")
    if not header.metric and base:
        wanted = "set tf_mode to map_to_camera, or to none with an empty base_frame, or map with metric poses"
        raise InputError(f"the map has no metric scale, and {base} and its TF are in metres: {wanted}")
    for name in ("odom_frame", "base_frame"):
        if base and getattr(options, name) == map_frame:
            wanted = f"set map_frame to another name, map say, or {name} to the robot's"
            raise InputError(f"parameter {name}: the poses of this map are in '{map_frame}' as well: {wanted}")
    if base and options.odom_frame == base:
        raise InputError(f"parameter odom_frame: it is '{base}', as base_frame is")


def camera_fault(camera_frame: str, map_frame: str, options: LocalizationNodeOptions) -> Fault:
    """Why images with this frame_id can't be used; none where they can."""
    published = options.tf_mode == "map_to_camera"
    remedy = "let the driver set its optical frame, or set camera_frame"
    if not (published or options.base_frame):
        return Fault()  # nobody asks
    if not camera_frame:
        return Fault(OnlineReason.NO_TRANSFORM, f"the images have no frame_id: {remedy}")
    if camera_frame.startswith("/"):
        return Fault(OnlineReason.NO_TRANSFORM, f"frame_id of the images: {_slash(camera_frame)}: {remedy}")
    if camera_frame == map_frame:
        return Fault(
            OnlineReason.NO_TRANSFORM, f"frame_id of the images is '{map_frame}', as the map's frame: {remedy}"
        )
    return Fault()


def _slash(frame: str) -> str:
    return f"'{frame}' begins with a slash, which TF refuses"

"""Scenes that are rendered with exact poses, for demos, tests and benchmarks: a room and a courtyard."""

from ace_ros.generated.scenes import courtyard_camera, make_courtyard, make_room, room_camera

__all__ = ["courtyard_camera", "make_courtyard", "make_room", "room_camera"]

"""Scenes that are rendered with exact poses, for demos, tests and benchmarks: a room and a courtyard."""

from ace_ros.generated.scenes import make_room, room_camera

__all__ = ["make_room", "room_camera"]
